"""Places where one small change of the code would let more through than the source allows, or hide that it does.

Each was found by changing the code in that way (`make mutation`) and seeing every other test pass.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from agentsync.agents.grants import (
    CHANGING,
    EVERYTHING,
    TOOLS,
    UNTRANSLATED,
    Approval,
    Grants,
    Rule,
    flat_name,
    only_reading,
    wider,
)
from agentsync.agents.narrowing import Capabilities, Narrowed, WriteOptions, narrow, upper_bound
from agentsync.agents.patterns import ANY, matches
from agentsync.convert.render import render
from agentsync.core.codes import Code, Severity
from agentsync.dialects import Dialect, Writing, dialects
from agentsync.dialects._kit.tool_names import ListedTools, ServerNames, ToolNames, listed, spell_lists
from agentsync.repository.overrides import Override, check_override, overridden
from support.agents import grants, thorough
from support.conversion import read
from support.grants import PATHS, available, claude

if TYPE_CHECKING:
    from pydantic import JsonValue

DENY, ASK, SESSION, ALLOW = Approval
CLAUDE, OPENCODE, VIBE = (dialects()[name] for name in ("claude", "opencode", "vibe"))


PLAIN = Capabilities(units={"Read": ("read",), "Shell": ("bash",), "Edit": ("edit", "write")}, asks=CHANGING)


PARTLY = Capabilities(units=PLAIN.units, asks=frozenset({"edit"}))


MUTE = Capabilities(units=PLAIN.units)


SPELLING = Capabilities(units=PLAIN.units, asks=CHANGING, spells=lambda tool, _rules: tool == "bash")


NAMES = ToolNames(
    written={"Read": ("read",), "Run": ("bash",), "Change": ("write", "edit")},
    read={"Shell": ("bash",)},
    gone={"Fetch": ("webfetch",)},
    servers=ServerNames("mcp_", "_"),
)


def test_files_outside_the_project_do_not_count_as_denied_where_nothing_denies_them() -> None:
    assert all(rule.tool != "external_directory" for rule in PLAIN.denials)
    assert Grants((*EVERYTHING.rules, *PLAIN.denials)).approval("external_directory") is SESSION


def test_accepting_a_rule_that_cannot_be_expressed_accepts_no_other() -> None:
    some = Grants((Rule("bash", SESSION, "git *"),))
    assert upper_bound(some, SPELLING, WriteOptions(unenforceable="accept")).approval("bash", "rm") is DENY


def test_accepting_a_coarse_unit_lifts_no_denial_of_some_arguments() -> None:
    some = Grants((Rule("edit", SESSION), Rule("edit", DENY, "secret*")))
    most = upper_bound(some, PLAIN, WriteOptions(coarse="accept"))
    assert (most.approval("edit", "secret"), most.approval("write")) == (DENY, SESSION)


def test_a_place_outside_the_project_that_is_free_frees_no_other() -> None:
    some = Grants((*EVERYTHING.rules, Rule("external_directory", ALLOW, "/tmp/*")))  # noqa: S108 (a pattern)
    assert upper_bound(some, PLAIN, WriteOptions()).approval("external_directory", "/etc") is SESSION


def test_an_unnamed_tool_still_asks_where_every_tool_that_changes_something_can() -> None:
    for asks in (Grants((Rule(ANY, ASK),)), Grants((Rule("mcp/x", ASK),))):
        assert upper_bound(asks, PLAIN, WriteOptions()).approval("mcp/x") is ASK
        assert upper_bound(asks, MUTE, WriteOptions()).approval("mcp/x") is SESSION


def test_a_tool_that_can_ask_does_where_other_tools_cannot() -> None:
    asks = Grants((Rule(ANY, ASK),))
    assert upper_bound(asks, PLAIN, WriteOptions()).approval("bash") is ASK
    assert upper_bound(asks, PARTLY, WriteOptions()).approval("edit") is ASK


def test_a_tool_that_cannot_be_made_to_ask_brings_no_other_tool() -> None:
    most = upper_bound(Grants((Rule("bash", ASK),)), PARTLY, WriteOptions())
    assert {tool: most.approval(tool) for tool in ("bash", "edit", "mcp/x")} == {
        "bash": SESSION,
        "edit": DENY,
        "mcp/x": DENY,
    }


@pytest.mark.parametrize("write", [Rule("write", ALLOW, "docs/*"), Rule("write", ASK, "src/*")])
def test_tools_of_one_unit_with_other_arguments_or_levels_are_not_written_as_one(write: Rule) -> None:
    capabilities = Capabilities(units={"Edit": ("edit", "write")}, asks=CHANGING, spells=lambda _tool, _rules: True)
    narrowed = narrow(Grants((Rule("edit", ALLOW, "src/*"), write)), capabilities, WriteOptions())
    assert (narrowed.arguments, narrowed.units) == ({}, {"Edit": DENY})


def test_each_loss_is_reported() -> None:
    lost = narrow(Grants((Rule("webfetch", ASK),)), PLAIN, WriteOptions())
    assert [diagnostic.code for diagnostic in lost.diagnostics] == [Code.TOOL_LOST]
    asked = narrow(Grants((Rule("bash", SESSION), Rule("bash", ALLOW, "git *"))), PLAIN, WriteOptions())
    assert [diagnostic.code for diagnostic in asked.diagnostics] == [Code.APPROVAL_NARROWED]


def test_reading_only_lifts_no_restriction_of_tools_that_read() -> None:
    some = [Rule("read", SESSION, "src/*"), Rule("grep", ASK), Rule("bash", ALLOW), Rule("external_directory", ASK)]
    assert wider(Grants(tuple(only_reading(some))), Grants(tuple(some))) is None
    assert Grants(tuple(only_reading(some))).approval("read", "src/x") is SESSION
    assert Grants(tuple(only_reading([Rule(ANY, ALLOW)]))).approval("external_directory") is SESSION


@thorough
@given(grants)
def test_reading_only_never_adds(granted: Grants) -> None:
    reading = Grants(tuple(only_reading(granted.rules)))
    assert wider(reading, granted) is None
    assert reading.approvals("bash") == {DENY}


def test_a_name_that_begins_like_that_of_a_reading_tool_is_another_tool() -> None:
    assert wider(Grants((Rule("read?*", ALLOW),)), Grants((Rule("read?*", SESSION),))) is not None


def test_a_pattern_over_the_names_of_tools_hides_no_denial_of_one() -> None:
    free = Rule("b*", SESSION)
    assert wider(Grants((free,)), Grants((free, Rule("bash", DENY)))) is not None


@thorough
@given(grants)
def test_effects_take_nothing_away(granted: Grants) -> None:
    assert wider(granted, granted.with_effects()) is None


def test_a_name_is_joined_by_its_units_of_utf_16() -> None:
    assert [flat_name(name) for name in ("\uffff", "\U00010000")] == ["_", "__"]


def test_any_other_character_than_those_that_are_named_counts_too() -> None:
    named = Grants((Rule("bash", SESSION, ""), Rule("bash", SESSION, "a*")))
    assert wider(Grants((Rule("bash", SESSION),)), named) is not None


@pytest.mark.parametrize(
    ("pattern", "text"), [("ab*", "xb"), ("ab?", "xbc"), ("?ab", "xyb"), ("a*bc", "axc"), ("*ab", "xb"), ("ab *", "xb")]
)
def test_a_pattern_covers_no_text_that_differs_in_one_character(pattern: str, text: str) -> None:
    assert not matches(pattern, text)
    assert Grants((Rule("bash", SESSION, pattern),)).approval("bash", text) is DENY


def careless(target: Dialect, data: bytes) -> Dialect:
    """The tool with a writer that writes the same bytes whatever the agent may do."""
    return replace(target, write=lambda _agent, _options: Writing(data))


def test_a_shell_replaces_no_other_tool_where_there_is_more_than_a_shell() -> None:
    wide = b"---\ndescription: d\npermission: {'*': deny, bash: ask, edit: ask}\n---\np\n"
    file = render(claude("tools: Bash"), careless(OPENCODE, wide), WriteOptions())
    assert (file.data, [diagnostic.code for diagnostic in file.diagnostics]) == (None, [Code.REFUSED_WIDER])


def test_names_of_servers_are_compared_as_the_target_joins_them() -> None:
    wide = b"---\ndescription: d\npermission: {'*': deny, 'gh_*': ask}\n---\np\n"
    assert render(claude("tools: mcp__gh__*"), careless(OPENCODE, wide), WriteOptions()).data == wide
    assert render(claude("tools: mcp__gh__read"), careless(OPENCODE, wide), WriteOptions()).data is None


MARKDOWN = "---\nname: x\ndescription: d\ntools: Read\n{}\n---\np\n"


@pytest.mark.parametrize(
    ("target", "output", "gain"),
    [
        (CLAUDE, MARKDOWN.format("hooks: {Stop: []}"), "hooks would be added"),
        (CLAUDE, MARKDOWN.format("mcpServers: {db: {}}"), "MCP server `db` would be added"),
        (VIBE, 'description = "d"\ninstructions = "p"\ntool_paths = ["t"]\n', "`tool_paths` would be added"),
    ],
)
def test_a_key_that_its_agent_does_not_declare_for_the_tool_is_refused(target: Dialect, output: str, gain: str) -> None:
    agent = read("x.md", b"---\ndescription: d\nhooks: {Stop: []}\ntool_paths: [t]\n---\np\n", "opencode")
    file = render(agent, careless(target, output.encode()), WriteOptions())
    assert file.data is None
    assert gain in file.diagnostics[-1].message


@pytest.mark.parametrize("name", ["con", "NUL", "lpt1"])
def test_a_name_that_is_a_device_gets_no_file(name: str) -> None:
    data = f"---\nname: {name}\ndescription: d\n---\np\n".encode()
    file = render(read("x.md", data, "claude"), CLAUDE, WriteOptions())
    assert (file.data, [diagnostic.code for diagnostic in file.diagnostics]) == (None, [Code.NAME_UNSAFE])


def override_of(table: dict[str, JsonValue]) -> Override:
    return Override("*", "overlays/x.md", table)


def test_a_removed_grant_stays_removed_under_further_overrides() -> None:
    agent = claude("tools: Read, Bash")
    result = overridden(agent.agent, CLAUDE, [override_of({"tools": ["read"]}), override_of({"model": "haiku"})])
    assert result.regranted
    assert result.agent is not None
    assert available(result.agent.grants) == {"read", "external_directory"}
    wide = careless(CLAUDE, agent.document.data)
    assert render(replace(agent, dialect=wide), wide, WriteOptions(), [override_of({"tools": ["read"]})]).data is None


def test_rules_that_cannot_be_compared_are_not_taken_from_an_override() -> None:
    hostile: dict[str, JsonValue] = {f"*{letter}*abcdefghij*{letter}*": "ask" for letter in "abcdefghij"}
    result = overridden(claude("").agent, CLAUDE, [override_of({"permissions": {"bash": hostile}})])
    assert result.agent is None
    assert [diagnostic.code for diagnostic in result.diagnostics] == [Code.OVERRIDE_WIDER]


def test_an_agent_that_is_kept_from_a_target_is_not_brought_back() -> None:
    result = overridden(claude("").agent, CLAUDE, [override_of({"exclude": True}), override_of({"model": "haiku"})])
    assert (result.agent, result.excluded) == (None, True)


def test_an_override_beside_native_keys_counts_too() -> None:
    table: dict[str, JsonValue] = {"tools": ["read"], "native": {"variant": "fast"}}
    result = overridden(claude("").agent, OPENCODE, [override_of({"targets": {"opencode": table}})])
    assert result.agent is not None
    assert available(result.agent.grants) == {"read", "external_directory"}


def test_a_removed_guard_is_reported_under_any_later_override() -> None:
    agent = claude("hooks: {PreToolUse: [{matcher: Bash, hooks: [{type: command, command: x}]}]}")
    unguarded = override_of({"targets": {"claude": {"hooks": {}}}})
    for overrides in ([unguarded], [unguarded, override_of({"model": "haiku"})]):
        file = render(agent, CLAUDE, WriteOptions(), overrides)
        assert (file.data, [diagnostic.code for diagnostic in file.diagnostics]) == (None, [Code.OVERRIDE_WIDER])


@pytest.mark.parametrize("targets", [{"clod": {"tools": []}}, {"claude": {"tools": []}, "codex": True}])
def test_an_override_for_no_target_is_an_error(targets: dict[str, JsonValue]) -> None:
    assert [diagnostic.severity for diagnostic in check_override(override_of({"targets": targets}))] == [Severity.ERROR]


def test_an_output_that_has_to_be_repaired_to_be_read_is_refused() -> None:
    data = b"---\nname: x\ndescription: d: e\ntools: []\n---\np\n"
    file = render(replace(claude(""), passes_through=False), careless(CLAUDE, data), WriteOptions())
    assert (file.data, [diagnostic.code for diagnostic in file.diagnostics]) == (None, [Code.REFUSED_WIDER])


def lists(servers: dict[str, Approval], *, denies: bool, default: Approval = DENY, run: Approval = DENY) -> ListedTools:
    narrowed = Narrowed(default, {"Read": SESSION, "Run": run, "Change": DENY}, {}, servers, ())
    return spell_lists(narrowed, NAMES, denies=denies)


@pytest.mark.parametrize("name", ["Run", "run", "RUN(x)", " run (x)", "shell", "Shell(git *)"])
def test_a_denial_names_the_tool_also_in_another_case_or_with_arguments(name: str) -> None:
    assert Rule("bash", DENY) in NAMES.intended_denials([name])
    assert (Rule("bash", DENY) in NAMES.denials([name])) is (name == "Run")
    assert Rule("webfetch", DENY) in NAMES.intended_denials(["fetch"])
    assert all(rule.tool.startswith("other/") for rule in NAMES.granted(["Fetch", "run", "Foo"]))


def test_a_list_that_its_tool_takes_for_empty_grants_nothing_elsewhere() -> None:
    data = b"---\nname: x\ndescription: d\ntools: [bash, 3]\n---\nDo it.\n"
    assert available(read("x.md", data, "rovodev").agent.grants) == set()


def test_commas_separate_the_names_of_a_text_and_none_of_a_list() -> None:
    assert [*listed("Read, Run")] == ["Read", "Run"]
    assert [*listed(["Read, Run"])] == ["Read, Run"]


@pytest.mark.parametrize("tool", sorted(TOOLS))
def test_a_tool_with_a_path_may_reach_outside_as_far_as_the_session_lets_it(tool: str) -> None:
    rules = ToolNames(written={"Name": (tool,)}).granted(["Name"])
    assert available(Grants(tuple(rules))) == ({tool, "external_directory"} if tool in PATHS else {tool})


def test_without_a_list_of_denied_tools_a_denial_makes_the_list_complete() -> None:
    result = lists({}, denies=False, default=SESSION)
    assert (result.allowed, result.denied, [diagnostic.code for diagnostic in result.diagnostics]) == (
        ["Read"],
        [],
        [Code.TOOL_LOST],
    )
    result = lists({"gh_x": DENY}, denies=False, default=SESSION, run=SESSION)
    assert result.allowed == ["Read", "Run"]


def test_a_server_that_is_denied_in_part_is_left_out_where_nothing_can_be_denied() -> None:
    for servers in ({"gh_*": SESSION, "gh_x": DENY}, {"gh_x": SESSION, "gh_*": DENY}):
        result = lists(servers, denies=False)
        assert result.allowed == ["Read"]
        assert [diagnostic.code for diagnostic in result.diagnostics] == [Code.GLOB_NARROWED]


def test_a_denial_is_written_beside_a_list_and_counts_before_it() -> None:
    result = lists({"gh_*": SESSION, "gh_x": DENY}, denies=True)
    assert (result.allowed, result.denied, result.diagnostics) == (["Read", "gh_*"], ["gh_x"], [])
    result = lists({"gh_x": SESSION, "gh_*": DENY}, denies=True)
    assert (result.allowed, result.denied) == (["Read"], ["gh_*"])
    assert [diagnostic.code for diagnostic in result.diagnostics] == [Code.TOOL_LOST]
    result = lists({}, denies=True, default=SESSION)
    assert (result.allowed, result.denied) == (None, ["Run", "Change"])


def test_an_allowance_without_asking_that_no_list_can_express_is_reported() -> None:
    assert [diagnostic.code for diagnostic in lists({}, denies=True, run=ALLOW).diagnostics] == [Code.APPROVAL_NARROWED]
    assert [diagnostic.code for diagnostic in lists({"gh_x": ALLOW}, denies=True).diagnostics] == [
        Code.APPROVAL_NARROWED
    ]


@pytest.mark.parametrize(
    ("names", "pattern", "spelled"),
    [
        (ServerNames("mcp__", "__"), "mcp/gh/x", "mcp__gh__x"),
        (ServerNames("mcp__", "__"), "mcp/gh/*", "mcp__gh__*"),
        (ServerNames("mcp__", "__"), "mcp/*/x", None),
        (ServerNames("mcp__", "__"), "mcp/gh_x", None),
    ],
)
def test_a_pattern_of_servers_is_spelled_only_where_it_covers_no_other(
    names: ServerNames, pattern: str, spelled: str | None
) -> None:
    assert names.spell(pattern) == spelled


@pytest.mark.parametrize("target", sorted(dialects().keys() - {"opencode", "kilo"}))
@pytest.mark.parametrize("pattern", ["mcp/gh/x?", "mcp/g?/x", "mcp/g?/*"])
def test_a_sign_that_a_tool_takes_for_itself_is_not_written_as_one_for_others(target: str, pattern: str) -> None:
    assert dialects()[target].capabilities.server_name(pattern) is None


@pytest.mark.parametrize(
    "argument", [" git", "git ", "", "g?t", "[g]it", "{git,gh}", "g\\it", "git\n", f"{UNTRANSLATED}x"]
)
def test_kiro_gets_no_command_that_it_would_take_for_another(argument: str) -> None:
    rules = (Rule("bash", DENY), Rule("bash", SESSION, argument))
    assert not dialects()["kiro"].capabilities.spells("bash", rules)
    assert dialects()["kiro"].capabilities.spells("bash", (Rule("bash", DENY), Rule("bash", SESSION, "git *")))


def test_an_override_that_cannot_be_understood_refuses_the_agent() -> None:
    unusable = Override("*", "overlays/x.md", {}, unusable=True)
    for override in (unusable, override_of({"tools": "Read"}), override_of({"exclude": True, "tools": "Read"})):
        result = overridden(claude("").agent, CLAUDE, [override])
        assert (result.agent, result.excluded, result.changed) == (None, False, True)
        assert any(diagnostic.severity is Severity.ERROR for diagnostic in result.diagnostics)


def test_native_keys_of_its_own_tool_are_not_taken_over_beside_those_of_another() -> None:
    agent = claude("vibe: calm\nmcpServers: {gh: {command: x}}\nhooks: {Stop: []}").agent
    result = overridden(agent, OPENCODE, [override_of({"targets": {"opencode": {"native": {"variant": "fast"}}}})])
    assert result.agent is not None
    assert (result.agent.unknown, result.agent.mcp_servers, result.agent.hooks) == ({}, None, None)


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("claude", "tools: [Read]"),
        ("factory", "tools: [Read]"),
        ("opencode", "permission: {bash: deny}"),
        ("kilo", "permission: {bash: deny}"),
    ],
)
def test_a_restriction_that_its_tool_would_cut_off_is_written_again(name: str, keys: str) -> None:
    dialect = dialects()[name]
    data = f'---\nname: x\ndescription: "One\n---two"\n{keys}\n---\nDo it.\n'.encode()
    agent = read("x.md", data, name)
    assert not agent.passes_through
    written = render(agent, dialect, WriteOptions()).data
    assert written is not None
    assert b"\n---two" not in written
    assert "bash" not in available(dialect.enforced(dialect.parse(written, "x.md")))


@pytest.mark.parametrize("name", ["copilot", "factory", "roo"])
def test_skills_that_are_denied_in_part_and_stay_are_reported_or_refused_under_strict_options(name: str) -> None:
    data = b"---\nname: x\ndescription: d\npermissions: {skill: {deploy: deny}}\n---\nDo it.\n"
    agent, target = read("x.md", data, "neutral"), dialects()[name]
    assert Code.UNRESTRICTABLE in {diagnostic.code for diagnostic in render(agent, target, WriteOptions()).diagnostics}
    assert render(agent, target, WriteOptions(strict_approval=True)).data is None
