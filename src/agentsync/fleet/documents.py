"""A machine from its status document: `/status.json` of the service, or what `status` or `pull` print as JSON."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentsync.core.codes import Severity
from agentsync.fleet.model import MAX_SOURCES, FleetMachine, Followed, Refusal
from agentsync.rollout.choose import Reason

_LATEST: Final = 253_402_300_799  # the end of the year 9999: later times have no date

_Time = Annotated[float, Field(ge=0, le=_LATEST, allow_inf_nan=False)]
_Name = Annotated[str, Field(max_length=255)]
_Commit = Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})?$")]


class _Part(BaseModel):
    """Part of a document. Later versions may have more keys, and earlier ones have fewer."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class _Rollout(_Part):
    stage: _Name = ""
    reason: str = ""
    detail: str | None = None
    tip: _Commit = ""
    due_at: _Time | None = None


class _Source(_Part):
    name: _Name
    ref: str = ""
    commit: _Commit = ""
    committed_at: _Time | None = None
    fetched_at: _Time | None = None
    rejected: _Commit | None = None
    error: str | None = None
    rollout: _Rollout | None = None


class _Refused(_Part):
    agent: _Name | None = None
    source: _Name = ""
    source_path: str = ""
    targets: tuple[_Name, ...] = ()


class _Diagnostic(_Part):
    code: _Name
    severity: _Name
    path: str = ""


class _ServiceSource(_Part):
    name: _Name
    applied: _Commit = ""
    desired: _Commit = ""
    committed_at: _Time | None = None
    error: str | None = None
    rollout: _Rollout | None = None


class _Cycle(_Part):
    ended_at: _Time
    error: str | None = None


class _Service(_Part):
    config_error: str | None = None
    succeeded_at: _Time | None = None
    last: _Cycle | None = None
    sources: Annotated[tuple[_ServiceSource, ...], Field(max_length=MAX_SOURCES)] = ()


class _Error(_Part):
    message: str


class _Document(_Part):
    error: _Error | None = None
    sources: Annotated[tuple[_Source, ...], Field(max_length=MAX_SOURCES)] = ()
    refused: tuple[_Refused, ...] = ()
    diagnostics: tuple[_Diagnostic, ...] = ()
    suspended: str | None = None
    service: _Service | None = None


def machine_of(name: str, document: bytes) -> FleetMachine:
    """Make a machine from its document.

    Raises:
        ValueError: it is no such document; the message says where.
    """
    try:
        read = _Document.model_validate_json(document)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"it is no status document: {place}{': ' if place else ''}{first['msg']}") from error
    if not (read.sources or read.service or read.error):
        raise ValueError("it is no status document: it has no `sources`")
    causes = {one.path: one.code for one in reversed(read.diagnostics) if one.severity == Severity.ERROR.value}
    service, last = read.service, read.service.last if read.service else None
    fetched = [source.fetched_at for source in read.sources if source.fetched_at is not None]
    is_good = len(fetched) == len(read.sources) > 0 and not any(source.error for source in read.sources)
    errors = [
        read.error.message if read.error else None,
        service.config_error if service else None,
        last.error if last else None,
    ]
    return FleetMachine(
        name,
        sources=tuple(map(_followed, read.sources)) or tuple(map(_served, service.sources if service else ())),
        refused=tuple(
            Refusal(target, one.agent or one.source_path, one.source, code=causes.get(one.source_path, ""))
            for one in read.refused
            for target in one.targets or ("",)
        ),
        # Without a service, nothing but the fetches has a time.
        seen_at=last.ended_at if last else max(fetched, default=None),
        succeeded_at=service.succeeded_at if service else min(fetched) if is_good else None,
        suspended=bool(read.suspended),
        error=next((error for error in errors if error), ""),
    )


def _followed(source: _Source) -> Followed:
    error = source.error or (f"{source.rejected[:12]} is refused or held" if source.rejected else "")
    followed = Followed(source.name, source.commit, source.committed_at, ref=source.ref, error=error)
    return _with_rollout(followed, source.rollout)


def _served(source: _ServiceSource) -> Followed:
    followed = Followed(source.name, source.applied, source.committed_at, tip=source.desired, error=source.error or "")
    return _with_rollout(followed, source.rollout)


def _with_rollout(followed: Followed, rollout: _Rollout | None) -> Followed:
    if rollout is None:
        return followed
    reason = Reason(rollout.reason) if rollout.reason in [*Reason] else None
    return replace(
        followed,
        stage=rollout.stage,
        reason=reason,
        detail=rollout.detail or "",
        due_at=rollout.due_at,
        tip=rollout.tip or followed.tip,
    )
