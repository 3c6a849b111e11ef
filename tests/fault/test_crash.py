"""A run that is killed, or meets an error, at any of its steps; `support.stepwise` defines a step.

The numbers in the tests' names are rows of docs/reliability.md. After each of these runs every target file is wholly
its old or wholly its new bytes and nothing of the user's is lost; the same command once more ends as if nothing had
happened, in files, inventory and history.

A test tries what differs: a kill after a step that changed nothing is the kill before it, and where a step fails, the
errors take turns. Of most scenarios one step in seven is tried, and others with each commit; a thorough run tries every
step of all scenarios with all errors.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from agentsync.core.digest import digest
from agentsync.core.errors import ExitCode
from agentsync.dialects.roo.modes_file import canonical, edited, entries
from agentsync.state.backups import Backups
from agentsync.state.records import ROLLED_BACK, Key, Recorded
from agentsync.state.store import State
from agentsync.targets.target_directory import TEMPORARY_SUFFIX
from support.machine import agent, source
from support.repository import Repository
from support.stepwise import At, Run, Stepwise
from support.thorough import THOROUGH, part, steps

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a child is killed at a step of its own choice")

ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EXDEV, errno.EINTR)
"""Whether every step is tried with every error, which takes half an hour."""

ENDINGS = (ExitCode.OK, ExitCode.SOURCE_UNAVAILABLE, ExitCode.INCOMPLETE, ExitCode.SHORTAGE)
"""Exit codes of a run where the disk fails."""

CHANGES = frozenset({"agent.created", "agent.updated", "agent.replaced", "agent.pruned", "agent.restored"})
"""The events of changes on the disk."""

MINE = b"---\nname: mine\n---\nMy own.\n"

MODES = b"""# All of this is mine
customModes:
  # the first
  - slug: own   # the best
    name: 'Own'
    roleDefinition: >-
      Folded
      text
    groups: [read]
"""
MORE_MODES = b"""
  # written after the team's
  - groups: ['read', "edit"]   # in an order of my own
    slug: more
    name: More
    roleDefinition: More
# the end
"""
TEAM = frozenset({"tester", "writer", "planner", "new"})
"""The agents that the team has at some time."""


@dataclass(frozen=True)
class Picture:
    """Contents of a machine: files and directories outside agentsync's own ones, and its state's record of them.

    Attributes:
        changes: from the history, without time and sync, sorted.
    """

    files: Mapping[str, bytes | None]
    inventory: Mapping[Key, Recorded]
    commits: frozenset[tuple[str, str]]
    suspended: str
    changes: Sequence[tuple[str, ...]]

    @property
    def without_commits(self) -> Picture:
        """Without the commits that files were last written at."""
        return replace(self, inventory={key: replace(row, commit="") for key, row in self.inventory.items()})


class Bench:
    """A machine in a state that can be restored, and a command that is run there."""

    def __init__(self, root: Path) -> None:
        self.machine = Stepwise(root)
        self.team = Repository(root / "served/team.git")
        self.command: Sequence[str] = ("pull",)
        self.overtaken_by = ""

    def commit(self, *removed: str, **prompts: str) -> str:
        """Commit agents with these prompts, and without these."""
        self.team.write({f"agents/{name}.md": agent(name, prompt) for name, prompt in prompts.items()})
        self.team.remove(*(f"agents/{name}.md" for name in removed))
        return self.team.commit()

    def pull(self, code: int = 0) -> None:
        assert self.run("pull").result.code == code

    def run(self, *arguments: str, at: At | None = None) -> Run:
        return self.machine.step(*arguments, at=at)

    def save(self) -> None:
        shutil.copytree(self.machine.home, self.machine.root / "saved", symlinks=True)

    def restore(self) -> None:
        shutil.rmtree(self.machine.home)
        shutil.copytree(self.machine.root / "saved", self.machine.home, symlinks=True)

    def files(self) -> dict[str, bytes | None]:
        """Every file outside agentsync's own directories, and every directory."""
        own = (self.machine.state, self.machine.cache)
        return {
            str(path): None if path.is_dir() else path.read_bytes()
            for path in sorted(self.machine.home.rglob("*"))
            if not any(path.is_relative_to(directory) for directory in own)
        }

    @property
    def modes(self) -> Path:
        """The file that a tool and its user write too."""
        return self.machine.home / "work/.roomodes"

    def pieces(self, files: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
        """These files, with each of the team's entries in the shared file as one, and what is left of that file."""
        data = files.get(str(self.modes))
        if data is None:
            return dict(files)
        ours = {slug: entry for slug, entry in entries(data).items() if slug in TEAM}
        left = edited(data, dict.fromkeys(ours))
        return {**files, str(self.modes): left, **{f"{self.modes}/{slug}": entry for slug, entry in ours.items()}}

    def written(self) -> dict[str, str]:
        """The digest of each file that agentsync wrote, by absolute path."""
        if not (self.machine.state / "state.sqlite3").exists():
            return {}
        return {f"{directory}/{path}": row.digest for (directory, path), row in self.picture().inventory.items()}

    def again(self) -> Run:
        """Run once more without a fault; a rollback that has ended is not run again, which would undo it."""
        if self.overtaken_by:
            was = self.team.head
            self.team.reset(self.overtaken_by)
            ended = self.run(*self.command)
            self.team.reset(was)
            return ended
        return self.run(*(("pull",) if self._is_rolled_back() else self.command))

    def _is_rolled_back(self) -> bool:
        if self.command != ("rollback",):
            return False
        with State(self.machine.state / "state.sqlite3") as state:
            return state.syncs(1)[0].result == ROLLED_BACK

    def picture(self) -> Picture:
        with State(self.machine.state / "state.sqlite3") as state:
            assert state.intents() == []
            rows = state._query("SELECT * FROM inventory")
            inventory = state.inventory({row[0] for row in rows})
            history = [change for sync in reversed(state.syncs(-1)) for change in state.changes(sync.id)]
            files = self.files()
            pieces = self.pieces(files)
            for key, new in {change.key: change.new for change in history}.items():
                data = pieces.get("/".join(key))
                assert key not in inventory or new in (inventory[key].digest, digest(data or b""))
            if self.overtaken_by:
                inventory = {key: replace(row, commit="") for key, row in inventory.items()}  # that of the last write
            return Picture(
                files,
                inventory,
                frozenset((row[0], row[3]) for row in state._query("SELECT * FROM sources")),
                state.suspension.reason if state.suspension else "",
                sorted((*change.key, change.action.value, str(change.old), str(change.new)) for change in history),
            )

    def kept(self, data: bytes) -> bool:
        path = self.machine.state / "kept.sqlite3"
        if not path.exists():
            return False
        with Backups(path) as backups:
            return backups.content(digest(data)) == data


# The scenarios: each leaves the machine where its command is about to be run.


def first_run(bench: Bench) -> None:
    (bench.machine.claude).mkdir(parents=True)
    (bench.machine.claude / "mine.md").write_bytes(MINE)


def update(bench: Bench) -> None:
    bench.pull()
    (bench.machine.claude / "mine.md").write_bytes(MINE)
    (bench.machine.claude / "tester.md").chmod(0o600)
    bench.commit(tester="Better.", writer="Better.", new="New.")


def deletion(bench: Bench) -> None:
    bench.pull()
    bench.commit("planner", tester="Better.")


def conflict(bench: Bench) -> None:
    bench.pull()
    (bench.machine.claude / "tester.md").write_bytes(MINE)
    (bench.machine.opencode / "planner.md").write_bytes(MINE)
    (bench.machine.claude / "new.md").write_bytes(MINE)
    bench.commit("planner", tester="Better.", writer="Better.", new="New.")


def restoration(bench: Bench) -> None:
    bench.pull()
    for directory in (bench.machine.claude, bench.machine.opencode):
        (directory / "tester.md").unlink()
    shutil.rmtree(bench.machine.claude)


def adoption(bench: Bench) -> None:
    bench.pull()
    (bench.machine.claude / "tester.md").write_bytes(MINE)
    (bench.machine.claude / "new.md").write_bytes(MINE + b"New.\n")
    bench.commit(new="New.")
    bench.command = ("adopt", "--all")


def rollback(bench: Bench) -> None:
    adoption(bench)
    assert bench.run("adopt", "--all").result.code == 0
    (bench.machine.claude / "mine.md").write_bytes(MINE)
    bench.command = ("rollback",)


def rollback_to_a_sync(bench: Bench) -> None:
    bench.pull()
    update(bench)
    bench.pull()
    with State(bench.machine.state / "state.sqlite3") as state:
        bench.command = ("rollback", state.syncs(-1)[-1].id)


def suspension(bench: Bench) -> None:
    update(bench)
    bench.command = ("suspend",)


def several(bench: Bench) -> None:
    other = Repository(bench.machine.root / "served/other.git")
    other.write({f"{name}.md": agent(name, "Other.") for name in ("tester", "helper")})
    other.commit()
    targets = "".join(
        f'[targets.{name}]\ndialect = "claude"\npath = "~/{name}/agents"\ncreate = true\n' for name in ("one", "two")
    )
    bench.machine.configure(
        source("team", bench.team.url) + source("other", other.url, 'prefix = "o-"') + targets + "[targets.opencode]\n"
    )
    bench.machine.batch = 2
    bench.pull()
    other.write({"helper.md": agent("helper", "Better."), "more.md": agent("more", "New.")})
    other.remove("tester.md")
    other.commit()
    bench.commit("planner", tester="Better.")
    (bench.machine.home / "one/agents/writer.md").write_bytes(MINE)


def overtaken(bench: Bench) -> None:
    """The source moves on before the next run."""
    update(bench)
    bench.overtaken_by = bench.commit(tester="Best.")
    bench.team.reset(bench.team.git("rev-parse", f"{bench.overtaken_by}^"))


def shared_file(bench: Bench) -> None:
    """The user goes on writing the file that the team's agents are in."""
    bench.modes.parent.mkdir()
    bench.modes.write_bytes(MODES)
    bench.machine.configure(source("team", bench.team.url) + '[targets.roo]\nproject = "~/work"\n')
    bench.pull()
    ours = bench.modes.read_bytes().removeprefix(MODES)
    bench.modes.write_bytes(MODES.replace(b"Folded", b"My folded") + ours + MORE_MODES)
    bench.commit("planner", tester="Better.", writer="Better.", new="New.")


def shared_file_adoption(bench: Bench) -> None:
    """The user edited one entry of the team's, and wrote one of a name that the team has now too."""
    shared_file(bench)
    mine = canonical({"slug": "new", "name": "Mine", "roleDefinition": "Mine.", "groups": ["read"]})
    edit = bench.modes.read_bytes().replace(b"Tests.", b"Tests as I want.  # to begin with")
    bench.modes.write_bytes(edited(edit, {"new": mine}))
    bench.command = ("adopt", "--all")


def shared_file_rollback(bench: Bench) -> None:
    shared_file_adoption(bench)
    assert bench.run("adopt", "--all").result.code == 0
    bench.modes.write_bytes(bench.modes.read_bytes().replace(b"My folded", b"Folded again"))
    bench.command = ("rollback",)


SCENARIOS: tuple[Callable[[Bench], None], ...] = (
    first_run,
    update,
    deletion,
    conflict,
    restoration,
    adoption,
    rollback,
    rollback_to_a_sync,
    suspension,
    several,
    overtaken,
    shared_file,
    shared_file_adoption,
    shared_file_rollback,
)
CLOSELY = (update, rollback, shared_file)
"""Those that are killed at every third step, and meet an error at every sixth."""

TRIED = (*CLOSELY, *part([scenario for scenario in SCENARIOS if scenario not in CLOSELY], of=3, first=0))
"""A third of the others, in turn, at fewer steps: no distance is a multiple of three, so each third meets each step."""

by_name = pytest.mark.parametrize("scenario", TRIED, ids=lambda scenario: scenario.__name__)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path)
    bench.commit(tester="Tests.", writer="Writes.", planner="Plans.")
    bench.machine.follow(bench.team)
    return bench


@dataclass(frozen=True)
class Whole:
    """A scenario and its result without a fault.

    Attributes:
        before: the files that the command met; users: those of them that agentsync did not write.
        code: its exit code, and that of the next run.
    """

    bench: Bench
    before: Mapping[str, bytes | None]
    users: Mapping[str, bytes]
    code: int
    after: Mapping[str, bytes | None]
    picture: Picture

    @classmethod
    def of(cls, bench: Bench, scenario: Callable[[Bench], None]) -> Whole:
        scenario(bench)
        before, written = bench.files(), bench.written()
        pieces = bench.pieces(before)
        users = {path: data for path, data in pieces.items() if data is not None and written.get(path) != digest(data)}
        bench.save()
        code = bench.run(*bench.command).result.code
        assert code in ENDINGS
        after = bench.files()
        if bench.overtaken_by:
            bench.again()
        return cls(bench, before, users, code, after, bench.picture())

    def check_disk(self) -> None:
        """Assert that every file is wholly old or wholly new, and the user's content in its place or backed up."""
        files, before, after = map(self.bench.pieces, (self.bench.files(), self.before, self.after))
        for path, data in files.items():
            temporary = path.endswith(TEMPORARY_SUFFIX)
            assert temporary or data in (before.get(path), after.get(path)), path
        for path, data in before.items():
            assert path in files or after.get(path) is None or data is None, path
        for path, data in self.users.items():
            assert files.get(path) == data or self.bench.kept(data), path

    def check_log(self, run: Run) -> None:
        """Assert that the log has each change that was made, but for one that the run was killed at."""
        events = [json.loads(line) for line in run.result.stderr.splitlines()]
        logged = {event["path"] for event in events if event["event"] in CHANGES}
        before, files = self.bench.pieces(self.before), self.bench.pieces(self.bench.files())
        made = {path for path in before.keys() | files.keys() if before.get(path) != files.get(path)}
        made = {path for path in made if not path.endswith(TEMPORARY_SUFFIX)}
        assert logged <= made
        entries = {path for path in made if path.startswith(f"{self.bench.modes}/")}  # of which all are made at once
        assert len(made - logged - entries) <= 1

    def check_next_run(self, *, history: bool) -> None:
        """Assert that the next run ends as if nothing had happened."""
        ended = self.bench.again()
        if ended.command == self.bench.command:
            assert ended.result.code == self.code, ended.result
        picture = self.bench.picture()
        assert picture.files == self.picture.files
        expected = self.picture
        if history:
            assert picture.changes == expected.changes
        else:  # a fetch that failed left the last good commit, with which the same bytes were written
            picture, expected = picture.without_commits, expected.without_commits
        assert replace(picture, changes=expected.changes) == expected


def each_step(bench: Bench, errors: Sequence[int] = (), *, every: int = 1) -> Iterator[tuple[str, Run]]:
    """The command, with something happening to it at each of its steps; ends with the first run that it misses.

    Args:
        bench: where.
        errors: what the steps fail with, in turn; without them the run is killed, and only where it has come further.
        every: one of how many steps is tried; thorough runs take all.
    """
    bench.restore()
    same = frozenset[int]()
    if not (errors or THOROUGH):
        whole = bench.run(*bench.command)
        same = frozenset(n + 1 for n in whole.idle if n < len(whole.steps) and whole.steps[n] != "write")
    for number in steps(every):
        if number in same:
            continue
        bench.restore()
        run = bench.run(*bench.command, at=At(number, errors[number % len(errors)] if errors else None))
        if not run.hit:
            break
        yield f"{number}: {run.steps[number - 1]}", run


@by_name
def test_18_a_run_that_is_killed_at_any_step_is_finished_by_the_next(
    bench: Bench, scenario: Callable[[Bench], None]
) -> None:
    whole = Whole.of(bench, scenario)
    for step, run in each_step(bench, every=3 if scenario in CLOSELY else 7):
        with at(step):
            whole.check_disk()
            whole.check_log(run)
            whole.check_next_run(history=not bench.overtaken_by)


def test_18_a_pull_while_suspended_clears_the_leftovers_of_a_killed_rollback(bench: Bench) -> None:
    whole = Whole.of(bench, rollback)
    left = 0
    for step, _ in each_step(bench):
        with at(step), State(bench.machine.state / "state.sqlite3") as state:
            suspended, intents = state.suspension, state.intents()
            staged = [path for path in bench.files() if path.endswith(TEMPORARY_SUFFIX)]
            if not suspended:
                continue
            before = {path: data for path, data in bench.files().items() if path not in staged}
            ended = bench.run("pull").result
            assert (ended.code in ENDINGS, "suspended" in ended.stdout) == (True, True), ended
            assert bench.files() == before
            bench.picture()
            left += bool(intents and staged)
            whole.check_next_run(history=False)
    assert left > 1


@pytest.mark.parametrize("errors", [(error,) for error in ERRORS] if THOROUGH else [ERRORS], ids=str)
@by_name
def test_19_an_error_at_any_step_is_reported_and_repaired_by_the_next_run(
    bench: Bench, scenario: Callable[[Bench], None], errors: Sequence[int]
) -> None:
    whole = Whole.of(bench, scenario)
    for step, run in each_step(bench, errors, every=6 if scenario in CLOSELY else 13):
        with at(step):
            whole.check_disk()
            check_reported(whole, run)
            whole.check_next_run(history=False)


def test_19_a_disk_that_is_really_full_is_reported_and_repaired_by_the_next_run(bench: Bench) -> None:
    home, mount = bench.machine.home, ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs"]
    try:
        mounted = subprocess.run([*mount, home], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount(8)")
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted: {mounted.stderr.strip()}")
    try:
        (home / ".config/opencode").mkdir(parents=True)
        (home / ".claude").mkdir()
        bench.machine.follow(bench.team)
        update(bench)
        before, seen, ended = bench.files(), [], []
        for kilobytes in (*range(0, 240, 24), 1000):
            fill(home / "filler", leaving=kilobytes * 1024)
            ended.append(bench.run("pull").result)
            assert ended[-1].code in ENDINGS, ended[-1]
            (home / "filler").unlink()
            seen.append(bench.files())
        assert ended[0].code == ExitCode.INCOMPLETE
        assert ended[-1].code == ExitCode.OK
        after = seen[-1]
        assert "Better." in (bench.machine.claude / "tester.md").read_text()
        assert (bench.machine.claude / "mine.md").read_bytes() == MINE
        for files in seen:
            assert {path for path, data in files.items() if data not in (before.get(path), after.get(path))} == set()
            assert before.keys() <= files.keys()
        bench.commit(tester="Best.")
        bench.pull()
        assert "Best." in (bench.machine.claude / "tester.md").read_text()
        bench.picture()
    finally:
        subprocess.run(["umount", home], check=True)


def fill(path: Path, *, leaving: int) -> None:
    """Fill a file system but for this many bytes."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    os.truncate(path, max(0, path.stat().st_size - leaving))


def check_reported(whole: Whole, run: Run) -> None:
    """Assert that a run that could not do all of its work reports it, in its exit status and in words."""
    result = run.result
    assert result.code in (*ENDINGS, whole.code), result
    if result.code != whole.code:
        assert "error" in result.stderr + result.stdout or "failed" in result.stdout, result
    assert "Traceback" not in result.stderr


@contextmanager
def at(step: str) -> Iterator[None]:
    """Name the step in a failure."""
    try:
        yield
    except AssertionError as error:
        error.add_note(f"at step {step}")
        raise
