"""A fleet in its documented JSON form (docs/json.md)."""

from __future__ import annotations

from agentsync.core.errors import ExitCode
from agentsync.fleet.assess import Assessment, SourceView, StageView
from agentsync.fleet.groups import failing, not_current, refused, silent, suspended
from agentsync.fleet.limits import Limits, exceeded
from agentsync.fleet.placement import State, Version


def fleet_record(assessment: Assessment, limits: Limits, exit_code: ExitCode) -> dict[str, object]:
    """Return the JSON form: everything, however many machines there are."""
    return {
        "at": assessment.at,
        "machines": assessment.machines,
        "reporting": assessment.reporting,
        "exit_code": int(exit_code),
        "mistake": assessment.mistake or None,
        "sources": [_source(source, limits) for source in assessment.sources],
        "unreadable": [{"place": one.place, "reason": one.reason} for one in assessment.unreadable],
    }


def _source(source: SourceView, limits: Limits) -> dict[str, object]:
    return {
        "name": source.name or None,
        "goal": _version(source.goal),
        "held": source.is_held,
        "halted": source.halted or None,
        "stages": [_stage(stage, limits) for stage in source.stages],
        **{
            state.value: [
                {
                    "stage": group.stage or None,
                    "commit": _version(group.version),
                    "expected": _version(group.expected),
                    "reason": group.reason or None,
                    "due_at": group.due_at,
                    "machines": list(group.machines),
                }
                for group in not_current(source, state)
            ]
            for state in (State.WAITING, State.BEHIND)
        },
        "refused": [
            {
                "agent": group.agent or None,
                "targets": list(group.targets),
                "codes": list(group.codes),
                "most": group.most,
                "since": group.since,
                "machines": list(group.machines),
            }
            for group in refused(source)
        ],
        "failing": [
            {"error": group.error, "since": group.since, "machines": list(group.machines)} for group in failing(source)
        ],
        "suspended": list(suspended(source)),
        "silent": [{"machine": one.machine.name, "since": one.machine.seen_at} for one in silent(source)],
    }


def _stage(stage: StageView, limits: Limits) -> dict[str, object]:
    return {
        "stage": stage.stage or None,
        "machines": len(stage.placements),
        **{state.value: stage.count(state) for state in State},
        "refused": stage.refused,
        "failing": stage.failing,
        "expected": _version(stage.expected),
        "commits": [{"commit": _version(version), "machines": number} for version, number in stage.versions],
        "exceeded": [excess.what for excess in exceeded(stage, limits)],
    }


def _version(version: Version) -> dict[str, object] | None:
    return {"id": version.commit or None, "committed_at": version.committed_at} if version.is_known else None
