"""Conversion of an agent to the file of another tool, within its grants and the policy."""
