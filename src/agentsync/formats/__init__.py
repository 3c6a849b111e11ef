"""File formats: parse bytes into documents, and write them."""
