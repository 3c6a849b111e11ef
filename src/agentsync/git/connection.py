"""A remote as the commands of one repository reach it: with its access, its quota and one deadline."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from agentsync.core.errors import SourceUnavailableError
from agentsync.git.access import access, hide_secrets
from agentsync.git.bare_repository import BareRepository
from agentsync.git.environment import with_settings
from agentsync.git.object_ids import is_object_id, object_format_of
from agentsync.git.process import Done, Quota
from agentsync.git.remote import Remote

FETCH: Final = (
    "fetch",
    "--quiet",
    "--no-tags",
    "--update-shallow",  # else git refuses a shallow source's ref, and reports success
    "--no-show-forced-updates",
    "--no-auto-maintenance",
)
_MEMORY_BYTES = 2 << 30  # a server could otherwise fill all memory with refs


@dataclass(frozen=True, slots=True)
class Connection:
    """A remote as the commands of a repository reach it.

    Attributes:
        repository: where its objects go to.
        remote: what is asked for.
        url: as git gets it, without secrets.
        environment: of every command that reaches it, with the secrets.
        until: the deadline of all commands together, as a time of the monotonic clock.
    """

    repository: BareRepository
    remote: Remote
    url: str
    environment: Mapping[str, str]
    until: float

    @classmethod
    def open(cls, repository: BareRepository, remote: Remote, until: float | None = None) -> Self:
        """Prepare a connection, without reaching the remote; its deadline is the remote's where none is given.

        Raises:
            SourceUnavailableError: the token file cannot be read.
        """
        url, environment = access(remote, repository.environment)
        # Old objects may break a rule that the source accepts.
        accepted = [(f"fetch.fsck.{rule}", "ignore") for rule in remote.accept_defects]
        end = time.monotonic() + remote.deadline if until is None else until
        return cls(repository, remote, url, with_settings(environment, accepted), end)

    def run(self, *arguments: str, settings: Sequence[tuple[str, str]] = (), data: bytes | None = None) -> Done:
        """Run a git command, with further settings; it reads `data`."""
        environment = with_settings(self.environment, settings)
        return self.repository.run(
            *arguments, environment=environment, until=self.until, quota=_quota(self.remote), data=data
        )

    def fetch_branches(self, heads: str, to: str, *options: str, settings: Sequence[tuple[str, str]] = ()) -> Done:
        """Fetch every branch and look for the commit there, for servers that send no commit by its id.

        Args:
            heads: the prefix of the refs that the branches are fetched to.
            to: the ref that gets the commit.
            *options: of the fetch.
            settings: of git, for the fetch.
        """
        # A deleted branch `a` would block `a/b`.
        command = (*FETCH, "--prune", *options, "--", self.url, f"+refs/heads/*:{heads}*")
        done = self.run(*command, settings=settings)
        if done.status:
            return done
        return self.repository.run("update-ref", to, f"{self.remote.ref}^{{commit}}", until=self.until)

    def object_format(self) -> str | None:
        """Object format of the remote, by the length of its ids; None where it lists none."""
        done = self.run("ls-remote", "--", self.url)
        id_ = done.output.decode(errors="replace").partition("\t")[0]
        return object_format_of(id_) if is_object_id(id_) else None

    def explain(self, done: Done) -> SourceUnavailableError:
        """Build the error for a command that failed: a TransientError where it may work later."""
        # Most polls succeed, and need not wait for these.
        from agentsync.git.certificates import find_fault  # noqa: PLC0415
        from agentsync.git.failures import (  # noqa: PLC0415
            UntrustedError,
            explain,
            explain_missing_ref,
            explain_untrusted,
            lacks_ref,
        )

        done = hide_secrets(done, self.remote)
        if not lacks_ref(done, self.remote):
            error = explain(done, self.remote)
            fault = find_fault(self.remote, self.until) if isinstance(error, UntrustedError) else None
            return explain_untrusted(error, fault) if isinstance(error, UntrustedError) and fault else error
        listing = self.run("ls-remote", "--refs", "--", self.url)
        lines = listing.output.decode(errors="replace").splitlines()
        refs = None if listing.status else [line.partition("\t")[2] for line in lines]
        return explain_missing_ref(self.remote, refs)


def _quota(remote: Remote) -> Quota:
    """Quota of a fetch."""
    # No limit of memory for programs of the user's own, which may reserve far more address space than they use.
    runs_others = remote.auth.use_credential_helper or remote.auth.use_ssh_config
    return Quota(remote.max_bytes, None if runs_others else max(_MEMORY_BYTES, 2 * remote.max_bytes))
