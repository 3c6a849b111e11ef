"""The sync cycle: from the sources to the targets, its reports, and rollbacks."""
