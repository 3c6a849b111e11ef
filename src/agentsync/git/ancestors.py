"""Commits in the history of another one, by the first digits of their ids."""

from __future__ import annotations

from collections.abc import Callable

from agentsync.git.process import Done


def ancestors(git: Callable[..., Done], abbreviated: str, tip: str) -> list[str]:
    """Return the ids that begin with these digits, of a commit and of those in its history, merged sides included.

    Args:
        git: runs a command in the repository.
        abbreviated: at least four digits of an id.
        tip: the id of the commit.
    """
    objects = git("rev-parse", f"--disambiguate={abbreviated}").output.decode().split()
    return [
        id_
        for id_ in objects
        if git("rev-parse", "--verify", "--quiet", f"{id_}^{{commit}}").output.decode().strip() == id_
        and git("merge-base", "--is-ancestor", id_, tip).status == 0
    ]
