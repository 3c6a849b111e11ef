"""Status documents of small fleets."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

NEW, OLD = "d" * 40, "c" * 40
_DATES = {NEW: 1_796_080_856, OLD: 1_795_600_800}


def write_document(directory: Path, machine: str, commit: str, stage: str, reason: str, **more: Any) -> None:
    """Write a machine's status document; `more` replaces keys of it."""
    rollout = {"stage": stage, "reason": reason, "detail": None, "chosen": commit, "tip": NEW, "due_at": None}
    source = {
        "name": "team",
        "ref": "refs/heads/main",
        "commit": commit,
        "committed_at": _DATES[commit],
        "fetched_at": time.time(),
        "rejected": None,
        "error": None,
        "rollout": rollout if stage else None,
    }
    (directory / f"{machine}.json").write_text(json.dumps({"sources": [source], "refused": [], **more}))


def refusing(*agents: str, since: str = "2026-11-30T09:00:00+00:00") -> dict[str, Any]:
    """The keys of a document with agents that Codex does not get."""
    rest = {"source": "team", "targets": ["codex"], "kept": [], "refused_since": since}
    return {"refused": [{"agent": agent, "source_path": f"agents/{agent}.md", **rest} for agent in agents]}
