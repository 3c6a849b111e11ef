"""Policies on grants, models, text, names and size, and the agents that a policy is for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentsync.agents.narrowing import WriteOptions
from agentsync.config import Config, policy_of
from agentsync.convert.policy import DEFAULT, Policy, PolicyTable, Rules, read_policy
from agentsync.convert.policy_check import judge_output, judge_text
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import ConfigError
from agentsync.dialects import dialects
from agentsync.formats.frontmatter import format_markdown
from agentsync.formats.validated_toml import validate
from agentsync.repository.checks import masked
from support.conversion import read
from support.policies import HOOK, REQUIRED, codes, document, judged

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import JsonValue

OPTIONS = WriteOptions()
CLAUDE, CODEX = (dialects()[name] for name in ("claude", "codex"))
DOCS = "https://git.acme.example/docs.git"


# Grants and models


@pytest.mark.parametrize(
    ("rules", "tools", "excess"),
    [
        (Rules(tools=("read", "bash")), "Read, Bash", ""),
        (Rules(tools=("read", "bash")), "Read, Write", "`write`"),
        (Rules(tools=("read", "web*")), "Read, WebFetch, WebSearch", ""),
        (Rules(tools=("*",), servers=("github",)), "Read, mcp__github__*, mcp__github__x", ""),
        (Rules(tools=("*",), servers=("git*",)), "mcp__gitlab__*", ""),
        (Rules(tools=("*",), servers=("github",)), "mcp__jira__search", "`mcp/jira_search`"),
        (Rules(servers=()), "Read, mcp__jira__*", "`mcp/jira_*`"),
        (Rules(tools=("read",), servers=("github",)), "mcp__github__x", ""),
        (Rules(tools=("read",)), "Foo", "`other/Foo`"),
    ],
)
def test_an_agent_has_the_tools_that_are_allowed_or_is_refused(rules: Rules, tools: str, excess: str) -> None:
    diagnostics = judge_output(CLAUDE, document(tools=tools), "x", [rules])
    assert [(diagnostic.code, diagnostic.message) for diagnostic in diagnostics] == (
        [(Code.GRANT_REFUSED, f"it would have {excess}")] if excess else []
    )


def test_an_agent_without_a_list_of_tools_has_every_one() -> None:
    assert judged(Rules(tools=("read",))) == [Code.GRANT_REFUSED]
    assert judged(Rules(servers=("github",))) == [Code.GRANT_REFUSED]
    assert judged(Rules(inherit="refuse")) == [Code.GRANT_REFUSED]
    assert judged(Rules(inherit="refuse"), tools="Read") == []
    assert judged(Rules()) == []


def test_a_key_that_a_tool_ignores_restricts_nothing() -> None:
    assert judged(Rules(tools=("read",)), **{"allowed-tools": "Read"}) == [Code.GRANT_REFUSED]


def test_servers_are_known_by_the_names_that_a_tool_gives_them() -> None:
    permission: JsonValue = {"*": "deny", "github_*": "allow"}
    assert judged(Rules(servers=("github",)), "opencode", permission=permission) == []
    assert judged(Rules(servers=("jira",)), "opencode", permission=permission) == [Code.GRANT_REFUSED]


def test_a_shell_counts_for_all_of_its_effects_where_it_does_everything() -> None:
    source = read("x.md", format_markdown({**REQUIRED, "tools": "Read, Grep"}, "p\n"), "claude")
    file = render(source, CODEX, OPTIONS)
    assert file.document is not None
    assert judge_output(CODEX, file.document, "x", [Rules(tools=("read", "grep"), servers=())]) == ()
    assert codes(judge_output(CODEX, file.document, "x", [Rules(tools=("write",))])) == [Code.GRANT_REFUSED]


def test_models_are_globs_and_none_is_the_sessions() -> None:
    assert judged(Rules(models=("anthropic/*",)), model="opus") == []
    assert judged(Rules(models=("anthropic/haiku",)), model="opus") == [Code.MODEL_REFUSED]
    assert judged(Rules(models=())) == []


# Text, name and size


@pytest.mark.parametrize(
    ("warned", "refused", "key"),
    [(Code.HIDDEN_UNICODE, Code.HIDDEN_REFUSED, "hidden"), (Code.SECRET, Code.SECRET_REFUSED, "secrets")],
)
def test_a_diagnostic_on_the_text_is_an_error_unless_it_is_allowed(warned: Code, refused: Code, key: str) -> None:
    diagnostic = Diagnostic(warned, "m", path="x.md", line=3)
    assert judge_text([diagnostic], "x", 1, [Rules()]) == (Diagnostic(refused, "m", path="x.md", line=3),)
    allowing = Rules.model_validate({key: "allow"})
    assert judge_text([diagnostic], "x", 1, [allowing]) == (diagnostic,)
    assert codes(judge_text([diagnostic], "x", 1, [allowing, Rules()])) == [refused]


def test_names_are_kept_for_others_and_files_are_small() -> None:
    rules = Rules(reserved=("explore", "own-*"), max_bytes=10)
    assert codes(judge_text([], "explore", 11, [rules])) == [Code.NAME_REFUSED, Code.SIZE_REFUSED]
    assert judge_text([], "explorer", 10, [rules]) == ()


# Scope of a policy


def test_exceptions_are_for_a_source_and_an_agent_and_the_last_counts_key_by_key() -> None:
    table = PolicyTable(
        agents={
            "*/deploy-*": Rules(hooks="allow"),
            "team/*": Rules(mcp_servers="allow"),
            "https://git.acme.example/*/deploy-x": Rules(hooks="refuse", escalation="hold"),
        }
    )
    team = Policy((table,)).of_source("team", DOCS)
    assert team.rules("other") == (table.model_copy(update={"mcp_servers": "allow"}),)
    assert [(rules.hooks, rules.mcp_servers) for rules in team.rules("deploy-y")] == [("allow", "allow")]
    assert [(rules.hooks, rules.escalation) for rules in team.rules("deploy-x")] == [("refuse", "hold")]
    assert Policy((table,)).of_source("mine", "/srv/mine").rules("x") == (table,)


@pytest.mark.parametrize("pattern", ["deploy", "/deploy", "team/"])
def test_an_exception_names_both(pattern: str) -> None:
    with pytest.raises(ConfigError, match="SOURCE/AGENT"):
        validate({"version": 1, "policy": {"agents": {pattern: {"hooks": "allow"}}}}, Config, "config.toml")


def test_a_machines_policy_names_sources_by_their_url() -> None:
    read_policy(f'[agents."{DOCS}/*"]\nhooks = "allow"\n[agents."*/x"]\nhooks = "allow"\n', "policy.toml")
    with pytest.raises(ConfigError, match="URL") as error:
        read_policy('[agents."team/*"]\nhooks = "allow"\n', "policy.toml")
    assert error.value.place == "policy.toml:1"


def configured(**policy: JsonValue) -> Config:
    return validate({"version": 1, "policy": policy}, Config, "config.toml")


def test_the_stricter_of_two_policies_counts(tmp_path: Path) -> None:
    machine = tmp_path / "policy.toml"
    loose: dict[str, JsonValue] = {"hooks": "allow", "modes": ["*"], "max_agents": 100}
    assert policy_of(configured(**loose), machine).of_source("s", "u").max_agents == 100
    machine.write_text('escalation = "hold"\nmax_agents = 3\nmcp_servers = "allow"\n')
    both = policy_of(configured(**loose), machine).of_source("s", "u")
    assert both.max_agents == 3
    head = document(hooks=HOOK, permissionMode="auto", mcpServers={"db": {}})
    diagnostics = judge_output(CLAUDE, head, "x", both.rules("x"))
    assert sorted(diagnostic.code.id for diagnostic in diagnostics) == sorted(
        code.id for code in (Code.HOOKS_REFUSED, Code.MODE_REFUSED, Code.SERVERS_REFUSED)
    )


@pytest.mark.parametrize("data", [b'hoks = "allow"\n', b"\xff", b"hooks = maybe"])
def test_a_machines_policy_with_a_mistake_stops_everything(tmp_path: Path, data: bytes) -> None:
    machine = tmp_path / "policy.toml"
    machine.write_bytes(data)
    with pytest.raises(ConfigError) as error:
        policy_of(configured(), machine)
    assert error.value.place.startswith(str(machine))


def test_a_machines_policy_that_cannot_be_read_stops_everything(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        policy_of(configured(), tmp_path)


def test_a_credential_is_taken_out_of_every_diagnostic() -> None:
    token = "ghp_" + "a1B2" * 10
    hidden = masked(Diagnostic(Code.MODEL_UNKNOWN, f"model `{token}`", path="x.md", hint=f"name {token}", agent=token))
    assert token not in str(hidden.as_dict())
    assert hidden.message == "model `(hidden)`"
    plain = Diagnostic(Code.SECRET, "this looks like a GitHub token")
    assert masked(plain) == plain


def test_the_default_policy_is_that_of_an_empty_configuration() -> None:
    assert DEFAULT.of_source("", "").rules("x") == (PolicyTable(),)
    assert configured().policy == PolicyTable()
