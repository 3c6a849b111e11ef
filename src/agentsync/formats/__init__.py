"""A file's bytes, and the document that they hold."""
