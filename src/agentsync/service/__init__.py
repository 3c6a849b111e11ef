"""The service, which keeps a machine in step with its sources."""
