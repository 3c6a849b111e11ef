"""What a machine's policy sets of its part in rollouts, for which sources, and what it overrules."""

from __future__ import annotations

from typing import Any

import pytest

from agentsync.convert.policy import read_policy
from agentsync.core.errors import ConfigError
from agentsync.rollout.rules import InForce, in_force
from agentsync.rollout.tables import MachineRolloutTable

URL = "https://git.acme.example/agents.git"


def rules(policy: str, url: str = URL, **own: Any) -> InForce:
    return in_force(read_policy(f"[rollout]\n{policy}", "policy.toml").rollout, url, MachineRolloutTable(**own))


def test_the_policy_wins_key_by_key_and_what_differs_is_overruled() -> None:
    made = rules('obey = true\nafter_at_least = "4h"\n', obey=False, after_at_least=0, urgent="refuse")
    assert made.table == MachineRolloutTable(obey=True, after_at_least=14400, urgent="refuse")
    assert made.overruled == {"obey": False, "after_at_least": 0}
    assert made.contradiction.endswith("sets `obey = true`, `after_at_least = 4 h`")
    assert rules("obey = true", obey=True).contradiction == ""
    assert rules("obey = true").contradiction == ""
    assert rules("", stage="canary") == InForce(MachineRolloutTable(stage="canary"))


@pytest.mark.parametrize(
    ("policy", "group", "stage"),
    [('stage = "late"', None, "late"), ('group = "beta"', "beta", None), ('stage = "*"', None, None)],
)
def test_who_sets_the_stage_or_the_group_sets_both(policy: str, group: str | None, stage: str | None) -> None:
    """Otherwise a user could join an earlier stage by the other key."""
    made = rules(policy, group="platform", stage="canary")
    assert (made.table.group, made.table.stage) == (group, stage)
    assert made.overruled == {"group": "platform", "stage": "canary"}


def test_some_sources_have_other_rules_by_their_url() -> None:
    policy = 'stage = "late"\n[rollout.sources."*"]\nurgent = "refuse"\n[rollout.sources."*acme*:*"]\nstage = "never"\n'
    policy += f'[rollout.sources."{URL}"]\nstage = "early"\n'
    assert rules(policy).policy == {"stage": "early", "urgent": "refuse"}
    assert rules(policy, "https://elsewhere.example/x").policy == {"stage": "late", "urgent": "refuse"}
    with pytest.raises(ConfigError, match="URL"):
        rules('[rollout.sources.team]\nstage = "late"\n')
