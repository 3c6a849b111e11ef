"""The identity of a commit apart from its signature, which is not part of what is signed.

Anybody can copy a signed commit with another form of its signature: with the header twice, the armor wrapped in another
way, or a comment in it. The copy has another object id, and its signature is still good. Its signer signed it all the
same, since all else is equal; but the commits that follow the original do not descend from the copy.
"""

from __future__ import annotations

import re

from agentsync.git.bare_repository import BareRepository

_FACTS = ("--no-show-signature", "--format=%H %T %P")

# A header of a commit ends with the line that no space follows (gitformat-signature(5)).
_SIGNATURE = re.compile(rb"^gpgsig(?:-sha256)? [^\n]*\n(?: [^\n]*\n)*", re.MULTILINE)


def signed_part(commit: bytes) -> bytes:
    """Return what the signature of a commit is for: the object without any signature."""
    headers, separator, message = commit.partition(b"\n\n")
    return _SIGNATURE.sub(b"", headers + b"\n") + separator[1:] + message


def copy_in_history(repository: BareRepository, commit: str, newer: str) -> str | None:
    """Return the id of a commit in the history of a newer one that differs from another by its signature only.

    Raises:
        SourceUnavailableError: the repository cannot be read.
    """
    facts = repository.read("log", "-1", *_FACTS, commit).decode().split()[1:]
    parents = (f"^{parent}" for parent in facts[1:])
    listed = map(str.split, repository.read("log", *_FACTS, newer, *parents).decode().splitlines())
    alike = [id_ for id_, *others in listed if others == facts]
    signed = signed_part(repository.read("cat-file", "commit", commit)) if alike else b""
    return next((id_ for id_ in alike if signed_part(repository.read("cat-file", "commit", id_)) == signed), None)
