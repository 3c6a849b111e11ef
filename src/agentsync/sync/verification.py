"""Verification of a source that requires signatures, before anything of its commit is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agentsync.core.errors import UnverifiedError

if TYPE_CHECKING:
    from agentsync.git.mirror import Mirror, Remote, Signers
    from agentsync.git.objects import CommitFacts
    from agentsync.state.records import SourceState

CLOCKS_DIFFER: Final = 86_400
"""Seconds that a commit may be dated before the one that was trusted last, since clocks differ."""


def prove(mirror: Mirror, remote: Remote, commit: CommitFacts, signers: Signers, last: SourceState) -> None:
    """Check that a fetched commit is signed by one of the signers, and is not an old one that is replayed.

    `fetch` has compared the commit with the last one already, unless history may be rewritten. The commit may then be
    on another line of history, but not go back: an attacker without a key could otherwise serve any commit that was
    ever signed.

    Args:
        mirror: where it was fetched to.
        remote: what was fetched.
        commit: the commit that the ref points to.
        signers: who may sign.
        last: the recorded state of the source.

    Raises:
        UnverifiedError: it is not signed as required, or it is older than the one that was trusted last.
        SourceUnavailableError: the mirror cannot be read.
    """
    mirror.verify(commit.id, remote, signers)
    if not last.commit or last.commit == commit.id or remote.is_commit:
        return
    if _is_older(mirror, commit, last):
        raise UnverifiedError(
            f"{commit.id[:12]} is older than {last.commit[:12]}, which was trusted already",
            place=remote.place,
            hint="to go back, sign a new commit with the old content, or follow the old one by its id with `commit`",
        )


def _is_older(mirror: Mirror, commit: CommitFacts, last: SourceState) -> bool:
    """Whether a commit is older than the last one, by ancestry or by date.

    Dates are compared only where both commits were verified, since anybody can write them. Without that, an expired key
    could still sign, with a date from before it expired: git checks whether the key was valid at the date in the
    commit. Where the mirror was lost, and history was rewritten, only the dates can be compared.
    """
    dated = last.committed_at if last.verified_by else None
    if not mirror.has(last.commit):
        return dated is not None and commit.time <= dated
    return mirror.is_ancestor(commit.id, last.commit) or (dated is not None and commit.time < dated - CLOCKS_DIFFER)
