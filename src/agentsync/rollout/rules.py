"""What a machine's policy sets of its users' part in rollouts, and what therefore counts for a source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Annotated, Any, Final, Literal

from pydantic import Field, field_validator

from agentsync.core.durations import time_left
from agentsync.formats.validated_toml import MisplacedError, Settings
from agentsync.rollout.tables import Delay, MachineRolloutTable, Name

_ANY: Final = "*"
_PLACEMENT: Final = ("group", "stage")


class RolloutRules(Settings):
    """Settings of a machine that count whatever configurations declare; what is None is left to these.

    Attributes:
        group, stage: of this machine. They belong together: where one is set, configurations set neither. The stage `*`
            is the one that the group and the machine's share lead to.
        obey, after_at_least, urgent: as in a configuration.
    """

    group: Name | None = None
    stage: Name | Literal["*"] | None = None
    obey: bool | None = None
    after_at_least: Delay | None = None
    urgent: Literal["obey", "refuse"] | None = None


class RolloutPolicy(RolloutRules):
    """`[rollout]` in a machine's policy.

    Attributes:
        sources: other rules for some sources, by globs over their URLs; the last match counts, key by key.
    """

    sources: Annotated[dict[str, RolloutRules], Field(max_length=256)] = Field(default_factory=dict)

    @field_validator("sources")
    @classmethod
    def _of_urls(cls, tables: dict[str, RolloutRules]) -> dict[str, RolloutRules]:
        for pattern in tables:
            if pattern != _ANY and ":" not in pattern:
                raise MisplacedError("name the source by its URL: its name is chosen by who configures it", pattern)
        return tables


@dataclass(frozen=True, slots=True)
class InForce:
    """A machine's part in the rollout of one source, as it counts.

    Attributes:
        table: the settings.
        policy: what the machine's policy sets, by key.
        overruled: what the configuration sets otherwise, and has no effect, by key.
    """

    table: MachineRolloutTable = field(default_factory=MachineRolloutTable)
    policy: Mapping[str, object] = field(default_factory=dict)
    overruled: Mapping[str, object] = field(default_factory=dict)

    @property
    def contradiction(self) -> str:
        """Which settings of the configuration have no effect, and why; empty where all have."""
        if not self.overruled:
            return ""
        return f"{in_words(self.overruled)} has no effect: this machine's policy sets {in_words(self.policy)}"


def in_force(policy: RolloutPolicy, url: str, own: MachineRolloutTable) -> InForce:
    """Return the settings that count for a source: the policy's, and the configuration's where it sets none.

    Args:
        policy: of this machine.
        url: of the source, without credentials.
        own: what the configuration declares for it.
    """
    given = dict(_given(policy, url))
    if not given.keys().isdisjoint(_PLACEMENT):
        given = {**dict.fromkeys(_PLACEMENT), **given}
    values = {**given, "stage": None} if given.get("stage") == _ANY else given
    table = own.model_copy(update=values)
    return InForce(
        table,
        {key: value for key, value in given.items() if value is not None},
        {
            key: getattr(own, key)
            for key in MachineRolloutTable.model_fields
            if key in own.model_fields_set and getattr(own, key) != getattr(table, key)
        },
    )


def _given(policy: RolloutPolicy, url: str) -> Iterator[tuple[str, Any]]:
    for rules in (policy, *(rules for glob, rules in policy.sources.items() if fnmatchcase(url, glob))):
        for key in MachineRolloutTable.model_fields:
            if (value := getattr(rules, key)) is not None:
                yield key, value


def in_words(values: Mapping[str, object]) -> str:
    """Return settings as text."""
    return ", ".join(f"`{key} = {_shown(value)}`" for key, value in values.items())


def _shown(value: object) -> str:
    return time_left(value) if isinstance(value, float) else str(value).lower()
