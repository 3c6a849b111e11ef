"""Made-up agents of about 3 KB, the same in every run."""

from __future__ import annotations

import random
from collections.abc import Iterator

_SEED = 20_260_101
_BODY_CHARACTERS = 3_000
_VERBS = "check compare describe measure name order question read rewrite simplify test trace weigh".split()
_THINGS = (
    "boundary branch budget cache caller commit contract default deadline error fixture index invariant latency "
    "migration name query release retry schema secret threshold timeout transaction type"
).split()
_REASONS = (
    "before anything is merged",
    "because the next reader will not know",
    "and say which line made you think so",
    "unless the ticket says otherwise",
    "even where the tests pass",
)

# The same agent for Claude Code and for rulesync, which keeps a section for each tool.
_CLAUDE = "tools: Read, Grep, Glob, Bash\nmodel: sonnet\ncolor: blue\n"
_RULESYNC = """targets: ["*"]
claudecode:
  tools: Read, Grep, Glob, Bash
  model: sonnet
  color: blue
opencode:
  mode: subagent
  model: anthropic/claude-sonnet-5
  permission:
    edit: deny
    bash: ask
codexcli:
  model: gpt-5
  sandbox_mode: read-only
"""


def claude_agents(count: int) -> Iterator[tuple[str, str]]:
    """File names and texts, as Claude Code writes agents."""
    return _agents(count, _CLAUDE)


def rulesync_agents(count: int) -> Iterator[tuple[str, str]]:
    """The same agents in rulesync's own form."""
    return _agents(count, _RULESYNC)


def _agents(count: int, keys: str) -> Iterator[tuple[str, str]]:
    chance = random.Random(_SEED)  # noqa: S311 - made-up text, not a secret
    for number in range(count):
        name = f"specialist-{number:04d}"
        description = f"Use it to {chance.choice(_VERBS)} a {chance.choice(_THINGS)}. Specialist {number}."
        yield f"{name}.md", f"---\nname: {name}\ndescription: {description}\n{keys}---\n\n{_body(chance, number)}"


def _body(chance: random.Random, number: int) -> str:
    lines = [f"# Specialist {number}", ""]
    size = 0
    while size < _BODY_CHARACTERS:
        verb, thing, other = chance.choice(_VERBS), chance.choice(_THINGS), chance.choice(_THINGS)
        lines.append(f"- {verb.capitalize()} the {thing} and the {other} {chance.choice(_REASONS)}.")
        size += len(lines[-1]) + 1
    return "\n".join(lines) + "\n"
