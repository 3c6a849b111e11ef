"""What several dialects are made of."""
