"""How the service goes, in numbers: for Prometheus, and for OpenTelemetry."""
