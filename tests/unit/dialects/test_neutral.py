"""What agentsync's own dialect refuses: no other tool reads it, so each mistake is reported and none is guessed at."""

from __future__ import annotations

import pytest

from agentsync.agents.grants import EVERYTHING, Approval, Grants, Rule
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from agentsync.dialects.neutral import spell
from agentsync.formats.frontmatter import format_markdown
from agentsync.repository.dialect_detection import NoAgent, read_agent
from support.conversion import read

DENY, ASK, SESSION, ALLOW = Approval


def neutral(keys: str) -> bytes:
    return f"---\nname: x\ndescription: d\n{keys}\n---\nDo it.\n".encode()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("permisions: {bash: deny}", "unknown key `permisions`"),
        ("permissions: deny", "`permissions` must be a map"),
        ("permissions:", "`permissions` must be a map"),
        ("permissions: [{'*': allow}, {bash: deny}, 'write: deny']", "`permissions` must be a map"),
        ("permissions: {mcp/: deny}", "there is no tool `mcp/`"),
        ("permissions: {other/: deny}", "there is no tool `other/`"),
        ("permissions: {bash: never}", "`bash` must be deny, ask, session, allow"),
        ("permissions: {bash: {'git *': true}}", "`bash` must be deny, ask, session, allow"),
        ("permissions: {shell: deny}", "there is no tool `shell`"),
        ("tools: read", "`tools` must be a list"),
        ("tools: [Read]", "there is no tool `Read`"),
        ("tools:", "`tools` must be a list"),
        ("tools: [read]\npermissions: {bash: deny}", "`bash` has a permission and is not among `tools`"),
        ("model: gpt-5.5", "model `gpt-5.5` has no provider"),
        ("max_turns: 0", "`max_turns` must be"),
        ("effort: {a: 1}", "`effort` must be"),
        ("mode: main", "`mode` must be"),
        ("targets: [claude]", "`targets` must hold a map"),
        ("targets: {claude: true}", "`targets` must hold a map"),
        ("targets: {clod: {model: opus}}", "there is no dialect `clod`"),
        ("targets: {claude: {modle: opus}}", "unknown key `modle` (under `targets.claude`)"),
        ("targets: {claude: {name: other}}", "unknown key `name` (under `targets.claude`)"),
        ("hooks: {}", "unknown key `hooks`"),
    ],
)
def test_a_mistake_is_an_error(keys: str, message: str) -> None:
    result = read_agent("x.md", neutral(keys), "neutral")
    assert isinstance(result, NoAgent)
    assert result.refused
    assert any(diagnostic.message.startswith(message) for diagnostic in result.diagnostics), result.diagnostics


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("permision", "did you mean `permissions`?"),
        ("claude", "settings for one tool are below `targets`: write `targets.claude`"),
        ("claudecode", "settings for one tool are below `targets`: write `targets.claude`"),
        ("hooks", "this has another form in each tool: write `targets.TOOL.hooks`"),
        ("purpose", "`agentsync docs agent-format` lists the keys"),
    ],
)
def test_an_unknown_key_gets_the_hint_that_fits(key: str, hint: str) -> None:
    result = read_agent("x.md", neutral(f"{key}: {{}}"), "neutral")
    assert [one.hint for one in result.diagnostics if one.code is Code.WRONG_TYPE] == [hint]


def test_an_agent_without_a_description_is_refused_for_that() -> None:
    source = read("x.json", b'{"name": "x", "description": "", "tools": ["*"], "prompt": "p"}', "kiro2")
    file = render(source, dialects()["neutral"], WriteOptions())
    assert [diagnostic.code for diagnostic in file.diagnostics] == [Code.REFUSED_REQUIRED]


def test_a_list_of_tools_is_complete() -> None:
    grants = read("x.md", neutral("tools: [read]"), "neutral").agent.grants
    assert grants == Grants((Rule("read", Approval.SESSION), Rule("external_directory", Approval.SESSION)))


def test_permissions_alone_start_from_everything() -> None:
    grants = read("x.md", neutral("permissions: {bash: deny}"), "neutral").agent.grants
    assert grants == Grants((*EVERYTHING.rules, Rule("bash", Approval.DENY)))


def test_rules_are_written_in_their_order_however_often_an_argument_returns() -> None:
    declared = [("a", ASK), ("a", DENY), ("c*", DENY), ("cd", ASK), ("c*", DENY), ("a", ASK)]
    given = Grants((*EVERYTHING.rules, *(Rule("bash", level, argument) for argument, level in declared)))
    keys = format_markdown(spell(given), "").decode().removeprefix("---\n").removesuffix("---\n")
    assert read("x.md", neutral(keys.rstrip()), "neutral").agent.grants == given


def test_a_file_without_a_description_is_refused() -> None:
    result = read_agent("x.md", b"---\nname: x\ntools: []\n---\nDo it.\n", "neutral")
    assert isinstance(result, NoAgent)
    assert [diagnostic.code for diagnostic in result.diagnostics] == [Code.DESCRIPTION_MISSING]


@pytest.mark.parametrize(
    "keys", ["targets: {claude: {model: opus}}", "permissions: {bash: {'git *': ask}}", "permissions: [{read: deny}]"]
)
def test_its_keys_identify_it(keys: str) -> None:
    assert read("agents/x.md", neutral(keys)).dialect.name == "neutral"


@pytest.mark.parametrize("keys", ["", "tools: Read, Bash", "permission: {bash: deny}", "permissions: {Bash: deny}"])
def test_keys_of_other_tools_do_not_identify_it(keys: str) -> None:
    result = read_agent("agents/x.md", neutral(keys))
    assert isinstance(result, NoAgent) or result.dialect.name != "neutral"
