"""Every input known to make a tool grant an agent more than its author intended, and its outcome, in one place.

The author of each file here denied the shell to the agent (or the tool given in the case), and the tool grants it
nevertheless. agentsync does one of three things with such a file: it reads the intended grants, so that other tools
get those, and reports that the file's own tool differs; it mends the file for its own tool too; or it refuses it.

The table of docs/dialects.md lists how else each tool reads lists that restrict less than they seem to.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

import pytest

from agentsync.agents.grants import TOOLS, Approval
from agentsync.agents.key_effects import FOREIGN_RESTRICTING
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.dialects import Dialect, dialects
from agentsync.repository.dialect_detection import NoAgent, ReadAgent, read_agent


class Outcome(Enum):
    """The outcome for a file: read as intended, mended as well, or refused."""

    READ = auto()
    MENDED = auto()
    REFUSED = auto()


READ, MENDED, REFUSED = Outcome

HEAD = "name: reviewer\ndescription: Reviews changes."
BODY = "Please review the changes.\n"


@dataclass(frozen=True, slots=True)
class Case:
    """A file of a tool, what it tries, its outcome, the reported code, and the call that its author denied."""

    tool: str
    tried: str
    text: str
    outcome: Outcome
    code: Code | None
    denied: tuple[str, str] = ("bash", "rm x")


def markdown(keys: str, head: str = HEAD) -> str:
    return f"---\n{head}\n{keys}\n---\n{BODY}"


def toml(keys: str, prompt: str = "instructions") -> str:
    return f'name = "reviewer"\ndescription = "Reviews changes."\n{prompt} = "Review them."\n{keys}\n'


def modes(groups: str) -> str:
    return f"customModes:\n  - slug: reviewer\n    name: R\n    roleDefinition: Review it.\n    groups: {groups}\n"


BEYOND_A_LINE = f"---\nname: reviewer\ndescription: |\n  Reviews\n---\ntools: [Read]\n---\n{BODY}"
BROKEN = "name: reviewer\ndescription: Reviews: all of it"
KIRO2 = '{"name": "reviewer", "prompt": "Review.", "tools": ["*"], "permissions": {"shell": "deny"}}'
WRITES = ("write", "src/x.py")

CASES = [
    # The tool ignores restrictions of another tool, and keys in another spelling.
    Case("claude", "OpenCode's map", markdown("permission: {bash: deny}"), READ, Code.NO_EFFECT),
    Case("claude", "a key in capitals", markdown("Tools: Read"), READ, Code.NO_EFFECT),
    Case("claude", "Gemini CLI's key", markdown("excludeTools: [Bash]"), READ, Code.NO_EFFECT),
    Case("opencode", "Claude Code's key", markdown("disallowedTools: [Bash]"), READ, Code.NO_EFFECT),
    Case("opencode", "Claude Code's mode", markdown("permissionMode: plan"), READ, Code.NO_EFFECT),
    Case("opencode", "Claude Code's names", markdown("tools: {Bash: false}"), READ, Code.NO_EFFECT),
    Case("opencode", "no permission's name", markdown("permission: {write: deny}"), READ, Code.NO_EFFECT, WRITES),
    Case("kilo", "Claude Code's key", markdown("disallowedTools: [Bash]"), READ, Code.NO_EFFECT),
    Case(
        "codex", "another tool's list", toml("tools = ['read']", "developer_instructions"), REFUSED, Code.WRONG_DIALECT
    ),
    Case("qwen", "a key in capitals", markdown("Tools: [read_file]"), READ, Code.NO_EFFECT),
    Case("qwen", "Claude Code's names", markdown("disallowedTools: [Bash]"), READ, Code.UNKNOWN_TOOL),
    Case("copilot", "Claude Code's key", markdown("disallowedTools: [execute]"), READ, Code.NO_EFFECT),
    Case("copilot", "Claude Code's mode", markdown("permissionMode: plan"), READ, Code.NO_EFFECT),
    Case("copilot", "OpenCode's map", markdown("permission: {bash: deny}"), READ, Code.NO_EFFECT),
    Case("copilot", "a key in capitals", markdown("Tools: [read]"), READ, Code.NO_EFFECT),
    Case("factory", "Claude Code's key", markdown("disallowedTools: [Execute]"), READ, Code.NO_EFFECT),
    Case("factory", "a key in capitals", markdown("Tools: [Read]"), READ, Code.NO_EFFECT),
    Case("cline", "Claude Code's key", markdown("disallowedTools: [run_commands]"), READ, Code.NO_EFFECT),
    Case("cursor", "Claude Code's list", markdown("tools: [Read]"), READ, Code.NO_EFFECT),
    Case("kiro", "OpenCode's map", markdown('tools: ["*"]\npermission: {bash: deny}'), READ, Code.NO_EFFECT),
    Case("auggie", "Claude Code's key", markdown("disallowedTools: [launch-process]"), READ, Code.NO_EFFECT),
    Case("goose", "any list", markdown("tools: [Read]"), READ, Code.NO_EFFECT),
    Case("rovodev", "Claude Code's key", markdown("disallowedTools: [bash]"), READ, Code.NO_EFFECT),
    Case("vibe", "Claude Code's key", toml('disallowedTools = ["bash"]'), READ, Code.NO_EFFECT),
    # The tool treats a value that it does not accept as absent.
    Case("claude", "a mode that there is not", markdown("permissionMode: plan it"), READ, Code.INVALID_VALUE),
    Case("kilo", "an action without a value", markdown("permission: {bash: null}"), READ, Code.NO_EFFECT),
    Case("qwen", "a map for a list", markdown("tools: {bash: false}"), READ, Code.NO_EFFECT),
    Case("qwen", "an empty list", markdown("tools: []"), READ, Code.NO_EFFECT),
    Case("qwen", "a denial of everything", markdown('disallowedTools: ["*"]'), READ, Code.NO_EFFECT),
    Case("qwen", "a mode that there is not", markdown("permissionMode: Plan"), READ, Code.INVALID_VALUE),
    Case("factory", "nothing for a list", markdown("tools:"), REFUSED, Code.WRONG_TYPE),
    Case("factory", "a map for a list", markdown("tools: {Execute: false}"), REFUSED, Code.WRONG_TYPE),
    Case("factory", "a wrong type elsewhere", markdown("tools: [Read]\nmodel: [x]"), REFUSED, Code.WRONG_TYPE),
    Case("cursor", "a switch in quotes", markdown('readonly: "true"'), READ, Code.NO_EFFECT),
    Case("cursor", "a switch before a comment", markdown("readonly: true # why"), READ, Code.NO_EFFECT),
    Case("cursor", "another word for on", markdown("readonly: yes"), READ, Code.NO_EFFECT),
    Case("kiro", "a map for rules", markdown('tools: ["*"]\npermissions: {bash: deny}'), READ, Code.NO_EFFECT),
    Case("kiro2", "a map for rules", KIRO2, READ, Code.NO_EFFECT),
    Case("auggie", "an empty list", markdown("tools: []"), READ, Code.NO_EFFECT),
    Case("junie", "an empty list", markdown("tools: []"), READ, Code.NO_EFFECT),
    Case("junie", "nothing for a list", markdown("tools:"), READ, Code.NO_EFFECT),
    Case("junie", "one text for a list", markdown("tools: Read"), READ, Code.NO_EFFECT),
    Case("rovodev", "an empty list", markdown("tools: []"), READ, Code.NO_EFFECT),
    Case("rovodev", "one text for a list", markdown("tools: open_files"), READ, Code.NO_EFFECT),
    Case("vibe", "an empty list", toml("enabled_tools = []"), READ, Code.NO_EFFECT),
    Case("vibe", "another word for never", toml('[tools.bash]\npermission = "deny"'), READ, Code.NO_EFFECT),
    Case("vibe", "a word for a table", toml('tools.bash = "never"'), READ, Code.NO_EFFECT),
    # The tool reads the restriction, but it restricts less than it seems to.
    Case("claude", "arguments in a list", markdown("tools: Bash(git *)"), READ, None),
    Case("claude", "arguments after a space", markdown("tools: Bash (git *)"), READ, Code.NO_EFFECT),
    Case("qwen", "the shell denied alone", markdown("disallowedTools: [run_shell_command]"), READ, Code.NO_EFFECT),
    Case("auggie", "both lists", markdown("tools: [view]\ndisabled_tools: [save-file]"), READ, Code.NO_EFFECT),
    Case("antigravity", "a list alone", markdown("tools: [view_file]"), READ, Code.NO_EFFECT),
    Case("roo", "an unknown option", modes('[[edit, {paths: ["*.md"]}]]'), READ, Code.NO_EFFECT, WRITES),
    Case("roo", "a pattern for commands", modes("[[command, {fileRegex: git}]]"), READ, Code.NO_EFFECT),
    # The tool finds another frontmatter, so all keys are lost.
    Case("opencode", "no YAML", markdown("tools: {bash: false}", "description: Reviews: all of it"), MENDED, None),
    Case("opencode", "no YAML at all", markdown("permission: {bash: deny\nx: ["), REFUSED, Code.WRONG_DIALECT),
    Case("kilo", "no YAML", markdown("permission: {bash: deny}", "description: [a"), MENDED, Code.YAML_REPAIRED),
    Case("kilo", "no frontmatter", BODY, REFUSED, Code.NO_FRONTMATTER),
    Case("qwen", "no YAML", markdown("tools:\n- read_file", BROKEN), MENDED, Code.YAML_REPAIRED),
    Case("auggie", "no YAML", markdown("tools: [view]", BROKEN), MENDED, Code.YAML_REPAIRED),
    Case("auggie", "a byte order mark", f"\ufeff{markdown('tools: [view]')}", MENDED, Code.BYTE_ORDER_MARK),
    Case("factory", "a byte order mark", f"\ufeff{markdown('tools: [Read]')}", MENDED, Code.BYTE_ORDER_MARK),
    Case("factory", "a blank behind the fence", f"--- \n{HEAD}\ntools: [Read]\n---\n{BODY}", MENDED, None),
    Case(
        "gemini",
        "more behind the fence",
        f"---\n{HEAD}\n--- x\ntools: [read_file]\n---\n{BODY}",
        MENDED,
        Code.YAML_REPAIRED,
    ),
    *(
        Case(tool, "a line of dashes in a text", BEYOND_A_LINE, REFUSED, Code.RESTRICTION_LOST)
        for tool in ("auggie", "claude", "copilot", "factory", "gemini", "kilo", "opencode", "qwen")
    ),
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
    assert {case.tool for case in CASES} == dialects().keys() - {"neutral"}


@pytest.mark.parametrize("tool", dialects().values(), ids=lambda tool: tool.name)
def test_no_restricting_key_is_ignored_silently(tool: Dialect) -> None:
    """Regardless of its value: nobody writes such a key to grant an agent everything."""
    assert [key for key in sorted(FOREIGN_RESTRICTING) if _is_ignored(key, tool)] == []


def _is_ignored(key: str, tool: Dialect) -> bool:
    line = f'{key}: "read it"'
    prompt = "developer_instructions" if tool.name == "codex" else "instructions"
    text = {
        ".md": markdown(line),
        ".yaml": modes("[command]").replace("    groups", f"    {line}\n    groups"),
        ".toml": toml(line.replace(":", " =", 1), prompt),
        ".json": KIRO2.replace('"permissions": {"shell": "deny"}', f'"{key}": "read it"'),
    }
    if tool.name == "cline":
        text[".yaml"] = markdown(line)
    result = read_agent(f"reviewer{tool.suffix}", text.get(tool.suffix, markdown(line)).encode(), tool.name)
    if isinstance(result, NoAgent):
        return not result.refused
    grants = result.agent.grants
    return not result.diagnostics or all(min(grants.approvals(one)) >= Approval.SESSION for one in TOOLS)
