"""Check that a commit or a tag is signed by a signer allowed on this machine.

Git decides, and only its exit status counts: it prints that a signature is good even where the key is unknown. The
programs that check and their files are set in git's environment, which overrides any configuration. The files are
read once and passed on as copies, since git ignores a missing list of revoked keys.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from glob import escape as glob_escape
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from agentsync.core.errors import SourceUnavailableError, UnverifiedError
from agentsync.core.files import read_regular
from agentsync.core.ownership import require_trusted
from agentsync.core.urls import printable
from agentsync.git.bare_repository import BareRepository
from agentsync.git.environment import with_settings
from agentsync.git.process import READ_SECONDS, Done, run
from agentsync.git.remote import Remote

# No files of the user, no daemon that would keep running, no prompts, no network.
_GPG_SETTINGS = "batch\nno-tty\nno-autostart\ndisable-dirmngr\nno-auto-key-retrieve\nno-auto-key-import\n"

# The program for each kind of signature without configured keys. It cannot be run, so such a signature fails.
_NO_PROGRAM = os.devnull

# The longest path of a directory for gpg's files, in bytes. A socket's path may have 107 (unix(7)), of which up to 46
# are below the directory: `/agentsync-12345678/gnupg/S.gpg-agent.browser`.
_LONGEST_FOR_SOCKETS = 60
_SHORT = "/tmp"  # noqa: S108 - the directory made there has a random name and is private

NEWEST_TAG = ("-c", "versionsort.suffix=-", "for-each-ref", "--sort=-version:refname", "--count=1")
"""Arguments of git that list the newest one of tags, in the order of versions."""

_PATTERN_TAGS = "refs/agentsync/tags/"

_TAGS = "refs/tags/"
_TAG_FACTS = "--format=%(objectname)%00%(objecttype)%00%(tag)"


@dataclass(frozen=True, slots=True)
class Signers:
    """Files with the keys that may sign; ssh keys, OpenPGP keys or both are set.

    Attributes:
        allowed_signers: ssh keys, in the format of ssh-keygen(1) under ALLOWED SIGNERS.
        revoked: ssh keys that are refused even if allowed: public keys, or a list made by `ssh-keygen -k`.
        gpg_keys: exported OpenPGP keys, armored or not; each of them may sign.
    """

    allowed_signers: Path | None = None
    revoked: Path | None = None
    gpg_keys: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files whose content decides, in addition to their paths."""
        return tuple(path for path in (self.allowed_signers, self.revoked, self.gpg_keys) if path)

    @property
    def words(self) -> str:
        """The configured files as one text, without their content."""
        paths = {"allowed_signers": self.allowed_signers, "revoked": self.revoked, "gpg_keys": self.gpg_keys}
        return " ".join(f"{name}={path}" for name, path in paths.items() if path)

    def check(self) -> None:
        """Check that the files exist and can be used.

        Raises:
            UnverifiedError: a file cannot be read, or has no key that may sign.
        """
        for path in self.files:
            _read(path, may_be_empty=path == self.revoked)


def verify(repository: BareRepository, fetched: str, commit: str, remote: Remote, signers: Signers) -> None:
    """Check that a commit is signed by one of the signers or, where a tag was followed, that the tag is.

    A signed commit does not name its tags, so a server could point a tag at any commit that was ever signed. A signed
    tag names itself and its commit.

    Args:
        repository: the repository that was fetched into.
        fetched: the local ref that was fetched into, which still leads to the tag.
        commit: the commit of that ref.
        remote: the fetched ref.
        signers: the allowed signers.

    Raises:
        UnverifiedError: the signature is missing or not allowed, or it cannot be checked.
        SourceUnavailableError: the repository cannot be read.
    """
    command, id_, subject = "verify-commit", commit, f"commit {commit[:12]}"
    if remote.ref.startswith(_TAGS):
        subject = _title(repository, fetched, remote)
        command, id_ = "verify-tag", _tag_object(repository, fetched, commit, remote, subject)
    try:
        with TemporaryDirectory(prefix="agentsync-", dir=_directory_for(signers)) as scratch:
            environment = _environment(Path(scratch), signers, repository.environment)
            done = repository.run(command, id_, environment=environment)
    except OSError as error:  # usually no space is left
        message = f"the signature of {subject} cannot be checked: {error.strerror}"
        raise UnverifiedError(message, place=str(error.filename or remote.place)) from error
    if done.status:
        raise _unverified(done, subject, remote.place)


def _title(repository: BareRepository, fetched: str, remote: Remote) -> str:
    """Readable form of the tag that was followed; for a pattern, both the tag and that."""
    if not remote.is_pattern:
        return remote.title
    newest = repository.read("rev-parse", "--verify", fetched).decode().strip()
    found = repository.read(*NEWEST_TAG, f"--points-at={newest}", "--format=%(refname)", local_tags(remote))
    name = found.decode(errors="replace").strip().removeprefix(_PATTERN_TAGS)
    return f"tag {printable(name)}, the newest of {remote.ref.removeprefix(_TAGS)},"


def local_tags(remote: Remote) -> str:
    """Return the refs that tags of a pattern are fetched to."""
    return _PATTERN_TAGS + remote.ref.removeprefix(_TAGS)


def _glob(remote: Remote) -> str:
    """Return the pattern of tags of a ref, as a glob without a prefix."""
    return glob_escape(remote.ref.removeprefix(_TAGS)).replace("[*]", "*")


def _tag_object(repository: BareRepository, fetched: str, commit: str, remote: Remote, title: str) -> str:
    """Id of the annotated tag that leads to a commit and has the name of the ref; `title` is of the tag."""
    leads_to = repository.read("rev-parse", "--verify", f"{fetched}^{{commit}}").decode().strip()
    if leads_to != commit:  # another run has fetched since then
        raise SourceUnavailableError(f"{title} moved meanwhile", place=remote.place, hint="run again")
    shown = repository.read("for-each-ref", _TAG_FACTS, fetched).removesuffix(b"\n")
    id_, kind, name = shown.decode(errors="surrogateescape").split("\0")
    if kind != "tag":
        hint = "make it with `git tag -s`, or follow a branch, or the commit by its id"
        raise UnverifiedError(f"{title} is not signed", place=remote.place, hint=hint)
    if not fnmatchcase(name, _glob(remote)):
        message = f"{title} was signed as another tag"
        raise UnverifiedError(message, place=remote.place, hint="sign a tag of this name")
    return id_


def _environment(scratch: Path, signers: Signers, base: Mapping[str, str]) -> dict[str, str]:
    """Build the environment in which git accepts signatures of these signers only.

    Args:
        scratch: an empty directory for temporary files.
        signers: the allowed signers.
        base: the environment of every git command.

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
        ("gpg.minTrustLevel", "undefined"),  # every key in the file may sign, and git has no other
    )
    return with_settings(environment, settings)


def _unverified(done: Done, subject: str, place: str) -> UnverifiedError:
    """Build the error for a commit or tag that failed git's `verify-commit` or `verify-tag`.

    Args:
        done: the result of the command.
        subject: the commit or tag, as the subject of the message.
        place: the source.
    """
    output = done.stderr
    if not done.timed_out and (not output.strip() or "no signature found" in output):
        hint = "sign it with an allowed key, with `git commit -S` or `git tag -s`"
        return UnverifiedError(f"{subject} is not signed", place=place, hint=hint)
    for pattern, message, hint in _REASONS:
        if re.search(pattern, output):
            return UnverifiedError(f"{subject} {message}{_signing_key(output)}", place=place, hint=hint)
    message = f"the signature of {subject} cannot be checked: {done.reason}"
    return UnverifiedError(message, place=place, hint="see what `git verify-commit` reports for it in a clone")


_NAME_IT = "sign with a key that is, or name this one in the file of keys"

# Output of ssh-keygen and gpg, in English since the environment sets the language; the first match wins. Only the
# message to the user depends on it, not the verdict.
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


def _signing_key(output: str) -> str:
    """Fingerprint or id of the signing key; nothing else of the output is safe to repeat."""
    match = re.search(r"SHA256:[A-Za-z0-9+/]{43}|(?<= key )[0-9A-F]{16,64}\b", output)
    return f": {match[0]}" if match else ""


def _directory_for(signers: Signers) -> str:
    """Directory for the temporary files: the usual one, unless its path is too long for gpg's sockets."""
    usual = gettempdir()
    too_long = signers.gpg_keys is not None and len(os.fsencode(usual)) > _LONGEST_FOR_SOCKETS
    return _SHORT if too_long and os.access(_SHORT, os.W_OK) else usual


def _read(path: Path | None, *, may_be_empty: bool = False) -> bytes:
    """Read a file of keys; empty where none is set."""
    if path is None:
        return b""
    try:
        content = read_regular(path)
    except OSError as error:
        message = f"the keys that may sign cannot be read: {error.strerror}"
        raise UnverifiedError(
            message, place=str(path), hint="put the file there; without it no signature is accepted"
        ) from error
    try:
        require_trusted(path)
    except OSError as error:
        message = f"another user could decide who may sign: {error.strerror}"
        hint = "let you or root own the file, and nobody else write to it"
        raise UnverifiedError(message, place=str(path), hint=hint) from error
    if not content.strip() and not may_be_empty:
        raise UnverifiedError("this file has no key that may sign", place=str(path), hint="add a key to it")
    return content


def _program(name: str, hint: str) -> str:
    """Path of a program that checks signatures."""
    path = shutil.which(name)
    if path is None:
        raise UnverifiedError(f"{name} was not found, and signatures are required", hint=hint)
    return path


def _import_keys(gpg: str, keys: Path, home: Path, environment: Mapping[str, str]) -> None:
    """Create a keyring with these keys and no others."""
    copy = home / "keys"
    copy.write_bytes(_read(keys))
    (home / "gpg.conf").write_text(_GPG_SETTINGS, encoding="utf-8")
    done = run([gpg, "--quiet", "--import", str(copy)], home, environment, time.monotonic() + READ_SECONDS)
    if done.status:
        message = "gpg cannot read the keys that may sign"
        raise UnverifiedError(message, place=str(keys), hint="write it with `gpg --armor --export KEY`")
