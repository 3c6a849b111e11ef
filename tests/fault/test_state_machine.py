"""A team, a user and agentsync take turns at random, and after each turn every promise holds.

What should be on the disk is not computed here: a machine that has never seen anything pulls the same commits with the
same configuration, and what it gets is what is wanted. What the user wrote is remembered until the user deletes it or
gives it up by `adopt`.

`AGENTSYNC_THOROUGH=1` makes it some hundred times as many turns, and finds the planted bugs by chance alone.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from agentsync.core.digest import digest
from agentsync.core.errors import ExitCode
from agentsync.dialects.roo.modes_file import canonical, edited, entries
from agentsync.state.backups import Backups
from agentsync.state.records import Action, Key, Recorded
from agentsync.state.store import State
from agentsync.targets import apply as apply_module
from agentsync.targets import batch as batch_module
from agentsync.targets import plan as plan_module
from agentsync.targets.target_directory import TEMPORARY_SUFFIX, TargetDirectory
from support.machine import agent, source
from support.repository import Repository
from support.stepwise import At, Run, Stepwise
from support.thorough import SAME_EXAMPLES, THOROUGH, part

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the program runs in a forked child")


PROFILE = settings(
    max_examples=1000 if THOROUGH else 3,
    stateful_step_count=40 if THOROUGH else 20,
    derandomize=SAME_EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

SOURCES = {"team": ("ada", "bob", "cyd"), "other": ("dan", "eve")}
"""The agents of each source; no name is in two."""

TARGETS = {
    "claude": ".claude/agents",
    "opencode": ".config/opencode/agents",
    "extra": "extra/agents",
    "roo": "work/.roomodes",
}
"""Their directories. The last one is a file that its user and the tool write too: each of its entries that could be
the team's is taken for a file in a directory of that name."""

MODES = b"""# All of this is mine: 0
customModes:
  # the first
  - slug: own   # the best
    name: 'Own'
    roleDefinition: >-
      Folded
      text
    groups: [read]
# the end
"""
MODE = b"""  - groups: ['read', "edit"]   # in an order of my own
    slug: own-%d
    name: More
    roleDefinition: More
"""
WITHOUT_MODES = b"customModes: []\n"
"""A file that agentsync made, once its entries are out of it."""

HELD_BACK = frozenset({"AS406", "AS407", "AS408", "AS411", "AS413", "AS404"})
"""Codes of a pull that could not make everything as it is wanted: held or refused sources, and so on."""

LINKED = b"What a link of the user's leads to.\n"

ENDINGS = (ExitCode.OK, ExitCode.SOURCE_UNAVAILABLE, ExitCode.INCOMPLETE, ExitCode.SHORTAGE)
ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EXDEV, errno.EINTR)

agents = st.sampled_from([(name, agent) for name, agents in SOURCES.items() for agent in agents])
paths = st.tuples(st.sampled_from(list(TARGETS)), st.sampled_from(["ada", "bob", "cyd", "dan", "mine"]))
kill_times = st.one_of(
    st.none(), st.builds(At, st.integers(1, 120), st.one_of(st.none(), st.sampled_from(ERRORS)), st.booleans())
)


class Life(RuleBasedStateMachine):
    """A machine, its user and two teams.

    Attributes:
        users: the user's own content, by path, that they still want.
        given_up: what `adopt` replaced, by path: it is in the backups or back in its place.
        ever: wanted content of any time, by path.
        after: what agentsync had in place at the end of each sync, without what the user has deleted since: a rollback
            to that sync leaves it deleted, also where a later sync wrote it again.
        own: the shared file without what could be the team's, byte for byte; None where the user has none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.machine = Stepwise(self.root / "machine")
        self.repositories = {name: Repository(self.root / f"served/{name}.git") for name in SOURCES}
        self.sources = set(SOURCES)
        self.targets = {"claude", "opencode", "roo"}
        self.skipped: set[str] = set()
        self.numbers = count(1)
        self.users: dict[Path, bytes] = {}
        self.links: dict[Path, str] = {}
        self.modes: dict[Path, int] = {}
        self.given_up: defaultdict[Path, set[bytes]] = defaultdict(set)
        self.ever: defaultdict[Path, set[bytes]] = defaultdict(set)
        self.known: dict[tuple[object, ...], dict[Path, bytes]] = {}
        self.after: dict[str, dict[Path, bytes]] = {}
        self.own: bytes | None = MODES

    @initialize()
    def begin(self) -> None:
        for name, agents in SOURCES.items():
            self.repositories[name].write({f"agents/{agent}.md": self.agent(agent) for agent in agents})
            self.repositories[name].commit()
        self.shared.parent.mkdir()
        self.shared.write_bytes(MODES)
        self.configure()

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    # Each rule is one turn of the team, the user, the administrator, or agentsync, so that all of them come often.

    @rule(which=agents, what=st.sampled_from(["write", "write", "delete", "move", "rewrite"]))
    def team(self, which: tuple[str, str], what: str) -> None:
        source, name = which
        repository = self.repositories[source]
        if what == "rewrite":
            repository.rewrite(f"Rewritten {next(self.numbers)}")
            return
        if what in ("delete", "move"):
            repository.remove(f"agents/{name}.md", f"moved/{name}.md")
        if what in ("write", "move"):
            directory = "moved" if what == "move" else "agents"
            repository.remove(f"moved/{name}.md")
            repository.write({f"{directory}/{name}.md": self.agent(name)})
        repository.commit()

    @rule(where=paths, pick=st.integers(0, 9))
    def user_writes(self, where: tuple[str, str], pick: int) -> None:
        """Words of their own, or what was wanted here at some time."""
        once = sorted(self.ever[self.path(where)])
        self.put(where, once[pick % len(once)] if once and pick > 6 else self.words(where))

    @rule(where=paths, what=st.sampled_from(["delete", "chmod", "link", "link the directory"]))
    def user_does(self, where: tuple[str, str], what: str) -> None:
        path = self.path(where)
        file = self.file_of(path)
        if what == "chmod" and file.is_file() and not file.is_symlink():
            file.chmod(0o600)
            self.modes[file] = 0o600
        if what in ("delete", "link"):
            self.delete(path)
        if what == "link" and file == path:
            own = self.machine.home / f"own-{next(self.numbers)}.md"
            own.write_bytes(LINKED)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(own)
            self.links[path] = str(own)
        if what == "link the directory":
            self.link_or_unlink(path.parent)

    @rule(what=st.sampled_from(["mode", "mode", "comment", "tool", "delete"]))
    def user_writes_the_shared_file(self, what: str) -> None:
        """Modes and comments of their own; the tool writes the whole file again, as after an edit in the tool."""
        data = self.shared.read_bytes() if self.shared.exists() else MODES
        if what == "mode":
            data = data.replace(b"customModes: []", b"customModes:") + MODE % next(self.numbers)
        elif what == "comment":
            data = re.sub(rb"^(?:# All.*\n)?", b"# All of this is mine: %d\n" % next(self.numbers), data)
        elif what == "tool":
            modes = yaml.safe_dump(yaml.safe_load(data)["customModes"], sort_keys=False)
            data = f"customModes:\n{indent(modes, '  ')}".encode() if modes != "[]\n" else WITHOUT_MODES
        elif self.shared.exists():
            for slug in entries(data):
                self.delete(self.shared / slug)
            self.shared.unlink()
            self.modes.pop(self.shared, None)
            self.own = None
            return
        self.shared.write_bytes(data)
        self.own = self.remainder_of(data)

    @rule(what=st.sampled_from(["skip ada", "skip dan", "opencode", "extra", "other", "overlay"]))
    def configuration_changes(self, what: str) -> None:
        if what == "overlay":
            overlay = self.overlays(self.machine) / "ada.md"
            overlay.parent.mkdir(exist_ok=True)
            if overlay.exists():
                overlay.unlink()
            else:
                overlay.write_text(f"Say it in {next(self.numbers)} words.\n")
        elif what in TARGETS:
            self.targets ^= {what}
        elif what in SOURCES:
            self.sources ^= {what}
        else:
            self.skipped ^= {what.removeprefix("skip ")}
        self.configure()

    @rule(kill_at=kill_times)
    def pull(self, kill_at: At | None) -> None:
        self.run("pull", at=kill_at)

    @rule()
    def pull_and_look(self) -> None:
        self.run("pull")
        self.check_converged()

    @rule(words=st.sampled_from([(), ("--allow-deletions",)]))
    def resume_and_pull(self, words: tuple[str, ...]) -> None:
        self.run("resume")
        self.run("pull", *words)
        self.check_converged()

    @rule(kill_at=kill_times)
    def adopt(self, kill_at: At | None) -> None:
        self.run("adopt", "--all", at=kill_at)

    @rule(where=paths, kill_at=kill_times)
    def write_and_adopt(self, where: tuple[str, str], kill_at: At | None) -> None:
        """The two together, while nothing is suspended: by chance alone they rarely meet."""
        self.put(where, self.words(where))
        self.run("resume")
        self.run("adopt", "--all", at=kill_at)

    @rule(kill_at=kill_times, pick=st.integers(0, 3))
    def roll_back(self, kill_at: At | None, pick: int) -> None:
        syncs = self.syncs()
        if not syncs:
            return
        words = [] if pick == 0 else [syncs[pick % len(syncs)]]
        ended = self.run("rollback", *words, at=kill_at)
        if not ended.hit and ended.result.code == 0 and words:
            self.check_rolled_back(words[0])

    @rule(word=st.sampled_from(["suspend", "resume"]), kill_at=kill_times)
    def suspend_or_resume(self, word: str, kill_at: At | None) -> None:
        self.run(word, at=kill_at)

    # What must hold

    @invariant()
    def nothing_of_the_users_is_lost(self) -> None:
        files = self.files()
        for path, data in self.users.items():
            assert files[path] == data, path
        remainder = self.remainder_of(self.shared.read_bytes()) if self.shared.exists() else None
        assert remainder == self.own or (self.own, remainder) == (None, WITHOUT_MODES)
        for path, target in self.links.items():
            assert os.readlink(path) == target  # noqa: PTH115 - as text
            assert Path(target).read_bytes() == LINKED
        for path, mode in self.modes.items():
            assert path.stat().st_mode & 0o777 == mode, path
        if not self.given_up:
            return
        with Backups(self.machine.state / "kept.sqlite3") as backups:
            for path, kept in self.given_up.items():
                for data in kept:
                    assert backups.content(digest(data)) == data, path

    @invariant()
    def every_file_is_whole(self) -> None:
        for path, data in self.files().items():
            if path.name.endswith(TEMPORARY_SUFFIX):
                assert path in self.staged(), path
            elif path not in self.users:
                assert data in self.ever[path] | self.given_up[path], path

    def check_converged(self) -> None:
        """Assert that a pull without a fault made everything as wanted, so that the next one has nothing to do."""
        wanted, before = self.wanted(), self.identities()
        reported = self.run("pull", "--format", "json")
        report = reported.result.json
        assert self.identities() == before
        if report["suspended"]:
            return
        assert report["changes"] == [], reported
        assert [path for path in self.staged() if not path.parent.is_symlink()] == []
        codes = {diagnostic["code"] for diagnostic in report["diagnostics"]}
        named = {diagnostic.get("path") for diagnostic in report["diagnostics"]}
        files = self.files()
        for (directory, path), row in self.inventory().items():
            place = Path(directory, path)
            if self.is_target(place) and place in files:
                assert row.digest == digest(files[place]) or str(place) in named or directory in named, place
        if not codes & HELD_BACK:
            free = {path: data for path, data in wanted.items() if path not in self.users and path not in self.links}
            assert {path: files.get(path) for path in free} == free
            rows = {Path(*key) for key, row in self.inventory().items() if row.source in self.sources}
            assert {path for path in rows if self.is_target(path)} <= {*wanted, *self.users, *self.links}
        if reported.result.code == 0:
            assert self.run("pull").result.stdout.startswith("up to date")

    def check_rolled_back(self, sync: str) -> None:
        """Assert that the files of the end of a sync are back, unless the user has changed them since."""
        files, was = self.files(), self.after.get(sync, {})
        for path, data in was.items():
            if self.is_target(path) and path not in self.users and path not in self.links:
                assert files.get(path) == data, path

    # How it is done

    def agent(self, name: str) -> str:
        return agent(name, f"Version {next(self.numbers)}.")

    def path(self, where: tuple[str, str]) -> Path:
        target, name = where
        return self.machine.home / TARGETS[target] / (name if target == "roo" else f"{name}.md")

    def words(self, where: tuple[str, str]) -> bytes:
        """Words that nobody else would write."""
        target, name = where
        words = f"My own words {next(self.numbers)}.\n"
        if target != "roo":
            return words.encode()
        return canonical({"slug": name, "name": "Mine", "roleDefinition": words, "groups": ["read"]})

    def put(self, where: tuple[str, str], data: bytes) -> None:
        """The user writes a file."""
        path = self.path(where)
        if path.parent == self.shared:
            before = self.shared.read_bytes() if self.shared.exists() else None
            self.shared.write_bytes(edited(before, {path.name: data}))
            self.own = self.own or WITHOUT_MODES
        else:
            if path.is_symlink():
                path.unlink()
                del self.links[path]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        self.users[path] = data
        self.cede()

    def delete(self, path: Path) -> None:
        """The user deletes a file, or an entry."""
        self.forget(path)
        if path not in self.files() and not path.is_symlink():
            return
        if path.parent == self.shared:
            self.shared.write_bytes(edited(self.shared.read_bytes(), {path.name: None}))
        else:
            path.unlink()
        for files in self.after.values():
            files.pop(path, None)

    @staticmethod
    def link_or_unlink(directory: Path) -> None:
        """The user moves a directory away and links to it, or takes that back."""
        elsewhere = directory.with_name("elsewhere")
        if directory.is_symlink():
            directory.unlink()
            elsewhere.rename(directory)
        elif directory.is_dir():
            directory.rename(elsewhere)
            directory.symlink_to(elsewhere)

    def forget(self, path: Path) -> None:
        """The user no longer wants anything at a path."""
        self.users.pop(path, None)
        self.links.pop(path, None)
        self.modes.pop(path, None)

    def cede(self) -> None:
        """Hand a user's file over to agentsync where it has the very bytes that agentsync wrote, or would write."""
        for (directory, path), row in self.inventory().items():
            place = Path(directory, path)
            if (
                place in self.users
                and digest(self.users[place]) == row.digest
                and self.users[place] in self.ever[place]
            ):
                del self.users[place]

    def configure(self) -> None:
        home = self.machine.home
        home.joinpath(".config/opencode").mkdir(parents=True, exist_ok=True)
        self.machine.configure(self.configuration())

    def configuration(self) -> str:
        sources = "".join(
            source(name, repository.url, "allow_rewrite = true" if name == "team" else "")
            for name, repository in self.repositories.items()
            if name in self.sources
        )
        targets = "".join(
            f'[targets.{name}]\npath = "~/{TARGETS[name]}"\ncreate = true\nskip = {sorted(self.skipped)}\n'
            + ("" if name != "extra" else 'dialect = "claude"\n')
            for name in sorted(self.targets)
        )
        return sources + targets

    def run(self, *arguments: str, at: At | None = None) -> Run:
        """Run the program, and record the content that the user has given up by it."""
        self.wanted()
        ran = self.syncs()
        ended = self.machine.step(*arguments, at=at)
        assert ended.result.code in (*ENDINGS, *((-9,) if ended.hit else ())), ended
        files = self.files()
        adopting = arguments[0] == "adopt"
        for path in [path for path, data in self.users.items() if files.get(path) != data]:
            assert adopting, (path, ended)
            assert files[path] in self.ever[path], path
            self.given_up[path].add(self.users.pop(path))
        for path, data in files.items():
            if data in self.given_up[path] and path not in self.users:
                self.users[path] = data
        self.cede()
        for path in [path for path in self.modes if not path.is_file()]:
            del self.modes[path]
        if not ended.hit and (syncs := self.syncs()) and syncs[0] not in ran:
            self.after[syncs[0]] = {path: data for path, data in files.items() if path not in self.users}
        return ended

    def wanted(self) -> Mapping[Path, bytes]:
        """The files that a machine without a past gets from these commits with this configuration."""
        overlays = {path.name: path.read_bytes() for path in self.overlays(self.machine).glob("*.md")}
        heads = tuple(repository.head for repository in self.repositories.values())
        key = (heads, self.configuration(), tuple(sorted(overlays.items())))
        if key not in self.known:
            fresh = Stepwise(self.root / "fresh")
            fresh.configure(self.configuration())
            self.overlays(fresh).mkdir()
            for name, data in overlays.items():
                (self.overlays(fresh) / name).write_bytes(data)
            ended = fresh.step("pull")
            assert ended.result.code in ENDINGS, ended
            self.known[key] = {
                self.machine.home / path.relative_to(fresh.home): data for path, data in self.files_of(fresh).items()
            }
            shutil.rmtree(fresh.root)
            for path, data in self.known[key].items():
                self.ever[path].add(data)
        return self.known[key]

    @staticmethod
    def overlays(machine: Stepwise) -> Path:
        return machine.config.parent / "overlays"

    def files(self) -> dict[Path, bytes]:
        return self.files_of(self.machine)

    @staticmethod
    def files_of(machine: Stepwise) -> dict[Path, bytes]:
        """The files in the tools' directories, without those behind a link."""
        files = {
            path: path.read_bytes()
            for directory in TARGETS.values()
            for path in (machine.home / directory).glob("*")
            if not path.is_symlink()
        }
        shared = machine.home / TARGETS["roo"]
        staged = {shared / path.name: b"" for path in shared.parent.glob(f"*{TEMPORARY_SUFFIX}")}
        there = entries(shared.read_bytes()) if shared.exists() else {}
        return files | staged | {shared / slug: entry for slug, entry in there.items() if not slug.startswith("own")}

    @property
    def shared(self) -> Path:
        return self.machine.home / TARGETS["roo"]

    def file_of(self, path: Path) -> Path:
        """The real file behind a path."""
        if path.parent != self.shared:
            return path
        return self.shared.with_name(path.name) if path.name.endswith(TEMPORARY_SUFFIX) else self.shared

    @staticmethod
    def remainder_of(data: bytes) -> bytes:
        """The shared file without what could be the team's."""
        return edited(data, {slug: None for slug in entries(data) if not slug.startswith("own")})

    def identities(self) -> dict[Path, tuple[int, int]]:
        """Inode and change time of each file, which differ once it is written."""
        return {path: ((stat := self.file_of(path).stat()).st_ino, stat.st_ctime_ns) for path in self.files()}

    def is_target(self, path: Path) -> bool:
        return any(path.parent == self.machine.home / TARGETS[name] for name in self.targets)

    def inventory(self) -> dict[Key, Recorded]:
        if not self.database.exists():
            return {}
        with State(self.database) as state:
            return state.inventory(str(self.machine.home / directory) for directory in TARGETS.values())

    def staged(self) -> set[Path]:
        """Leftovers of a killed run that the next one knows of."""
        with State(self.database) as state:
            return {Path(intent.change.directory, intent.temp) for intent in state.intents()}

    def syncs(self) -> list[str]:
        if not self.database.exists():
            return []
        with State(self.database) as state:
            return [sync.id for sync in state.syncs(-1)]

    @property
    def database(self) -> Path:
        return self.machine.state / "state.sqlite3"


def live(**overrides: Any) -> None:
    run_state_machine_as_test(Life, settings=settings(PROFILE, **overrides))


def test_whatever_happens_nothing_is_lost_and_all_converges() -> None:
    live()


def edits_are_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    decide = plan_module.decide

    def careless(base: str | None, actual: str | None, wanted: str | None) -> Action:
        action = decide(base, actual, wanted)
        return Action.UPDATE if action is Action.CONFLICT and base and wanted else action

    monkeypatch.setattr(plan_module, "decide", careless)


def dropped_agents_are_not_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    decide = plan_module.decide

    def careless(base: str | None, actual: str | None, wanted: str | None) -> Action:
        action = decide(base, actual, wanted)
        return Action.KEEP if action is Action.DELETE else action

    monkeypatch.setattr(plan_module, "decide", careless)


def a_replaced_file_is_not_backed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_module, "OVERWRITING", frozenset())


def leftovers_are_not_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply_module, "_clean", lambda intent, _options: intent.change.old)


def the_users_comments_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = TargetDirectory.stage

    def careless(directory: TargetDirectory, temp: str, data: bytes) -> None:
        stage(directory, temp, re.sub(rb"(?m)^ *#.*\n", b"", data))

    monkeypatch.setattr(TargetDirectory, "stage", careless)


def edit_and_pull(life: Life) -> None:
    life.pull(None)
    life.user_writes(("claude", "ada"), 0)
    life.team(("team", "ada"), "write")
    life.pull(None)


def drop_and_pull(life: Life) -> None:
    life.pull(None)
    life.team(("team", "ada"), "delete")
    life.pull_and_look()


def edit_and_adopt(life: Life) -> None:
    life.pull(None)
    life.write_and_adopt(("claude", "ada"), None)


def kill_and_pull(life: Life) -> None:
    """Kill a run once its files are staged."""
    life.pull(None)
    life.team(("team", "ada"), "write")
    steps = life.run("pull").steps
    life.team(("team", "ada"), "write")
    life.pull(At(steps.index("replace") + 1))
    life.pull_and_look()


def pull_into_the_shared_file(life: Life) -> None:
    life.pull(None)


BUGS: Mapping[Callable[[pytest.MonkeyPatch], None], Callable[[Life], None]] = {
    edits_are_overwritten: edit_and_pull,
    dropped_agents_are_not_deleted: drop_and_pull,
    a_replaced_file_is_not_backed_up: edit_and_adopt,
    leftovers_are_not_cleared: kill_and_pull,
    the_users_comments_are_dropped: pull_into_the_shared_file,
}
"""By bug, the turns that bring it to light."""


def take(turns: Callable[[Life], None]) -> None:
    """Take these turns in a life of their own, and look whether every promise holds after them."""
    life = Life()
    try:
        life.begin()
        turns(life)
        life.nothing_of_the_users_is_lost()
        life.every_file_is_whole()
    finally:
        life.teardown()


@pytest.mark.parametrize("mutation", part(list(BUGS), of=len(BUGS), first=0), ids=lambda mutation: mutation.__name__)
def test_a_planted_bug_is_noticed(
    mutation: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    take(BUGS[mutation])
    mutation(monkeypatch)
    with pytest.raises(AssertionError):
        take(BUGS[mutation])
    if not THOROUGH:
        return
    with pytest.raises(AssertionError):  # which takes some hundred runs
        live(
            max_examples=50,
            stateful_step_count=40,
            derandomize=True,
            phases=[Phase.generate],
            report_multiple_bugs=False,
        )
