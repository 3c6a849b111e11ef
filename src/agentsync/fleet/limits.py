"""How many machines of a stage may be other than they should be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

from agentsync.fleet.assess import Assessment, StageView
from agentsync.fleet.placement import State

_FORM: Final = re.compile(r"(?P<number>\d{1,9}(?:\.\d{1,3})?)(?P<share> ?%)?")
_ALL: Final = 100


@dataclass(frozen=True, slots=True)
class Limit:
    """A number of machines, or their share of a stage in per cent."""

    number: float
    is_share: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `3` or `5%`.

        Raises:
            ValueError: it has another form, or is over 100%.
        """
        match = _FORM.fullmatch(text.strip())
        if match is None or (match["share"] is None and "." in match["number"]):
            raise ValueError(f"`{text}` is neither a number of machines nor a share such as `5%`")
        limit = cls(float(match["number"]), match["share"] is not None)
        if limit.is_share and limit.number > _ALL:
            raise ValueError(f"`{text}` is over 100%")
        return limit

    def allows(self, count: int, of: int) -> bool:
        return count <= (self.number / _ALL * of if self.is_share else self.number)

    def __str__(self) -> str:
        return f"{self.number:g} %" if self.is_share else f"{self.number:g}"


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits for each stage of each source: of all machines for silent ones, else of those that report."""

    behind: Limit = Limit(0)
    refused: Limit = Limit(0)
    failing: Limit = Limit(0)
    silent: Limit = Limit(_ALL, is_share=True)


@dataclass(frozen=True, slots=True)
class Excess:
    """A limit that a stage exceeds: what it is of, how many machines that are of how many, and the limit."""

    what: str
    count: int
    of: int
    limit: Limit


def exceeded(stage: StageView, limits: Limits) -> list[Excess]:
    """Return the limits that a stage exceeds."""
    reporting = len(stage.reporting)
    measured = (
        ("behind", stage.count(State.BEHIND), reporting, limits.behind),
        ("refused", stage.refused, reporting, limits.refused),
        ("failing", stage.failing, reporting, limits.failing),
        ("silent", stage.count(State.SILENT), len(stage.placements), limits.silent),
    )
    return [Excess(what, count, of, limit) for what, count, of, limit in measured if not limit.allows(count, of)]


def all_exceeded(assessment: Assessment, limits: Limits) -> Iterator[tuple[StageView, Excess]]:
    """Yield every limit that is exceeded, with its stage."""
    for source in assessment.sources:
        for stage in source.stages:
            yield from ((stage, excess) for excess in exceeded(stage, limits))
