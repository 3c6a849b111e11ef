"""State of this machine: records, caches, backups, and the lock."""
