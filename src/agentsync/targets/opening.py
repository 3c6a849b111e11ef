"""How a target's place is opened: its directory, or the file that has all of its entries."""

from __future__ import annotations

from agentsync.targets.batch import Outcome, THREADS, _Batch, _Staging, _Targets
import time
from collections import defaultdict, deque
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Self
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.digest import digest
from agentsync.core.errors import AgentsyncError
from agentsync.state.backups import Backups
from agentsync.state.records import Action, Key, Known, Recorded
from agentsync.state.store import FileChange, Intent, State
from agentsync.targets.change import Actual, Change, absolute
from agentsync.targets.directory import TargetDirectory, TargetError
from agentsync.targets.observe import ChangedError
from agentsync.targets.plan import Plan, conflict
from agentsync.targets.shared_file import SharedEntries
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType

    from agentsync.dialects import SharedFile


@dataclass(frozen=True, slots=True)
class DirectoryOptions:
    """How a target's directory may be opened; `files.Directory.open` explains each.

    Attributes:
        shared: how the file is edited that stands in the directory's place, for a tool that has one for all agents.
    """

    create: bool = False
    follow_symlinks: bool = False
    shared: SharedFile | None = None


Place = TargetDirectory | SharedEntries
"""Where a target's files are, or its entries: both have the same methods."""


def _open(directory: str, options: DirectoryOptions, *, create: bool) -> Place:
    path, follow = Path(directory), options.follow_symlinks
    if options.shared:
        return SharedEntries.open(path, options.shared, create=create, follow_symlinks=follow)
    return TargetDirectory.open(path, create=create, follow_symlinks=follow)
