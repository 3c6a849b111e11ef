"""The digest that identifies content."""

from __future__ import annotations

import hashlib


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
