"""No tool lets an agent do more than its author does: the tool's own report against tables of these tests alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest

from agentsync.agents.patterns import ANY
from conformance import proof, samples
from conformance.access import EVERYTHING, Gain, Level, gains, losses
from conformance.authors import author
from conformance.oracle import TOOLS, Verdict
from conformance.reported import ABLE, GIVEN, in_hand, keys_of, reported
from conformance.sync import Synced
from support.thorough import part

# One in so many agents, or all of them in a thorough run.
_EVERY = {"seeds": 1, "public": 4, "generated": 20}
# The facts in which the scripts report a list, by the key that the tool has it in; `tools` has the same name.
_FACTS = {"disallowed": "disallowedTools"}
# Their scripts report that an agent is there, so what the tool loaded is read from the file.
_UNREPORTED = ("codex", "factory")


@pytest.mark.parametrize("repository", samples.GOOD)
@pytest.mark.parametrize("tool", TOOLS)
def test_no_tool_reports_an_ability_that_the_author_does_not_give(
    repository: str,
    tool: str,
    synced: Callable[[str], Synced],
    judged: Callable[[str, str], Sequence[Verdict]],
    rosters: Callable[[str], Mapping[str, Sequence[str]]],
) -> None:
    written = synced(repository).written(tool)
    authors = proof.authors(synced(repository), tool, repository)
    verdicts = {verdict.file: verdict for verdict in judged(repository, tool) if verdict.loaded}

    compared = 0
    for file in part(sorted(verdicts.keys() & authors.keys()), of=_EVERY[repository], first=0):
        keys = keys_of(tool, written[file].path.read_bytes())
        from_file = reported(tool, keys)
        if tool in _UNREPORTED:
            access = from_file
        elif tool == "claude":
            names = rosters(repository).get(file, [ANY])
            if ANY in names:  # a running agent shows its tools
                continue
            access = in_hand(tool, names)
        else:
            resolved = verdicts[file].resolved
            access = reported(tool, {_FACTS.get(fact, fact): value for fact, value in resolved.items()})
        compared += 1
        wider = [*gains(authors[file].access, access, proof.able(tool, keys), GIVEN.get(tool, ()))]
        assert wider == [], (file, synced(repository).origins(tool)[file])
        # What is lost of the author's is counted from the files, so they have to say what the tool reports.
        assert losses(authors[file].wanted, access, ABLE[tool]) == losses(authors[file].wanted, from_file, ABLE[tool])
    assert compared or repository == "seeds"


@pytest.mark.parametrize(
    ("keys", "gained"),
    [
        ("tools: Read", {"shell", "edit files", "server:unnamed_tool"}),
        ("disallowedTools: Bash(git push)", {"shell"}),
        ("tools: Write", {"read", "shell", "server:unnamed_tool"}),
        ("", set()),
    ],
)
def test_a_gain_is_seen(keys: str, gained: set[str]) -> None:
    source = author("claude", f"---\nname: a\ndescription: d\n{keys}\n---\np\n".encode())

    found = {gain.ability for gain in gains(source.access, EVERYTHING, ABLE["claude"])}

    assert gained <= found
    assert bool(found) == bool(gained)


@pytest.mark.parametrize(("tools", "gained"), [("[search]", False), ("[search/fileSearch]", True)])
def test_reading_is_no_gain_over_searching_text_where_every_agent_reads(tools: str, *, gained: bool) -> None:
    source = author("copilot", f"---\ndescription: d\ntools: {tools}\n---\np\n".encode())
    given = reported("cursor", {"readonly": "true"})

    assert bool([*gains(source.access, given, ABLE["cursor"], GIVEN["cursor"])]) is gained
    assert [*gains(source.access, given, ABLE["cursor"], GIVEN["cursor"] - {"read"})]


def test_a_call_that_needs_no_approval_is_a_gain_over_one_that_does() -> None:
    source = author("opencode", b'---\ndescription: d\npermission: {bash: {"*": deny, "git *": ask}}\n---\np\n')
    given = reported("opencode", {"permission": {"bash": {"git *": "allow"}}})

    found = set(gains(source.access, given, ABLE["opencode"]))

    assert Gain("shell", "git -v main", Level.ASKED, Level.ALWAYS) in found
    assert Gain("shell", "unnamed-argument", Level.NEVER, Level.SESSION) in found
