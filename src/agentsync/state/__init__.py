"""What a machine remembers: records, caches, backups, and the lock."""
