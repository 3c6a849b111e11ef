"""Rows 31 and 34 to 37: the content of a repository's files, sound in meaning or broken in form.

test_hostile_repositories.py has the files that were made to do harm, test_costly_input.py more of those that cost time.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from agentsync.repository.dialect_detection import NoAgent, read_agent
from support.machine import Machine, agent, source
from support.repository import Repository
from support.trial import Trial

TARGETS = "[targets.claude]\n[targets.opencode]\n"
PLAIN = agent("plain", "You help.\nAlways.", tools="Read")


# 31: what git would do to files


def test_31_attributes_and_filters_change_no_byte(trial: Trial) -> None:
    attributes = "* filter=evil ident export-subst\n*.md text eol=crlf working-tree-encoding=UTF-16\n"
    data = agent("ident", "$Id$ $Format:%H$\nAlways.").encode()
    trial.repository.write({".gitattributes": attributes, "agents/ident.md": data})
    trial.repository.commit()
    assert trial.machine.run("pull").code == 0
    assert (trial.machine.claude / "ident.md").read_bytes() == data
    assert b"$Id$ $Format:%H$\n" in (trial.machine.opencode / "ident.md").read_bytes()


# 34: other editors' files


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.removesuffix("\n").encode(),
    ],
    ids=["mark", "crlf", "mark-and-crlf", "no-line-end"],
)
def test_34_a_byte_order_mark_and_other_line_ends_are_read(
    machine: Machine, repository: Repository, data: bytes
) -> None:
    machine.follow(repository)
    repository.write({"agents/plain.md": PLAIN})
    repository.commit()
    assert machine.run("pull").code == 0
    as_usual = (machine.opencode / "plain.md").read_text().rstrip()
    repository.write({"agents/plain.md": data})
    repository.commit()
    result = machine.run("pull", "--format", "json")
    assert result.code == 0
    converted = (machine.opencode / "plain.md").read_bytes().decode()
    assert converted.replace("\r\n", "\n").rstrip() == as_usual
    assert not converted.startswith("\ufeff")


# 35: no frontmatter that could be believed

BROKEN = {
    "never-closed": "---\nname: x\ndescription: d\n\n<example>\n\ntools: Read\n\nYou help.\n",
    "a-list": "---\n- name\n- tools\n---\nYou help.\n",
    "a-text": "---\njust words\n---\nYou help.\n",
    "a-number": "---\n42\n---\nYou help.\n",
    "json": '{"name": "x", "description": "d", "tools": ["Read"]}\n',
    "json-inside": '---\n{"name": "x", "tools": ["Read"]\n---\nYou help.\n',
    "toml": '+++\nname = "x"\ntools = ["Read"]\n+++\nYou help.\n',
    "empty": "---\n---\nYou help.\n",
    "nothing": "",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_35_a_file_without_frontmatter_is_reported_and_never_an_agent_without_restrictions(
    machine: Machine, repository: Repository, text: str
) -> None:
    machine.follow(repository)
    repository.write({".claude/agents/x.md": text})
    repository.commit()
    result = machine.run("pull", "--format", "json")
    assert result.code == 4
    about_it = [diagnostic for diagnostic in result.json["diagnostics"] if diagnostic["path"] == ".claude/agents/x.md"]
    assert "error" in {diagnostic["severity"] for diagnostic in about_it}
    assert machine.names() == ["reviewer.md", "tester.md", "writer.md"]
    assert sorted(path.name for path in machine.opencode.iterdir()) == machine.names()


def test_35_where_the_end_is_plain_to_see_the_keys_before_it_count(machine: Machine, repository: Repository) -> None:
    machine.follow(repository)
    repository.write({".claude/agents/x.md": "---\nname: x\ndescription: d\ntools: Read\n\nYou help.\n"})
    repository.commit()
    result = machine.run("pull", "--format", "json")
    assert (result.code, "AS107" in result.codes) == (0, True)
    assert "\ntools: Read\n" in (machine.claude / "x.md").read_text()


# 36: YAML that means more than it shows

LAUGHS = "\n".join(f"l{number}: &l{number} [{', '.join([f'*l{number - 1}'] * 9)}]" for number in range(1, 10))
ODD = {
    "twice": "tools: Read\ntools: Bash",
    "merge": "x:\n  <<: {a: 1}",
    "anchor": "a: &a Read\ntools: *a",
    "tag": "x: !!python/name:os.system",
    "alias-bomb": f"l0: &l0 lol\n{LAUGHS}",
    "100000-brackets": "x: " + "[" * 100_000,
    "100000-maps": "x: " + "{a: " * 25_000,
}
MILLISECONDS = 500
"""Far above what each of them takes, which is a few."""


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_36_odd_yaml_is_an_error_within_milliseconds(text: str) -> None:
    data = f"---\nname: x\ndescription: d\n{text}\n---\nYou help.\n".encode()
    began = time.process_time()
    read = read_agent(".claude/agents/x.md", data, "claude")
    assert (time.process_time() - began) * 1000 < MILLISECONDS
    assert isinstance(read, NoAgent)
    assert [diagnostic.severity.value for diagnostic in read.diagnostics] == ["error"]


# 37: two agents of one name


@pytest.mark.parametrize(("first", "second"), [("tester", "tester"), ("tester", "Tester"), ("code-x", "Code X")])
def test_37_of_two_agents_of_one_name_none_wins_and_both_are_reported(trial: Trial, first: str, second: str) -> None:
    machine, repository = trial.machine, trial.repository
    repository.write({"agents/tester.md": agent(first, "One."), "more/other.md": agent(second, "Another.")})
    repository.commit()
    result = machine.run("pull", "--format", "json")
    assert result.code == 4
    reported = {diagnostic["path"]: diagnostic["message"] for diagnostic in result.json["diagnostics"]}
    assert set(reported) == {"agents/tester.md", "more/other.md"}
    assert "more/other.md" in reported["agents/tester.md"]
    assert machine.names() == ["mine.md", "reviewer.md", "writer.md"]


def test_37_one_that_came_to_be_ambiguous_keeps_its_last_good_file(pulled: Trial) -> None:
    before = pulled.machine.files()
    pulled.repository.write({"more/other.md": agent("tester", "Another.")})
    pulled.repository.commit()
    assert pulled.machine.run("pull").code == 4
    assert pulled.machine.files() == before
    pulled.repository.remove("more")
    pulled.repository.commit()
    pulled.converges()


@pytest.mark.parametrize("replaces", ["team", "other"])
def test_37_between_sources_the_configuration_decides(
    machine: Machine, repository: Repository, tmp_path: Path, replaces: str
) -> None:
    other = Repository(tmp_path / "served/other.git")
    other.write({"tester.md": agent("tester", "Of the other.")})
    other.commit()
    repositories = {"team": repository, "other": other}
    order = [name for name in repositories if name != replaces] + [replaces]
    tables = [source(name, repositories[name].url, "replaces = true" if name == replaces else "") for name in order]
    machine.configure("".join(tables) + TARGETS)
    result = machine.run("pull", "--format", "json")
    assert result.code == 0, json.dumps(result.json["diagnostics"])
    assert ("Of the other." in (machine.claude / "tester.md").read_text()) == (replaces == "other")
