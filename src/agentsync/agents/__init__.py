"""Agents and their grants, independent of any tool."""
