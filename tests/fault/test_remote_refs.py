"""Rows 7 to 11, 13 to 15 and 39: commits that a ref leads to, and those it may never lead to."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from support.gitserver import GitServer
from support.machine import agent
from support.repository import Repository
from support.trial import Trial

_LONG_AGO = {"GIT_AUTHOR_DATE": "1300000000 +0000", "GIT_COMMITTER_DATE": "1300000000 +0000"}


@pytest.mark.parametrize("cache", ["kept", "lost"])
def test_07_a_rewritten_branch_is_refused_until_it_may_be(pulled: Trial, repository: Repository, cache: str) -> None:
    first = repository.head
    repository.rewrite()
    pulled.push("Another history.")
    if cache == "lost":
        shutil.rmtree(pulled.machine.cache)
    event = pulled.holds(4, "the branch was rewritten", "allow_rewrite = true").reported("source.failed")[0]
    assert first[:12] in event["error"]
    [status] = pulled.machine.run("status", "--format", "json").json["sources"]
    assert status["commit"] == first
    pulled.follow("allow_rewrite = true")
    pulled.converges()


def test_07_a_rewritten_branch_that_goes_back_on_it_is_followed_again(pulled: Trial, repository: Repository) -> None:
    first = repository.head
    repository.rewrite()
    pulled.holds(4, "the branch was rewritten")
    repository.reset(first)
    pulled.push()
    pulled.converges()


@pytest.mark.parametrize("cache", ["kept", "lost"])
def test_13_a_source_that_becomes_shallow_moves_on_but_not_back(
    pulled: Trial, repository: Repository, cache: str
) -> None:
    pulled.push("Not fetched in between.")
    newest = pulled.push("The newest.")
    repository.make_shallow()
    assert "AS420" in pulled.converges().stderr
    assert "AS420" not in pulled.converges().stderr
    if cache == "lost":
        shutil.rmtree(pulled.machine.cache)
    between = repository.git("commit-tree", "-m", "x", f"{newest}^{{tree}}", "-p", newest, variables=_LONG_AGO)
    repository.reset(repository.git("commit-tree", "-m", "x", f"{newest}^{{tree}}", "-p", between, variables=_LONG_AGO))
    repository.make_shallow()
    pulled.holds(4, "the branch went back", "allow_rewrite = true")


def test_08_a_branch_that_is_deleted_keeps_the_files(trial: Trial, repository: Repository) -> None:
    repository.create_branch("team")
    trial.follow('branch = "team"')
    trial.converges("team")
    repository.delete_branch("team")
    trial.holds(3, "the repository has no branch team", "it has main")
    trial.push()
    repository.create_branch("team")
    trial.converges("team")


@pytest.mark.parametrize("annotated", [True, False])
def test_09_a_tag_that_is_moved_is_refused(trial: Trial, repository: Repository, *, annotated: bool) -> None:
    repository.tag("v1", annotated=annotated)
    trial.follow('tag = "v1"')
    trial.converges("v1")
    first = repository.head
    trial.push()
    repository.tag("v1", annotated=annotated)
    trial.holds(4, "the tag was moved", "allow_rewrite = true")
    repository.tag("v1", first, annotated=annotated)
    trial.converges("v1")


@pytest.mark.parametrize("cache", ["kept", "lost"])
def test_13_an_older_commit_that_is_played_back_is_refused(trial: Trial, repository: Repository, cache: str) -> None:
    older = repository.head
    newer = trial.push()
    trial.converges()
    repository.reset(older)
    if cache == "lost":
        shutil.rmtree(trial.machine.cache)
    trial.holds(4, "the branch was rewritten", newer[:12])
    repository.reset(newer)
    trial.push("Better still.")
    trial.converges()


def test_14_a_source_whose_url_changed_deletes_nothing(
    pulled: Trial, server: GitServer, repository: Repository
) -> None:
    other = Repository(repository.path.with_name("other.git"))
    other.write({"agents/tester.md": agent("tester", "From elsewhere.")})
    other.commit()
    pulled.follow(url=server.url("other.git"))
    result = pulled.machine.run("pull", "--format", "json")
    # The agent of the same name gets every tool, in both targets: reported, since it replaces the other one here.
    assert (result.code, result.codes) == (0, ["AS411", "AS514", "AS514"])
    assert pulled.machine.names() == ["mine.md", "reviewer.md", "tester.md", "writer.md"]
    assert "From elsewhere." in (pulled.machine.claude / "tester.md").read_text()
    pulled.follow()
    pulled.converges()


def detach(repository: Repository) -> None:
    repository.git("update-ref", "--no-deref", "HEAD", f"{repository.head}~1")


def point_nowhere(repository: Repository) -> None:
    repository.git("symbolic-ref", "HEAD", "refs/heads/gone")


@pytest.mark.parametrize("left", [{"README.md": "Nothing is left here.\n"}, {}])
def test_10_a_repository_without_agents_takes_none_away(
    pulled: Trial, repository: Repository, left: dict[str, str]
) -> None:
    before = pulled.machine.files()
    repository.remove("agents")
    repository.write(left)
    repository.commit("Nothing is left")
    result = pulled.machine.run("pull", "--format", "json")
    assert result.code == 4
    assert "AS406" in result.codes
    assert len(result.json["held"]) == 6
    assert pulled.machine.files() == before
    pulled.push("Here again.")
    repository.write({f"agents/{name}.md": agent(name, tools="Read") for name in ("reviewer", "writer")})
    repository.commit()
    pulled.converges()


def test_11_many_deletions_at_once_wait_until_they_are_confirmed(pulled: Trial, repository: Repository) -> None:
    repository.write({f"agents/more-{number}.md": agent(f"more-{number}") for number in range(5)})
    repository.commit()
    pulled.converges()
    before = pulled.machine.files()
    repository.remove(*(f"agents/more-{number}.md" for number in range(5)))
    repository.commit()
    result = pulled.machine.run("pull", "--format", "json")
    assert result.code == 4
    assert "AS407" in result.codes
    assert pulled.machine.files() == before
    assert "rejected, see below" in pulled.machine.run("status").stdout
    assert "10 changes held" in pulled.machine.run("doctor").stdout
    assert pulled.machine.run("pull", "--allow-deletions").code == 0
    pulled.converges()


@pytest.mark.parametrize("move", [detach, point_nowhere])
def test_15_the_remotes_head_does_not_matter_to_a_source_that_follows_a_branch(
    trial: Trial, repository: Repository, move: Callable[[Repository], None]
) -> None:
    trial.push()
    trial.follow('branch = "main"')
    trial.converges("main")
    move(repository)
    trial.push("Better still.")
    trial.converges("main")


@pytest.mark.parametrize(
    ("move", "code", "words"),
    [(detach, 4, "the branch was rewritten"), (point_nowhere, 3, "the repository has no HEAD")],
)
def test_15_a_head_that_leads_back_or_nowhere_keeps_the_files_of_a_source_that_follows_it(
    trial: Trial, repository: Repository, move: Callable[[Repository], None], code: int, words: str
) -> None:
    trial.push()
    trial.converges()
    move(repository)
    trial.holds(code, words)
    repository.git("symbolic-ref", "HEAD", "refs/heads/main")
    trial.push("Better still.")
    trial.converges()


def test_15_a_head_that_gets_another_name_is_followed(pulled: Trial, repository: Repository) -> None:
    pulled.push()
    repository.create_branch("trunk")
    repository.git("symbolic-ref", "HEAD", "refs/heads/trunk")
    repository.delete_branch("main")
    pulled.converges("trunk")


def rewrite(repository: Repository) -> None:
    repository.rewrite()


def spoil_manifest(repository: Repository) -> None:
    repository.write({"agentsync.toml": "[agents]\nexlude = []\n"})
    repository.commit()


@pytest.mark.parametrize(("spoil", "words"), [(rewrite, "rewritten"), (spoil_manifest, "unknown key")])
def test_39_a_commit_that_was_refused_is_not_fetched_again_and_again(
    pulled: Trial, server: GitServer, repository: Repository, spoil: Callable[[Repository], None], words: str
) -> None:
    good = repository.head
    spoil(repository)
    pulled.holds(4, words)
    packs = server.packs
    mirrored = sorted(pulled.machine.cache.rglob("*.pack"))
    pulled.holds(4, words)
    assert server.packs == packs
    assert sorted(pulled.machine.cache.rglob("*.pack")) == mirrored
    repository.reset(good)
    pulled.push()
    pulled.converges()


def test_a_branch_that_becomes_a_directory_of_branches_stops_no_search_for_a_commit(
    trial: Trial, server: GitServer, repository: Repository
) -> None:
    """Servers that hand out branches only are asked for all of them, and their earlier branches are in the way."""
    server.protocol_v2 = False
    older = repository.head
    trial.push()
    repository.create_branch("team")
    trial.follow(f'commit = "{older}"')
    trial.converges(older)
    newer = trial.push("Better still.")
    trial.push("Best.")
    repository.delete_branch("team")
    repository.create_branch("team/new")
    trial.follow(f'commit = "{newer}"')
    trial.converges(newer)
