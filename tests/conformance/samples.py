"""Repositories to pull: real agents, generated ones, and files that are broken in one way each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agentsync.core.globs import path_matches
from agentsync.dialects import Dialect, UneditableError, dialects
from agentsync.repository.dialect_detection import ReadAgent, read_agent
from conformance import generated

Files = Mapping[str, bytes]
"""The files of a repository by path."""

GOOD = {"seeds": "seeds", "public": "public corpus", "generated": "generated agents"}
BROKEN = {"synthetic": "broken files: synthetic", "dashes": "broken files: dashes"}
REPOSITORIES = {**GOOD, **BROKEN}
"""Every repository, by the name that tests use, with its name in the table of counts."""

MANIFEST = "agentsync.toml"

# More agents than have one name.
_MOST = 100

# One dialect of the corpus that is two of agentsync's, by the file's ending.
_IN_ANOTHER_FORM = {("kiro", ".json"): "kiro2"}

# A name in a frontmatter, a TOML table or JSON, without the quotation mark that may end it; and the other word for it.
_NAME = rb"""(?m)^[ \t-]*"?%s"?[ \t]*[:=][ \t]*["']?[^"'\r\n]*[^"'\s,]"""
_NAMED_BY = {"roo": b"slug"}
# Dashes that YAML must not show as they are: the script that asks Claude Code takes their escape for the name itself.
_DASHES = re.compile(rb"(?m)^([ \t-]*slug: .*?)-{2,}")
_SHARED_NAME = b"reviewer-one"
_OPENCODE = ("opencode-permission-globs.md", "opencode-permission-unquoted-star.md", "claude-in-opencode.md")
# Of other dialects than those two, which the rest of the broken files are in.
_FOREIGN = ("droid-example.md", "gemini-example.md")


# Restricted agents with values that hold the end of a frontmatter.
DASHES: Files = {
    ".claude/agents/plain-dashes.md": (
        b"---\nname: plain-dashes\ndescription: One --- two\ntools: Read\n---\nRead changes.\n"
    ),
    ".claude/agents/block-dashes.md": (
        b"---\nname: block-dashes\ndescription: |\n  One\n  ---\n  two\ntools: Read\n---\nRead changes.\n"
    ),
    ".opencode/agents/opencode-dashes.md": (
        b'---\ndescription: One ---- two\nmode: subagent\npermission:\n  "*": deny\n  read: allow\n---\nRead changes.\n'
    ),
}


def repository(name: str, shared: Path) -> Files:
    """The files of a repository by its name."""
    match name:
        case "seeds":
            return seeds(shared)
        case "public":
            return public(shared)
        case "generated":
            return generated_agents()
        case "synthetic":
            return synthetic(shared)
        case _:
            return DASHES


def seeds(shared: Path) -> Files:
    """The five seeds, which all have one name, each with a name of its own."""
    files = sorted((shared / "seeds").iterdir())
    return {
        f"agents/seed-{number}.md": re.sub(rb"name: [a-z-]+", b"name: seed-%d" % number, file.read_bytes(), count=1)
        for number, file in enumerate(files)
    }


def public(shared: Path) -> Files:
    """Every agent of the public repositories, below its dialect; of one name, all but the first get another one."""
    files: dict[str, bytes] = {MANIFEST: _manifest()}
    taken: set[str] = set()
    for dialect, path, data in public_agents(shared):
        place, content = path, data
        for number in range(2, _MOST):
            if (name := _slug(place, content, dialect)) not in taken:
                break
            place, content = _numbered(dialect, path, data, number)
        else:
            raise AssertionError(path)
        taken |= {name} - {""}
        files[f"{dialect}/{place}"] = content
    return files


def _slug(path: str, data: bytes, dialect: str) -> str:
    """The name of an agent's files; empty for a file that is not one."""
    read = read_agent(path, data, dialect)
    return read.agent.slug if isinstance(read, ReadAgent) else ""


def _numbered(dialect: str, path: str, data: bytes, number: int) -> tuple[str, bytes]:
    """The same file with a number behind its name, both within it and without."""
    directory, _, file = path.rpartition("/")
    stem, dot, suffixes = file.partition(".")
    renamed = re.sub(_NAME % _NAMED_BY.get(dialect, b"name"), rb"\g<0>-%d" % number, data, count=1)
    return f"{directory}/{stem}-{number}{dot}{suffixes}", renamed


def public_agents(shared: Path) -> Iterator[tuple[str, str, bytes]]:
    """Dialect, path and content of each file in a place where its repository has agents."""
    corpus = shared / "corpus"
    for repository in json.loads((corpus / "public.json").read_bytes())["repositories"]:
        root = corpus / "public" / repository["repo"].replace("/", "+")
        for file in sorted(path for path in root.rglob("*") if path.is_file()):
            path = file.relative_to(root).as_posix()
            named = next((one["dialect"] for one in repository["globs"] if path_matches(one["glob"], path)), "")
            dialect = _IN_ANOTHER_FORM.get((named, file.suffix), named)
            if dialect in dialects():
                for place, data in _split(dialects()[dialect], file):
                    yield dialect, place.relative_to(corpus / "public").as_posix(), data


def _split(dialect: Dialect, file: Path) -> Iterator[tuple[Path, bytes]]:
    """The file itself, or each agent of one that holds several as a file of its own."""
    if dialect.shared is None:
        yield file, file.read_bytes()
        return
    try:
        entries = dialect.shared.entries(file.read_bytes())
    except UneditableError:  # it has no agents, or a layout in which they cannot be separated
        entries = {}
    for name, data in entries.items():
        yield file.with_name(f"{file.name}-{name}{dialect.suffix}"), _DASHES.sub(rb"\1-", data)


def generated_agents() -> Files:
    """The generated agents as files of each dialect, below its name."""
    files = {f"{dialect}/{file}": data for dialect in dialects() for file, data in generated.written(dialect).items()}
    return {**files, MANIFEST: _manifest()}


def _manifest() -> bytes:
    """A manifest that declares files below a dialect's name to be in this dialect, whatever they look like."""
    globs = {f"{name}/**": name for name in dialects()}
    tables = "".join(f'"{glob}" = "{name}"\n' for glob, name in globs.items())
    return f"[agents]\ninclude = {json.dumps(list(globs))}\n[agents.dialects]\n{tables}".encode()


def synthetic(shared: Path) -> Files:
    """Each broken file at the place where its tool would look, with a name of its own where it has a usual one."""
    directory = shared / "corpus/synthetic"
    names = [path.name for path in sorted(directory.glob("*.md")) if path.name not in _FOREIGN]
    return {synthetic_path(name): _renamed((directory / name).read_bytes(), name[:-3]) for name in names}


def synthetic_path(name: str) -> str:
    """The path of a broken file in its repository."""
    return f".opencode/agents/{name}" if name in _OPENCODE else f".claude/agents/{name}"


def expectations(shared: Path) -> dict[str, Any]:
    """By the name of a broken file: whether it should load (`true`, `false` or `"warn"`)."""
    record = json.loads((shared / "corpus/synthetic/index.json").read_bytes())
    return {entry["file"]: entry["expect"]["load"] for entry in record["files"] if entry["file"] not in _FOREIGN}


def _renamed(data: bytes, name: str) -> bytes:
    for encoding in ("utf-8", "utf-16-le"):
        data = data.replace(_SHARED_NAME.decode().encode(encoding), name.encode(encoding))
    return data
