"""Agents of one name: versions, copies and clashes."""

from __future__ import annotations

import pytest
from hypothesis import example
from hypothesis import given as given_any
from hypothesis import strategies as st

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects import dialects
from agentsync.repository.plugins import Plugins, listed_plugins, prefixes
from agentsync.repository.selection import Selection, dialect_of
from agentsync.repository.versions import Named, Place, Versions, default_order, several_versions
from agentsync.repository.versions import check_names as decide


def check_names(agents: list[Named], overriding: frozenset[str]) -> tuple[set[Named], list[Diagnostic]]:
    checked = decide(agents, overriding)
    return {version for one in checked.used for version in one.usable}, [*checked.diagnostics]


def named(path: str, blob: str, source: str = "team", slug: str = "x", name: str = "") -> Named:
    return Named(source, path, blob, name or slug, slug)


def test_agents_of_different_names_are_all_used() -> None:
    agents = [named("a.md", "1", slug="a"), named("b.md", "2", slug="b")]
    assert check_names(agents, frozenset()) == (set(agents), [])


def test_equal_content_is_used_once() -> None:
    first, second = named("a.md", "1"), named("b.md", "1")
    used, diagnostics = check_names([first, second], frozenset())
    assert used == {first}
    assert [(one.code, one.path) for one in diagnostics] == [(Code.SAME_TWICE, "b.md")]
    assert "a.md" in diagnostics[0].message


def test_of_different_content_none_is_used_and_each_names_the_others() -> None:
    agents = [named("a.md", "1"), named("b.md", "2"), named("c.md", "1")]
    used, diagnostics = check_names(agents, frozenset())
    assert used == set()
    assert [one.code for one in diagnostics] == [Code.NAME_TWICE] * 3
    assert diagnostics[1].message.endswith("a.md, c.md")


def test_a_name_in_another_script_is_one_name_whatever_its_files_are_called() -> None:
    agents = [
        named("a/sociologist.md", "1", slug="sociologist", name="社会学者"),
        named("b/社会学者.md", "2", slug="shehuixuezhe", name="社会学者"),
        named("c/sociologist.md", "3", slug="sociologist"),
        named("d/lead.md", "4", slug="lead", name="主任"),
        named("e/lead.md", "5", slug="lead", name="リーダー"),
    ]
    for order in (agents, agents[::-1]):
        used, diagnostics = check_names(order, frozenset())
        assert used == set()
        assert {one.path: one.code for one in diagnostics} == dict.fromkeys(
            [one.path for one in agents], Code.NAME_TWICE
        )
    messages = {one.path[0]: one.message for one in diagnostics}
    assert messages["b"].startswith("`社会学者` is also the name of")
    assert messages["c"].startswith("`sociologist` is also the name of")
    assert messages["d"] == "`lead`, which is written for `主任` in file names, is also that of e/lead.md"


def test_of_two_sources_the_owner_has_the_name_else_the_first() -> None:
    first, second = named("a.md", "1"), named("b.md", "2", "mine")
    for owners, has, lacks in (({}, first, second), ({"x": {"mine"}}, second, first), ({"x": {"gone"}}, first, second)):
        checked = decide([first, second], frozenset(), owners=owners)
        assert ([*checked.used[0].usable], checked.refused) == ([has], [lacks])
        (diagnostic,) = checked.diagnostics
        assert (diagnostic.code, diagnostic.path) == (Code.NAME_TWICE, lacks.path)
        assert f"{has.path} of source `{has.source}`" in diagnostic.message


_names = st.sampled_from("abc")
_agents = st.lists(st.tuples(st.sampled_from(["team", "other", "third"]), _names, _names, st.sampled_from("12")))


@given_any(_agents)
@example([("team", "a", "a", "1"), ("team", "b", "b", "2"), ("other", "a", "b", "3")])
def test_no_source_changes_what_an_owner_has(rows: list[tuple[str, str, str, str]]) -> None:
    agents = [named(f"{index}.md", blob, source, slug, name) for index, (source, slug, name, blob) in enumerate(rows)]
    own = [agent for agent in agents if agent.source == "team"]
    owners = {key: {"team"} for agent in own for key in agent.keys}
    alone, among = (decide(some, frozenset(), owners=owners) for some in (own, agents))
    assert [one for one in among.used if one.source == "team"] == [*alone.used]
    assert [one for one in among.refused if one.source == "team"] == [*alone.refused]


def test_an_owner_keeps_a_name_that_it_cannot_use_now() -> None:
    broken, other = named("a.md", "1"), named("b.md", "2", "other")
    owners = {"x": {"team"}}
    for agents, unusable in (([other], [broken]), ([broken, named("c.md", "3"), other], [])):
        checked = decide(agents, frozenset(), unusable, owners)
        assert (checked.used, other in checked.refused) == ([], True)
    assert decide([other], frozenset(), [broken]).used, "a source that never had it blocks nobody"


def test_who_replaces_wins_over_an_owner_above_and_over_none_below() -> None:
    team, mine, below = named("a.md", "1"), named("b.md", "2", "mine"), named("c.md", "3", "below")
    assert [one.source for one in decide([team, mine], frozenset({"mine"}), owners={"x": {"team"}}).used] == ["mine"]
    checked = decide([team, mine, below], frozenset({"mine"}), owners={"x": {"below"}})
    assert ([one.source for one in checked.used], checked.refused) == (["below"], [mine])


def test_a_later_source_wins_where_it_may() -> None:
    mine = named("a.md", "2", "mine")
    assert check_names([named("a.md", "1"), mine], frozenset({"mine"})) == ({mine}, [])


def test_a_winning_source_must_still_agree_with_itself() -> None:
    agents = [named("a.md", "1"), named("b.md", "2", "mine"), named("c.md", "3", "mine")]
    used, diagnostics = check_names(agents, frozenset({"mine"}))
    assert used == set()
    assert [one.path for one in diagnostics] == ["b.md", "c.md"]


def test_many_twins_are_reported_without_naming_each_to_each() -> None:
    agents = [named(f"{number}/x.md", str(number)) for number in range(2000)]
    used, diagnostics = check_names(agents, frozenset())
    assert not used
    assert len(diagnostics) == 2000
    assert sum(len(one.message) for one in diagnostics) < 2000 * 100
    assert "and 1995 more" in diagnostics[0].message


def file(path: str, blob: str = "", slug: str = "x", selection: Selection = Selection()) -> Named:  # noqa: B008 (frozen)
    """An agent at a path, whose dialect is Claude Code's where its place does not tell."""
    dialect = dialect_of(path, selection)
    return Named("team", path, blob or path, slug, slug, dialect.name if dialect else "claude", selection=selection)


def used(*agents: Named, unusable: tuple[Named, ...] = ()) -> Versions:
    (versions,) = decide(agents, frozenset(), unusable).used
    return versions


def given(versions: Versions, target: str, *order: str) -> str | None:
    chosen = versions.chosen(dialects()[target], order)
    return chosen.path if chosen else None


OF_CLAUDE, OF_OPENCODE, OF_CODEX = ".claude/agents/x.md", ".opencode/agent/x.md", ".codex/agents/x.toml"


def test_each_tool_gets_its_own_version_and_any_other_the_first_in_order() -> None:
    checked = decide([*map(file, (OF_CLAUDE, OF_CODEX, OF_OPENCODE))], frozenset())
    assert (checked.refused, checked.diagnostics) == ([], [])
    (versions,) = checked.used
    assert [given(versions, tool) for tool in ("claude", "codex", "opencode")] == [OF_CLAUDE, OF_CODEX, OF_OPENCODE]
    assert given(versions, "opencode", "claude") == OF_OPENCODE
    assert given(versions, "vibe", "kiro", "codex", "claude") == OF_CODEX
    assert given(versions, "cursor") == OF_CLAUDE, "Cursor reads Claude Code's agents itself"
    assert given(versions, "vibe") == OF_OPENCODE
    assert default_order()[0] == "neutral"
    (once,) = several_versions([versions, versions], ("codex",))
    assert (once.code, once.message.rpartition(" order ")[2]) == (Code.VERSIONS, "codex, opencode, claude")


def test_equal_content_for_two_tools_is_two_versions() -> None:
    assert given(used(file(OF_CLAUDE, "1"), file(OF_OPENCODE, "1")), "opencode") == OF_OPENCODE


@pytest.mark.parametrize(
    "paths",
    [
        ("agents/planner.md", "agents/planner.compact.md"),
        (".kiro/agents/reviewer.md", ".kiro/agents/reviewer.json"),
        (".opencode/agent/x.md", ".opencode/agents/x.md"),
        ("a/.claude/agents/x.md", "b/.opencode/agents/x.md"),
        ("claude/agents/x.md", "opencode/agents/x.md"),
    ],
)
def test_two_files_of_one_tool_or_of_two_projects_clash(paths: tuple[str, ...]) -> None:
    checked = decide([*map(file, paths)], frozenset())
    assert (checked.used, {one.path for one in checked.refused}) == ([], {*paths})
    assert [one.code for one in checked.diagnostics] == [Code.NAME_TWICE] * 2


def test_a_clash_in_one_tool_leaves_the_versions_of_others() -> None:
    twin = ".claude/agents/sub/x.md"
    checked = decide([*map(file, (OF_CLAUDE, twin, OF_OPENCODE))], frozenset())
    assert {one.path for one in checked.diagnostics} == {OF_CLAUDE, twin}
    (versions,) = checked.used
    assert [given(versions, tool) for tool in ("claude", "opencode", "cursor")] == [None, OF_OPENCODE, OF_OPENCODE]


@pytest.mark.parametrize(
    ("kept", "ignored"),
    [
        (OF_CLAUDE, ("docs/agents/x.md", "kit/.claude/agents/x.md", "kit/.opencode/agents/x.md", "agents/x.md")),
        ("kit/.claude/agents/x.md", ("agents/x.md", "docs/guide/x.md")),
    ],
)
def test_a_file_in_a_tools_directory_takes_precedence_first_at_the_root(kept: str, ignored: tuple[str, ...]) -> None:
    for paths in ([kept, *ignored], [*ignored, kept]):
        checked = decide([*map(file, paths)], frozenset())
        (versions,) = checked.used
        assert [one.path for one in versions.usable] == [kept]
        assert {one.path: one.code for one in checked.diagnostics} == dict.fromkeys(ignored, Code.SAME_TWICE)


def test_a_version_may_be_outside_where_its_tool_is_declared_or_the_project_is_the_same() -> None:
    declared = Selection(subfolder="team", dialects=(("of-claude/**", "claude"), ("oc/**", "opencode")))
    one, other = (file(path, selection=declared) for path in ("team/of-claude/x.md", "team/oc/x.md"))
    assert given(used(one, other), "opencode") == "team/oc/x.md"
    assert one.place == Place("team", 1, is_root=True)
    assert given(used(file("agents/x.md"), file(OF_OPENCODE)), "claude") == "agents/x.md"


def test_a_tool_whose_version_cannot_be_used_gets_no_other() -> None:
    broken = used(file(OF_CLAUDE), unusable=(file(OF_OPENCODE),))
    assert [given(broken, tool) for tool in ("claude", "opencode", "codex")] == [OF_CLAUDE, None, OF_CLAUDE]
    modes = used(file(OF_CLAUDE), unusable=(file(".roomodes", slug=""),))
    assert [given(modes, tool) for tool in ("roo", "codex")] == [None, OF_CLAUDE]
    elsewhere = used(file(OF_CLAUDE), unusable=(file("kit/.opencode/agent/x.md"), file(OF_OPENCODE, slug="y")))
    assert given(elsewhere, "opencode") == OF_CLAUDE


def test_versions_in_two_sources_are_one_agent_only_where_all_are_equal() -> None:
    mine = [named(OF_CLAUDE, "1"), named(OF_OPENCODE, "2")]
    for blobs, refused in ((("1", "2"), 0), (("1", "3"), 2)):
        theirs = [named(path, blob, "other") for path, blob in zip((OF_CLAUDE, OF_OPENCODE), blobs, strict=True)]
        agents = [
            Named(one.source, one.path, one.blob, "x", "x", "claude" if one.path == OF_CLAUDE else "opencode")
            for one in (*mine, *theirs)
        ]
        checked = decide(agents, frozenset())
        assert len(checked.refused) == refused
        assert len(checked.diagnostics) == (refused or 2)


def test_agents_of_one_name_in_plugins_get_the_plugins_names() -> None:
    plugins = Plugins({"kits/Beta Kit/.claude-plugin/plugin.json", ".claude-plugin/plugin.json"}, {})
    agents = [
        file("plugins/alpha/agents/x.md", "1"),
        file("kits/Beta Kit/agents/x.md", "2"),
        file("plugins/copy/agents/x.md", "1"),
        file("agents/x.md", "3"),
        file("plugins/alpha/agents/y.md", "4", slug="y"),
        file("plugins/alpha/.codex/agents/y.toml", "5", slug="y"),
        file("plugins/alpha/agents/z.md", "6", slug="z"),
        file("plugins/copy/agents/z.md", "6", slug="z"),
    ]
    assert prefixes(agents, plugins) == {
        "plugins/alpha/agents/x.md": "alpha-",
        "plugins/copy/agents/x.md": "alpha-",
        "kits/Beta Kit/agents/x.md": "beta-kit-",
    }
    assert not Plugins((), {}).several(["agents/a.md", "kits/a/agents/b.md"])


def test_a_marketplace_names_its_plugins() -> None:
    listing = b"""{"metadata": {"pluginRoot": "./kits"}, "plugins": [{"name": "alpha", "source": "./tools/one"},
        {"name": "beta", "source": "two"}, {"name": "far", "source": {"source": "github"}}, {"name": 3}, null]}"""
    listed = listed_plugins(listing)
    assert listed == {"tools/one": "alpha", "kits/two": "beta"}
    assert Plugins({"tools/one/.claude-plugin/plugin.json"}, listed).of("tools/one/agents/x.md") == "alpha"
    for broken in (b"", b"[" * 100_000, b"3", b'{"plugins": 3, "metadata": 3}', b"\xff"):
        assert listed_plugins(broken) == {}
