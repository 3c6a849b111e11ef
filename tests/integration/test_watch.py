"""What tells, what does not, and what is told instead where nothing can: real files, real threads, a real kernel."""

from __future__ import annotations

import ctypes
import gc
import os
import shutil
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from secrets import token_hex

import pytest

from agentsync.service.watch import Watch, followed, mounts
from agentsync.service.watch.mounts import devices, network_devices
from agentsync.targets.directory import temporary
from support.processes import without_root_powers

_SETTLE = 0.05
_PATIENCE = 20.0

linux = pytest.mark.skipif(sys.platform != "linux", reason="this is about inotify")


class Ear:
    """Hears what a watch tells.

    Attributes:
        watch: what tells.
        bell: a directory that is followed beside the others, to tell nothing from not yet.
    """

    def __init__(self, bell: Path) -> None:
        self.bell = bell
        self.bell.mkdir()
        self._reported: SimpleQueue[frozenset[Path]] = SimpleQueue()
        self.watch = Watch(self._reported.put, settle=_SETTLE, most=1.0)

    def follow(self, *directories: Path, files: tuple[Path, ...] = ()) -> tuple[str, ...]:
        return self.watch.follow(files, [*directories, self.bell])

    def receives(self, *paths: Path) -> None:
        """Waits until these are told, and makes sure that nothing else is."""
        reported: set[Path] = set()
        while not reported.issuperset(paths):
            reported |= self.next()
        assert reported | self._told_until_the_bell() == {*paths}

    def receives_nothing(self) -> None:
        """Makes sure that nothing was told since the last time, nor will be."""
        assert self._told_until_the_bell() == set()

    def next(self) -> frozenset[Path]:
        """What is told next."""
        return self._reported.get(timeout=_PATIENCE)

    def is_silent(self, seconds: float) -> bool:
        try:
            self._reported.get(timeout=seconds)
        except Empty:
            return True
        return False

    def _told_until_the_bell(self) -> set[Path]:
        """What is told before and with the bell, which is rung now."""
        (self.bell / token_hex()).symlink_to("nowhere")  # one event, where writing a file makes several
        reported: set[Path] = set()
        while self.bell not in reported:
            reported |= self.next()
        return reported - {self.bell}


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[Ear]:
    ear = Ear(tmp_path / "bell")
    with ear.watch:
        yield ear


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    """A directory with a file, and one below it with another."""
    agents = tmp_path / "tool" / "agents"
    (agents / "team").mkdir(parents=True)
    (agents / "one.md").write_text("one")
    (agents / "team" / "two.md").write_text("two")
    return agents


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
def test_a_change_in_a_directory_tells_that_directory_and_no_other(ear: Ear, agents: Path, change: str) -> None:
    assert ear.follow(agents) == ()
    _CHANGES[change](agents)
    ear.receives(agents)


def test_what_comes_with_a_new_directory_tells_too(ear: Ear, agents: Path) -> None:
    ear.follow(agents)
    (agents / "new" / "below").mkdir(parents=True)
    ear.receives(agents)
    (agents / "new" / "below" / "three.md").write_text("three")
    ear.receives(agents)


def test_reading_and_staging_tell_nothing(ear: Ear, agents: Path) -> None:
    ear.follow(agents, files=(agents / "one.md",))
    (agents / "one.md").read_text()
    list(agents.rglob("*"))
    staged = agents / temporary("one.md")
    staged.write_text("staged")
    staged.unlink()
    ear.receives_nothing()


@pytest.mark.parametrize("name", [".git", ".venv", "node_modules"])
def test_what_is_below_a_directory_that_nobody_reads_tells_nothing(ear: Ear, agents: Path, name: str) -> None:
    there, comes = agents / "team" / name, agents / name
    there.mkdir()
    ear.follow(agents)
    comes.mkdir()
    for directory in (there, comes):
        (directory / "objects" / "ab").mkdir(parents=True)
        (directory / "objects" / "ab" / "cd.md").write_text("no agent")
        (directory / "index").write_text("no agent")
    ear.receives_nothing()
    (agents / "team" / "two.md").write_text("beside it")
    ear.receives(agents)


# Where directories come quickly, watchdog may add one twice; it says so, and goes on.
@pytest.mark.filterwarnings("ignore:Callback with id:RuntimeWarning")
@linux
def test_what_nobody_reads_takes_no_place_in_the_kernels_table(ear: Ear, agents: Path) -> None:
    ear.follow(agents)
    before = _places()
    for number in range(50):
        (agents / "team" / ".git" / "objects" / str(number)).mkdir(parents=True)
    ear.receives_nothing()
    ear.follow(agents)
    assert _places() == before
    (agents / "team" / "two.md").write_text("other")
    ear.receives(agents)


def test_a_tree_that_would_need_too_many_watches_is_watched_as_a_whole(ear: Ear, tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    for number in range(followed._MOST_SPOTS):
        (packages / str(number) / "node_modules").mkdir(parents=True)
    threads = threading.active_count()
    ear.follow(packages)
    assert threading.active_count() < threads + 10
    (packages / "5" / "agent.md").write_text("five")
    ear.receives(packages)


def test_a_file_tells_and_its_neighbours_do_not(ear: Ear, tmp_path: Path) -> None:
    config = tmp_path / "config" / "config.toml"
    config.parent.mkdir()
    config.write_text("version = 1")
    assert ear.follow(files=(config,)) == ()
    (config.parent / "other.toml").write_text("no")
    (config.parent / "state").mkdir()
    ear.receives_nothing()
    config.write_text("version = 1\n")
    ear.receives(config)
    working_trees = config.parent / ".config.toml.swp"
    working_trees.write_text("as some editors save")
    working_trees.replace(config)
    ear.receives(config)
    config.unlink()
    ear.receives(config)
    config.write_text("again")
    ear.receives(config)


def test_a_file_is_followed_through_links(ear: Ear, tmp_path: Path) -> None:
    """As Kubernetes mounts a map: the file is a link into `..data`, which is a link that is replaced."""
    mount = tmp_path / "mount"
    for version in ("..first", "..second"):
        (mount / version).mkdir(parents=True)
        (mount / version / "config.toml").write_text(version)
    (mount / "..data").symlink_to("..first")
    config = mount / "config.toml"
    config.symlink_to("..data/config.toml")
    ear.follow(files=(config,))
    (mount / "..first" / "config.toml").write_text("written in its place")
    ear.receives(config)
    (mount / "..new").symlink_to("..second")
    (mount / "..new").replace(mount / "..data")
    ear.receives(config)
    ear.follow(files=(config,))
    ear.receives(config)  # since it is somewhere else now
    (mount / "..first" / "config.toml").write_text("not that any more")
    ear.receives_nothing()
    (mount / "..second" / "config.toml").write_text("but this")
    ear.receives(config)


def test_a_link_that_leads_to_itself_is_only_a_name(ear: Ear, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.symlink_to("config.toml")
    ear.follow(files=(config,))
    config.unlink()
    ear.receives(config)


def test_a_directory_above_may_be_a_link(ear: Ear, agents: Path, tmp_path: Path) -> None:
    links = tmp_path / "links"
    links.mkdir()
    (links / "tool").symlink_to(agents.parent)
    given = links / "tool" / "agents"
    assert ear.follow(given) == ()
    (agents / "one.md").write_text("other")
    ear.receives(given)
    other = tmp_path / "other" / "agents"
    other.mkdir(parents=True)
    (links / "new").symlink_to(other.parent)
    (links / "new").replace(links / "tool")
    ear.receives(given)
    ear.follow(given)
    ear.receives(given)
    (other / "three.md").write_text("three")
    ear.receives(given)


def test_a_directory_that_is_a_link_itself_is_told_and_not_followed(ear: Ear, agents: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(agents)
    assert ear.follow(link) == (f"{link}: it is a symbolic link, which is not followed",)
    (agents / "one.md").write_text("other")
    ear.receives_nothing()
    assert ear.follow(link.resolve()) == ()
    (agents / "one.md").write_text("again")
    ear.receives(agents)


@pytest.mark.parametrize("receiving", [True, False], ids=["and told meanwhile", "before anything is told"])
def test_a_directory_that_was_made_anew_is_followed_again(ear: Ear, agents: Path, *, receiving: bool) -> None:
    ear.follow(agents)
    for turn in range(3):
        shutil.rmtree(agents)
        if receiving:
            ear.receives(agents)
        agents.mkdir()
        ear.receives(agents)
        assert ear.follow(agents) == ()
        ear.receives(agents)  # as it may have changed before it was followed
        (agents / "new.md").write_text(f"turn {turn}")
        ear.receives(agents)


def test_a_directory_in_the_place_of_another_is_the_one_that_counts(ear: Ear, agents: Path, tmp_path: Path) -> None:
    ear.follow(agents)
    old, other = tmp_path / "old", tmp_path / "other"
    other.mkdir()
    agents.rename(old)
    other.rename(agents)
    ear.receives(agents)
    ear.follow(agents)
    ear.receives(agents)
    (old / "one.md").write_text("nobody asks")
    ear.receives_nothing()
    (agents / "new.md").write_text("new")
    ear.receives(agents)


def test_a_directory_that_is_not_there_yet_tells_when_it_comes(ear: Ear, tmp_path: Path) -> None:
    agents = tmp_path / "tool" / "agents"
    assert ear.follow(agents) == (f"{agents}: neither it nor the directory that it would be in is there",)
    agents.parent.mkdir()
    assert ear.follow(agents) == ()
    ear.receives(agents)
    agents.mkdir()
    ear.receives(agents)


def test_a_file_without_a_directory_is_told(ear: Ear, tmp_path: Path) -> None:
    file = tmp_path / "gone" / "config.toml"
    assert ear.follow(files=(file,)) == (f"{file}: neither it nor the directory that it would be in is there",)


def test_a_file_in_the_place_of_a_directory_is_told(ear: Ear, agents: Path) -> None:
    assert ear.follow(agents / "one.md") == (f"{agents / 'one.md'}: Not a directory",)


@linux
def test_what_may_not_be_read_is_told(tmp_path: Path) -> None:
    script = """
        closed = [flat / "agents", deep / "1/2"]
        deep.chmod(0)
        flat.chmod(0o100)
        print(*watch.follow([deep / "1/config.toml"], closed), sep="\\n")
        deep.chmod(0o700)
        flat.chmod(0o700)
        watch.close()
    """
    wanted = ["flat/agents: Permission denied", "deep/1/2: Permission denied", "deep/1/config.toml: Permission denied"]
    printed = _run(tmp_path, script, before=[*without_root_powers()])
    assert printed.splitlines() == [f"{tmp_path}/{line}" for line in wanted]


def test_what_is_no_longer_followed_tells_nothing(ear: Ear, agents: Path) -> None:
    ear.follow(agents, files=(agents.parent / "config.toml",))
    ear.follow()
    (agents / "one.md").write_text("other")
    (agents.parent / "config.toml").write_text("other")
    ear.receives_nothing()


def test_directories_within_each_other_are_each_told(ear: Ear, agents: Path) -> None:
    ear.follow(agents, agents / "team", files=(agents / "team" / "two.md",))
    (agents / "team" / "two.md").write_text("other")
    ear.receives(agents, agents / "team", agents / "team" / "two.md")


def test_a_directory_within_another_takes_nothing_from_it(ear: Ear, agents: Path) -> None:
    """Its parent is watched for its coming and going alone, and the kernel knows one way to watch a directory."""
    inner = agents / "team" / "inner"
    inner.mkdir()
    ear.follow(agents, inner)
    (agents / "team" / "two.md").write_text("other")
    ear.receives(agents)


def test_following_again_costs_nothing_when_nothing_changed(ear: Ear, agents: Path) -> None:
    ear.follow(agents)
    before = {thread.ident for thread in threading.enumerate()}
    for _ in range(20):
        assert ear.follow(agents) == ()
    assert {thread.ident for thread in threading.enumerate()} == before
    ear.receives_nothing()


def test_a_burst_is_told_once(agents: Path) -> None:
    reported: SimpleQueue[frozenset[Path]] = SimpleQueue()
    with Watch(reported.put, settle=1.0, most=60.0) as watch:
        watch.follow([], [agents])
        for number in range(2_000):
            (agents / f"{number}.md").write_text("many")
        assert reported.get(timeout=_PATIENCE) == {agents}
        assert reported.empty()


def test_changes_that_go_on_are_told_all_the_same(ear: Ear, agents: Path) -> None:
    ear.follow(agents)
    ended = threading.Event()

    def write() -> None:
        while not ended.wait(_SETTLE / 5):
            _append(agents)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert ear.next() == {agents}
        assert ear.next() == {agents}
    finally:
        ended.set()
        writer.join()


@linux
def test_events_that_the_kernel_drops_are_told_as_a_change_of_everything(
    ear: Ear, agents: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ear.follow(agents)
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    stage = f"cd '{agents}' && seq {most} | sed 's/^/.a./; s/$/.agentsync-tmp/' | xargs touch && echo x > one.md"
    # Nothing reads the queue meanwhile, since a call in this way keeps every other thread waiting.
    assert ctypes.PyDLL(None).system(stage.encode()) == 0
    assert ear.next() == {agents, ear.bell}
    assert capfd.readouterr().err == ""


@linux
def test_nothing_wakes_up_while_nothing_changes(ear: Ear, agents: Path) -> None:
    ear.follow(agents, files=(agents.parent / "config.toml",))
    ear.receives_nothing()
    others = [thread.native_id for thread in threading.enumerate() if thread is not threading.current_thread()]
    assert len(others) > 4

    def all_sleep() -> bool:
        before = [_wakings(thread) for thread in others if thread]
        return ear.is_silent(2) and [_wakings(thread) for thread in others if thread] == before

    # What the last change had to say may still be on its way.
    assert any(all_sleep() for _ in range(5))


def _wakings(thread: int) -> int:
    lines = Path(f"/proc/self/task/{thread}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)


@linux
def test_no_thread_and_no_descriptor_is_left(tmp_path: Path, agents: Path) -> None:
    gc.collect()
    threads, descriptors = threading.active_count(), _descriptors()
    for number in range(20):
        ear = Ear(tmp_path / f"bell-{number}")
        ear.follow(agents)
        shutil.rmtree(agents)
        agents.mkdir()
        ear.follow(agents)
        ear.watch.close()
        assert threading.active_count() == threads
    assert _descriptors() <= descriptors


# The kernel's limits, in a process of its own.

_PROLOGUE = """
    import os, resource, sys, threading
    from pathlib import Path
    from queue import SimpleQueue
    from agentsync.service.watch import Watch
    top = Path(sys.argv[1])
    for name in ("flat", "deep/1/2", "deep/3", "deep/4", "deep/5/6/7"):
        (top / name).mkdir(parents=True)
    flat, deep = top / "flat", top / "deep"
    told = SimpleQueue()
    watch = Watch(told.put, settle=0.05)
    def descriptors():
        return len(os.listdir("/proc/self/fd"))
"""


def _limited(tmp_path: Path, script: str, *, limit: str = "max_inotify_watches", number: int) -> str:
    """What a script prints in a user namespace where this is the most of something that inotify gives."""
    unshare = shutil.which("unshare")
    if sys.platform != "linux" or not unshare:
        pytest.skip("there are no user namespaces")
    setting = f"/proc/sys/user/{limit}"
    lower = ["sh", "-c", f'echo {number} > {setting} && exec "$@"', "sh"]
    probe = subprocess.run([unshare, "-Ur", *lower, "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("no user namespace can be made here")
    return _run(tmp_path, f"LIMIT = Path('{setting}')\n{textwrap.dedent(script)}", before=[unshare, "-Ur", *lower])


def _run(tmp_path: Path, script: str, before: list[str] | None = None) -> str:
    text = textwrap.dedent(_PROLOGUE) + textwrap.dedent(script)
    command = [*(before or []), sys.executable, "-W", "error", "-c", text, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


def test_a_table_that_is_full_below_a_directory_is_told_and_mended(tmp_path: Path) -> None:
    script = """
        for line in watch.follow([], [flat, deep]):
            print(line)
        LIMIT.write_text("100")
        print(watch.follow([], [flat, deep]))
        print(told.get(timeout=20) == {flat, deep})
        (deep / "5/6/7/agent.md").write_text("seen")
        print(told.get(timeout=20) == {deep})
        watch.close()
    """
    full = "inotify's table is full, so not every directory is watched; see fs.inotify.max_user_watches"
    wanted = f"{tmp_path}/flat: {full}\n{tmp_path}/deep: {full}\n()\nTrue\nTrue\n"
    assert _limited(tmp_path, script, number=5) == wanted


def test_a_table_that_is_full_at_once_is_told(tmp_path: Path) -> None:
    script = """
        print(*watch.follow([], [flat]), *watch.follow([flat / "config.toml"], []), sep="\\n")
        watch.close()
    """
    full = "inotify's table is full, so not every directory is watched; see fs.inotify.max_user_watches"
    wanted = f"{tmp_path}/flat: {full}\n{tmp_path}/flat/config.toml: {full}\n"
    assert _limited(tmp_path, script, number=0) == wanted


def test_that_there_is_no_inotify_instance_left_is_told_and_mended(tmp_path: Path) -> None:
    script = """
        print(*watch.follow([], [flat]))
        LIMIT.write_text("1")
        print(watch.follow([], [flat]))
        watch.close()
    """
    reason = "no inotify instance or file descriptor is left; see fs.inotify.max_user_instances and `ulimit -n`"
    printed = _limited(tmp_path, script, limit="max_inotify_instances", number=0)
    assert printed == f"{tmp_path}/flat: {reason}\n()\n"


@linux
def test_that_descriptors_run_out_is_told_and_none_is_lost_by_it(tmp_path: Path) -> None:
    script = """
        before = descriptors()
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        fallbacks = set()
        for free in range(1, 10):
            taken = [os.dup(0) for _ in range(30)]
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(taken) + 1 + free, hard))
            fallbacks.update(watch.follow([], [flat]))
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            for descriptor in taken:
                os.close(descriptor)
            watch.follow([], [])
        print(*fallbacks, sep="\\n")
        watch.close()
        print(descriptors() - before)
    """
    reason = "no inotify instance or file descriptor is left; see fs.inotify.max_user_instances and `ulimit -n`"
    assert _run(tmp_path, script) == f"{tmp_path}/flat: {reason}\n0\n"


# Network file systems.


@linux
def test_a_network_file_system_is_told_and_not_watched(ear: Ear, agents: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No such file system can be mounted here, so the one that the files are on is taken for one."""
    ear.follow(agents)
    types = dict(devices(Path("/proc/self/mountinfo").read_text()))
    own = types.get(agents.stat().st_dev)
    if own is None:
        pytest.skip("this file system gives its files another device than its mount")
    monkeypatch.setattr(mounts, "NETWORK", {own})
    config = agents.parent / "config.toml"
    wanted = {
        f"{path}: it is on a network file system ({own}), where not every change is told"
        for path in (agents, config, ear.bell)
    }
    assert set(ear.follow(agents, files=(config,))) == wanted
    monkeypatch.undo()
    assert ear.follow(agents, files=(config,)) == ()


def test_the_kernels_list_of_mounts_is_read() -> None:
    text = textwrap.dedent("""\
        22 27 0:21 / /proc rw,relatime - proc proc rw
        27 1 254:3 / / rw,relatime shared:1 - ext4 /dev/root rw
        90 27 0:51 /home /home\\040of\\040all rw,nosuid shared:44 master:2 - nfs4 server:/home rw,addr=10.0.0.1
        91 27 0:52 / /mnt/c rw - 9p drvfs rw,dirsync
    """)
    found = {(os.major(device), os.minor(device)): type_ for device, type_ in devices(text)}
    assert found == {(0, 21): "proc", (254, 3): "ext4", (0, 51): "nfs4", (0, 52): "9p"}
    assert {"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"} <= mounts.NETWORK


def test_where_there_is_no_such_list_nothing_is_on_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "_TABLE", tmp_path / "none")
    assert network_devices() == {}


def _descriptors() -> int:
    gc.collect()  # what other tests of this process left would go in the middle
    return len(list(Path("/proc/self/fd").iterdir()))


def _places() -> int:
    """How many places in inotify's table this process has."""
    count = 0
    for path in Path("/proc/self/fdinfo").iterdir():
        with suppress(OSError):
            count += path.read_text().count("inotify wd:")
    return count
