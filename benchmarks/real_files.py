"""Real agent files of public repositories, and what nobody can be faster than in checking them."""

from __future__ import annotations

import os
import tomllib
from contextlib import suppress
from pathlib import Path

import yaml
from scene import Scene

SKIPPED = "the corpus of real files is not in $AGENTSYNC_SHARED/corpus/public: no check of it"


def real_files() -> Path | None:
    """The directory of the real files; None where there is none."""
    shared = os.environ.get("AGENTSYNC_SHARED")
    directory = Path(shared, "corpus/public") if shared else None
    return directory if directory and directory.is_dir() else None


def forget(scene: Scene) -> None:
    """A machine on which nothing was checked yet."""
    (scene.home / ".cache/agentsync/checks.sqlite3").unlink(missing_ok=True)


def read_and_parse(directory: Path) -> None:
    """Reads every file, and parses its frontmatter or TOML."""
    for above, _, names in os.walk(directory):
        for name in names:
            data = Path(above, name).read_bytes()
            with suppress(yaml.YAMLError, ValueError):
                if data.startswith(b"---\n"):
                    yaml.load(data[4:].partition(b"\n---")[0], Loader=yaml.CSafeLoader)
                elif name.endswith(".toml"):
                    tomllib.loads(data.decode())
