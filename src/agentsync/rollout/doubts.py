"""What is doubtful about a rollout that can be read: stages without machines, and a commit that nobody can go to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.rollout.forecast import probably_empty
from agentsync.rollout.tables import RolloutTable

_SHOWN: Final = 12
_SMALL_TEAM: Final = 20


def doubts(rollout: RolloutTable) -> Iterator[Diagnostic]:
    """Yield a diagnostic for each stage that is likely to be without a machine.

    Where nothing says how many machines there are, one for all stages that would be in a small team.
    """
    chances = probably_empty(rollout, rollout.machines or _SMALL_TEAM)
    for name, chance in chances.items():
        if chance == 1:
            yield Diagnostic(Code.STAGE_EMPTY, f"stage `{name}` has the share of the one before it, and no groups")
        elif rollout.machines:
            message = f"stage `{name}` of {rollout.machines} machines is empty with a chance of {chance:.0%}"
            yield Diagnostic(Code.STAGE_EMPTY, message)
    small = [f"`{name}` with one of {chance:.0%}" for name, chance in chances.items() if chance < 1]
    if small and not rollout.machines:
        message = (
            f"nothing says how many machines there are: of {_SMALL_TEAM}, none is in {' and none in '.join(small)}"
        )
        yield Diagnostic(Code.STAGE_SMALL, message.replace("with one of", "with a chance of", 1))


def doubts_of_hold(hold_at: str, found: Sequence[str], *, is_whole: bool) -> Iterator[Diagnostic]:
    """Yield a diagnostic for a commit to hold at that is not one of the branch.

    Args:
        hold_at: its id, whole or abbreviated.
        found: the ids of the commits of the branch that begin with it.
        is_whole: whether the history is whole; otherwise the commit may be in the part that is missing.
    """
    if len(found) > 1:
        ids = ", ".join(id_[: max(_SHOWN, len(hold_at) + 1)] for id_ in found)
        yield Diagnostic(Code.HOLD_UNKNOWN, f"`hold_at` {hold_at} begins the ids of several commits: {ids}")
    elif not found and is_whole:
        yield Diagnostic(Code.HOLD_UNKNOWN, f"`hold_at` {hold_at} is no commit of this branch")
