"""What `agentsync check` looks for in the rollout that a directory's manifest declares."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agentsync.core.diagnostics import Diagnostic
from agentsync.git.clone import Clone
from agentsync.repository.manifest import FILE_NAME, read_manifest
from agentsync.rollout.doubts import doubts, doubts_of_hold
from agentsync.rollout.tables import RolloutTable


def check_rollout(root: Path) -> Iterator[Diagnostic]:
    """Yield what is doubtful about the rollout of a directory, with the lines of its manifest; no rollout is fine.

    Raises:
        ConfigError: the manifest has a mistake.
    """
    manifest = root / FILE_NAME
    data = manifest.read_bytes() if manifest.is_file() else b""
    rollout = read_manifest(data).rollout
    if rollout is None:
        return
    lines = data.decode("utf-8-sig", errors="replace").splitlines()
    for diagnostic in (*doubts(rollout), *_doubts_of_hold(root, rollout)):
        line = next((number for number, text in enumerate(lines, 1) if _quoted(diagnostic) in text), 0)
        yield diagnostic.at(path=FILE_NAME, line=line)


def _doubts_of_hold(root: Path, rollout: RolloutTable) -> Iterator[Diagnostic]:
    clone = Clone(root)
    if rollout.hold_at is None or not clone.exists:
        return
    found = clone.ancestors(rollout.hold_at)
    yield from doubts_of_hold(rollout.hold_at, found, is_whole=not clone.is_shallow)


def _quoted(diagnostic: Diagnostic) -> str:
    """The name that a diagnostic is about, as TOML has it in the line to look at."""
    name = diagnostic.message.split("`")[1]
    return name if name == "hold_at" else f'name = "{name}"'
