"""The corpus: beside the repository, or where AGENTSYNC_SHARED points; tests skip where it is missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def corpus() -> Path:
    shared = Path(os.environ.get("AGENTSYNC_SHARED", ROOT.parent / "shared"))
    if not (shared / "corpus" / "public.json").is_file():
        pytest.skip(f"the corpus is not at {shared}; AGENTSYNC_SHARED sets its place")
    return shared / "corpus"
