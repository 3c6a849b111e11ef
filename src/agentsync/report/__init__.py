"""How a sync and the service are shown to others: JSON, metrics, the page."""
