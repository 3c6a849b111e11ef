"""What agentsync sets out to be, and whether it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import cases
from measure import Summary


@dataclass(frozen=True, slots=True)
class Goal:
    """A number that was measured beside the one that it should reach."""

    name: str
    measured: float
    wanted: float
    unit: str
    at_least: bool

    @property
    def met(self) -> bool:
        return self.measured >= self.wanted if self.at_least else self.measured <= self.wanted

    @property
    def words(self) -> tuple[str, str, str]:
        """The measured number, the wanted one and the verdict, as they are printed."""
        upper_bound = "at least" if self.at_least else "at most"
        verdict = "met" if self.met else "missed"
        return f"{self.measured:.1f} {self.unit}", f"{upper_bound} {self.wanted:g} {self.unit}", verdict

    def as_dict(self) -> dict[str, object]:
        return {"name": self.name, "measured": round(self.measured, 2), "wanted": self.wanted, "met": self.met}


def goals(summaries: Mapping[str, Summary]) -> Iterator[Goal]:
    """Each goal that these measurements say something about."""
    for name, ours, theirs, wanted in (
        ("cold pull, times as fast as rulesync", cases.COLD, cases.PEER_COLD, 1.5),
        ("nothing changed, times as fast as rulesync", cases.UNCHANGED, cases.PEER_UNCHANGED, 10),
    ):
        if theirs in summaries:
            yield Goal(name, summaries[theirs].wall / summaries[ours].wall, wanted, "times", at_least=True)
    if cases.REAL_FLOOR in summaries:
        cold, warm = summaries[cases.CHECK_REAL], summaries[cases.CHECK_REAL_AGAIN]
        yield Goal("check of real files, cold", cold.fastest, 1.0, "s", at_least=False)
        # Processor time, since what else a machine does falls on neither of them then.
        times = min(run.cpu for run in warm.runs) / min(run.cpu for run in summaries[cases.REAL_FLOOR].runs)
        yield Goal("check of real files, warm, over reading + libyaml", times, 3, "times", at_least=False)
    # Milliseconds drown in what else a machine does, so here the fastest run counts.
    for name, case, wanted in (
        ("--version, over a bare interpreter", cases.VERSION, 60),
        ("completion, over a bare interpreter", cases.COMPLETION, 50),
    ):
        over = summaries[case].fastest - summaries[cases.BARE_PYTHON].fastest
        yield Goal(name, over * 1000, wanted, "ms", at_least=False)
    peak = max(summaries[name].peak for name in (cases.COLD, cases.UNCHANGED, cases.ONE_CHANGED, cases.CHECK))
    yield Goal("peak memory", peak, 100, "MiB", at_least=False)
