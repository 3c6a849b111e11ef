"""A person's own clone: read and committed to with that person's git, its configuration and keys."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from agentsync.core.errors import ConfigError
from agentsync.core.urls import split_credentials
from agentsync.git.ancestors import ancestors
from agentsync.git.merged_reverts import merged_reverts
from agentsync.git.objects import FIRST_PARENTS, CommitRecord, parse_first_parents
from agentsync.git.process import Done, executable, run

_SECONDS = 600.0  # to commit may ask for a passphrase

# A clone made with `--filter` fetches what it lacks while it is read, by programs that its own settings name (`ext::`
# in an address, core.sshCommand). One that is only looked at may be anybody's. git knows the first one since 2.44.
_NOTHING_FETCHED = {"GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}


class Clone:
    """The working tree of a clone."""

    def __init__(self, directory: Path) -> None:
        """Set the directory; it may be any one within the working tree."""
        self._directory = directory.absolute()

    @property
    def root(self) -> Path:
        """The top directory of the working tree.

        Raises:
            ConfigError: this is no clone.
        """
        return Path(os.fsdecode(self._git("rev-parse", "--show-toplevel")).rstrip("\n"))

    @property
    def exists(self) -> bool:
        """Whether the directory is in a working tree."""
        return self._run("rev-parse", "--is-inside-work-tree").output.strip() == b"true"

    @property
    def origin(self) -> str:
        """The URL of the remote `origin`, as configured and without credentials; empty where there is none."""
        done = self._run("config", "--get", "remote.origin.url")
        return split_credentials(done.output.decode(errors="replace").strip())[0]

    @property
    def is_shallow(self) -> bool:
        """Whether a part of the history is missing, as in a clone with `--depth`."""
        return self._git("rev-parse", "--is-shallow-repository").strip() == b"true"

    def first_parents(self, most: int, commit: str = "HEAD") -> list[CommitRecord]:
        """Return a commit, by default the current one, and the first parent of each, at most so many.

        Raises:
            ConfigError: there is no commit.
        """
        return parse_first_parents(self._git(*FIRST_PARENTS, f"--max-count={most}", "--end-of-options", commit, "--"))

    def merged_reverts(self, line: Sequence[CommitRecord]) -> Mapping[str, frozenset[str]]:
        """Return for the merges of a first-parent line which earlier commits of it they take back, by their ids."""
        return merged_reverts(self._git, line)

    def ancestors(self, abbreviated: str) -> list[str]:
        """Return the ids that begin with these digits, of the current commit and of all in its history."""
        return ancestors(self._run, abbreviated, "HEAD")

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether a commit is reachable from another one, or is the same."""
        return self._run("merge-base", "--is-ancestor", older, newer).status == 0

    def resolve(self, name: str) -> str:
        """Return the id of the commit that a name leads to, as git understands it.

        Raises:
            ConfigError: it leads to none.
        """
        done = self._run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        if done.status:
            raise ConfigError(f"`{name}` leads to no commit", place=str(self._directory))
        return done.output.decode().strip()

    def is_changed(self, path: Path) -> bool:
        """Whether a file is not as it was committed last, or never was committed."""
        return bool(self._git("status", "--porcelain", "--untracked-files=all", "--ignored", "--", str(path)))

    @property
    def is_detached(self) -> bool:
        """Whether no branch is checked out, as mostly in CI."""
        return self._run("symbolic-ref", "--quiet", "HEAD").status != 0

    def unpushed(self) -> tuple[int, str]:
        """Return how many commits the branch has that its upstream has not, and the upstream's name; 0 without one."""
        done = self._run("rev-parse", "--abbrev-ref", "@{upstream}")
        if done.status:
            return 0, ""
        return int(self._git("rev-list", "--count", "@{upstream}..HEAD")), done.output.decode().strip()

    def read(self, commit: str, path: str) -> bytes:
        """Return a file at a commit; empty where it has none."""
        listed = self._git("ls-tree", "--full-tree", "--name-only", commit, "--", path)
        return self._git("cat-file", "blob", f"{commit}:{path}") if listed else b""

    def commit(self, path: Path, message: str) -> str:
        """Commit one file, as it is, and nothing else; return the new commit's id.

        Raises:
            ConfigError: git refuses, with its reason.
        """
        done = self._run("commit", "--quiet", "--message", message, "--only", "--", str(path), environment=os.environ)
        if done.status:
            raise ConfigError(done.reason, place=str(self._directory))
        return self._git("rev-parse", "HEAD").decode().strip()

    def _git(self, *arguments: str) -> bytes:
        done = self._run(*arguments)
        if done.status:
            raise ConfigError(done.reason, place=str(self._directory))
        return done.output

    def _run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Done:
        variables = environment or {**os.environ, **_NOTHING_FETCHED}
        return run([executable(), *arguments], self._directory, variables, time.monotonic() + _SECONDS)
