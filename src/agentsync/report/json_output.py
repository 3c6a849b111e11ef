"""A cycle's report in its documented JSON form (docs/json.md), and the differences behind it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from agentsync.config import Target
from agentsync.core.errors import AgentsyncError
from agentsync.core.paths import shorten
from agentsync.core.urls import redact
from agentsync.formats.diff import unified
from agentsync.report.service_status import CycleResult, ServiceStatus
from agentsync.rollout.choose import Choice
from agentsync.state.records import Action, Key
from agentsync.sync.report import Report
from agentsync.targets.change import Change, absolute
from agentsync.targets.shared_file import SharedEntries


def change_record(change: Change) -> dict[str, object]:
    """The JSON form of a change."""
    owner = change.wanted or change.base
    return {
        "action": change.action.value,
        "target": change.target,
        "agent": change.agent,
        "path": absolute(change.directory, change.path),
        "source": change.source,
        "source_path": owner.source_path if owner else "",
        "old_digest": change.actual.digest,
        "new_digest": change.wanted.digest if change.wanted else None,
    }


def rollout_record(choice: Choice | None) -> dict[str, object] | None:
    """The JSON form of what a rollout chose; None where there is none."""
    if choice is None:
        return None
    return {
        "stage": choice.stage,
        "reason": choice.reason.value,
        "detail": choice.detail or None,
        "chosen": choice.commit,
        "tip": choice.tip,
        "due_at": choice.due_at,
    }


def report_record(report: Report) -> dict[str, object]:
    """The JSON form of a report, as `pull` prints it."""
    return {
        "sync_id": report.sync_id,
        "seconds": round(report.seconds, 3),
        "exit_code": int(report.exit_code),
        "sources": [
            {
                "name": source.name,
                "url": redact(source.url),
                "ref": source.ref,
                "commit": source.commit,
                "committed_at": source.facts.time if source.facts else None,
                "previous": source.previous,
                "fetched_at": source.fetched_at,
                "rejected": source.rejected or None,
                "error": source.last_error or None,
                "fresh_until": source.fresh_until,
                "rollout": rollout_record(source.rollout),
                "not_synced": {kind.key: count for kind, count in report.not_synced.get(source.name, {}).items()},
            }
            for source in report.sources
        ],
        "targets": [
            {"name": target.name, "dialect": target.dialect, "directory": str(target.directory)}
            for target in report.targets
        ],
        "missing": [target.name for target in report.missing],
        "suspended": report.suspension.reason if report.suspension else None,
        "counts": report.counts,
        "refused": [
            {
                "agent": one.agent or None,
                "source": one.source,
                "source_path": one.path,
                "targets": list(one.targets),
                "kept": list(one.kept),
            }
            for one in report.refused
        ],
        "changes": [change_record(change) for change in report.changes],
        "held": [change_record(change) for change in report.plan.held],
        "diagnostics": [diagnostic.as_dict() for diagnostic in report.diagnostics],
        "accepted": [one.as_dict() for one in report.accepted],
    }


def status_record(report: Report) -> dict[str, object]:
    """The JSON form of a report, as `status` prints it: with what is pending, drifted or in conflict in each target."""
    return report_record(report) | {"targets": [_target_record(report, target.name) for target in report.targets]}


def service_status_record(service_status: ServiceStatus) -> dict[str, object]:
    """The JSON form of the service's status; None where nothing is known, or nothing is wrong."""
    return {
        "config": service_status.config,
        "config_error": service_status.config_error or None,
        "started_at": service_status.started_at,
        "next_run_at": service_status.next_run_at,
        "succeeded_at": service_status.succeeded_at,
        "cycles": service_status.cycles,
        "last": _cycle_record(service_status.last) if service_status.last else None,
        "suspended": service_status.suspended or None,
        "sources": [
            {
                "name": source.name,
                "applied": source.applied,
                "committed_at": source.committed_at,
                "desired": source.desired,
                "fetched_at": source.fetched_at,
                "error": source.error or None,
                "retry_at": source.retry_at,
                "rollout": rollout_record(service_status.rollouts.get(source.name)),
            }
            for source in service_status.sources
        ],
        "unwatched": list(service_status.fallbacks),
    }


def _cycle_record(cycle: CycleResult) -> dict[str, object]:
    return {
        "sync_id": cycle.sync_id,
        "trigger": cycle.trigger.value,
        "ended_at": cycle.ended_at,
        "seconds": round(cycle.seconds, 3),
        "exit_code": int(cycle.exit_code),
        "counts": dict(cycle.counts),
        "codes": dict(cycle.codes),
        "error": cycle.error or None,
    }


def _target_record(report: Report, name: str) -> dict[str, object]:
    target = next(target for target in report.targets if target.name == name)
    counts = report.counts_of(name)
    return {
        "name": target.name,
        "dialect": target.dialect,
        "directory": str(target.directory),
        "files": counts.files,
        "drifted": counts.drifted,
        "pending": counts.pending,
        "held": counts.held,
        "refused": counts.refused,
        "changes": [change_record(change) for change in report.differing if change.target == name],
    }


def differences(report: Report, changes: Iterable[Change], *, largest: int = sys.maxsize) -> dict[Key, str]:
    """The differences of updates and conflicts, by path; a file that is created is not repeated in full.

    Files of more than `largest` bytes, here or in the source, are left out.
    """
    wanted = [change for change in changes if change.action in (Action.UPDATE, Action.CONFLICT)]
    report.contents.load((change.target, change.wanted) for change in wanted if change.wanted)
    targets = {target.name: target for target in report.targets}
    texts = {}
    for change in wanted:
        if change.wanted is None or not change.actual.digest:
            continue
        before, after = _current_content(targets[change.target], change, largest), report.contents(change)
        if before is not None and len(after) <= largest:
            path = shorten(absolute(change.directory, change.path))
            texts[change.key] = unified(before, after, path=path)
    return texts


def _current_content(target: Target, change: Change, largest: int) -> bytes | None:
    """Read what is at a change's path now: a file, or one agent of a multi-agent file.

    None where it is too large, or has disappeared since the plan was made, so that there is nothing to compare.
    """
    try:
        if shared := target.written.shared:
            with SharedEntries.open(Path(change.directory), shared, follow_symlinks=target.follow_symlinks) as entries:
                before = entries.read(change.path)
                return before if len(before) <= largest else None
        path = Path(absolute(change.directory, change.path))
        return path.read_bytes() if path.stat().st_size <= largest else None
    except (AgentsyncError, OSError):
        return None
