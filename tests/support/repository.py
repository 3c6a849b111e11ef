"""Real Git repositories for tests, made with fast-import: one process a commit, no checkout."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_EPOCH = 1_767_225_600  # 2026-01-01: dates are the same in every run, and so are commit ids
_ENVIRONMENT = {
    "PATH": os.environ.get("PATH", os.defpath),
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
}


class Repository:
    """A bare repository; write, link, remove and so on stage changes that the next commit takes.

    Attributes:
        path: its directory.
        branch: the branch that commits go to.
    """

    def __init__(self, path: Path, branch: str = "main", object_format: str = "sha1") -> None:
        self.path = path
        self.branch = branch
        self._changes: dict[bytes, tuple[str, bytes] | None] = {}
        self._time = _EPOCH
        path.mkdir(parents=True)
        self.git(
            "init", "--quiet", "--bare", "--template=", f"--initial-branch={branch}", f"--object-format={object_format}"
        )

    @property
    def url(self) -> str:
        return self.path.as_uri()

    @property
    def head(self) -> str:
        """The commit that the current branch is at; empty before the first one."""
        return self.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{self.branch}")

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Stage files by path; text becomes UTF-8, a surrogate escape the byte that it represents."""
        for path, content in files.items():
            self._changes[_encoded(path)] = ("100644", _encoded(content))

    def link(self, path: str, target: str) -> None:
        """Stage a symbolic link."""
        self._changes[_encoded(path)] = ("120000", _encoded(target))

    def submodule(self, path: str, commit: str) -> None:
        """Stage a gitlink, which is all of a submodule that a tree holds."""
        self._changes[_encoded(path)] = ("160000", _encoded(commit))

    def remove(self, *paths: str) -> None:
        """Stage the deletion of files or directories."""
        self._changes.update(dict.fromkeys(map(_encoded, paths)))

    def commit(self, message: str = "change", *, when: int | None = None) -> str:
        """Commit what is staged to the current branch.

        Args:
            message: the commit's message.
            when: seconds since the epoch; a minute after the last commit where left out.

        Returns:
            The new commit's id.
        """
        self._time = self._time + 60 if when is None else when
        person = f"Ada <ada@example.org> {self._time} +0000\n".encode()
        parent = self.head
        parts = [
            f"commit refs/heads/{self.branch}\nmark :1\n".encode(),
            *(b"author " + person, b"committer " + person),
            _data(message.encode()),
            f"from {parent}\n".encode() if parent else b"",
            *(_change(path, entry) for path, entry in self._changes.items()),
            b"\nget-mark :1\ndone\n",
        ]
        self._changes.clear()
        return self.git("fast-import", "--quiet", "--done", stdin=b"".join(parts))

    def rewrite(self, message: str = "rewritten") -> str:
        """Replace the branch's last commit by another one with the same files and the same parents."""
        parents = self.git("show", "-s", "--format=%P", self.head).split()
        options = [argument for parent in parents for argument in ("-p", parent)]
        commit = self.git("commit-tree", f"{self.head}^{{tree}}", "-m", message, *options)
        self.reset(commit)
        return commit

    def commit_in_a_bad_time_zone(self) -> str:
        """Commit the same files with a time zone that git's rules refuse today."""
        tree = self.git("rev-parse", f"{self.head}^{{tree}}")
        person = "Ada <ada@example.org> 1300000000"
        text = f"tree {tree}\nparent {self.head}\nauthor {person} +0000\ncommitter {person} -700\n\nold\n"
        arguments = ("hash-object", "-t", "commit", "-w", "--literally", "--stdin")
        self.reset(self.git(*arguments, stdin=text.encode()))
        return self.head

    def reset(self, commit: str) -> None:
        """Let the current branch point to a commit."""
        self.git("update-ref", f"refs/heads/{self.branch}", commit)

    def create_branch(self, name: str, commit: str | None = None) -> None:
        """Make a branch, at the current branch's commit where none is given."""
        self.git("update-ref", f"refs/heads/{name}", commit or self.head)

    def delete_branch(self, name: str) -> None:
        self.git("update-ref", "-d", f"refs/heads/{name}")

    def make_shallow(self) -> None:
        """Drop all history before the current branch's last commit, as a clone of depth 1 does."""
        (self.path / "shallow").write_text(f"{self.head}\n")
        self.git("repack", "-adq")
        self.git("prune", "--expire=now")

    def tag(self, name: str, commit: str | None = None, *, annotated: bool = False) -> None:
        """Make a tag or move it."""
        options = ["-a", "-m", name] if annotated else []
        self.git("tag", "--force", *options, name, commit or self.head)

    def git(self, *arguments: str, stdin: bytes | None = None, variables: Mapping[str, str] | None = None) -> str:
        """Run git in the repository, with no configuration of the user's; output without the last line end."""
        done = subprocess.run(
            ["git", *arguments],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            check=False,
            env=_ENVIRONMENT | {"GIT_DIR": str(self.path), "HOME": str(self.path)} | dict(variables or {}),
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout.decode(errors="surrogateescape").removesuffix("\n")


def _encoded(text: str | bytes) -> bytes:
    return text.encode(errors="surrogateescape") if isinstance(text, str) else text


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def _change(path: bytes, entry: tuple[str, bytes] | None) -> bytes:
    quoted = b'"' + b"".join(b"\\%03o" % byte if byte < 32 or byte in b'"\\' else bytes([byte]) for byte in path) + b'"'
    if entry is None:
        return b"D %s\n" % quoted
    mode, content = entry
    if mode == "160000":
        return b"M 160000 %s %s\n" % (content, quoted)
    return b"M %s inline %s\n%s" % (mode.encode(), quoted, _data(content))
