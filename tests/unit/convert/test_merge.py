"""Several tools' versions of one agent become one file, and each of their differences is kept or reported."""

from __future__ import annotations

from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.merge import Merged, merge
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from support.conversion import read

CLAUDE = '---\nname: reviewer\ndescription: "Reviews."\ntools: Read, Grep, Glob, Bash\nmodel: sonnet\n---\nReview it.\n'


def claude(text: str = CLAUDE) -> bytes:
    return text.encode()


def in_opencode(text: str = CLAUDE) -> str:
    """The agent as agentsync itself converts it for OpenCode."""
    data = render(read("reviewer.md", text.encode(), "claude"), dialects()["opencode"], WriteOptions()).data
    assert data is not None
    return data.decode()


def merged(**versions: str) -> Merged:
    """Merge versions by dialect, in order."""
    return merge(
        [read(f"{name}/reviewer{dialects()[name].suffix}", text.encode(), name) for name, text in versions.items()]
    )


def data_of(result: Merged) -> bytes:
    assert result.data is not None
    return result.data


def keys(result: Merged) -> str:
    return data_of(result).decode().partition("targets:")[2].partition("---")[0]


def test_one_version_is_itself_in_other_words() -> None:
    result = merged(claude=CLAUDE)
    back = read("reviewer.md", data_of(result), "neutral").agent
    assert (back.name, back.description, back.model, back.prompt) == (
        "reviewer",
        "Reviews.",
        "anthropic/sonnet",
        "Review it.\n",
    )
    assert (result.slug, result.diagnostics, result.diffs) == ("reviewer", (), ())


def test_a_conversion_of_the_first_version_is_no_difference() -> None:
    result = merged(claude=CLAUDE, opencode=in_opencode())
    assert (keys(result), result.diagnostics, result.diffs) == ("", (), ())


def test_a_field_of_one_tool_is_listed_under_it() -> None:
    result = merged(claude=CLAUDE, opencode=in_opencode().replace("\nmodel", "\ntemperature: 0.3\nmodel"))
    assert keys(result) == "\n  opencode:\n    temperature: 0.3\n"
    assert [diagnostic.code for diagnostic in result.diagnostics] == [Code.VERSION_DIFFERS]


def test_each_tool_gets_its_permissions_back() -> None:
    own = '---\ndescription: "Reviews."\npermission:\n  bash: deny\n---\nReview it.\n'
    result = merged(claude=CLAUDE, opencode=own)
    agent = read("reviewer.md", data_of(result), "neutral")
    written = render(agent, dialects()["opencode"], WriteOptions()).data
    assert written is not None
    wanted = read("reviewer.md", own.encode(), "opencode")
    assert read("reviewer.md", written, "opencode").agent.grants.approval("bash") == wanted.agent.grants.approval(
        "bash"
    )
    assert b"Bash" in (render(agent, dialects()["claude"], WriteOptions()).data or b"")


def test_a_tool_without_a_restriction_keeps_none() -> None:
    result = merged(claude=CLAUDE, opencode='---\ndescription: "Reviews."\n---\nReview it.\n')
    assert "permissions: {}" in keys(result)
    assert "model: inherit" in keys(result)


def test_a_version_without_a_description_gets_that_of_another_one() -> None:
    own = "---\nmode: subagent\n---\nReview it.\n"
    result = merged(opencode=own, claude=CLAUDE)
    assert read("reviewer.md", data_of(result), "neutral").agent.description == "Reviews."
    assert merged(claude=CLAUDE, opencode=own).data is not None
    none = merged(opencode=own)
    assert none.data is None
    assert [diagnostic.code for diagnostic in none.diagnostics] == [Code.REFUSED_REQUIRED]


def test_a_field_that_a_tool_gets_from_the_first_version_is_reported() -> None:
    result = merged(claude=CLAUDE.replace("model", "maxTurns: 5\nmodel"), opencode=in_opencode())
    assert keys(result) == ""
    assert [diagnostic.message.rpartition(": ")[2] for diagnostic in result.diagnostics] == ["`max_turns`"]


def test_keys_of_a_tool_alone_are_kept_for_it() -> None:
    result = merged(claude=CLAUDE, opencode=in_opencode().replace("\nmodel", "\nvariant: fast\nmodel"))
    assert "native:\n      variant: fast" in keys(result)


def test_another_prompt_is_shown() -> None:
    result = merged(claude=CLAUDE, opencode=in_opencode().replace("Review it.", "Review all."))
    assert data_of(result).endswith(b"Review it.\n")
    assert "-Review it.\n+Review all.\n" in result.diffs[0]
    assert [diagnostic.code for diagnostic in result.diagnostics] == [Code.VERSION_DIFFERS]
