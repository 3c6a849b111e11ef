"""Check that what is read of a commit is sound, where the history behind it is not.

Git checks all objects of a fetch or none, and repositories of some age have a commit that today's rules refuse, such as
one with a time zone of three digits. Such a source is fetched unchecked. Then the commit, its tree and its blobs are
checked by the same rules, and so are the commits since the one that was trusted last.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from agentsync.core.errors import SourceUnavailableError
from agentsync.core.urls import printable
from agentsync.git.bare_repository import BareRepository
from agentsync.git.process import Done
from agentsync.git.remote import Remote

_CHECKED = "refs/agentsync/checked"
_SECONDS = 300.0  # for all files of a large repository
_DEFECT = re.compile(r"^error: object ([0-9a-f]{12})[0-9a-f]*: (\w+): (.*)$", re.MULTILINE)


def finds_defect(done: Done) -> bool:
    """Whether a command failed since an object breaks one of git's rules."""
    return done.status != 0 and _DEFECT.search(done.stderr) is not None


def check_strictly(repository: BareRepository, fetched: str, commit: str, trusted: str, remote: Remote) -> None:
    """Check what is read of a commit, unless that was done before.

    Args:
        repository: the repository that was fetched into.
        fetched: the id that the ref points to, of a tag or of the commit.
        commit: the id of the commit.
        trusted: the prefix of the refs of commits that were trusted before; their history is not checked again.
        remote: what was fetched.

    Raises:
        SourceUnavailableError: an object breaks a rule that the source does not accept, or the check failed.
    """
    if repository.run("rev-parse", "--verify", "--quiet", _CHECKED).output.decode().strip() == fetched:
        return
    scratch = repository.directory / "agentsync-check"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        scratch.mkdir(mode=0o700)
        done = _check(repository, _read_with(repository, fetched, commit, trusted), scratch / "check", remote)
    except OSError as error:
        message = f"the files cannot be checked: {error.strerror}"
        raise SourceUnavailableError(message, place=str(error.filename or scratch)) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if done.status:
        raise _refused(done, remote)
    repository.read("update-ref", _CHECKED, fetched)


def _read_with(repository: BareRepository, fetched: str, commit: str, trusted: str) -> Iterable[str]:
    """Ids of what is read: the tag, the new commits, and the commit's tree with all that is in it."""
    known = repository.read("for-each-ref", "--format=%(objectname)", trusted).decode().split()
    since = ("--not", *known) if known else ("--no-walk",)
    commits = repository.read("rev-list", commit, *since, seconds=_SECONDS).decode().split()
    files = repository.read("rev-list", "--objects", f"{commit}^{{tree}}", seconds=_SECONDS)
    objects = (line.split(b" ", 1)[0].decode() for line in files.splitlines())
    return dict.fromkeys((fetched, commit, *commits, *objects))


def _check(repository: BareRepository, ids: Iterable[str], base: Path, remote: Remote) -> Done:
    """Pack the objects and index that pack, which is how git checks what it fetches.

    Args:
        repository: where the objects are.
        ids: of the objects.
        base: what the names of the files begin with, in a directory that is empty.
        remote: what was fetched.
    """
    with repository.start("pack-objects", "--quiet", "--window=0", str(base), seconds=_SECONDS) as packing:
        for id_ in ids:
            packing.write(f"{id_}\n".encode())
    if packing.status:
        raise repository.unreadable("the files of the commit cannot be read")
    (pack,) = base.parent.glob("*.pack")
    rules = ",".join(f"{rule}=ignore" for rule in remote.accept_defects)
    strict = f"--strict={rules}" if rules else "--strict"
    until = time.monotonic() + _SECONDS
    return repository.run("index-pack", strict, "-o", f"{base}.idx", str(pack), until=until)


def _refused(done: Done, remote: Remote) -> SourceUnavailableError:
    defect = _DEFECT.search(done.stderr)
    if defect is None:
        return SourceUnavailableError(f"the files cannot be checked: {done.reason}", place=remote.place)
    id_, rule, text = defect.groups()
    message = f"object {id_} breaks git's rule {rule}: {printable(text)}"
    hint = f'correct it in the repository, or accept it by accept_defects = ["{rule}"] for the source'
    return SourceUnavailableError(message, place=remote.place, hint=hint)
