"""Tables of the configuration, with the values that each key accepts."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from agentsync.agents.narrowing import Choice
from agentsync.core.address import Address, parse_address
from agentsync.core.urls import local_path, scheme
from agentsync.formats.validated_toml import MisplacedError, Seconds, Settings
from agentsync.git.mirror import Auth, Remote, Signers
from agentsync.repository.manifest import AgentsTable, known_dialect
from agentsync.repository.selection import Selection
from agentsync.rollout.tables import MachineRolloutTable

_PREFIX = re.compile(r"(?:[a-z0-9]+-)+")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def _expand(value: object) -> object:
    if not isinstance(value, str):
        return value
    expanded = os.path.expandvars(value)
    if unset := re.search(r"\$(?:\w+|\{\w+\})", expanded):
        raise ValueError(f"the variable {unset[0]} is not set")
    if "\0" in expanded:
        raise ValueError("a path holds no NUL")
    try:
        return str(Path(expanded).expanduser())
    except RuntimeError as error:
        unknown = (
            "the home directory of this user is not known" if expanded.startswith("~/") else "there is no such user"
        )
        raise ValueError(f"`{value}`: {unknown}") from error


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError(f"`{path}` must be absolute, or start with `~`")
    return path


AbsolutePath = Annotated[Path, BeforeValidator(_expand), AfterValidator(_absolute)]
"""Absolute path; `~` and environment variables are expanded."""

Submodules = Literal["report", "follow"]
"""Whether the files of submodules are read, or only reported."""

DialectName = Annotated[str, AfterValidator(known_dialect)]


def _listen(value: str) -> str:
    prefix, separator, path = value.partition("unix:")
    expanded = f"unix:{_expand(path)}" if separator and not prefix else value
    parse_address(expanded)
    return expanded


Listen = Annotated[str, AfterValidator(_listen)]
"""Address to listen on; `~` and variables are expanded in the path of a Unix socket."""


def _collector_url(value: str) -> str:
    if scheme(value) not in {"http", "https"} or not urlsplit(value).hostname:
        raise ValueError("must be an address such as http://127.0.0.1:4318")
    return value.rstrip("/")


CollectorUrl = Annotated[str, AfterValidator(_collector_url)]


class AuthTable(Settings):
    """Credentials of a source; the configuration itself contains no secret, only where to find it."""

    username: str = "x-access-token"
    token_file: AbsolutePath | None = None
    ssh_key: AbsolutePath | None = None
    known_hosts: AbsolutePath | None = None
    use_ssh_config: bool = False
    use_ssh_agent: bool = False
    use_netrc: bool = False
    use_credential_helper: bool = False
    ca_file: AbsolutePath | None = None
    ca_directory: AbsolutePath | None = None
    client_cert: AbsolutePath | None = None
    client_key: AbsolutePath | None = None
    proxy: str | None = None


class SignedTable(Settings):
    """Signatures that a source must have; without the table it needs none."""

    allowed_signers: AbsolutePath | None = None
    revoked: AbsolutePath | None = None
    gpg_keys: AbsolutePath | None = None

    @model_validator(mode="after")
    def _has_signers(self) -> Self:
        if not (self.allowed_signers or self.gpg_keys):
            raise ValueError("`allowed_signers` or `gpg_keys` must be set, to list who may sign")
        if self.revoked and not self.allowed_signers:
            raise ValueError("`revoked` is for the keys of `allowed_signers`; an OpenPGP key contains its revocation")
        return self


class SourceTable(AgentsTable):
    """Repository and the part of it that agents come from; each agent's name here begins with `prefix`."""

    url: str = Field(min_length=1)
    prefix: str = Field(default="", max_length=64)
    branch: str | None = None
    tag: str | None = None
    commit: str | None = None
    subfolder: str = ""
    dialect: DialectName | None = None
    replaces: bool = False
    allow_local: bool = False
    allow_http: bool = False
    allow_rewrite: bool = False
    accept_defects: tuple[Annotated[str, Field(pattern=r"^[A-Za-z]+$")], ...] = ()
    submodules: Submodules = "report"
    allow_scattered: bool = False
    max_age: Seconds | None = Field(default=None, ge=3600, le=100 * 366 * 86400)
    timeout: Seconds = Field(default=60, gt=0, le=3600)
    auth: AuthTable = AuthTable()
    signed: SignedTable | None = None
    rollout: MachineRolloutTable = MachineRolloutTable()

    @field_validator("prefix")
    @classmethod
    def _of_a_slug(cls, value: str) -> str:
        if value and not _PREFIX.fullmatch(value):
            raise ValueError("must be lower-case letters, digits and single dashes, with a dash at the end")
        return value

    @field_validator("subfolder")
    @classmethod
    def _within(cls, value: str) -> str:
        if value.startswith("/") or ".." in value.split("/"):
            raise ValueError("must be a folder within the repository")
        return value

    @model_validator(mode="after")
    def _same_place_for_every_run(self) -> Self:
        path = local_path(self.url) if self.allow_local else None
        if path is not None and not path.startswith(("/", "~")) and not Path(path).is_absolute():
            raise MisplacedError(f"`{path}` must be absolute, or start with `~`", "url")
        return self

    @model_validator(mode="after")
    def _one_ref(self) -> Self:
        if sum(value is not None for value in (self.branch, self.tag, self.commit)) > 1:
            raise ValueError("only one of `branch`, `tag` and `commit` can be given")
        if self.tag is not None and self.tag.count("*") > 1:
            raise MisplacedError("`tag` can have one asterisk, for the newest of several tags", "tag")
        if self.commit is not None and not _COMMIT.fullmatch(self.commit):
            raise ValueError("`commit` must be a full commit id of 40 hexadecimal digits")
        return self

    @property
    def ref(self) -> str:
        """Full ref; the remote's HEAD where none is set."""
        if self.branch is not None:
            return f"refs/heads/{self.branch}"
        if self.tag is not None:
            return f"refs/tags/{self.tag}"
        return self.commit or "HEAD"

    def remote(self) -> Remote:
        auth = Auth(**self.auth.model_dump())
        return Remote(
            self.url,
            self.ref,
            auth,
            self.allow_local,
            self.allow_http,
            self.timeout,
            accept_defects=self.accept_defects,
        )

    def signers(self) -> Signers | None:
        """Return who may sign; None where no signature is required."""
        return Signers(**self.signed.model_dump()) if self.signed else None

    def signer_files(self) -> tuple[Path, ...]:
        """Return the files that list whose signature is accepted."""
        signers = self.signers()
        return signers.files if signers else ()

    def selection(self, manifest: AgentsTable) -> Selection:
        """Combine this table's patterns with those of the repository's manifest, which they override."""
        forced = (("**", self.dialect),) if self.dialect else ()
        return Selection(
            subfolder=self.subfolder,
            include=self.include or manifest.include,
            exclude=(*self.exclude, *manifest.exclude),
            dialects=(*self.dialects.items(), *forced, *manifest.dialects.items()),
            versions=self.versions or manifest.versions,
        )


class TargetTable(Settings):
    """Tool on this machine; the table's name is the dialect unless `dialect` is set.

    Attributes:
        path: the directory; else the tool's own, in the user's home or in `project`.
        only, skip: which agents this target gets, as for a source.
        on_drift: whether a managed file that was edited here is only reported, or backed up and written again.
    """

    dialect: DialectName | None = None
    path: AbsolutePath | None = None
    project: AbsolutePath | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    create: bool = False
    follow_symlinks: bool = False
    on_drift: Literal["report", "restore"] = "report"
    approval: Literal["ask", "allow"] = "ask"
    unenforceable: Choice = "narrow"
    coarse: Choice = "narrow"
    strict_approval: bool = False

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.path and self.project:
            raise ValueError("only one of `path` and `project` can be given")
        return self


class LimitsTable(Settings):
    """Limits for deletions, which are held back above them, for the history, and for the bytes of a fetch."""

    max_deletion_share: float = Field(default=0.5, gt=0, le=1)
    min_deletions: int = Field(default=3, ge=1)
    history: int = Field(default=200, ge=1)
    fetch_bytes: int = Field(default=1 << 30, ge=1 << 20, le=1 << 40)


class DaemonTable(Settings):
    """Schedule of the service, and whether it watches files in between.

    Attributes:
        interval: seconds from one pull to the next.
        cron: five fields (minute, hour, day of the month, month, day of the week) in UTC, instead of the interval.
        jitter: the share of the interval by which a pull may be delayed at most.
        watch: whether changes of the configuration, the overlays and the targets are noticed at once.
        full_scan: seconds in which every file is looked at once, whatever the watches report.
    """

    interval: Seconds = Field(default=300, ge=1, le=86400 * 7)
    cron: str | None = None
    jitter: float = Field(default=0.1, ge=0, le=1)
    watch: bool = True
    full_scan: Seconds = Field(default=3600, ge=0, le=3600)

    @field_validator("cron")
    @classmethod
    def _is_possible(cls, value: str | None) -> str | None:
        if value is not None:
            from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415 - only who uses it pays for the import

            trigger = CronTrigger.from_crontab(value, timezone=UTC)
            if trigger.get_next_fire_time(None, datetime.now(UTC)) is None:
                raise ValueError(f"`{value}` never comes: no month that it names has such a day")
        return value


class HealthTable(Settings):
    """Where the service reports its health; nowhere by default.

    Attributes:
        listen: `ADDRESS:PORT`, or `unix:` and a path.
        allow_remote: whether that may be an address that other machines can reach.
        textfile: metrics for node_exporter's text file collector, written after each cycle.
        stale_after: seconds after the last good sync from which the service is not ready.
        otlp: the address of an OpenTelemetry collector that accepts OTLP over HTTP.
    """

    listen: Listen | None = None
    allow_remote: bool = False
    textfile: AbsolutePath | None = None
    stale_after: Seconds = Field(default=3600, gt=0)
    otlp: CollectorUrl | None = None

    @model_validator(mode="after")
    def _only_here(self) -> Self:
        if self.address and not (self.address.is_local or self.allow_remote):
            message = f"other machines can reach and read {self.listen}; set `allow_remote = true` to allow that"
            raise MisplacedError(message, "listen")
        return self

    @property
    def address(self) -> Address | None:
        """Address to listen on; None where health is not served."""
        return parse_address(self.listen) if self.listen is not None else None
