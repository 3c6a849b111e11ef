"""First step of a cycle: find out what the sources have, what agentsync wrote, and what is there now."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentsync.config import Target, policy_of
from agentsync.convert.policy import Policy
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.log import Event
from agentsync.core.paths import is_file
from agentsync.repository.overlays import read_overlays
from agentsync.state.records import Key, Recorded
from agentsync.state.render_cache import Cache
from agentsync.state.store import State
from agentsync.sync.agent_versions import owners_of
from agentsync.sync.build import BuildResult, build
from agentsync.sync.events import RunEvents
from agentsync.sync.last_applied import Finder, LastApplied
from agentsync.sync.request import Environment, Scope, SyncRequest
from agentsync.sync.same_agent import find_same
from agentsync.sync.snapshot import Snapshot
from agentsync.sync.sources import ResolvedSource, resolve_sources
from agentsync.sync.trials import keep_managed, left_by_trials, written_by_others
from agentsync.targets.apply import observe as observe_targets
from agentsync.targets.apply import recover
from agentsync.targets.change import Actual
from agentsync.targets.relocation import find_relocations, relocated
from agentsync.targets.target_place import DirectoryOptions


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything that a plan is made from, as it was found.

    Attributes:
        began_at: when the cycle began, in seconds since the epoch.
        policy: what agents may be given on this machine.
        sources: each at the commit that is used.
        snapshots: of the sources that can be read.
        targets: those whose tool is on this machine; missing: the others.
        built: what the snapshots want the targets to contain.
        inventory: what agentsync had written.
        disk: what is at each path that is wanted or in the inventory.
        last_applied: the last version of each agent that another one is wanted of, by the path of the wanted file.
        left: the number of files that remain in each directory that is no longer a target of these sources.
        trials: the paths where a trial left a file that the machine's own sources want too.
        same: the paths where somebody else's file defines the very agent that is wanted there.
        diagnostics: on targets and overlays that cannot be used.
    """

    began_at: float
    policy: Policy
    sources: tuple[ResolvedSource, ...]
    snapshots: tuple[Snapshot, ...]
    targets: tuple[Target, ...]
    missing: tuple[Target, ...]
    built: BuildResult
    inventory: Mapping[Key, Recorded]
    disk: Mapping[Key, Actual]
    last_applied: Mapping[Key, LastApplied]
    left: Mapping[str, int]
    trials: frozenset[Key]
    same: frozenset[Key]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def directories(self) -> dict[str, DirectoryOptions]:
        """How each target's directory may be opened."""
        return directories_of(self.targets)

    @property
    def urls(self) -> dict[str, str]:
        """The URL of each source that can be read."""
        return urls_of(self.snapshots)


def observe(
    environment: Environment, request: SyncRequest, state: State, events: RunEvents
) -> Generator[Event, None, Observation]:
    """Fetch and read the sources, and look at the targets; yields an event for each source that moved or failed.

    Where changes are to be applied, it first cleans up after a run that was killed, since the inventory is read here.

    Raises:
        ConfigError: the machine's policy cannot be used.
        SourceUnavailableError: a mirror cannot be read.
        StateError: the state cannot be used.
    """
    config, began_at = environment.config, time.time()
    policy = policy_of(config, environment.app_paths.policy)
    targets, absences = reachable(config.resolved_targets())
    directories = directories_of(targets)
    overlays, overlay_diagnostics = read_overlays(config.overlays)
    sources: list[ResolvedSource] = []
    snapshots: list[Snapshot] = []
    for source, snapshot in resolve_sources(environment, request, state, policy.rollout, overlays):
        yield from events.source(source)
        sources.append(source)
        if snapshot:
            snapshots.append(snapshot)
    environment.progress("reading", 0, 0)
    moved = find_relocations(state, directories)
    if request.scope is Scope.APPLY:
        state.relocate(moved)
        recover(state, directories)
    inventory = relocated(state.inventory({*directories, *moved}), moved)
    with Cache.open(environment.app_paths.outcomes) as cache:
        owners = owners_of(inventory, snapshots)
        built = build(snapshots, targets, cache, policy, owners=owners, progress=environment.progress)
    others = written_by_others(environment.app_paths, directories)
    wanted = {(one.directory, path): (one.target, file) for one in built.states for path, file in one.files.items()}
    disk = observe_targets(directories, wanted, inventory, state)
    if request.ad_hoc:
        files = {key: file for key, (_, file) in wanted.items()}
        inventory, disk = keep_managed(inventory, disk, files, managed=others, urls=urls_of(snapshots))
    trials = frozenset() if request.ad_hoc else left_by_trials(inventory, disk, wanted, others)
    adds = any(key in trials or (key not in inventory and disk[key].digest is None) for key in wanted)
    departed = relocated(state.departed({*directories, *moved}), moved) if adds else {}
    urls = urls_of(snapshots)
    finder = Finder(directories, inventory, departed, disk, urls, environment.app_paths)
    here = {target.name for target in targets}
    unmanaged = {key: file for key, file in wanted.items() if key not in inventory and key not in others}
    dialects = {target.name: target.dialect for target in targets}
    configured = {str(target.directory) for target in config.resolved_targets()}
    return Observation(
        began_at=began_at,
        policy=policy,
        sources=tuple(sources),
        snapshots=tuple(snapshots),
        targets=targets,
        missing=tuple(target for target in config.resolved_targets() if target.name not in here),
        built=built,
        inventory=inventory,
        disk=disk,
        last_applied=finder.find(wanted, built.contents),
        left={} if request.ad_hoc else _count_left(state.elsewhere(configured, urls)),
        trials=trials,
        same=find_same(unmanaged, dialects, directories, disk, built.contents),
        diagnostics=(*absences, *overlay_diagnostics),
    )


def reachable(targets: Sequence[Target]) -> tuple[tuple[Target, ...], tuple[Diagnostic, ...]]:
    """Return the targets whose tool is on this machine, and a diagnostic for each of the others."""
    absences = {target.name: target.absence for target in targets}
    there = tuple(target for target in targets if absences[target.name] is None)
    return there, tuple(absence for absence in absences.values() if absence)


def directories_of(targets: Iterable[Target]) -> dict[str, DirectoryOptions]:
    """Return how the directory of each target may be opened."""
    return {
        str(target.directory): DirectoryOptions(
            create=True, follow_symlinks=target.follow_symlinks, shared=target.written.shared
        )
        for target in targets
    }


def urls_of(snapshots: Iterable[Snapshot]) -> dict[str, str]:
    """Return the URL of each source, by its name."""
    return {snapshot.name: snapshot.url for snapshot in snapshots}


def _count_left(paths: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Count the files that are there, in each directory or multi-agent file that is no longer a target."""
    counts = {}
    for directory, names in paths.items():
        shared = is_file(Path(directory))
        counts[directory] = sum(shared or is_file(Path(directory, name)) for name in names)
    return counts
