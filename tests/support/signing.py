"""Keys that are made on the spot, and commits and tags that are signed with them as people do it: by git."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from support.repository import Repository

_PATH = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


@dataclass(frozen=True, slots=True)
class Key:
    """A key that git can sign with.

    Attributes:
        settings: git's settings to sign with it.
        public: its public part: one line for ssh, an armored export for OpenPGP.
    """

    settings: Mapping[str, str]
    public: str

    @property
    def _options(self) -> list[str]:
        return [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]

    def commit(self, repository: Repository, message: str = "Signed", *, date: str = "") -> str:
        """Replace the branch's last commit by the same one with a signature.

        Args:
            repository: where.
            message: of the commit.
            date: of the commit, as git reads dates; now where left out.
        """
        head = repository.head
        parents = repository.git("show", "-s", "--format=%P", head).split()
        options = [option for parent in parents for option in ("-p", parent)]
        variables = {"GIT_COMMITTER_DATE": date} if date else {}
        command = ["commit-tree", "-S", f"{head}^{{tree}}", "-m", message, *options]
        signed = repository.git(*self._options, *command, variables=variables)
        repository.reset(signed)
        return signed

    def tag(self, repository: Repository, name: str, commit: str = "") -> str:
        """Make a signed tag, or move it; return its own id."""
        repository.git(*self._options, "tag", "--force", "-s", "-m", name, name, commit or repository.head)
        return repository.git("rev-parse", f"refs/tags/{name}")


def ssh_key(directory: Path, name: str = "ada") -> Key:
    """A new ed25519 key."""
    file = _ssh_key_file(directory, name)
    settings = {"gpg.format": "ssh", "user.signingKey": str(file)}
    return Key(settings, _public(file))


def ssh_certificate(directory: Path, authority: Path, principal: str) -> Key:
    """A new key that an authority vouches for, by one name."""
    file = _ssh_key_file(directory, f"{principal}-certified")
    _run("ssh-keygen", "-q", "-s", str(authority), "-I", principal, "-n", principal, f"{file}.pub")
    settings = {"gpg.format": "ssh", "user.signingKey": f"{file}-cert.pub"}
    return Key(settings, _public(file))


def ssh_authority(directory: Path) -> tuple[Path, str]:
    """A key that signs others: its file, and its public line."""
    file = _ssh_key_file(directory, "authority")
    return file, _public(file)


def ssh_revocation_list(directory: Path, key: Key) -> bytes:
    """OpenSSH's own binary list of revoked keys."""
    public, made = directory / "gone.pub", directory / "revoked.krl"
    public.write_text(f"{key.public}\n")
    _run("ssh-keygen", "-q", "-k", "-f", str(made), str(public))
    return made.read_bytes()


def allowed(key: Key, principal: str = "ada@example.org", options: str = 'namespaces="git"') -> str:
    """A line of an allowed-signers file."""
    return f"{principal} {options} {key.public}\n"


class GnuPG:
    """A GnuPG home of its own; `close` ends what gpg left running in it."""

    def __init__(self, home: Path) -> None:
        home.mkdir(mode=0o700, parents=True)
        self._home = home
        self._environment = _PATH | {"GNUPGHOME": str(home), "HOME": str(home)}

    def key(self, name: str, *, at: str = "", lasts: str = "never") -> Key:
        """A new ed25519 key, made at a time such as `20200101T000000` and good for a time such as `1y`."""
        clock = ["--faked-system-time", f"{at}!"] if at else []
        arguments = ["--quick-generate-key", f"{name} <{name}@example.org>", "ed25519", "sign", lasts]
        self._gpg(*clock, "--passphrase", "", *arguments)
        program = self._home / f"gpg-{name}"
        program.write_text(f'#!/bin/sh\nGNUPGHOME="{self._home}" exec gpg {" ".join(clock)} "$@"\n')
        program.chmod(0o700)
        fingerprint = self._fingerprint(name)
        settings = {"gpg.format": "openpgp", "gpg.program": str(program), "user.signingKey": fingerprint}
        return Key(settings, self.export(name))

    def revoke(self, name: str) -> str:
        """Revoke a key; return its public part with the revocation."""
        file = self._home / "openpgp-revocs.d" / f"{self._fingerprint(name)}.rev"
        file.write_text(file.read_text().replace(":-----BEGIN", "-----BEGIN"))
        self._gpg("--import", str(file))
        return self.export(name)

    def export(self, name: str) -> str:
        return self._gpg("--armor", "--export", name)

    def close(self) -> None:
        _run("gpgconf", "--kill", "all", environment=self._environment)

    def _fingerprint(self, name: str) -> str:
        listed = self._gpg("--with-colons", "--list-keys", name).splitlines()
        return next(line.split(":")[9] for line in listed if line.startswith("fpr:"))

    def _gpg(self, *arguments: str) -> str:
        return _run("gpg", "--batch", "--quiet", *arguments, environment=self._environment)


def _ssh_key_file(directory: Path, name: str) -> Path:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = directory / name
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(file))
    return file


def _public(file: Path) -> str:
    return file.with_name(f"{file.name}.pub").read_text().strip()


def _run(*command: str, environment: Mapping[str, str] = _PATH) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(environment))
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout
