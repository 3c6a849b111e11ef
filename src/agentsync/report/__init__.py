"""Presentations of a sync and of the service: JSON, metrics, the status page."""
