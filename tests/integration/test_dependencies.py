"""What agents name and do not bring: one diagnostic for each agent, from the files of a real directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsync.agents.grants import Approval, Grants, Rule
from agentsync.agents.model import Agent
from agentsync.cli.check import run_checks
from agentsync.core.codes import Code, Severity
from agentsync.formats.document import Document
from agentsync.repository.dependencies import Needs, needs_of
from agentsync.sync.compiled_agent import CompiledAgent, decode, encode

AGENT = "plugins/audit/agents/auditor.md"
FILES = {
    "README.md": "# Ours\n",
    "docs/standard.md": "No file is long.\n",
    ".vscode/mcp.json": "{}\n",
    ".claude/commands/release.md": "Release it.\n",
    "plugins/audit/scripts/measure.py": "print(1)\n",
    "plugins/audit/references/rules.md": "Be strict.\n",
    "plugins/audit/commands/audit/run.md": "Run it.\n",
    "plugins/audit/commands/report.md": "Report it.\n",
    "plugins/audit/agents/helper.md": "---\nname: helper\ndescription: Helps.\n---\nHelp.\n",
}


def needed(root: Path, prompt: str, *keys: str) -> tuple[Severity | None, str]:
    """The severity and the list of the one diagnostic on what the agent needs."""
    files = {**FILES, AGENT: "\n".join(["---", "name: auditor", "description: Audits.", *keys, "---", prompt, ""])}
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    codes = {Code.FILES_NEEDED, Code.OTHERS_NEEDED}
    found = [one for one in run_checks(root, ["opencode"]).diagnostics if one.code in codes]
    assert len(found) <= 1
    assert all((one.path, one.agent, one.target) == (AGENT, "auditor", "") for one in found)
    return (found[0].severity, found[0].message.partition(": ")[2]) if found else (None, "")


RULES = "`plugins/audit/references/rules.md`"


@pytest.mark.parametrize(
    ("prompt", "listed"),
    [
        ('Run `sh "${CLAUDE_PLUGIN_ROOT}/scripts/x.sh" FILE`.', "file `${CLAUDE_PLUGIN_ROOT}/scripts/x.sh`"),
        ("See $CLAUDE_PLUGIN_ROOT/a and /b.", "file `$CLAUDE_PLUGIN_ROOT/a`"),
        ("See ${CLAUDE_PLUGIN_ROOT:-~/x}/b.", "file `${CLAUDE_PLUGIN_ROOT:-~/x}/b`"),
        ("@~/.claude/rules.md", "file `@~/.claude/rules.md`"),
        ("Follow @../references/rules.md first.", f"file {RULES}"),
        ("[rules](../references/rules.md#strict)", f"file {RULES}"),
        (
            "Read `references/rules.md` and docs/standard.md, then docs/standard.md.",
            f"files {RULES}, `docs/standard.md`",
        ),
    ],
)
def test_files_that_the_instructions_name_are_a_warning(tmp_path: Path, prompt: str, listed: str) -> None:
    assert needed(tmp_path, prompt) == (Severity.WARNING, listed)


def test_skills_servers_and_commands_are_a_remark(tmp_path: Path) -> None:
    keys = ("tools: Read, mcp__github__get_issue", "skills: [reader, team:writer]")
    listed = "skills `reader`, `team:writer`; MCP server `github`; commands `/report`, `/audit:run`"
    assert needed(tmp_path, "Run /report, then `/audit:run`.", *keys) == (Severity.INFO, listed)


def test_a_server_that_the_agent_defines_is_none_that_it_misses() -> None:
    rules = (Rule("mcp/own/*", Approval.ASK), Rule("mcp/gh/x", Approval.DENY), Rule("mcp/*", Approval.ASK))
    agent = Agent(name="x", slug="x", description="d", dialect="claude", grants=Grants(rules))
    for servers, missed in ((["jira", {"own": {}}], ("jira",)), ({"own": {}}, ()), (None, ("own",))):
        changed = agent.model_copy(update={"mcp_servers": servers})
        assert needs_of(changed, Document("x.md", {}, "")).servers == missed


def test_what_is_long_is_cut(tmp_path: Path) -> None:
    _, listed = needed(tmp_path, "Look.", f"skills: [{', '.join('abcdefg')}]")
    assert listed.endswith("`e` and 2 more")


@pytest.mark.parametrize(
    "prompt",
    [
        "Ask the [helper](helper.md), who is an agent, and see agents/auditor.md.",
        "Install @slack/bolt and @org/design.md, open src/main.py, docs/other.md and [it](path/to/file.md).",
        "Write to .vscode/mcp.json; call /release, GET /docs/standard.md and 1/2.",
        "A plugin has its files below ${CLAUDE_PLUGIN_ROOT}.",
        "https://example.com/docs/standard.md",
    ],
)
def test_other_words_with_slashes_are_none(tmp_path: Path, prompt: str) -> None:
    assert needed(tmp_path, prompt, "disallowedTools: mcp__github__x") == (None, "")


@pytest.mark.parametrize("text", ["# Rules for all\n", "Be strict.\n"])
def test_a_part_of_an_agent_is_no_agent_that_is_refused(tmp_path: Path, text: str) -> None:
    agents = tmp_path / ".claude" / "agents"
    agents.mkdir(parents=True)
    (agents / "_common.md").write_text(text)
    (agents / "lost.md").write_text(text)
    (agents / "x.md").write_text("---\nname: x\ndescription: d\n---\nFirst read @_common.md.\n")
    found = {(Path(one.path).name, one.code) for one in run_checks(tmp_path, []).diagnostics}
    assert found == {("_common.md", Code.NOT_AN_AGENT), ("lost.md", Code.NO_FRONTMATTER), ("x.md", Code.FILES_NEEDED)}


def test_needs_survive_the_cache() -> None:
    agent = CompiledAgent("", "", "", name="x", needs=Needs(("a",), ("b", "c"), ("d",), ("e",), ("f",)))
    assert decode(encode(agent), source="", path="", blob="") == agent
