"""The real tools judge what agentsync writes."""
