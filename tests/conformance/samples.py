"""The repositories that are pulled: real agents, and files that are wrong in one way each."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Files = Mapping[str, bytes]
"""The files of a repository by path."""

PUBLIC = {"wshobson": "wshobson/agents", "VoltAgent": "VoltAgent/awesome-claude-code-subagents"}

_SHARED_NAME = b"reviewer-one"
_OPENCODE = ("opencode-permission-globs.md", "opencode-permission-unquoted-star.md", "claude-in-opencode.md")
# Of tools whose dialect agentsync does not read.
_FOREIGN = ("droid-example.md", "gemini-example.md")


# Restricted agents whose values hold what ends a frontmatter elsewhere.
DASHES: Files = {
    ".claude/agents/plain-dashes.md": b"---\nname: plain-dashes\ndescription: One --- two\ntools: Read\n---\nBody.\n",
    ".claude/agents/block-dashes.md": (
        b"---\nname: block-dashes\ndescription: |\n  One\n  ---\n  two\ntools: Read\n---\nBody.\n"
    ),
    ".opencode/agents/opencode-dashes.md": (
        b'---\ndescription: One ---- two\nmode: subagent\npermission:\n  "*": deny\n  read: allow\n---\nBody.\n'
    ),
}


def seeds(shared: Path) -> Files:
    """The five seeds, which all have one name, each with a name of its own."""
    files = sorted((shared / "seeds").iterdir())
    return {
        f"agents/seed-{number}.md": re.sub(rb"name: [a-z-]+", b"name: seed-%d" % number, file.read_bytes(), count=1)
        for number, file in enumerate(files)
    }


def public(shared: Path, repository: str) -> Files:
    """All files of a public repository, by path."""
    root = shared / "corpus/public" / repository.replace("/", "+")
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def public_globs(shared: Path, repository: str) -> list[str]:
    """Where its agents lie."""
    record = json.loads((shared / "corpus/public.json").read_bytes())
    (found,) = (entry for entry in record["repositories"] if entry["repo"] == repository)
    return [str(entry["glob"]) for entry in found["globs"]]


def synthetic(shared: Path) -> Files:
    """Each broken file at the place where its tool would look, with a name of its own where it has a usual one."""
    folder = shared / "corpus/synthetic"
    names = [path.name for path in sorted(folder.glob("*.md")) if path.name not in _FOREIGN]
    return {synthetic_path(name): _renamed((folder / name).read_bytes(), name[:-3]) for name in names}


def synthetic_path(name: str) -> str:
    """Where a broken file lies in its repository."""
    return f".opencode/agents/{name}" if name in _OPENCODE else f".claude/agents/{name}"


def expectations(shared: Path) -> dict[str, Any]:
    """By the name of a broken file: whether it should load (`true`, `false` or `"warn"`)."""
    record = json.loads((shared / "corpus/synthetic/index.json").read_bytes())
    return {entry["file"]: entry["expect"]["load"] for entry in record["files"] if entry["file"] not in _FOREIGN}


def _renamed(data: bytes, name: str) -> bytes:
    for encoding in ("utf-8", "utf-16-le"):
        data = data.replace(_SHARED_NAME.decode().encode(encoding), name.encode(encoding))
    return data
