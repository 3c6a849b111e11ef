"""A key that restricts does so in every spelling and after every repair, or its file is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agentsync.agents.grants import EVERYTHING, Approval, wider
from agentsync.agents.key_effects import (
    FOREIGN_RESTRICTING,
    KEY_EFFECTS,
    RESTRICTING,
    Effect,
    Meaning,
    effects_of,
    meaning,
    restricts,
)
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.core.naming import folded_key
from agentsync.dialects import Dialect, dialects
from agentsync.formats.key_lines import is_code
from agentsync.repository.dialect_detection import NoAgent, read_agent
from support.agents import thorough
from support.conversion import widening

HEAD = "name: reviewer\ndescription: Reviews changes.\n"
BROKEN = "name: reviewer\ndescription: Reviews: changes.\n"  # a colon too many: no YAML
COLON, SHY = "\N{FULLWIDTH COLON}", "\N{SOFT HYPHEN}"
QUOTES = "\"'"
BODY = "Please review the changes with care.\n"

# Damaged files, around a line of their frontmatter.
REPAIRS: Final[dict[str, Callable[[str], str]]] = {
    "whole file on one line": lambda line: f"--- {HEAD} {line} --- {BODY}".replace("\n", " "),
    "frontmatter on one line": lambda line: f"--- {HEAD} {line}".replace("\n", " ") + f" ---\n{BODY}",
    "keys on one line between fences": lambda line: f"---\n{(HEAD + line).replace(chr(10), ' ')}\n---\n{BODY}",
    "key behind the fence of a single line": lambda line: f"--- {HEAD} --- ".replace("\n", " ") + f"{line}\n{BODY}",
    "unclosed": lambda line: f"---\n{HEAD}{line}\n\n{BODY}",
    "unclosed, blank line before the key": lambda line: f"---\n{HEAD}\n{line}\n\n{BODY}",
    "unclosed, prose before the key": lambda line: f"---\n{HEAD}\n{BODY}\n{line}\n",
    "unclosed above a rule": lambda line: f"---\n{HEAD}\n{line}\n\n{BODY}\n---\nMore.\n",
    "unclosed below a rule": lambda line: f"---\n{HEAD}color: red\n\n{BODY}\n---\n{line}\n",
    "dots as the fence": lambda line: f"---\n{HEAD}{line}\n...\n{BODY}",
    "key below dots": lambda line: f"---\n{HEAD}...\n{line}\n{BODY}",
    "key below a long rule": lambda line: f"---\n{HEAD}-----\n\n{line}\n{BODY}",
    "no YAML": lambda line: f"---\n{BROKEN}{line}\n---\n{BODY}",
    "no YAML, key first": lambda line: f"---\n{line}\n{BROKEN}---\n{BODY}",
    "no YAML, indented key": lambda line: f"---\n{BROKEN} {line}\n---\n{BODY}",
    "no YAML, key below examples": lambda line: f"---\n{BROKEN}\n<example>\nuser: hi\n</example>\n{line}\n---\n{BODY}",
    "no YAML, key in a list": lambda line: f"---\n{BROKEN}- {line}\n---\n{BODY}",
    "no YAML, odd line end": lambda line: f"---\n{BROKEN.strip()}\N{LINE SEPARATOR}{line}\n---\n{BODY}",
    "no YAML, unclosed": lambda line: f"---\n{BROKEN}\n{line}\n\n{BODY}",
    "carriage returns": lambda line: f"---\n{BROKEN}{line}\n---\n{BODY}".replace("\n", "\r"),
    "blank lines first": lambda line: f"\n\n---\n{BROKEN}{line}\n---\n{BODY}",
    "indented": lambda line: f"---\n{BROKEN}{line}\n---\n{BODY}".replace("\n", "\n  ").replace("---", "  ---", 1),
    "in a code fence": lambda line: f"```yaml\n---\n{BROKEN}{line}\n---\n```\n{BODY}",
    "keys on one line, blanks before the colon": lambda line: (
        f"---\n{(HEAD + line.replace(':', ' :', 1)).replace(chr(10), ' ')}\n---\n{BODY}"
    ),
    "whole file on one line, two blanks": lambda line: f"--- {HEAD} {line} --- {BODY}".replace("\n", " ").replace(
        " ", "  "
    ),
    "no YAML, other colon": lambda line: f"---\n{BROKEN}{line.replace(':', COLON, 1)}\n---\n{BODY}",
    "no YAML, equals sign": lambda line: f"---\n{BROKEN}{line.replace(': ', ' = ', 1)}\n---\n{BODY}",
    "no YAML, numbered": lambda line: f"---\n{BROKEN}1. {line}\n---\n{BODY}",
    "no YAML, hidden character": lambda line: f"---\n{BROKEN}{line[:2]}{SHY}{line[2:]}\n---\n{BODY}",
    "no YAML, beside the same key in another place": lambda line: (
        f"---\n{BROKEN}  {line}\nmeta: {{{line}}}\n---\n{BODY}"
    ),
    "byte order mark": lambda line: f"\N{ZERO WIDTH NO-BREAK SPACE}---\n{HEAD}{line}\n---\n{BODY}",
}

BELOW_PROSE: Final = frozenset({"unclosed, prose before the key", "unclosed below a rule"})
"""Places where a spelling that is not as in code is a label in the instructions."""

# Values that restrict where one word does not.
VALUES: Final = {
    "mode": "plan",
    "hooks": "{PreToolUse: [{matcher: Bash}]}",
    "mcp": "{tracker: {disabled: true}}",
    "mcpservers": "{tracker: {disabled: true}}",
    "toolssettings": "{shell: {deniedCommands: [rm]}}",
    "targets": "{claude: {tools: [read]}}",
}
# Keys that every dialect honours, of any tool.
HONOURED: Final = sorted(FOREIGN_RESTRICTING | VALUES.keys() - {"targets"})
OWN: Final = frozenset[str]().union(*(dialect.restrictions for dialect in dialects().values()))
"""Keys by which some dialect restricts."""
CLAUDE: Final = dialects()["claude"]
MARKDOWN: Final = [one for one in dialects().values() if one.suffix == ".md" and one.name != "neutral"]


def _check(text: str, key: str, dialect: Dialect, targets: Iterable[Dialect]) -> None:
    """Assert that the file is refused, or its key was read, counts as intended, and no output has more."""
    result = read_agent("reviewer.md", text.encode(), dialect.name)
    if isinstance(result, NoAgent):
        assert result.refused
        return
    assert folded_key(key) in {folded_key(name) for name in result.document.metadata}
    if folded_key(key) not in HONOURED:
        return
    assert wider(EVERYTHING, result.agent.grants), "nothing is taken away"
    for target in targets:
        data = render(result, target, WriteOptions()).data
        if data is None:
            continue
        if target is not dialect or folded_key(key) in map(folded_key, result.agent.unknown):
            assert widening(result.agent, data, target, WriteOptions()) is None, target.name
        else:
            assert key in target.parse(data, f"reviewer{target.suffix}").metadata, target.name


def _line(key: str) -> str:
    return f"{key}: {VALUES.get(folded_key(key.strip(QUOTES)), 'read')}"


@pytest.mark.parametrize("repair", REPAIRS.values(), ids=REPAIRS)
def test_every_key_that_restricts_survives_every_repair(repair: Callable[[str], str]) -> None:
    for key in sorted(RESTRICTING | OWN):
        _check(repair(_line(key)), key, CLAUDE, [CLAUDE])


@st.composite
def spellings(draw: st.DrawFn) -> str:
    """A key with case, dashes, underscores, blanks and quotes as somebody may write it."""
    key = draw(st.sampled_from(sorted(RESTRICTING | OWN)))
    cuts = draw(st.lists(st.integers(1, max(1, len(key) - 1)), max_size=2, unique=True))
    parts = [key[start:end] for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), None], strict=True)]
    style = draw(st.sampled_from([str.lower, str.upper, str.title]))
    spelled = draw(st.sampled_from(["", "-", "_", " "])).join(style(part) for part in parts)
    quote = draw(st.sampled_from(["", "", '"', "'"]))
    return quote + spelled + quote


@thorough
@given(spelled=spellings(), repair=st.sampled_from(sorted(REPAIRS)), dialect=st.sampled_from(MARKDOWN))
def test_so_does_every_spelling_in_every_dialect(spelled: str, repair: str, dialect: Dialect) -> None:
    assume(is_code(spelled) or repair not in BELOW_PROSE)
    _check(REPAIRS[repair](_line(spelled)), spelled.strip(QUOTES), dialect, dialects().values())


def test_repairs_are_repairs() -> None:
    """Without such a key, most of these files are agents; else the tests above would show nothing."""
    read = [read_agent("reviewer.md", repair("color: red").encode(), "claude") for repair in REPAIRS.values()]
    agents = [one for one in read if not isinstance(one, NoAgent)]
    assert len(agents) > len(REPAIRS) * 2 / 3
    assert sum(one.document.repaired for one in agents) > len(REPAIRS) / 2


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"---\n{BROKEN} Disallowed Tools: Bash\n---\n{BODY}", 4),
        (f"---\n{HEAD}...\ndeny: Bash\n{BODY}", 5),
        (f"---\n{HEAD}---\n# Limits\npermission-mode: plan\n---\n{BODY}", 6),
        (f"---\n{HEAD}\nTools: Read\n\n{BODY}", 5),
        (f"---\nname: reviewer sandbox: read-only\n{BROKEN.partition(chr(10))[2]}---\n{BODY}", 2),
    ],
)
def test_the_refusal_names_the_key_and_its_line(text: str, line: int) -> None:
    result = read_agent("reviewer.md", text.encode(), "claude")
    assert isinstance(result, NoAgent)
    (diagnostic,) = [one for one in result.diagnostics if one.code is Code.RESTRICTION_LOST]
    assert diagnostic.line == line


@pytest.mark.parametrize(
    "text",
    [
        f"---\n{BROKEN}---\n{BODY}Tools: the ones of the session.\n",
        f"---\n{HEAD}\n{BODY}Note the tools: all of them count.\n",
        f"--- {HEAD} --- ".replace("\n", " ") + "Review. Use the tools: all of them.\n",
        "---\nname: reviewer\ndescription: Reviews: all. Tools: Read.\n---\nReview.\n",
        f"---\n{BROKEN}Hooks: useEffect\nMode: dark\nMCP: use it\nRead only: no\n---\nReview.\n",
        "---\nname: reviewer\ndescription: Reviews: all.\n\nMode: thorough\n\nMore.\n---\nReview.\n",
        f"---\n{HEAD}---\nRole: Reviewer\nMode: thorough\nHooks: none\n\n---\n\n# Steps\n",
        f"---\n{HEAD}----\nReview:\n\n```yaml\npermissions:\n  contents: read\n```\nTools: git\n",
        f"---\n{HEAD}\n{BODY}\nTools: git\n  tools: git\n",
        f"---\n{HEAD.replace(chr(10), ' ')}\n---\nMode: dark\nTools: git\n",
        f"\n---\nname: reviewer\ndescription: |\n  Reviews.\n  Tools: git\n# mode: plan\n---\n{BODY}",
        f"# Agent\n```yaml\n---\n{HEAD}---\n```\nReview.\n\nTools: git\ntools: git\n",
        "---\ndescription: Reviews code. Use when model: x fails\nname: reviewer\n---\nReview.\n",
    ],
)
def test_prose_that_speaks_of_such_a_key_is_prose(text: str) -> None:
    result = read_agent("reviewer.md", text.encode(), "claude")
    assert not isinstance(result, NoAgent), result.diagnostics
    assert result.agent.grants == EVERYTHING


@pytest.mark.parametrize(
    ("above", "key", "kept"),
    [
        ("Tools: Bash, Write", "tools: Read", "bash"),
        ("Permission mode: bypassPermissions", "permissionMode: plan", "bash"),
        ("Disallowed tools: none", "disallowedTools: Bash", "bash"),
    ],
)
def test_a_label_in_a_description_is_prose_where_the_key_itself_is_there(above: str, key: str, kept: str) -> None:
    """And the lines below it stay in the description, with the key where it is."""
    data = f"---\nname: reviewer\ndescription: Expert: finds bugs.\n\n{above}\n\nMore prose.\n\n{key}\n---\nReview.\n"
    result = read_agent("reviewer.md", data.encode(), "claude")
    assert not isinstance(result, NoAgent), result.diagnostics
    assert result.agent.description == f"Expert: finds bugs.\n\n{above}\n\nMore prose."
    assert result.agent.prompt == "Review.\n"
    assert not result.agent.grants.approval(kept)


@pytest.mark.parametrize(
    "key", ["disallowed tools", "Disallowed Tools", "denied  tools", "'disallowed tools'", "not allow deny tools"]
)
@pytest.mark.parametrize("way", ["whole file on one line", "keys on one line between fences"])
def test_a_denial_of_several_words_does_not_become_a_grant(key: str, way: str) -> None:
    result = read_agent("reviewer.md", REPAIRS[way](f"{key}: Bash").encode(), "claude")
    assert isinstance(result, NoAgent) or not result.agent.grants.approval("bash")


@pytest.mark.parametrize("key", ["Permission mode", "permission-mode"])
@pytest.mark.parametrize("mode", ["bypassPermissions", "acceptEdits"])
def test_a_mode_under_another_spelling_frees_nothing(key: str, mode: str) -> None:
    data = f"---\n{key}: {mode}\n{HEAD}tools: Read, Edit, Bash\n---\n{BODY}"
    result = read_agent("reviewer.md", data.encode(), "claude")
    assert not isinstance(result, NoAgent), result.diagnostics
    assert all(rule.approval <= Approval.SESSION for rule in result.agent.grants.rules)


# The table


def test_every_key_is_folded() -> None:
    keys = {*KEY_EFFECTS, *OWN, *(key for dialect in dialects().values() for key in dialect.effects)}
    assert [key for key in sorted(keys) if not re.fullmatch("[a-z]+", key) or folded_key(key) != key] == []


def test_a_key_counts_in_every_spelling_and_with_what_follows_a_dot() -> None:
    for key in ("disallowedTools", "disallowed-tools", "DISALLOWED TOOLS", "permissions.deny"):
        assert restricts(key)
    assert not restricts("description")
    assert restricts("web-search")
    assert [row.effect for row in dialects()["vibe"].effects_of("tool_paths")] == [Effect.RUNS_PROGRAM]
    assert effects_of("tool_paths") == ()
    assert meaning(Meaning.HOOKS) == {"hooks"}
