"""What the service needs of its configuration, without the libraries that read one.

The service itself keeps a schedule, watches and sockets, for weeks. What reads a configuration takes more memory than
all of these, so it is imported only by the processes that run a sync.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from agentsync.core.address import Address


@dataclass(frozen=True, slots=True)
class HealthSettings:
    """Where the service reports its health, as in the configuration's table `health`."""

    address: Address | None = None
    textfile: Path | None = None
    stale_after: float = 3600
    otlp: str | None = None


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """A source: its name, where it is fetched from, and the seconds that a fetch may take."""

    name: str
    url: str = field(repr=False)
    ref: str
    timeout: float


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """The settings of the service.

    Attributes:
        interval, cron, jitter, watch, full_scan: as in the configuration's table `daemon`.
        health: where the service reports its health.
        sources: in the order of the configuration.
        files, directories: what to watch, beside the configuration itself.
        linked: directories to watch where they are, if links lead to them.
        variables: the names of the environment variables that move a tool's directory.
        config: the whole configuration, pickled; only the process of a sync unpacks it.
    """

    interval: float
    cron: str | None
    jitter: float
    watch: bool
    full_scan: float
    health: HealthSettings
    sources: tuple[SourceSettings, ...]
    files: tuple[Path, ...]
    directories: tuple[Path, ...]
    linked: tuple[Path, ...]
    variables: tuple[str, ...]
    config: bytes = field(repr=False)

    @property
    def fetch_seconds(self) -> float:
        """Seconds that fetching all sources may take: each in two steps, its commits, and the content that is read."""
        return sum(2 * source.timeout for source in self.sources)
