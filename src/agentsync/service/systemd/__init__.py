"""Running agentsync with systemd."""
