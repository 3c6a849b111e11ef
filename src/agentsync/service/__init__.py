"""The service: what lets a machine follow its sources by itself."""
