"""Generate parts of docs/ and systemd's units: commands, man page, codes, log events, facts about tools.

`make docs` runs it. A part is between `<!-- generated: NAME -->` and `<!-- end -->`; the rest of a page is written by
hand and stays as it is. tests/unit/project/test_docs.py fails when a part is stale.
"""

from __future__ import annotations

import io
import json
import logging
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from agentsync.agents.key_effects import KEY_EFFECTS, Effect
from agentsync.agents.model import NEUTRAL
from agentsync.convert.agent_schema import agent_schema
from agentsync.convert.feature_matrix import matrix_row
from agentsync.core.code_examples import EXAMPLES
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import ConfigError, LockedError, SourceUnavailableError
from agentsync.core.log import Event, configure, log
from agentsync.core.naming import folded_key
from agentsync.dialects import Dialect, dialects
from agentsync.dialects.codex.features import SWITCHES, UNKNOWN
from agentsync.repository.versions import default_order
from agentsync.service.events import (
    log_clock_changed,
    log_failed,
    log_fallback,
    log_healthy,
    log_listening,
    log_no_control,
    log_outdated,
    log_refused,
    log_reloaded,
    log_started,
    log_stopped,
    log_unhealthy,
)
from agentsync.state.records import Action, Recorded
from agentsync.sync.contents import ContentStore
from agentsync.sync.events import RunEvents
from agentsync.sync.report import Report
from agentsync.sync.request import Scope
from agentsync.sync.sources import ResolvedSource
from agentsync.targets.batch import Outcome
from agentsync.targets.change import Actual, Change, Wanted
from agentsync.targets.plan import Plan, conflict, recorded
from completion_table import HELP, TABLE, completion_table, help_text
from manual import manual
from reference import EXITS, Command, Option, commands, program

DIRECTORY: Final = Path(__file__).parent

_PART: Final = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

_GROUPS: Final = {
    "AS1": "Reading: repairs, and files that cannot be read",
    "AS2": "Checks: problems of an agent, its name and its path",
    "AS3": "Conversion: what a target cannot express",
    "AS4": "Sync: what keeps changes from being applied",
    "AS5": "Policy: overrides, and what this machine allows agents to have",
}

_EVENTS: Final = {
    "source.moved": "A source leads to another commit than the one that was applied last.",
    "source.failed": "A source could not be fetched, or was fetched and refused. Its last good commit stays.",
    "source.held": "Nothing of a source is applied until somebody confirms it: it has no agents left, drops too many "
    "at once, or has more than the policy allows.",
    "source.stale": "The newest commit of a source is older than its `max_age`; its server may withhold what is new.",
    "state.recovered": "The state was damaged and was created again; what is on the disk is recognised by its content.",
    "agent.created": "A file was written where there was none.",
    "agent.updated": "A file that agentsync wrote was replaced.",
    "agent.replaced": "A file that agentsync did not write, or that was edited since, was backed up and replaced, "
    "since the user ran `adopt`.",
    "agent.pruned": "A file that agentsync wrote was deleted, since the source dropped it.",
    "agent.restored": "A file that agentsync wrote and somebody deleted was written again.",
    "agent.taken": "A file with exactly the wanted bytes was there already, and counts as written by agentsync from "
    "now on.",
    "agent.forgotten": "A file is gone from the source and from the disk, and is no longer tracked.",
    "agent.conflict": "The file at the path was not written by agentsync, or was edited since. It is kept.",
    "agent.failed": "A file could not be written or deleted.",
    "agent.held": "A change waits to be confirmed: its agent would be given more than it had, or (then without a code "
    "and a message) its source would delete too much at once.",
    "agent.refused": "An agent, or one of its conversions, cannot be used. The code gives the reason. While a source is"
    " down, what was logged before is not repeated.",
    "agent.diagnostic": "Something was repaired or lost; or, at debug, a remark; at warning, a missing target.",
    "sync.rolled_back": "`rollback` restored the state after the sync `to`; one event per file precedes it.",
    "sync.finished": "The cycle is over. There is one in every `pull`, unless it is stopped or pulling is suspended.",
    "sync.failed": "The service could not run a cycle: another run was in progress, the state cannot be used, or the "
    "process of the sync was killed. It tries again soon.",
    "daemon.started": "The service begins, before its first cycle.",
    "daemon.stopped": "The service ends, since it was asked to.",
    "daemon.outdated": "agentsync was updated: the service restarts itself with the new version, as the same process.",
    "config.reloaded": "The configuration changed, and applies from now on.",
    "config.refused": "The configuration changed and has a mistake. The previous one still applies.",
    "watch.fallback": "Something cannot be watched; what changes there is seen in each cycle only.",
    "clock.changed": "The clock was set back. A run that was due by any other clock is started.",
    "health.listening": "The service reports its status at this address from now on.",
    "health.failed": "A way of reporting the service's status does not work: `textfile`, `otlp`, or one answer over "
    "HTTP. It stops nothing.",
    "health.recovered": "It works again.",
    "control.failed": "The service cannot be asked for a pull, since its socket cannot be made.",
}
_ON_EVERY_EVENT: Final = ("sync_id", "event", "level", "timestamp")


def main() -> None:
    """Bring every page up to date."""
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")


def pages() -> dict[Path, str]:
    """Every page with generated parts, as it should be."""
    texts = ((path, path.read_text(encoding="utf-8")) for path in sorted(DIRECTORY.glob("*.md")))
    filled = {path: _PART.sub(_filled, text) for path, text in texts if _PART.search(text)}
    return {
        **filled,
        DIRECTORY / "agentsync.1": manual(),
        TABLE: completion_table(),
        HELP: help_text(),
        DIRECTORY / "agent.schema.json": json.dumps(agent_schema(), indent=2) + "\n",
        **{unit: _PLACES.sub(_places, unit.read_text(encoding="utf-8")) for unit in sorted(_UNITS.glob("*.service"))},
    }


_UNITS: Final = DIRECTORY.parent / "src/agentsync/units"

# Where a service may write: a line for each of the places in which a tool looks for the user's agents.
_PLACES: Final = re.compile(r"(?:^(?P<start>(?:ReadWritePaths=-%h|BindPaths=-/home/%i)/).*\n)+", re.MULTILINE)


def _places(match: re.Match[str]) -> str:
    directories = sorted({dialect.written_directory for dialect in dialects().values()} - {""})
    return "".join(f"{match['start']}{directory}\n" for directory in directories)


def _filled(match: re.Match[str]) -> str:
    return f"{match[1]}\n{_PARTS[match['name']]().strip()}\n\n{match[3]}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *([cell.replace("|", r"\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


# Commands.


def _commands() -> str:
    return "\n".join(map(_command, commands()))


def _command(command: Command) -> str:
    parts = [f"## {command.name}\n", f"    agentsync {command.name} {command.operands}\n", f"{command.text}\n"]
    if command.options:
        parts.append(_options(command.options))
    if command.examples:
        examples = "\n".join(command.examples)
        parts.append(f"```\n{examples}\n```\n")
    return "\n".join(parts)


def _common_options() -> str:
    return _options(program().options)


def _options(options: Iterable[Option]) -> str:
    rows = (
        (
            f"`{option.names} {option.metavar}`" if option.metavar else f"`{option.names}`",
            f"`{option.variable}`" if option.variable else "",
            option.meaning,
        )
        for option in options
    )
    return _table(("option", "variable", "meaning"), rows)


def _exit_codes() -> str:
    return _table(("status", "meaning"), ((str(int(code)), meaning) for code, meaning in EXITS.items()))


# Diagnostic codes.


def _codes() -> str:
    return "\n".join(f"## {title}\n\n{_codes_of(prefix)}" for prefix, title in _GROUPS.items())


def _codes_of(prefix: str) -> str:
    return "\n".join(_code(code) for code in Code if code.id.startswith(prefix))


def _code(code: Code) -> str:
    """A section with the code alone as its heading, so that its anchor (`#as309`) is as stable as the code."""
    example = EXAMPLES[code].strip()
    shown = f"\n\n```markdown\n{example}\n```" if "\n" in example else f" {example}"
    facts = f"- **Effect:** {code.effect}\n- **Remedy:** {code.remedy}\n- **Example:**"
    return f"### {code.id}\n\n`{code.slug}`, {code.severity.value}: {code.cause}\n\n{facts}{shown}\n"


# Log events: what the code itself logs in a made-up cycle in which everything happens.

_FILE: Final = Wanted(
    digest="cd044e105681619a34b06131e35500a6816c6fa98764ac1e7ef6a5fcc51e3dd0",
    agent="code-reviewer",
    dialect="claude",
    source="team",
    source_path="agents/code-reviewer.md",
    commit="d15431ab22a1591b18385cc9cfc91115211af071",
    blob="8f94139338f9404f26296befa88755fc2598c289",
)
_BEFORE: Final = "8b02c9c0f4e75d1f6a3b7b1c2a90d4e85f6c7d31"
_URL: Final = "https://git.acme.example/agents.git"
_TIME: Final = "2026-01-01T12:00:00.000000Z"


def events() -> dict[str, list[dict[str, object]]]:
    """Each event of a cycle by name, as its JSON records."""
    records: dict[str, list[dict[str, object]]] = {name: [] for name in _EVENTS}
    for line in _logged(readable=False).splitlines():
        record = json.loads(line) | {"timestamp": _TIME}
        records[record["event"]].append(record)
    return records


def _logged(*, readable: bool) -> str:
    before = structlog.get_config()
    stream = io.StringIO()
    try:
        configure(logging.DEBUG, stream=stream, readable=readable)
        for event in _cycle_events(_cycle()):
            log(event)
        _log_service()
    finally:
        structlog.configure(**before)
    return stream.getvalue()


def _cycle_events(report: Report) -> Iterator[Event]:
    events = RunEvents(report.sync_id)
    for source in report.sources:
        yield from events.source(source)
    yield from map(events.outcome, report.outcomes)
    yield from events.report(report)
    yield events.rolled_back("9c4f0b1d77aa")
    yield events.recovered()


def _log_service() -> None:
    config = Path("/home/dev/.config/agentsync/config.toml")
    mistake = ConfigError("unknown key `daemon.intervall`", place=f"{config}:9", hint="did you mean `interval`?")
    log_started(config)
    log_fallback("/home/dev/.claude/agents: it is on a network file system (nfs4)")
    log_no_control(OSError(30, "Read-only file system"))
    log_listening("127.0.0.1:9417")
    log_unhealthy("textfile", "/var/lib/node_exporter/agentsync.prom: No such file or directory")
    log_healthy("textfile")
    log_reloaded(config)
    log_refused(config, mistake)
    log_failed(LockedError("another run is in progress", place="/home/dev/.local/state/agentsync/run.lock"))
    log_clock_changed()
    log_stopped(config)
    log_outdated(config)


def _cycle() -> Report:
    base = recorded(_FILE, _URL)
    made = [action for action in Action if action not in (Action.KEEP, Action.CONFLICT)]
    clash = _change(Action.CONFLICT, base=None)
    failed = Diagnostic(
        Code.WRITE_FAILED, "it could not be written: No space left on device", path="/home/dev/.claude/agents"
    )
    lost = Diagnostic(
        Code.ABILITY_LOST,
        "cannot edit files in Codex",
        path=_FILE.source_path,
        line=4,
        column=1,
        agent=_FILE.agent,
        target="codex",
    )
    remark = Diagnostic(Code.NAME_CHANGED, "'Code Reviewer' is called `code-reviewer` here", agent=_FILE.agent)
    refused = Diagnostic(Code.DESCRIPTION_MISSING, Code.DESCRIPTION_MISSING.cause, path="agents/tester.md", line=1)
    message = "held, since it would be given more than it had here: hooks"
    grown = Diagnostic(Code.HELD_ESCALATION, message, agent=_FILE.agent, target="claude")
    emptied = Diagnostic(Code.HELD_EMPTY, "source `other` has no agents left; 12 files would be deleted")
    stale = Diagnostic(
        Code.SOURCE_STALE,
        f"source `team` is stale since 2026-01-01 12:00:00 UTC: its newest commit is still {_FILE.commit[:12]}",
    )
    outcomes = (
        *(Outcome(_change(action, base=base), ok=True) for action in made),
        Outcome(clash, ok=False, diagnostic=conflict(clash)),
        Outcome(_change(Action.CREATE, base=None), ok=False, diagnostic=failed),
    )
    return Report(
        sync_id="2d6e297023cb",
        scope=Scope.APPLY,
        seconds=0.412,
        sources=_sources(),
        targets=(),
        compiled=(),
        states=(),
        plan=Plan((), held=(replace(_change(Action.UPDATE, base=base), diagnostic=grown),), diagnostics=()),
        outcomes=outcomes,
        diagnostics=(lost, remark, refused, emptied, stale),
        inventory={},
        contents=ContentStore((), ()),
    )


def _sources() -> tuple[ResolvedSource, ...]:
    error = SourceUnavailableError("the server cannot be reached", place="ssh://git@git.acme.example/other.git")
    return (
        ResolvedSource("team", _URL, "refs/heads/main", commit=_FILE.commit, previous=_BEFORE),
        ResolvedSource("other", error.place, "HEAD", error=error),
    )


def _change(action: Action, *, base: Recorded | None) -> Change:
    return Change(
        target="claude",
        directory="/home/dev/.claude/agents",
        path="code-reviewer.md",
        action=action,
        base=base,
        actual=Actual("0" * 64),
        wanted=None if action in (Action.DELETE, Action.FORGET) else _FILE,
    )


def _readable_event() -> str:
    _, _, line = _logged(readable=True).splitlines()[0].partition(" ")
    return f"```\n{_TIME} {line}\n```"


def _event_list() -> str:
    return "\n".join(_event(name, records) for name, records in events().items())


def _event(name: str, records: Sequence[dict[str, object]]) -> str:
    levels = " or ".join(dict.fromkeys(str(record["level"]) for record in records))
    fields = dict.fromkeys(key for record in records for key in record if key not in _ON_EVERY_EVENT)
    listed = ", ".join(f"`{field}`" for field in fields)
    sample = json.dumps(records[0], ensure_ascii=False)
    return f"### {name}\n\n{_EVENTS[name]}\n\nLevel: {levels}. Fields: {listed}.\n\n```json\n{sample}\n```\n"


# Dialects.


def _agent_keys() -> str:
    properties = agent_schema()["properties"]
    assert isinstance(properties, dict)  # noqa: S101 - it is a schema of ours
    return _table(
        ("key", "meaning"),
        ((f"`{name}`", str(schema["description"])) for name, schema in properties.items() if isinstance(schema, dict)),
    )


def _dialects() -> str:
    return _table(
        ("dialect", "tool", "for the user", "moved by", "in a project", "files", "required", "checked with"),
        (
            (
                f"`{dialect.name}`",
                f"[{dialect.title}]({dialect.source})" if "://" in dialect.source else dialect.title,
                f"`~/{dialect.user_directory}`" if dialect.user_directory else "-",
                ", ".join(f"`{moved.variable}`" for moved in dialect.environment) or "-",
                ", ".join(f"`{directory}`" for directory in dialect.project_directories) or "-",
                ", ".join(f"`{suffix}`" for suffix in dialect.suffixes),
                ", ".join(f"`{key}`" for key in dialect.required) or "-",
                dialect.version,
            )
            for dialect in dialects().values()
        ),
    )


def _matrix() -> str:
    rows = {dialect.name: matrix_row(dialect) for dialect in dialects().values()}
    headings = [*next(iter(rows.values()))]
    return _table(("dialect", *headings), ((f"`{name}`", *row.values()) for name, row in rows.items()))


def _lists() -> str:
    listed = [dialect for dialect in dialects().values() if dialect.lists]
    return _table(
        ("dialect", "absent", "empty", "null", "of another type", "unknown names", "denied tools"),
        (
            (
                f"`{dialect.name}`",
                *(str(getattr(dialect.lists, field)) for field in ("absent", "empty", "null", "mistyped", "unknown")),
                f"`{dialect.lists.denied}`" if dialect.lists and dialect.lists.denied else "-",
            )
            for dialect in listed
        ),
    )


def _notices() -> str:
    lines = [f"- **{dialect.title}**: {dialect.notice}" for dialect in dialects().values() if dialect.notice]
    for dialect in dialects().values():
        for other in dialect.also_reads:
            title = dialects()[other].title
            line = f"- **{dialect.title}** also reads the agents of {title}, and may ignore their restrictions."
            lines.append(line)
    return "\n".join(lines)


def _other_tools() -> str:
    reviewed = [(dialect.title, dialect.review) for dialect in dialects().values() if dialect.review]
    rows = ((title, review.restricted_by, review.handling) for title, review in reviewed)
    documented = [title for title, review in reviewed if review.from_documentation]
    remark = (
        f"The own code of {', '.join(documented[:-1])} and {documented[-1]} is not available. This is based on their "
        "documentation, and anything that it leaves open counts as everything."
    )
    table = _table(("tool", "what restricts an agent there", "how agentsync handles it"), rows)
    return f"{table}\n{textwrap.fill(remark, 120)}"


# Effects of keys.


def _key_effects() -> str:
    """A row for each effect, with the keys that have it in the files of every tool, folded."""
    keys: dict[Effect, list[str]] = {}
    for key, rows in KEY_EFFECTS.items():
        for row in rows:
            keys.setdefault(row.effect, []).append(f"`{key}`")
    return _table(("effect", "keys"), ((effect.value, " ".join(keys[effect])) for effect in Effect if effect in keys))


def _dialect_keys() -> str:
    """A row for each tool and effect of its keys, folded, with what becomes of any other key."""
    rows: list[tuple[str, ...]] = []
    for dialect in sorted(dialects().values(), key=lambda dialect: dialect.title.lower()):
        keys: dict[Effect, list[str]] = {}
        for key in sorted({*map(folded_key, dialect.known_keys), *dialect.restrictions, *dialect.effects}):
            effects = {row.effect for row in dialect.effects_of(key)} - {Effect.INERT}
            effects |= {Effect.RESTRICTS} if key in dialect.restrictions else set()
            effects |= {Effect.CHANGES_MODEL} if key in _MODELS else set()
            for effect in effects or {Effect.INERT}:
                keys.setdefault(effect, []).append(f"`{key}`")
        first = (f"{dialect.title} {dialect.version}", _other_keys(dialect))
        for effect in (effect for effect in Effect if effect in keys):
            rows.append((*first, effect.value, " ".join(keys[effect])))
            first = ("", "")
    return _table(("tool", "any other key", "effect", "keys"), rows)


def _codex_switches() -> str:
    """A row for each thing that switches of Codex do."""
    rows = [(what, " ".join(f"`{name}`" for name in sorted(names))) for what, names in SWITCHES.items()]
    rows.append(("not known: needs an entry in `keys`", " ".join(f"`{name}`" for name in sorted(UNKNOWN))))
    return _table(("effect", "switches"), rows)


_MODELS: Final = frozenset({"model", "activemodel", "modelid"})
"""The keys of the model itself, which a policy judges by its value."""


_ASKED: Final = "claude cline codex copilot factory gemini kilo opencode qwen vibe".split()
"""The tools that `make conformance` asks, where they are installed."""


def _other_keys(dialect: Dialect) -> str:
    if dialect.undeclared:
        return "open: needs an entry in `keys`"
    known_from = ""
    if dialect.review and dialect.review.from_documentation:
        known_from = ", by its documentation"
    elif dialect.name not in (*_ASKED, NEUTRAL):
        known_from = ", by its code"
    return f"closed: {'refuses the file' if dialect.strict else 'inert'}{known_from}"


def _unasked() -> str:
    """A row for each tool that runs some calls without asking by itself."""
    rows = []
    for dialect in sorted(dialects().values(), key=lambda dialect: dialect.title.lower()):
        if dialect.unasked and dialect.name != NEUTRAL:
            rows.append((dialect.title, " ".join(f"`{tool}`" for tool in sorted(dialect.unasked))))
        if dialect.never_asks:
            rows.append((dialect.title, "all that an agent has, whatever its user's settings"))
    return _table(("tool", "runs without asking by default"), rows)


def _version_order() -> str:
    """The order in which a tool without a version of its own gets those of others."""
    return textwrap.fill(", ".join(f"`{name}`" for name in default_order()), 120) + "\n"


_PARTS: Final[dict[str, Callable[[], str]]] = {
    "commands": _commands,
    "common-options": _common_options,
    "exit-codes": _exit_codes,
    "codes": _codes,
    "events": _event_list,
    "readable-event": _readable_event,
    "agent-keys": _agent_keys,
    "version-order": _version_order,
    "dialects": _dialects,
    "matrix": _matrix,
    "lists": _lists,
    "notices": _notices,
    "other-tools": _other_tools,
    "key-effects": _key_effects,
    "dialect-keys": _dialect_keys,
    "codex-switches": _codex_switches,
    "unasked": _unasked,
}

if __name__ == "__main__":
    main()
