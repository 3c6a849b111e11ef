"""A sound agent file, and helpers to read and refuse documents."""

from __future__ import annotations

import pytest

from agentsync.core.codes import Code
from agentsync.formats.document import Document, UnreadableError
from agentsync.formats.frontmatter import parse_markdown
from agentsync.formats.toml import parse_toml

PATH = "agents/scout.md"
HEAD = "name: scout\ndescription: Looks around.\ntools: Read, Grep\n"
BODY = "\nYou look around.\n\n---\n\nThen you report.\n"
FILE = f"---\n{HEAD}---\n{BODY}"
METADATA = {"name": "scout", "description": "Looks around.", "tools": "Read, Grep"}


def parse(text: str) -> Document:
    """Parse a whole file."""
    return parse_markdown(text.encode(), PATH)


def read(head: str) -> Document:
    """Parse a file with this frontmatter."""
    return parse(f"---\n{head}\n---\n{BODY}")


def diagnostics_of(document: Document) -> list[tuple[Code, int]]:
    """Code and line of each diagnostic."""
    return [(diagnostic.code, diagnostic.line) for diagnostic in document.diagnostics]


def refusal(data: bytes | str, *, toml: bool = False) -> tuple[Code, int]:
    """Assert that a file is refused; return code and line of the error."""
    parser = parse_toml if toml else parse_markdown
    with pytest.raises(UnreadableError) as raised:
        parser(data if isinstance(data, bytes) else data.encode(), PATH)
    assert raised.value.diagnostic.path == PATH
    assert str(raised.value).startswith(PATH)
    return raised.value.diagnostic.code, raised.value.diagnostic.line
