"""Files below a directory: nothing outside is reached, nothing that is not ours is replaced."""

from __future__ import annotations

import errno
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentsync.core.codes import Code
from agentsync.core.digest import digest
from agentsync.state.records import RACY_NS, Known, Stat
from agentsync.targets import directory_handle as dirfd
from agentsync.targets.directory_handle import DirectoryHandle, UnsafePathError
from agentsync.targets.managed_files import digest_of, digest_on_disk, grouped
from agentsync.targets.observe import ABSENT, ChangedError, opened
from agentsync.targets.target_directory import TargetDirectory, TargetError, find_link, temporary
from support.processes import without_root_privileges

_ACL = "system.posix_acl_access"

needs_symlinks = pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")


@pytest.fixture(params=["descriptors", "paths"])
def target(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A target directory, used in both of the ways that platforms need."""
    if request.param == "paths":
        monkeypatch.setattr(dirfd, "_DESCRIPTORS", False)
    path = tmp_path / "target"
    path.mkdir()
    return path


def publish(directory: TargetDirectory, relative: str, data: bytes) -> None:
    temp = temporary(relative)
    directory.stage(temp, data)
    directory.publish_new(temp, relative)


def age(path: Path) -> None:
    """Give a file an old modification time; its change time stays, as the kernel sets that."""
    os.utime(path, ns=(1_000, 1_000))


def tree(path: Path) -> list[str]:
    return sorted(str(child.relative_to(path)) for child in path.rglob("*"))


@pytest.mark.parametrize("relative", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", "./x", "a\0b", "\ud800"])
def test_paths_that_could_lead_out_are_refused(target: Path, relative: str) -> None:
    with TargetDirectory.open(target) as directory, pytest.raises(UnsafePathError):
        directory.observe(relative)
    with TargetDirectory.open(target) as directory, pytest.raises(UnsafePathError):
        directory.stage(relative, b"")
    assert tree(target.parent) == ["target"]


def test_an_edit_while_the_mode_is_copied_is_kept(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing comes between the last look and the change itself."""
    change_mode = os.chmod

    def write(path: int | str, mode: int) -> None:
        change_mode(path, mode)
        (target / "x.md").write_bytes(b"mine")

    with TargetDirectory.open(target) as directory:
        publish(directory, "x.md", b"old")
        temp = temporary("x.md")
        directory.stage(temp, b"new")
        monkeypatch.setattr(os, "chmod", write)
        with pytest.raises(ChangedError):
            directory.publish_over(temp, "x.md", digest(b"old"))
    assert (target / "x.md").read_bytes() == b"mine"


def _acl(user: int) -> bytes:
    """The ACL of a file with mode 0640 that another user may read too (acl(5), in the form that Linux stores)."""
    entries = [(0x01, 6, -1), (0x02, 4, user), (0x04, 4, -1), (0x10, 4, -1), (0x20, 0, -1)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root can give a file away, and an ACL")
@pytest.mark.parametrize("has_acl", [True, False])
def test_an_updated_file_keeps_its_owner_group_mode_and_acl(target: Path, *, has_acl: bool) -> None:
    file, default = target / "x.md", "system.posix_acl_default"
    with TargetDirectory.open(target) as directory:
        publish(directory, "x.md", b"old")
        os.chown(file, 12345, 12346)
        file.chmod(0o640)
        if has_acl:
            os.setxattr(file, _ACL, _acl(12347))
        else:
            os.setxattr(target, default, _acl(12347))  # which a new file gets, but this one had not
        temp = temporary("x.md")
        directory.stage(temp, b"new")
        directory.publish_over(temp, "x.md", digest(b"old"))
    status = file.stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o777) == (12345, 12346, 0o640)
    assert (os.getxattr(file, _ACL) if _ACL in os.listxattr(file) else None) == (_acl(12347) if has_acl else None)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no groups")
def test_permissions_of_a_group_that_cannot_be_kept_go(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with TargetDirectory.open(target) as directory:
        publish(directory, "x.md", b"old")
        (target / "x.md").chmod(0o664)
        temp = temporary("x.md")
        directory.stage(temp, b"new")
        if os.geteuid() == 0:
            os.chown(target / "x.md", -1, 12346)

        def refuses(*_arguments: int) -> None:
            raise PermissionError

        monkeypatch.setattr(os, "fchown", refuses)
        directory.publish_over(temp, "x.md", digest(b"old"))
    assert (target / "x.md").stat().st_mode & 0o777 == (0o604 if os.geteuid() == 0 else 0o664)


def test_a_published_file_has_its_bytes_and_the_usual_mode(target: Path) -> None:
    with TargetDirectory.open(target) as directory:
        publish(directory, "a/b.md", b"hello")
        directory.sync()
        assert directory.observe("a/b.md").actual.digest == digest(b"hello")
    assert tree(target) == ["a", "a/b.md"]
    reference = target.parent / "reference"
    reference.touch()
    assert (target / "a" / "b.md").stat().st_mode == reference.stat().st_mode


def test_the_longest_names_can_be_staged(target: Path) -> None:
    name = "é" * 126 + ".md"
    with TargetDirectory.open(target) as directory:
        publish(directory, name, b"hello")
    assert tree(target) == [name]


def test_publishing_a_new_file_never_replaces_one(target: Path) -> None:
    (target / "x.md").write_bytes(b"user")
    with TargetDirectory.open(target) as directory, pytest.raises(ChangedError):
        publish(directory, "x.md", b"ours")
    assert (target / "x.md").read_bytes() == b"user"


def test_where_there_are_no_links_a_new_file_is_renamed_and_still_never_replaces_one(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    with TargetDirectory.open(target) as directory:
        publish(directory, "x.md", b"first")
        with pytest.raises(ChangedError):
            publish(directory, "x.md", b"second")
    assert (target / "x.md").read_bytes() == b"first"


def test_publishing_over_needs_the_bytes_that_were_observed(target: Path) -> None:
    (target / "x.md").write_bytes(b"old")
    with TargetDirectory.open(target) as directory:
        temp = temporary("x.md")
        directory.stage(temp, b"new")
        with pytest.raises(ChangedError):
            directory.publish_over(temp, "x.md", digest(b"other"))
        assert (target / "x.md").read_bytes() == b"old"
        directory.publish_over(temp, "x.md", digest(b"old"))
    assert (target / "x.md").read_bytes() == b"new"
    assert tree(target) == ["x.md"]


def test_removing_needs_the_bytes_that_were_observed(target: Path) -> None:
    (target / "x.md").write_bytes(b"edited")
    with TargetDirectory.open(target) as directory:
        for path in ("x.md", "absent.md"):
            with pytest.raises(ChangedError):
                directory.remove(path, digest(b"old"))
        directory.remove("x.md", digest(b"edited"))
    assert tree(target) == []


@needs_symlinks
def test_a_link_is_never_replaced_or_removed_even_when_that_was_observed(target: Path) -> None:
    (target / "x.md").symlink_to(target.parent / "precious")
    with TargetDirectory.open(target) as directory:
        temp = temporary("x.md")
        directory.stage(temp, b"new")
        expected = directory.observe("x.md").actual.digest
        assert expected == ""
        with pytest.raises(ChangedError):
            directory.publish_over(temp, "x.md", expected)
        with pytest.raises(ChangedError):
            directory.remove("x.md", expected)
    assert (target / "x.md").is_symlink()


def test_directories_that_a_deletion_leaves_empty_go_but_not_the_target(target: Path) -> None:
    with TargetDirectory.open(target) as directory:
        publish(directory, "a/b/c/x.md", b"x")
        publish(directory, "a/y/z/y.md", b"y")
        directory.remove("a/b/c/x.md", digest(b"x"))
        assert tree(target) == ["a", "a/y", "a/y/z", "a/y/z/y.md"]
        directory.remove("a/y/z/y.md", digest(b"y"))
        directory.sync()
    assert tree(target.parent) == ["target"]


def test_discarding_a_file_that_was_never_staged_is_fine(target: Path) -> None:
    with TargetDirectory.open(target) as directory:
        directory.discard(temporary("a/x.md"))
        temp = temporary("a/x.md")
        directory.stage(temp, b"x")
        directory.discard(temp)
    assert tree(target) == []


def test_a_staged_name_that_is_taken_is_not_written_to(target: Path) -> None:
    temp = temporary("x.md")
    (target / temp).write_bytes(b"user")
    with TargetDirectory.open(target) as directory, pytest.raises(FileExistsError):
        directory.stage(temp, b"ours")
    assert (target / temp).read_bytes() == b"user"


def test_absent_files_and_directories_are_observed_as_absent(target: Path) -> None:
    with TargetDirectory.open(target) as directory:
        assert directory.observe("x.md") == directory.observe("a/b/x.md") == ABSENT


@needs_symlinks
def test_only_a_plain_file_is_ours(target: Path) -> None:
    (target / "directory").mkdir()
    (target / "file").write_bytes(b"x")
    (target / "link").symlink_to("file")
    (target / "linked").symlink_to(target.parent)
    os.mkfifo(target / "fifo")
    with TargetDirectory.open(target) as directory:
        reasons = {
            name: directory.observe(name).actual for name in ("directory", "link", "fifo", "file/x.md", "linked/x.md")
        }
    assert {actual.digest for actual in reasons.values()} == {""}
    assert reasons["link"].reason == "it is a symbolic link"
    assert "above" in reasons["linked/x.md"].reason


@needs_symlinks
def test_a_link_inside_the_target_leads_no_write_outside(target: Path) -> None:
    outside = target.parent / "outside"
    outside.mkdir()
    (target / "sub").symlink_to(outside)
    with TargetDirectory.open(target) as directory, pytest.raises(OSError, match=r"symbolic links|Not a directory"):
        publish(directory, "sub/x.md", b"x")
    assert tree(outside) == []


@needs_symlinks
def test_swapping_the_target_for_a_link_leads_no_write_outside(tmp_path: Path) -> None:
    target, outside = tmp_path / "target", tmp_path / "outside"
    target.mkdir()
    outside.mkdir()
    with TargetDirectory.open(target) as directory:
        target.rename(tmp_path / "moved")
        target.symlink_to(outside)
        publish(directory, "sub/x.md", b"x")
    assert tree(outside) == []
    assert tree(tmp_path / "moved") == ["sub", "sub/x.md"]


@needs_symlinks
def test_a_target_that_is_a_link_is_followed_only_when_allowed(target: Path) -> None:
    link = target.parent / "link"
    link.symlink_to(target)
    with pytest.raises(TargetError) as caught:
        TargetDirectory.open(link)
    assert caught.value.code is Code.TARGET_SYMLINK
    with TargetDirectory.open(link, follow_symlinks=True) as directory:
        publish(directory, "x.md", b"x")
    assert tree(target) == ["x.md"]


@needs_symlinks
def test_a_link_above_the_target_is_followed_only_when_allowed(target: Path) -> None:
    (target.parent / ".tool").symlink_to(target)
    agents = target.parent / ".tool" / "agents" / "mine"
    with pytest.raises(TargetError, match=r"\.tool` is a symbolic link") as caught:
        TargetDirectory.open(agents, create=True)
    assert caught.value.code is Code.TARGET_SYMLINK
    assert tree(target) == []
    with TargetDirectory.open(agents, create=True, follow_symlinks=True) as directory:
        publish(directory, "x.md", b"x")
    assert tree(target) == ["agents", "agents/mine", "agents/mine/x.md"]


@needs_symlinks
def test_a_link_on_the_way_to_the_home_is_the_systems_own(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (target.parent / "home").symlink_to(target)
    monkeypatch.setenv("USERPROFILE" if os.name == "nt" else "HOME", str(target.parent / "home"))
    path = target.parent / "home" / ".tool"
    assert find_link(path) is None
    with TargetDirectory.open(path, create=True) as directory:
        publish(directory, "x.md", b"x")
    assert tree(target) == [".tool", ".tool/x.md"]


@pytest.mark.skipif(not hasattr(os, "O_PATH"), reason="only there a directory can be opened that cannot be read")
def test_a_directory_above_need_not_be_readable(tmp_path: Path) -> None:
    (tmp_path / "shared" / "target").mkdir(parents=True)
    (tmp_path / "shared").chmod(0o311)
    code = (
        "import sys, pathlib; from agentsync.targets.target_directory import TargetDirectory; "
        "TargetDirectory.open(pathlib.Path(sys.argv[1])).close()"
    )
    command = [*without_root_privileges(), sys.executable, "-c", code, str(tmp_path / "shared" / "target")]
    assert subprocess.run(command, check=False).returncode == 0


@needs_symlinks
def test_a_link_in_the_place_of_a_staged_file_does_not_change_the_mode_of_its_target(tmp_path: Path) -> None:
    target, precious = tmp_path / "target", tmp_path / "precious"
    target.mkdir()
    precious.write_bytes(b"mine")
    precious.chmod(0o600)
    (target / "x.md").write_bytes(b"old")
    (target / "x.md").chmod(0o644)
    with TargetDirectory.open(target) as directory:
        temp = temporary("x.md")
        (target / temp).symlink_to(precious)
        with pytest.raises(OSError, match="symbolic links"):
            directory.publish_over(temp, "x.md", digest(b"old"))
    assert precious.stat().st_mode & 0o777 == 0o600
    assert (target / "x.md").read_bytes() == b"old"


@needs_symlinks
def test_an_entry_that_replaces_a_file_while_it_is_opened_is_not_read(target: Path) -> None:
    (target / "link").symlink_to("file")
    os.mkfifo(target / "fifo")
    with DirectoryHandle.open(target) as directory:
        with pytest.raises(OSError, match="symbolic links"), opened(directory, "link"):
            pass
        with pytest.raises(ChangedError), opened(directory, "fifo"):
            pass


def test_a_missing_target_is_made_only_with_create(target: Path) -> None:
    path = target / "a" / "b"
    with pytest.raises(TargetError) as caught:
        TargetDirectory.open(path)
    assert caught.value.code is Code.TARGET_MISSING
    assert tree(target) == []
    TargetDirectory.open(path, create=True).close()
    assert tree(target) == ["a", "a/b"]


def test_a_target_that_is_a_file_cannot_be_used(target: Path) -> None:
    (target / "file").write_bytes(b"user")
    with pytest.raises(TargetError) as caught:
        TargetDirectory.open(target / "file", create=True)
    assert caught.value.code is Code.WRITE_FAILED


def test_a_file_is_read_again_only_when_its_stat_changed(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = target / "x.md"
    path.write_bytes(b"one")
    age(path)
    now = path.stat().st_ctime_ns
    with TargetDirectory.open(target) as directory:
        monkeypatch.setattr(time, "time_ns", lambda: now + 10 * RACY_NS)
        first = directory.observe("x.md")
        assert first.known
        assert directory.observe("x.md", first.known).known is first.known
        path.write_bytes(b"two")
        age(path)
        second = directory.observe("x.md", first.known)
    assert second.actual.digest == digest(b"two")


def test_a_digest_that_was_taken_right_after_a_write_is_not_trusted(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = target / "x.md"
    path.write_bytes(b"one")
    now = path.stat().st_ctime_ns
    monkeypatch.setattr(time, "time_ns", lambda: now + RACY_NS)
    with TargetDirectory.open(target) as directory:
        assert directory.observe("x.md").known is None
    status = path.stat()
    stat = Stat(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    assert not Known("stale", stat, now + RACY_NS).holds_for(stat)


def test_a_stat_proves_that_files_are_as_they_were_wherever_they_lie(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("a.md", "b.md", "sub/c.md")
    (target / "sub").mkdir()
    for name in names:
        (target / name).write_bytes(b"one")
        age(target / name)
    now = time.time_ns()
    with TargetDirectory.open(target) as directory:
        monkeypatch.setattr(time, "time_ns", lambda: now + 10 * RACY_NS)
        known = {name: observed.known for name in names if (observed := directory.observe(name)).known}
        assert directory.holds("sub/c.md", known["sub/c.md"])
        assert not directory.holds("sub/c.md", known["sub/c.md"]._replace(observed_ns=now))
        assert not directory.holds("gone/x.md", known["a.md"])
    files = {str(target): grouped(names, follow_symlinks=False)}
    stats = [known[name].stat for name in names]
    assert digest_on_disk(files) == digest_of(stats)
    for index, one in enumerate(stats):
        for field in one._fields:
            other = one._replace(**{field: getattr(one, field) + 1})
            assert digest_on_disk(files) != digest_of([*stats[:index], other, *stats[index + 1 :]])
    (target / "b.md").rename(target / "moved.md")
    assert digest_on_disk(files) is None
    (target / "b.md").symlink_to(target / "moved.md")
    assert digest_on_disk(files) is None
