"""Target directories of this machine's tools: observing, planning and applying changes."""
