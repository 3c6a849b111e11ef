"""The directories of this machine's tools: what is there, what is to change, and changing it."""
