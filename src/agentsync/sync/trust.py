"""What a source that asks for signatures must pass before anything of its commit is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agentsync.core.errors import UnverifiedError

if TYPE_CHECKING:
    from agentsync.git.mirror import Mirror, Remote, Signers
    from agentsync.git.objects import CommitFacts
    from agentsync.state.store import SourceState

CLOCKS_DIFFER: Final = 86_400
"""By how many seconds a commit may be dated before the one that was trusted last."""


def prove(mirror: Mirror, remote: Remote, commit: CommitFacts, signers: Signers, last: SourceState) -> None:
    """Make sure that what was fetched is signed by one of the signers, and nothing old that is played back.

    `fetch` has compared the commit with the last one already, unless history may be rewritten. It may then lead
    elsewhere, but not back: who has no key could otherwise serve any commit that was ever signed.

    Args:
        mirror: where it was fetched to.
        remote: what was fetched.
        commit: the commit that it led to.
        signers: who may sign.
        last: what is known of the source.

    Raises:
        UnverifiedError: it is not signed as it must be, or it is older than the one that was trusted last.
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
    """Whether a commit came before the last one, by what descends from what or by the dates.

    Dates are compared only where both commits were verified, since anybody can write them. Without that, a key that has
    expired could still sign, with a date from before it did: git asks whether it was valid at the date that the
    commit names. Where the mirror was lost, and history was rewritten, the dates are all that there is to go by.
    """
    dated = last.committed_at if last.verified_by else None
    if not mirror.has(last.commit):
        return dated is not None and commit.time <= dated
    return mirror.is_ancestor(commit.id, last.commit) or (dated is not None and commit.time < dated - CLOCKS_DIFFER)
