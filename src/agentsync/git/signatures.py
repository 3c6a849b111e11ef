"""Whether a commit or a tag is signed by somebody whom this machine lets sign.

Git decides, and of what it answers the exit status alone counts: it prints that a signature is good also where nobody
knows the key. Which programs check, and by which files, is told on git's command line, which goes before whatever any
configuration says. The files are read once and handed on as copies: git overlooks a list of revoked keys that has gone.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from agentsync.core.errors import SourceUnavailableError, UnverifiedError
from agentsync.git.bare_repository import BareRepository
from agentsync.git.environment import with_settings
from agentsync.git.process import READ_SECONDS, Done, run
from agentsync.git.remote import Remote

# Nothing of the user's, no daemon that would stay behind, no question, no network.
_GPG_SETTINGS = "batch\nno-tty\nno-autostart\ndisable-dirmngr\nno-auto-key-retrieve\nno-auto-key-import\n"

# Each kind of signature is checked by this program, which cannot be run, unless keys of the kind are named.
_NO_PROGRAM = os.devnull

# Bytes of a directory for gpg's files, since the path of a socket may have 107 (unix(7)), and in there it has 46 more:
# `/agentsync-12345678/gnupg/S.gpg-agent.browser`.
_LONGEST_FOR_SOCKETS = 60
_SHORT = "/tmp"  # noqa: S108 - what is made there has a name that nobody guesses, and is its owner's alone

_TAGS = "refs/tags/"
_TAG_FACTS = "--format=%(objectname)%00%(objecttype)%00%(tag)"


@dataclass(frozen=True, slots=True)
class Signers:
    """Who may sign: files of this machine, of which the first or the last is given, or both.

    Attributes:
        allowed_signers: ssh keys, as ssh-keygen(1) describes such a file under ALLOWED SIGNERS.
        revoked: ssh keys that count no more, whatever the other file says: public keys, or what `ssh-keygen -k` makes.
        gpg_keys: exported OpenPGP keys, armored or not; each of them may sign.
    """

    allowed_signers: Path | None = None
    revoked: Path | None = None
    gpg_keys: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """What decides, beside these paths themselves."""
        return tuple(path for path in (self.allowed_signers, self.revoked, self.gpg_keys) if path)

    @property
    def words(self) -> str:
        """Which files are asked, as one text; not what is in them."""
        named = {"allowed_signers": self.allowed_signers, "revoked": self.revoked, "gpg_keys": self.gpg_keys}
        return " ".join(f"{name}={path}" for name, path in named.items() if path)

    def check(self) -> None:
        """Make sure that the files are there.

        Raises:
            UnverifiedError: one cannot be read, or names nobody who may sign.
        """
        for path in self.files:
            _read(path, may_be_empty=path == self.revoked)


def verify(repository: BareRepository, fetched: str, commit: str, remote: Remote, signers: Signers) -> None:
    """Make sure that a commit is signed by one of these; where a tag was followed, that the tag is.

    A commit says nothing of the tags that lead to it, so whoever serves a tag could let it lead to any commit that was
    ever signed. A signed tag names itself, and its commit.

    Args:
        repository: where it was fetched to.
        fetched: the ref that it was fetched into, which still leads to the tag.
        commit: the commit that this leads to.
        remote: what was fetched.
        signers: who may sign.

    Raises:
        UnverifiedError: it is not, or it cannot be checked.
        SourceUnavailableError: the repository cannot be read.
    """
    command, id_, what = "verify-commit", commit, f"commit {commit[:12]}"
    if remote.ref.startswith(_TAGS):
        command, id_, what = "verify-tag", _tag_object(repository, fetched, commit, remote), remote.title
    try:
        with TemporaryDirectory(prefix="agentsync-", dir=_directory_for(signers)) as scratch:
            environment = _environment(Path(scratch), signers, repository.environment)
            done = repository.run(command, id_, environment=environment)
    except OSError as error:  # no space, most often
        message = f"the signature of {what} cannot be checked: {error.strerror}"
        raise UnverifiedError(message, place=str(error.filename or remote.place)) from error
    if done.status:
        raise _unverified(done, what, remote.place)


def _tag_object(repository: BareRepository, fetched: str, commit: str, remote: Remote) -> str:
    """The id of an annotated tag that leads to a commit and names itself as the ref does."""
    leads_to = repository.read("rev-parse", "--verify", f"{fetched}^{{commit}}").decode().strip()
    if leads_to != commit:  # another run has fetched since
        raise SourceUnavailableError(f"{remote.title} moved meanwhile", place=remote.place, hint="run again")
    shown = repository.read("for-each-ref", _TAG_FACTS, fetched).removesuffix(b"\n")
    id_, kind, name = shown.decode(errors="surrogateescape").split("\0")
    if kind != "tag":
        hint = "make it with `git tag -s`, or follow a branch, or the commit by its id"
        raise UnverifiedError(f"{remote.title} is not signed", place=remote.place, hint=hint)
    if name != remote.ref.removeprefix(_TAGS):
        message = f"{remote.title} was signed as another tag"
        raise UnverifiedError(message, place=remote.place, hint="sign a tag of this name")
    return id_


def _environment(scratch: Path, signers: Signers, base: Mapping[str, str]) -> dict[str, str]:
    """What git is told so that it finds the signatures of these signers good, and nobody else's.

    Args:
        scratch: an empty directory for what git needs meanwhile.
        signers: who may sign.
        base: what git is told without it.

    Raises:
        UnverifiedError: a file cannot be used, or a program is missing.
    """
    allowed, revoked, home = scratch / "allowed_signers", scratch / "revoked", scratch / "gnupg"
    environment = {**base, "TMPDIR": str(scratch), "GNUPGHOME": str(home)}
    allowed.write_bytes(_read(signers.allowed_signers))
    revoked.write_bytes(_read(signers.revoked, may_be_empty=True))
    home.mkdir(mode=0o700)
    gpg = ssh_keygen = _NO_PROGRAM
    if signers.allowed_signers:
        ssh_keygen = _program("ssh-keygen", "install OpenSSH's client")
    if signers.gpg_keys:
        gpg = _program("gpg", "install GnuPG, or name ssh keys in `allowed_signers`")
        _import_keys(gpg, signers.gpg_keys, home, environment)
    settings = (
        ("gpg.program", gpg),
        ("gpg.openpgp.program", gpg),
        ("gpg.x509.program", _NO_PROGRAM),
        ("gpg.ssh.program", ssh_keygen),
        ("gpg.ssh.allowedSignersFile", str(allowed)),
        ("gpg.ssh.revocationFile", str(revoked)),
        ("gpg.minTrustLevel", "undefined"),  # each key that is named counts, and git knows no other
    )
    return with_settings(environment, settings)


def _unverified(done: Done, what: str, place: str) -> UnverifiedError:
    """The error for what git's `verify-commit` or `verify-tag` found no good signature on.

    Args:
        done: what came of the command.
        what: the commit or tag, as a subject.
        place: the source.
    """
    declared = done.stderr
    if not done.timed_out and (not declared.strip() or "no signature found" in declared):
        hint = "sign it with an allowed key, with `git commit -S` or `git tag -s`"
        return UnverifiedError(f"{what} is not signed", place=place, hint=hint)
    for pattern, message, hint in _REASONS:
        if re.search(pattern, declared):
            return UnverifiedError(f"{what} {message}{_key(declared)}", place=place, hint=hint)
    message = f"the signature of {what} cannot be checked: {done.reason}"
    return UnverifiedError(message, place=place, hint="see what `git verify-commit` says of it in a clone")


_NAME_IT = "sign with a key that is, or name this one in the file of keys"

# What ssh-keygen and gpg say, in the language that they are told to speak; the first that matches counts. Only words
# for the user hang on it.
_REASONS = (
    (
        "key has expired|key is not yet valid|EXPKEYSIG|This key has expired|Signature expired",
        "is signed by a key that had expired or was not valid yet",
        "sign with a key that is valid, or correct its dates in the file of keys",
    ),
    ("No principal matched|No public key", "is signed by a key that is not allowed", _NAME_IT),
    ("has been revoked", "is signed by a key that is revoked", "sign with another key"),
    (
        "incorrect signature|BAD signature",
        "was changed after it was signed",
        "find out who changed it before it is signed again",
    ),
    (
        "Could not verify signature",
        "is signed by a key that is revoked, or that may not sign commits",
        "sign with another key",
    ),
    (
        f"cannot (run|exec) '?{_NO_PROGRAM}|incompatible signature",
        "is signed by another kind of key than those that are named",
        "`allowed_signers` names ssh keys, `gpg_keys` OpenPGP keys",
    ),
)


def _key(declared: str) -> str:
    """The key that was signed with, as ssh and gpg write it; nothing else of what they print is repeated."""
    found = re.search(r"SHA256:[A-Za-z0-9+/]{43}|(?<= key )[0-9A-F]{16,64}\b", declared)
    return f": {found[0]}" if found else ""


def _directory_for(signers: Signers) -> str:
    """Where the files may be for a while: the usual place, unless it is too deep for what gpg would have there."""
    usual = gettempdir()
    too_deep = signers.gpg_keys is not None and len(os.fsencode(usual)) > _LONGEST_FOR_SOCKETS
    return _SHORT if too_deep and os.access(_SHORT, os.W_OK) else usual


def _read(path: Path | None, *, may_be_empty: bool = False) -> bytes:
    """A file's content; nothing where no file is named."""
    if path is None:
        return b""
    try:
        content = path.read_bytes()
    except OSError as error:
        message = f"the keys that may sign cannot be known: {error.strerror}"
        raise UnverifiedError(message, place=str(path), hint="put the file there; without it nothing counts") from error
    if not content.strip() and not may_be_empty:
        raise UnverifiedError("this file names nobody who may sign", place=str(path), hint="name a key in it")
    return content


def _program(name: str, hint: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise UnverifiedError(f"{name} was not found, and signatures are asked for", hint=hint)
    return path


def _import_keys(gpg: str, keys: Path, home: Path, environment: Mapping[str, str]) -> None:
    """Makes a keyring of these keys and no other."""
    copy = home / "keys"
    copy.write_bytes(_read(keys))
    (home / "gpg.conf").write_text(_GPG_SETTINGS, encoding="utf-8")
    done = run([gpg, "--quiet", "--import", str(copy)], home, environment, time.monotonic() + READ_SECONDS)
    if done.status:
        message = "gpg cannot read the keys that may sign"
        raise UnverifiedError(message, place=str(keys), hint="write it with `gpg --armor --export KEY`")
