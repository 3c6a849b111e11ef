"""A Git-backed sync daemon for AI coding agents."""

try:
    from agentsync._version import __version__
except ImportError:  # the source of a clone that was never installed
    __version__ = "0.0.0"

__all__ = ["__version__"]
