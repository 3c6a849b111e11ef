"""Ask a remote where a ref leads, without a fetch: one command that writes nothing, and imports little.

It is for the usual case, in which the remote has nothing new. Any other answer is for a fetch to deal with.
"""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from agentsync.git.bare_repository import BareRepository
from agentsync.git.connection import Connection
from agentsync.git.object_ids import is_object_id
from agentsync.git.process import Done
from agentsync.git.remote import Remote


@dataclass(frozen=True, slots=True)
class MirrorPlace:
    """Where the mirror of a source is, and the empty home that git gets there."""

    directory: Path
    home: Path

    def condition(self) -> str:
        """Return what changes when objects are added to the mirror or lost from it; empty where there is none.

        A fetch examines the mirror by its way. So where none is made this has to be as it was after the last one.
        """
        facts = []
        try:
            with os.scandir(self.directory / "objects/pack") as packs:
                for pack in packs:
                    status = pack.stat(follow_symlinks=False)
                    facts.append((pack.name, status.st_size, status.st_mtime_ns, status.st_ino))
            for name in ("HEAD", "config"):
                status = (self.directory / name).lstat()
                facts.append((name, status.st_size, status.st_mtime_ns, status.st_ino))
            marks = sorted(mark.name for mark in self.directory.glob("agentsync-*"))
        except OSError:
            return ""
        return hashlib.sha256(repr((sorted(facts), marks)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer to the question where a ref leads.

    Attributes:
        id: of the commit; empty where there was no clear answer.
        failed: the command, where it failed.
        seconds: how long it took.
    """

    id: str
    failed: Done | None
    seconds: float


def ask(place: MirrorPlace, remote: Remote) -> Answer | None:
    """Ask a remote for the commit that its ref leads to; None where only a fetch can tell.

    Args:
        place: of its mirror.
        remote: what is asked for; it was fetched before, so it needs no check.

    Raises:
        SourceUnavailableError: git is missing, or something here keeps it from being run.
    """
    if remote.is_commit or remote.is_pattern:
        return None
    began = time.monotonic()
    connection = Connection.open(BareRepository(place.directory, place.home), remote)
    peeled = f"{remote.ref}^{{}}"  # the commit of an annotated tag
    done = connection.run("ls-remote", "--quiet", "--", connection.url, remote.ref, peeled)
    seconds = time.monotonic() - began
    if done.status or done.overflowed:
        return Answer("", done, seconds)
    lines = (line.partition("\t") for line in done.output.decode(errors="replace").splitlines())
    ids = {ref: id_ for id_, _, ref in lines if is_object_id(id_)}
    return Answer(ids.get(peeled) or ids.get(remote.ref, ""), None, seconds)
