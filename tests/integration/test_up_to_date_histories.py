"""Whatever happened before: where the up-to-date check finds nothing to do, a whole run finds the same.

The sources, the files here, the settings, the records, the mirror and the code change at random, between runs and
checks. Each time that the check decides, a whole run follows, which must change and report nothing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Final

import pytest

from agentsync.state.records import Suspension
from agentsync.state.store import State
from agentsync.sync.fetch import place_of
from support.installation import Installation, damage
from support.machine import agent
from support.thorough import SAME_EXAMPLES, THOROUGH

_HISTORIES: Final = 25 if THOROUGH else 2
_STEPS: Final = 20 if THOROUGH else 7
_NAMES: Final = ("tester", "writer", "reader")
_BROKEN: Final = "---\nname: broken\ndescription: One.\ndescription: Or the other?\n---\nYou help.\n"


class History:
    """A random history of one installation."""

    def __init__(self, installation: Installation, chance: Random, monkeypatch: pytest.MonkeyPatch) -> None:
        self.here = installation
        self.chance = chance
        self.commits = [installation.source.head]
        self.version = "1"
        self.text = installation.text
        monkeypatch.setattr("agentsync.sync.up_to_date.engine", lambda: self.version)

    @property
    def mirror(self) -> Path:
        return place_of(self.here.paths, "team", str(self.here.source.path)).directory

    def files(self) -> dict[str, bytes]:
        """What the tools have."""
        places = (self.here.home, self.here.root / "elsewhere")
        return {str(file): file.read_bytes() for place in places for file in place.rglob("*") if file.is_file()}

    def one_file(self) -> Path | None:
        files = [path for path in map(Path, sorted(self.files())) if path.is_file()]
        return self.chance.choice(files) if files else None

    # What happens

    def change_agent(self) -> None:
        name = self.chance.choice(_NAMES)
        self.here.source.write({f"agents/{name}.md": agent(name, f"You help {self.chance.random()}.")})
        self.commits.append(self.here.source.commit())

    def break_agent(self) -> None:
        self.here.source.write({"agents/broken.md": _BROKEN})
        self.commits.append(self.here.source.commit())

    def commit_nothing_of_note(self) -> None:
        self.here.source.write({"notes.txt": str(self.chance.random())})
        self.commits.append(self.here.source.commit())

    def reset(self) -> None:
        self.here.source.reset(self.chance.choice(self.commits))

    def rewrite(self) -> None:
        self.commits = [self.here.source.rewrite()]

    def edit(self) -> None:
        if path := self.one_file():
            status = path.stat()
            path.write_bytes(path.read_bytes().swapcase())
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    def delete(self) -> None:
        if path := self.one_file():
            path.unlink()

    def replace_by_link(self) -> None:
        if path := self.one_file():
            copy = self.here.root / "copy.md"
            shutil.copyfile(path, copy)
            path.unlink()
            path.symlink_to(copy)

    def touch(self) -> None:
        if path := self.one_file():
            os.utime(path)

    def write_own(self) -> None:
        self.here.first.mkdir(parents=True, exist_ok=True)
        (self.here.first / f"{self.chance.choice(('own', *_NAMES))}.md").write_text("mine\n")

    def set_another_setting(self) -> None:
        extra = self.chance.choice(["", '[policy]\nescalation = "hold"\n', "[limits]\nhistory = 5\n"])
        self.here.text = self.text + extra

    def write_overlay(self) -> None:
        self.here.overlays.mkdir(exist_ok=True)
        (self.here.overlays / "tester.md").write_text(f"Be brief {self.chance.random()}.\n")

    def suspend(self) -> None:
        with State.open(self.here.paths.database) as state:
            state.suspend(Suspension(0, "why not"))

    def resume(self) -> None:
        with State.open(self.here.paths.database) as state:
            state.resume()

    def lose_state(self) -> None:
        self.here.paths.database.unlink(missing_ok=True)

    def damage_state(self) -> None:
        if self.here.paths.database.exists():
            damage(self.here)

    def restore_old_state(self) -> None:
        saved, database = self.here.root / "saved.sqlite3", self.here.paths.database
        if saved.exists():
            shutil.copyfile(saved, database)
        elif database.exists():
            shutil.copyfile(database, saved)

    def lose_mirror(self) -> None:
        shutil.rmtree(self.mirror, ignore_errors=True)

    def lose_objects(self) -> None:
        shutil.rmtree(self.mirror / "objects/pack", ignore_errors=True)

    def change_code(self) -> None:
        self.version = str(int(self.version) + 1)

    def pull(self) -> None:
        self.here.pull()

    def check(self) -> bool:
        """Compare the check with a whole run; whether it found that there is nothing to do."""
        checked = self.here.find()
        if checked is None:
            return False
        before = self.files()
        whole = self.here.pull()
        assert self.files() == before
        assert (whole.changes, whole.fresh, whole.recovered) == ((), (), False)
        assert (checked.exit_code, checked.counts) == (whole.exit_code, whole.counts)
        assert checked.commits == {source.name: source.commit for source in whole.sources}
        return True


_EVENTS: Final[dict[Callable[[History], None], int]] = {
    History.change_agent: 4,
    History.reset: 3,
    History.edit: 3,
    History.delete: 3,
    History.set_another_setting: 3,
    History.break_agent: 1,
    History.commit_nothing_of_note: 1,
    History.rewrite: 1,
    History.replace_by_link: 1,
    History.touch: 2,
    History.write_own: 1,
    History.write_overlay: 1,
    History.suspend: 1,
    History.resume: 2,
    History.lose_state: 1,
    History.damage_state: 1,
    History.restore_old_state: 2,
    History.lose_mirror: 1,
    History.lose_objects: 1,
    History.change_code: 1,
}


@pytest.mark.usefixtures("installation")  # for its clock and its variables
@pytest.mark.parametrize("is_trial", [False, True])
def test_the_check_finds_what_a_whole_run_finds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, is_trial: bool
) -> None:
    found: Counter[bool] = Counter()
    for number in range(_HISTORIES):
        seed = number if SAME_EXAMPLES else int.from_bytes(os.urandom(4))
        here = Installation(Path(tempfile.mkdtemp(dir=tmp_path)))
        here.request = replace(here.request, ad_hoc=is_trial)
        monkeypatch.setenv("HOME", str(here.home))
        monkeypatch.setenv("ELSEWHERE", str(here.root / "elsewhere"))
        history = History(here, Random(seed), monkeypatch)  # noqa: S311 - chance, not a secret
        done: list[str] = []
        for _ in range(_STEPS):
            # Nothing is up to date without two runs after a change.
            pulls = [History.pull] * history.chance.choice((0, 2, 2, 3))
            events = history.chance.choices([*_EVENTS], [*_EVENTS.values()], k=history.chance.choice((1, 1, 2)))
            for action in (*pulls, History.check, *events, History.check):
                done.append(action.__name__)
                try:
                    result = action(history)
                except Exception as error:
                    error.add_note(f"seed {seed}: {' '.join(done)}")
                    raise
                if action is History.check:
                    found[bool(result)] += 1
    assert found[True]  # how often is left to chance
    assert found[False] > _HISTORIES
