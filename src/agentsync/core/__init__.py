"""Shared by every other package: errors, diagnostics, names, paths, time and the log."""
