"""The cycle: from the sources to what the targets get, what is reported of it, and back again."""
