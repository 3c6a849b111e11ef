"""`make fleet-demo`: a rollout on forty real homes, with Prometheus and Alertmanager, and what people see of it."""
