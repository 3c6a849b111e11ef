"""Tables that declare a rollout: the manifest's, and a machine's own for each source."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from agentsync.formats.validated_toml import Seconds, Settings
from agentsync.rollout.window import Window

MOST_MACHINES: Final = 1_000_000
MAX_STAGES: Final = 16
_MAX_GROUPS: Final = 64
MAX_REASON: Final = 1024
"""Characters of the reason for a halt."""
_ALL: Final = 100
_WEEKS: Final = 4 * 7 * 86400

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]*")
_COMMIT: Final = re.compile(r"[0-9a-f]{7,64}")


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError(
            f"`{value}` is no name: write lower-case letters, digits and, after the first, `.`, `_` or `-`"
        )
    return value


def _commit(value: str) -> str:
    if not _COMMIT.fullmatch(value):
        raise ValueError(f"`{value}` is no commit id: write at least seven of its digits, in lower case")
    return value


Name = Annotated[str, AfterValidator(_name), Field(max_length=64)]


Delay = Annotated[Seconds, Field(ge=0, le=_WEEKS)]


def _window(value: str) -> str:
    Window.parse(value)
    return value


class Stage(Settings):
    """A stage of machines.

    Attributes:
        share: per cent of all machines that are in this stage or an earlier one.
        after: seconds from the publication of a commit until these machines get it.
    """

    name: Name
    share: float = Field(ge=0, le=_ALL)
    after: Delay = 0


class RolloutTable(Settings):
    """`[rollout]` in the manifest.

    Attributes:
        stages: from the first machines to all of them.
        groups: by stage, the groups whose machines are in it at the latest.
        halt: why no machine moves; empty where they do.
        hold_at: the commit that every machine goes to, backwards too: any ancestor of the tip, whole or abbreviated.
        window: when machines of later stages move, in their own time zone.
        machines: how many there are, about; only to tell which stages are likely to be empty.
    """

    stages: Annotated[tuple[Stage, ...], Field(min_length=1, max_length=MAX_STAGES)]
    groups: Annotated[dict[Name, tuple[Name, ...]], Field(max_length=_MAX_GROUPS)] = Field(default_factory=dict)
    halt: str = Field(default="", max_length=MAX_REASON)
    hold_at: Annotated[str, AfterValidator(_commit)] | None = None
    window: Annotated[str, AfterValidator(_window)] | None = None
    machines: int | None = Field(default=None, ge=1, le=MOST_MACHINES)

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        names = [stage.name for stage in self.stages]
        if len({*names}) < len(names):
            raise ValueError("two stages have the same name")
        for earlier, later in zip(self.stages, self.stages[1:], strict=False):
            if later.share < earlier.share:
                raise ValueError(
                    f"the share of `{later.name}` is below that of `{earlier.name}`: shares are cumulative"
                )
            if later.after < earlier.after:
                raise ValueError(f"`{later.name}` comes after `{earlier.name}` and has a shorter `after`")
        if self.stages[-1].share != _ALL:
            raise ValueError(
                f"the last stage, `{names[-1]}`, must have a share of 100: otherwise some machines get nothing"
            )
        if unknown := sorted({*self.groups} - {*names}):
            raise ValueError(f"`groups` names a stage that does not exist: {', '.join(unknown)}")
        return self


class MachineRolloutTable(Settings):
    """`[sources.NAME.rollout]` in a machine's configuration.

    Attributes:
        group: of this machine.
        stage: this machine's stage, whatever its group and share.
        obey: whether the repository's rollout counts here.
        after_at_least: seconds from the publication of a commit until it is used here, at least, whatever the manifest
            says; only an urgent commit and the revert of what the machine has are used before.
        urgent: whether commits count as urgent that declare it.
    """

    group: Name | None = None
    stage: Name | None = None
    obey: bool = True
    after_at_least: Delay = 0
    urgent: Literal["obey", "refuse"] = "obey"
