"""Every input known to make a tool grant an agent more than its author intended, and its outcome.

The files are in `<tool>/facts.toml`. The author of each denied the shell to the agent (or the tool given in the case),
and the tool grants it nevertheless. agentsync does one of three things with such a file: it reads the intended grants,
so that other tools get those, and reports that the file's own tool differs; it mends the file for its own tool too; or
it refuses it.

The table of docs/dialects.md lists how else each tool reads lists that restrict less than they seem to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

import pytest

from agentsync.agents.grants import TOOLS, Approval
from agentsync.agents.key_effects import FOREIGN_RESTRICTING
from agentsync.agents.model import NEUTRAL
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.dialects import Dialect, dialects, refused
from agentsync.repository.dialect_detection import NoAgent, ReadAgent, read_agent
from support.conversion import read
from support.tool_facts import facts_by_tool


class Outcome(Enum):
    """The outcome for a file: read as intended, mended as well, or refused."""

    READ = auto()
    MENDED = auto()
    REFUSED = auto()


READ, MENDED, REFUSED = Outcome

MARKDOWN: Final = b"---\nname: reviewer\ndescription: Reviews changes.\n---\nPlease review the changes.\n"


@dataclass(frozen=True, slots=True)
class Case:
    """A file of a tool, what it tries, its outcome, the reported code, and the call that its author denied."""

    tool: str
    tried: str
    text: str
    outcome: Outcome
    code: Code | None
    denied: tuple[str, str] = ("bash", "rm x")


CASES: Final = [
    Case(
        tool,
        one["tried"],
        one["file"],
        Outcome[one["outcome"].upper()],
        Code[one["code"]] if "code" in one else None,
        *([tuple(one["denied"])] if "denied" in one else []),
    )
    for tool, several in facts_by_tool("fail_open").items()
    for one in several
]


@pytest.fixture(params=CASES, ids=lambda case: f"{case.tool}-{case.tried}")
def case(request: pytest.FixtureRequest) -> Case:
    assert isinstance(request.param, Case)
    return request.param


@pytest.fixture
def tool(case: Case) -> Dialect:
    return dialects()[case.tool]


@pytest.fixture
def result(case: Case, tool: Dialect) -> ReadAgent | NoAgent:
    return read_agent(f"reviewer{tool.suffix}", case.text.encode(), tool.name)


def test_outcome(case: Case, result: ReadAgent | NoAgent) -> None:
    assert case.code is None or case.code in {diagnostic.code for diagnostic in result.diagnostics}
    if isinstance(result, NoAgent):
        assert case.outcome is REFUSED
        assert result.refused
        return
    assert case.outcome is (READ if result.passes_through else MENDED)
    intended = result.agent.grants.approval(*case.denied)
    # For a file that passes through unchanged, its own tool lets more through than intended.
    assert (
        intended < result.dialect.enforced(result.document).approval(*case.denied)
        if case.outcome is READ
        else not intended
    )


def test_no_other_tool_grants_the_denied_call(case: Case, result: ReadAgent | NoAgent) -> None:
    if isinstance(result, NoAgent):
        return
    intended = result.agent.grants.with_effects().approval(*case.denied)
    for target in dialects().values():
        file = render(result, target, WriteOptions(strict_approval=True))
        if file.data is None or (target.name == case.tool and case.outcome is READ):
            continue  # nothing is written, or the author's own file
        enforced = target.enforced(target.parse(file.data, file.path))
        assert enforced.with_effects().approval(*case.denied) <= intended, target.name


def test_every_tool_has_a_case() -> None:
    """No input is known to make agentsync's own format fail open: it refuses anything unknown."""
    assert {case.tool for case in CASES} == dialects().keys() - {NEUTRAL}


@pytest.mark.parametrize("tool", dialects().values(), ids=lambda tool: tool.name)
def test_no_restricting_key_is_ignored_silently(tool: Dialect) -> None:
    """Regardless of its value: nobody writes such a key to grant an agent everything."""
    assert [key for key in sorted(FOREIGN_RESTRICTING) if _is_ignored(key, tool)] == []


def _is_ignored(key: str, tool: Dialect) -> bool:
    written = render(read("reviewer.md", MARKDOWN, NEUTRAL), tool, WriteOptions()).data
    assert written is not None
    document = tool.parse(written, f"reviewer{tool.suffix}")
    reading = tool.read(replace(document, metadata={**document.metadata, key: "read it"}), "reviewer")
    if reading.agent is None:
        return not refused(reading.diagnostics)
    grants = reading.agent.grants
    return not reading.diagnostics or all(min(grants.approvals(one)) >= Approval.SESSION for one in TOOLS)
