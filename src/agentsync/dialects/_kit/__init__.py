"""Building blocks that several dialects share."""
