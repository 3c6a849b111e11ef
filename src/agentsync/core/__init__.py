"""What every other package may use: errors, diagnostics, names, paths, time, the log."""
