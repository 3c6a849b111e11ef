"""Changes that a watch reports, and those that it does not: real files, real threads, a real kernel."""

from __future__ import annotations

import ctypes
import gc
import logging
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue

import pytest

from agentsync.service.watch import Watch, followed
from agentsync.targets.target_directory import temporary
from support.watching import SETTLE, TIMEOUT, Listener, linux


def _replace(agents: Path) -> None:
    beside = agents.parent / "beside.md"
    beside.write_text("new")
    beside.replace(agents / "one.md")


def _append(agents: Path) -> None:
    with (agents / "one.md").open("a") as file:
        file.write("more")


_CHANGES: dict[str, Callable[[Path], object]] = {
    "written": lambda agents: (agents / "one.md").write_text("other"),
    "appended": _append,
    "made": lambda agents: (agents / "three.md").write_text("three"),
    "deleted": lambda agents: (agents / "one.md").unlink(),
    "renamed": lambda agents: (agents / "one.md").rename(agents / "1.md"),
    "moved in": _replace,
    "moved out": lambda agents: (agents / "one.md").rename(agents.parent / "one.md"),
    "made a link": lambda agents: (agents / "link.md").symlink_to("one.md"),
    "written below": lambda agents: (agents / "team" / "two.md").write_text("other"),
    "made a directory": lambda agents: (agents / "more").mkdir(),
    "deleted below": lambda agents: shutil.rmtree(agents / "team"),
    "deleted as a whole": shutil.rmtree,
    "moved as a whole": lambda agents: agents.rename(agents.parent / "moved"),
}


@pytest.mark.parametrize("change", _CHANGES)
def test_a_change_in_a_directory_reports_that_directory_and_no_other(
    listener: Listener, agents: Path, change: str
) -> None:
    assert listener.follow(agents) == ()
    listener.watch.mark()
    assert listener.watch.was_silent([], [agents, listener.bell])
    _CHANGES[change](agents)
    listener.receives(agents)
    assert not listener.watch.was_silent([], [agents, listener.bell])


def test_files_of_a_new_directory_are_reported_too(listener: Listener, agents: Path) -> None:
    listener.follow(agents)
    (agents / "new" / "below").mkdir(parents=True)
    listener.receives(agents)
    (agents / "new" / "below" / "three.md").write_text("three")
    listener.receives(agents)


def test_reading_and_staging_are_not_reported(listener: Listener, agents: Path) -> None:
    listener.follow(agents, files=(agents / "one.md",))
    (agents / "one.md").read_text()
    list(agents.rglob("*"))
    staged = agents / temporary("one.md")
    staged.write_text("staged")
    staged.unlink()
    listener.receives_nothing()


@pytest.mark.parametrize("name", [".git", ".venv", "node_modules"])
def test_a_change_below_an_ignored_directory_is_not_reported(listener: Listener, agents: Path, name: str) -> None:
    there, comes = agents / "team" / name, agents / name
    there.mkdir()
    listener.follow(agents)
    comes.mkdir()
    for directory in (there, comes):
        (directory / "objects" / "ab").mkdir(parents=True)
        (directory / "objects" / "ab" / "cd.md").write_text("no agent")
        (directory / "index").write_text("no agent")
    listener.receives_nothing()
    (agents / "team" / "two.md").write_text("beside it")
    listener.receives(agents)


# Where directories come quickly, watchdog may add one twice; it warns and goes on.
@pytest.mark.filterwarnings("ignore:Callback with id:RuntimeWarning")
@linux
def test_an_ignored_directory_takes_no_place_in_the_kernels_table(listener: Listener, agents: Path) -> None:
    listener.follow(agents)
    before = _places()
    for number in range(50):
        (agents / "team" / ".git" / "objects" / str(number)).mkdir(parents=True)
    listener.receives_nothing()
    listener.follow(agents)
    assert _places() == before
    (agents / "team" / "two.md").write_text("other")
    listener.receives(agents)


def test_a_tree_that_would_need_too_many_watches_is_watched_as_a_whole(listener: Listener, tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    for number in range(followed._MOST_SPOTS):
        (packages / str(number) / "node_modules").mkdir(parents=True)
    threads = threading.active_count()
    listener.follow(packages)
    assert threading.active_count() < threads + 10
    (packages / "5" / "agent.md").write_text("five")
    listener.receives(packages)


def test_a_file_is_reported_and_its_neighbours_are_not(listener: Listener, tmp_path: Path) -> None:
    config = tmp_path / "config" / "config.toml"
    config.parent.mkdir()
    config.write_text("version = 1")
    assert listener.follow(files=(config,)) == ()
    (config.parent / "other.toml").write_text("no")
    (config.parent / "state").mkdir()
    listener.receives_nothing()
    config.write_text("version = 1\n")
    listener.receives(config)
    working_trees = config.parent / ".config.toml.swp"
    working_trees.write_text("as some editors save")
    working_trees.replace(config)
    listener.receives(config)
    config.unlink()
    listener.receives(config)
    config.write_text("again")
    listener.receives(config)


def test_following_again_costs_nothing_when_nothing_changed(listener: Listener, agents: Path) -> None:
    listener.follow(agents)
    before = {thread.ident for thread in threading.enumerate()}
    for _ in range(20):
        assert listener.follow(agents) == ()
    assert {thread.ident for thread in threading.enumerate()} == before
    listener.receives_nothing()


def test_events_that_were_lost_end_a_silence_and_so_does_what_is_not_watched(listener: Listener, agents: Path) -> None:
    listener.follow(agents)
    listener.watch.mark()
    logging.getLogger("watchdog.observers").warning("Kernel event queue overflow")  # as its observer does
    assert not listener.watch.was_silent([], [agents, listener.bell])
    assert listener.next() == {agents, listener.bell}
    (agents.parent / "link").symlink_to(agents)
    assert listener.follow(agents.parent / "link") != ()
    listener.watch.mark()
    assert not listener.watch.was_silent([], [agents.parent / "link", listener.bell])


def test_a_burst_is_reported_once(agents: Path) -> None:
    reports: SimpleQueue[frozenset[Path]] = SimpleQueue()
    with Watch(reports.put, settle=1.0, most=60.0) as watch:
        watch.follow([], [agents])
        for number in range(2_000):
            (agents / f"{number}.md").write_text("many")
        assert reports.get(timeout=TIMEOUT) == {agents}
        assert reports.empty()


def test_changes_that_go_on_are_reported_all_the_same(listener: Listener, agents: Path) -> None:
    listener.follow(agents)
    ended = threading.Event()

    def write() -> None:
        while not ended.wait(SETTLE / 5):
            _append(agents)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert listener.next() == {agents}
        assert listener.next() == {agents}
    finally:
        ended.set()
        writer.join()


@linux
def test_events_that_the_kernel_drops_are_reported_as_a_change_of_everything(
    listener: Listener, agents: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    listener.follow(agents)
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    stage = f"cd '{agents}' && seq {most} | sed 's/^/.a./; s/$/.agentsync-tmp/' | xargs touch && echo x > one.md"
    # Nothing reads the queue meanwhile, since a call in this way keeps every other thread waiting.
    assert ctypes.PyDLL(None).system(stage.encode()) == 0
    assert listener.next() == {agents, listener.bell}
    assert capfd.readouterr().err == ""


@linux
def test_nothing_wakes_up_while_nothing_changes(listener: Listener, agents: Path) -> None:
    listener.follow(agents, files=(agents.parent / "config.toml",))
    listener.receives_nothing()
    others = [thread.native_id for thread in threading.enumerate() if thread is not threading.current_thread()]
    assert len(others) > 4

    def all_sleep() -> bool:
        before = [_wakings(thread) for thread in others if thread]
        return listener.is_silent(2) and [_wakings(thread) for thread in others if thread] == before

    # Events of the last change may still be on their way.
    assert any(all_sleep() for _ in range(5))


def _wakings(thread: int) -> int:
    lines = Path(f"/proc/self/task/{thread}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)


@linux
def test_no_thread_and_no_descriptor_is_left(tmp_path: Path, agents: Path) -> None:
    gc.collect()
    threads, descriptors = threading.active_count(), _descriptors()
    for number in range(20):
        listener = Listener(tmp_path / f"bell-{number}")
        listener.follow(agents)
        shutil.rmtree(agents)
        agents.mkdir()
        listener.follow(agents)
        listener.watch.close()
        assert threading.active_count() == threads
    assert _descriptors() <= descriptors


def _descriptors() -> int:
    gc.collect()  # leftovers of other tests in this process would be collected in between
    return len(list(Path("/proc/self/fd").iterdir()))


def _places() -> int:
    """Count this process's places in inotify's table."""
    count = 0
    for path in Path("/proc/self/fdinfo").iterdir():
        with suppress(OSError):
            count += path.read_text().count("inotify wd:")
    return count
