"""Detection of a repository's files: those to read, their dialect, and those that are not agents."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agentsync.agents.grants import wider
from agentsync.core.codes import Code
from agentsync.core.globs import path_matches
from agentsync.dialects import Dialect, default_dialect, dialects
from agentsync.git.objects import Entry
from agentsync.repository import selection as selection_module
from agentsync.repository.dialect_detection import NoAgent, ReadAgent, read_agent
from agentsync.repository.selection import Selection, select

AGENT = b"---\nname: x\ndescription: Does x.\n---\nDo x.\n"
CODEX = b'name = "x"\ndescription = "Does x."\ndeveloper_instructions = "Do x."\n'


def entry(path: str, mode: str = "100644", size: int = 10) -> Entry:
    return Entry(path, mode, "blob", size)


def chosen(*paths: str, **selection: object) -> list[str]:
    selected = select([entry(path) for path in paths], Selection(**selection))  # type: ignore[arg-type]  # names
    assert selected.diagnostics == []
    return [one.path for one in selected.entries]


def picked_of(entries: Sequence[Entry]) -> tuple[list[str], list[tuple[Code, str]]]:
    """Select among these; return the paths to read, and the diagnostics' codes and paths."""
    selected = select(entries, Selection())
    return [one.path for one in selected.entries], [(one.code, one.path) for one in selected.diagnostics]


@pytest.mark.parametrize(
    "path",
    [
        "x.md",
        "agents/x.md",
        ".claude/agents/deep/x.md",
        ".codex/agents/x.toml",
        ".opencode/agent/x.md",
        "agents/planner/AGENT.md",
        "agents/planner/AGENTS.md",
        "team/agents/web/planner/agent.md",
        ".claude/agents/skills/x.md",
        ".devin/agents/planner/AGENT.md",
        "opencode.json",
        "sub/.codex/config.toml",
        "agents/readme-generator.md",
        "team/security-auditor.md",
        "agents/[a].md",
    ],
)
def test_files_that_may_be_agents_are_read(path: str) -> None:
    assert chosen(path) == [path]


@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        "docs/Changelog.md",
        "x.txt",
        "x.yaml",
        "agents/CLAUDE.md",
        "commands/x.md",
        "skills/a/SKILL.md",
        "agents/skills/x.md",
        "skills/review/agents/x.md",
        ".claude/commands/agents/x.md",
        "plugins/a/prompts/agents/x.md",
        "skills/new-agent/.claude/agents/x.md",
        "agents/AGENTS.md",
        ".claude/agents/AGENTS.md",
        "docs/AGENTS.md",
        "agents/web/planner/AGENTS.md",
        "QWEN.md",
        "node_modules/a/agents/x.md",
        "tests/fixtures/a/.claude/agents/x.md",
        ".github/prompts/x.md",
        ".gemini/x.md",
        ".continue/agents/x.md",
        "x.prompt.md",
        "hooks/x.md",
        "agents/Readme.md",
    ],
)
def test_files_that_are_something_else_are_not(path: str) -> None:
    assert chosen(path) == []


def test_a_pattern_selects_exactly_the_files_to_read() -> None:
    paths = ("README.md", "commands/x.md", "a/b.md", "a/c/d.md")
    assert chosen(*paths, include=("commands/*.md", "a/**")) == ["commands/x.md", "a/b.md", "a/c/d.md"]
    assert chosen(*paths, include=("a/**",), exclude=("c/",)) == ["a/b.md", "a/c/d.md"]
    assert chosen(*paths, include=("a/**",), exclude=("a/c/",)) == ["a/b.md"]


def test_only_the_subfolder_counts_and_patterns_are_relative_to_it() -> None:
    paths = ("team/a.md", "team/old/b.md", "teams/c.md", "d.md")
    assert chosen(*paths, subfolder="team") == ["team/a.md", "team/old/b.md"]
    assert chosen(*paths, subfolder="/team/", exclude=("old/*",)) == ["team/a.md"]


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [
        ("*.md", "a/b.md", True),
        ("a/*.md", "a/b.md", True),
        ("a/*.md", "a/b/c.md", False),
        ("a/**/*.md", "a/b/c.md", True),
        ("a/**/*.md", "a/c.md", True),
        ("a/**", "a/b/c.md", True),
        ("a/?.md", "a/b.md", True),
        ("a/", "a/b/c.md", True),
        ("a.b", "aXb", False),
        ("**", "a", True),
    ],
)
def test_path_globs(pattern: str, path: str, covered: bool) -> None:  # noqa: FBT001 (a column of the table)
    assert path_matches(pattern, path) is covered


@pytest.mark.parametrize(
    "path",
    [
        "../x.md",
        "a/../x.md",
        "a//x.md",
        "/etc/x.md",
        ".git/x.md",
        "a/.GIT/x.md",
        "con.md",
        "a/NUL.md",
        "a /x.md",
        "a./x.md",
        "a:b.md",
        "a\\b.md",
        "a\nb.md",
        "a\x1bb.md",
        "a\udc80b.md",
        "./x.md",
        "what?.md",
        "git~1/x.md",
        ".g\u200cit/x.md",
        "aux .md",
        "com\u00b9.md",
        "conout$.md",
        "a\u202eb.md",
        f"{'a' * 256}.md",
        f"{'a/' * 2048}x.md",
    ],
)
def test_unsafe_paths_are_refused(path: str) -> None:
    picked, ((code, shown),) = picked_of([entry(path)])
    assert (picked, code) == ([], Code.PATH_UNSAFE)
    assert shown.isprintable()


def test_links_are_reported_and_submodules_are_not_files() -> None:
    entries = [entry("a.md", "120000"), entry("b.md", "160000"), entry("c.md", "100755")]
    assert picked_of(entries) == (["c.md"], [(Code.SYMLINK, "a.md"), (Code.SUBMODULE, "b.md")])


def test_a_page_that_cannot_be_read_is_no_error() -> None:
    pages = [entry("docs/a.md", "120000"), entry("docs/b.md", size=1 << 21), entry("docs/c.md"), entry("docs/C.md")]
    assert picked_of(pages) == ([], [(Code.NOT_AN_AGENT, one.path) for one in pages])
    assert picked_of([entry("docs/agents/a.md", "120000")]) == ([], [(Code.SYMLINK, "docs/agents/a.md")])
    included = select(pages[:1], Selection(include=("docs/*.md",)))
    assert [one.code for one in included.diagnostics] == [Code.SYMLINK]


def test_files_that_are_not_selected_are_not_reported() -> None:
    assert picked_of([entry("docs/README.md", "120000"), entry("con.txt")]) == ([], [])


@pytest.mark.parametrize(
    ("path", "selection", "reported"),
    [
        ("shared", Selection(), True),
        ("vendor/shared", Selection(subfolder="vendor"), True),
        ("shared", Selection(subfolder="shared"), True),
        ("shared", Selection(subfolder="/shared/agents/"), True),
        ("shared", Selection(subfolder="team"), False),
        ("shared", Selection(subfolder="shared-agents"), False),
        ("shared", Selection(include=("agents/**",)), False),
        ("shared", Selection(exclude=("shared/**",)), False),
        ("shared", Selection(include=("shared/**",)), True),
    ],
)
def test_a_submodule_is_reported_where_it_could_hold_agents(path: str, selection: Selection, *, reported: bool) -> None:
    selected = select([entry(path, "160000")], selection)
    assert selected.entries == []
    assert [(one.code, one.path) for one in selected.diagnostics] == ([(Code.SUBMODULE, path)] if reported else [])


def test_large_files_are_not_read() -> None:
    assert picked_of([entry("a.md", size=1 << 21)]) == ([], [(Code.TOO_LARGE, "a.md")])


def test_too_many_files_are_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection_module, "MAX_FILES", 2)
    assert picked_of([entry(f"{number}.md") for number in range(3)]) == ([], [(Code.TOO_LARGE, "")])


def test_where_there_are_too_many_files_those_where_agents_are_expected_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(selection_module, "MAX_FILES", 2)
    pages = [entry(f"docs/{number}.md") for number in range(3)]
    selected = select([*pages, entry(".claude/agents/x.md"), entry("web/agents/y.md")], Selection())
    assert [one.path for one in selected.entries] == [".claude/agents/x.md", "web/agents/y.md"]
    assert [one.code for one in selected.diagnostics] == [Code.NOT_SEARCHED]
    assert selected.unread == {"docs/0.md", "docs/1.md", "docs/2.md"}
    everything = select([*pages, entry("agents/y.md")], Selection(include=("**/*.md",)))
    assert [one.code for one in everything.diagnostics] == [Code.TOO_LARGE]


@pytest.mark.parametrize("twin", ["Agents/X.md", "agents/X.md"])
def test_of_paths_that_differ_by_case_only_none_is_read(twin: str) -> None:
    problems = [(Code.PATH_UNSAFE, "agents/x.md"), (Code.PATH_UNSAFE, twin)]
    assert picked_of([entry("agents/x.md"), entry(twin), entry("y.md")]) == (["y.md"], problems)


@pytest.mark.parametrize(
    ("path", "twin"),
    [("pr\u00fcfer.md", "pru\u0308fer.md"), ("stra\u00dfe.md", "strasse.md"), ("\u1fb3.md", "\u03b1\u03b9.md")],
)
def test_of_paths_that_differ_by_unicode_form_only_none_is_read(path: str, twin: str) -> None:
    assert picked_of([entry(path), entry(twin)]) == ([], [(Code.PATH_UNSAFE, path), (Code.PATH_UNSAFE, twin)])


def test_the_first_pattern_decides_the_dialect() -> None:
    selection = Selection(subfolder="a", dialects=(("x/*", "opencode"), ("**", "claude")))
    assert [selection.dialect_of(path) for path in ("a/x/y.md", "a/z.md")] == ["opencode", "claude"]
    assert Selection().dialect_of("a.md") is None


def test_a_configured_dialect_counts() -> None:
    assert dialect_of("x.md", AGENT, "opencode") == "opencode"


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("repo/.claude/agents/x.md", "claude"),
        (".opencode/agent/x.md", "opencode"),
        (".opencode/agents/deep/x.md", "opencode"),
        (".config/opencode/agents/x.md", "opencode"),
    ],
)
def test_a_tools_own_directory_determines_the_dialect(path: str, dialect: str) -> None:
    assert dialect_of(path, AGENT) == dialect


@pytest.mark.parametrize(
    ("head", "dialect"),
    [
        ("name: x\ndescription: d", "claude"),
        ("name: x\ndescription: d\ntools: Read, Bash\nmodel: sonnet", "claude"),
        ("description: d", "opencode"),
        ("description: d\nmode: subagent\ntemperature: 0", "opencode"),
        ("name: x\ndescription: d\nmode: primary\npermission:\n  bash: ask", "opencode"),
        ("name: x\ndescription: d\ntools:\n  write: false\nmode: all", "opencode"),
        ("name: x\ndescription: d\nmodel: anthropic/claude-sonnet-5\nmode: all", "opencode"),
        ("name: x\ndescription: d\ncolor: red\npermissionMode: plan", "claude"),
        ("name: x\ndescription: d\nmcpServers:\n  a:\n    command: a", "claude"),
        ("name: x\ndescription: d\ntools: [read_file, glob, replace]\nmodel: gemini-2.5-pro", "gemini"),
        ("name: x\ndescription: d\ntools: [read_file]\nmcp_servers:\n  a:\n    command: a", "gemini"),
        ("name: x\ndescription: d\nkind: local", "gemini"),
        ("name: x\ndescription: d\ntools: [read_file, edit]\napprovalMode: plan", "qwen"),
        ("name: x\ndescription: d\ntools: [Read, Execute]\nmodel: inherit", "factory"),
        ("name: x\ndescription: d\ntools: Read, Grep, LS", "claude"),
        ("description: d\ntools: ['read', 'search', 'edit/editFiles']", "copilot"),
        ("name: x\ndescription: d\ntools: Read, codebase, Bash\nversion: 1\ncolor: '#ff0000'", "claude"),
    ],
)
def test_elsewhere_the_content_does(head: str, dialect: str) -> None:
    assert dialect_of("agents/x.md", f"---\n{head}\n---\nDo it with care.\n".encode()) == dialect


@pytest.mark.parametrize("data", [CODEX, CODEX + b'[mcp_servers.a]\ncommand = "a"\n'])
def test_toml_with_instructions_is_codex(data: bytes) -> None:
    assert dialect_of("team/x.toml", data) == "codex"


@pytest.mark.parametrize(
    "head", ["mode: subagent\npermission:\n  bash: deny", "tools:\n  write: false\nmode: subagent"]
)
def test_plain_text_and_directories_of_several_tools_are_judged_by_content(head: str) -> None:
    data = f"---\ndescription: d\n{head}\n---\nDo it.\n".encode()
    assert dialect_of("team/x.txt", data) == dialect_of(".agents/agents/x.md", data) == "opencode"
    assert [dialect_of("x.txt", AGENT), dialect_of(".agents/agents/x.md", AGENT)] == ["claude", "antigravity"]
    assert dialect_of(".augment/agents/x.txt", AGENT) == "auggie"


@pytest.mark.parametrize("path", [".agents/agents/x.md", ".claude/agents/x.md"])
def test_in_each_tools_directory_a_broken_file_is_an_error(path: str) -> None:
    result = read_agent(path, b"# Guide\n")
    assert isinstance(result, NoAgent)
    assert result.refused


@pytest.mark.parametrize("names", ["acme_search, acme_fetch", "[acme_search]", "run it"])
def test_a_list_without_a_known_tool_is_a_question(names: str) -> None:
    data = f"---\nname: x\ndescription: d\ntools: {names}\n---\nDo it.\n".encode()
    result = read_agent("agents/x.md", data)
    assert isinstance(result, NoAgent)
    (problem,) = result.diagnostics
    assert (problem.code, problem.line) == (Code.WRONG_DIALECT, 4)
    assert "agents.dialects" in problem.hint
    assert isinstance(read_agent("agents/x.md", data, "claude"), ReadAgent)


def test_of_equal_dialects_the_one_that_grants_less_counts() -> None:
    """Claude Code refers to servers by such a list, and an agent of Factory Droid has no others."""
    result = read_agent("agents/x.md", b"---\nname: x\ndescription: d\nmcpServers: [github]\n---\nDo it.\n")
    assert isinstance(result, ReadAgent)
    equals = [dialects()[name].read(result.document, "x").agent for name in ("claude", "factory", "qwen")]
    assert not any(other and wider(result.agent.grants, other.grants) for other in equals)


def test_a_file_with_an_ending_that_no_tool_has_is_read_as_markdown() -> None:
    """Only a pattern of the repository selects such a file."""
    assert dialect_of("team/x.rst", AGENT) == "claude"


def test_one_dialect_is_the_default_and_takes_files_of_any_directory() -> None:
    default = default_dialect()
    assert [one for one in dialects().values() if one.recognition.prior >= default.recognition.prior] == [default]
    assert default.suffix in default.recognition.anywhere
    assert default.recognition.sniff


@pytest.mark.parametrize("dialect", dialects().values(), ids=lambda dialect: dialect.name)
def test_endings_that_identify_a_tool_are_endings_of_its_files(dialect: Dialect) -> None:
    signs = dialect.recognition
    assert {*signs.decisive, *signs.anywhere} <= {*dialect.suffixes}
    assert not signs.anywhere or signs.sniff


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("docs/guide.md", b"# Guide\n\nText.\n"),
        ("x.md", b""),
        ("x.md", b"---\ntitle: A post\ndate: 2025-01-01\n---\nText.\n"),
        ("team.md", b"---\nname: A page\n---\nText.\n"),
        ("team/x.md", b"---\ndescription: A page\n---\nText.\n"),
        ("docs/x.md", b"---\ntitle: X\ntitle: Y\n---\nText.\n"),
        ("docs/x.md", b"\xff\xfe\xff"),
        ("docs/x.md", b"---\nname: Pages\ndescription: A page\n---\nText.\n"),
        ("docs/agents/x.md", b"---\ndescription: A page\n---\nText.\n"),
        ("docs/agents/x.md", b"---\ntitle: X\ndescription: A page\nmode: wide\n---\nText.\n"),
        ("agents/x.md", b"---\ntitle: X\ndescription: A page\n---\nText.\n"),
        ("team/x.md", b"---\ntitle: X\nname: x\ndescription: A page\nsidebar_position: 1\n---\nText.\n"),
        ("team/x.md", b"---\nname: x\ntools: [Read]\ntitle: X\n---\nText.\n"),
        ("agents/_shared/x.md", b"---\ndescription: A part\n---\nText.\n"),
        ("agents/_x.md", b"---\ndescription: A part\n---\nText.\n"),
        ("agents/references/x.md", b"---\ndescription: A part\n---\nText.\n"),
        ("agents/team.md", AGENT.replace(b"---\nDo", b"agents: [a, b]\n---\nDo")),
        ("agents/team.md", AGENT.replace(b"---\nDo", b"members:\n  - name: a\n---\nDo")),
        ("templates/basic-template.md", AGENT.replace(b": x", b": agent-name\ntools: Read")),
        ("agents/x.md", AGENT.replace(b": x", b": <AGENT_NAME>")),
        (".claude/agents/x.md", AGENT.replace(b": x", b": '{{name}}'")),
        (".claude/agents/x.md", AGENT.replace(b": x", b": {{name}}")),
        (".claude/agents/x.md", AGENT.replace(b": x", b": [agent-name]")),
        (".claude/agents/helpers/levels.md", b"# Levels\n"),
        (".claude/agents/_shared.md", b"# Levels\n"),
        (".claude/agents/web/AGENTS.md", b"# Notes\n"),
        ("agents/web/AGENTS.md", b"---\ntitle: Notes\ndescription: d\n---\nText.\n"),
        ("pyproject.toml", b'[project]\nname = "x"\ndescription = "d"\n'),
        ("broken.toml", b"= ="),
        ("agents/x.json", b'{"name": "x", "description": "d", "tools": ["read"]}'),  # package.json looks the same
        ("agents/x.json", AGENT),
        ("modes.yaml", AGENT.replace(b"description", b"summary")),
    ],
)
def test_other_files_are_no_agents_and_no_errors(path: str, data: bytes) -> None:
    result = read_agent(path, data)
    assert isinstance(result, NoAgent)
    assert not result.refused
    assert [diagnostic.code for diagnostic in result.diagnostics] == [Code.NOT_AN_AGENT]


@pytest.mark.parametrize(
    ("path", "head"),
    [
        ("agents/x.md", "description: d"),
        ("team/x.md", "name: x\ndescription: d"),
        ("team/x.md", "description: d\nmode: subagent"),
        ("docs/agents/x.md", "name: x\ndescription: d"),
        ("agents/email-template.md", "name: x\ndescription: d"),
        ("agents/_shared/x.md", "name: x\ndescription: d"),
        ("agents/x.md", "name: x\ndescription: d\ntools: Read\nagents: [a]"),
        ("docs/x.md", "name: x\ndescription: d\ntools: Read"),
        ("team/x.md", "title: X\nname: x\ndescription: d\ntools: Read"),
        ("agents/x.md", "title: X\nname: x\ndescription: d"),
    ],
)
def test_several_signs_of_an_agent_are_enough(path: str, head: str) -> None:
    assert isinstance(read_agent(path, f"---\n{head}\n---\nDo x.\n".encode()), ReadAgent)


@pytest.mark.parametrize(
    "path", ["agents/planner/agent.md", ".claude/agents/planner/AGENT.md", "agents/planner/AGENTS.md"]
)
def test_an_agent_with_a_directory_of_its_own_is_named_after_it(path: str) -> None:
    read = read_agent(path, b"---\ndescription: Plans.\ntools: Read\n---\nPlan.\n")
    assert isinstance(read, ReadAgent)
    assert read.agent.name == "planner"


def test_a_file_that_starts_like_an_agent_and_is_broken_is_an_error() -> None:
    result = read_agent("team/x.md", b"---\nname: x\nname: y\ndescription: d\n---\np\n")
    assert isinstance(result, NoAgent)
    assert [diagnostic.code for diagnostic in result.diagnostics] == [Code.DUPLICATE_KEY]


def test_a_pointer_is_not_the_file() -> None:
    result = read_agent("x.md", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    assert isinstance(result, NoAgent)
    assert [diagnostic.code for diagnostic in result.diagnostics] == [Code.LFS_POINTER]


def test_diagnostics_name_file_and_agent() -> None:
    result = read_agent("team/x.md", b"---\nname: Big X\ndescription: d\n---\np\n", "claude")
    assert isinstance(result, ReadAgent)
    assert [(diagnostic.path, diagnostic.agent, diagnostic.line) for diagnostic in result.diagnostics] == [
        ("team/x.md", "Big X", 2)
    ]


@pytest.mark.parametrize(
    ("path", "data", "passes"),
    [
        ("x.md", AGENT, True),
        ("x.md", b"\xef\xbb\xbf" + AGENT, False),
        ("x.md", AGENT.replace(b"name: x\n", b""), False),
        ("x.md", AGENT.replace(b"name: x", b"name: 'SE: x'"), False),
        ("x.md", AGENT.replace(b"name: x", b"name: UI/UX x"), True),
        ("x.md", AGENT.replace(b"\n", b"\r\n"), True),
        ("x.md", AGENT.replace(b"Does x.", b"Does x --- then y."), False),  # Claude Code cuts the frontmatter there
    ],
)
def test_bytes_pass_through_where_the_tool_itself_would_load_them(path: str, data: bytes, passes: bool) -> None:  # noqa: FBT001 (a column)
    result = read_agent(path, data, "claude")
    assert isinstance(result, ReadAgent)
    assert result.passes_through is passes


@pytest.mark.parametrize(
    "head",
    [
        "name: x\ndescription: d\ncolor: blue\nsandbox_mode: read-only",
        "name: x\ndescription: d\ncolor: blue\nenabledSkills: [a]",
        "description: d\nmode: subagent\nmodel: openai/gpt-5.5\ntemperature: 0.1\nsteps: 3\npermissionMode: plan",
    ],
)
def test_a_guess_that_leaves_a_restriction_unread_is_an_error(head: str) -> None:
    data = f"---\n{head}\n---\nDo x.\n".encode()
    result = read_agent("x.md", data)
    assert isinstance(result, NoAgent)
    assert result.refused


@pytest.mark.parametrize(
    ("head", "dialect"),
    [
        ("name: x\ndescription: d\npermission:\n  bash: deny", "opencode"),
        ("name: x\ndescription: d\nmodel: a/x\npermission: deny", "opencode"),
        ("name: x\ndescription: d\nmodel: sonnet\npermission: deny", "opencode"),
        ("name: x\ndescription: d\ncolor: blue\npermission:\n  bash: deny", "opencode"),
        ("name: x\ndescription: d\nmode: subagent\nmodel: a/x\ndisallowedTools: Bash", "claude"),
    ],
)
def test_a_restriction_determines_the_agents_tool(head: str, dialect: str) -> None:
    assert dialect_of("x.md", f"---\n{head}\n---\nDo x.\n".encode()) == dialect


@pytest.mark.parametrize("hidden", [" disallowedTools: Bash", "\tdisallowedTools: Bash", "? disallowed-tools: Bash"])
def test_a_repair_never_hides_a_restriction(hidden: str) -> None:
    data = f"---\nname: x\ndescription: foo: bar\n{hidden}\n---\nDo x.\n".encode()
    result = read_agent("x.md", data, "claude")
    assert isinstance(result, NoAgent)
    assert result.refused


@pytest.mark.parametrize("value", ["\n  Bash: true", "\n  - [Bash, Write]", " true"])
def test_denials_that_are_no_list_of_names_refuse_the_agent(value: str) -> None:
    data = f"---\nname: x\ndescription: d\ndisallowedTools:{value}\n---\nDo x.\n".encode()
    assert isinstance(read_agent("x.md", data, "claude"), NoAgent)


def dialect_of(path: str, data: bytes, reported: str | None = None) -> str:
    result = read_agent(path, data, reported)
    assert isinstance(result, ReadAgent), result
    return result.dialect.name


def test_a_pattern_of_many_stars_is_decided_at_once() -> None:
    """A matcher that goes back to try again would need days for these."""
    assert not path_matches("*a" * 40 + "*b", "a" * 200 + ".md")
    assert not path_matches("/".join(["**", "a"] * 40) + "/b", "/".join("a" * 200))


@pytest.mark.parametrize("pattern", ["agents/", "agents/**", "**/x.md", "x.md", "agents/?.md", "agents/*", "**"])
def test_a_pattern_covers_everything_below(pattern: str) -> None:
    assert path_matches(pattern, "agents/x.md")


HEAD = "---\nname: x\ndescription: |\n  d\n---\n"


@pytest.mark.parametrize(
    ("below", "line"),
    [
        ("tools: [Read]\n---\np\n", 6),
        ("model: x\n# only these\ndisallowed-tools:\n- Bash\n\n---\np\n", 8),
        ("permission:\n  bash: deny\n--- \n", 6),
        # No line closes anything behind these:
        ("tools: [Read]\n", 0),
        ("tools: [Read]\n----\np\n", 0),
        # These are instructions:
        ("\nUse your tools.\n---\np\n", 0),
        ("tools: [Read]\nare all that you need.\n---\np\n", 0),
        ("note: it is late\n---\np\n", 0),
        ("https://example.org\ntools:\n---\np\n", 0),
    ],
)
def test_keys_that_restrict_behind_the_closing_line_are_refused(below: str, line: int) -> None:
    """In a text of several lines, most tools take a line of dashes for the closing one."""
    result = read_agent("x.md", f"{HEAD}{below}".encode(), "claude")
    assert isinstance(result, NoAgent) == bool(line)
    assert [diagnostic.line for diagnostic in result.diagnostics if diagnostic.code is Code.RESTRICTION_LOST] == [
        line
    ] * bool(line)
