"""Why `split` and `load` of the handler are called directly, and not python-frontmatter's `parse`."""

from __future__ import annotations

import frontmatter

from agentsync.formats.frontmatter import AgentHandler, parse_markdown

FILE = "---\nname: a\n---\n\n    code\n\n"


def test_parse_strips_a_body_that_our_reader_keeps() -> None:
    assert frontmatter.loads(FILE, handler=AgentHandler()).content == "code"
    assert parse_markdown(FILE.encode(), "a.md").body == "\n    code\n\n"
