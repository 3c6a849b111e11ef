"""The service in systemd's care."""
