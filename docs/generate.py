"""Writes the generated parts of docs/ and systemd/: commands, codes, log events, and facts about tools.

`make docs` runs it. A part stands between `<!-- generated: NAME -->` and `<!-- end -->`; the rest of a page is written
by hand and stays as it is. tests/unit/test_docs.py fails when a part is stale.
"""  # noqa: INP001 - a script, no package

from __future__ import annotations

import inspect
import io
import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import click
import structlog

from agentsync.apply import Outcome
from agentsync.cli import COMMANDS, cli
from agentsync.diagnostics import Code, Diagnostic
from agentsync.dialects import dialects
from agentsync.errors import ExitCode, SourceUnavailableError
from agentsync.events import tell, tell_rollback
from agentsync.gather import Contents
from agentsync.log import configure
from agentsync.matrix import matrix_row
from agentsync.plan import Action, Actual, Change, Plan, Recorded, Wanted, conflict, recorded
from agentsync.report import Report, Scope
from agentsync.schema import agent_schema
from agentsync.snapshot import SourceReport

DIRECTORY: Final = Path(__file__).parent

_PART: Final = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

_EXITS: Final = {
    ExitCode.OK: "Done. `pull` and `plan`: nothing stands in the way. `status` ends so whatever it shows.",
    ExitCode.FINDINGS: "`check`, `doctor`: something is wrong, or there is no agent. `plan`, `status` with "
    "`--exit-code`: there is something to change, or (`status`) something is in trouble. `convert --fail-on-loss`: "
    "something was lost.",
    ExitCode.USAGE: "Wrong usage, or a mistake in the configuration.",
    ExitCode.SOURCE_UNAVAILABLE: "A source could not be fetched. The others were synced.",
    ExitCode.INCOMPLETE: "Something was refused, held, in conflict or could not be written; the rest was done. Or the "
    "state cannot be used, or the output cannot be written.",
    ExitCode.BUG: "A bug in agentsync. Details are in `bug-report.txt` in the state directory.",
    ExitCode.LOCKED: "Another run is under way.",
    ExitCode.INTERRUPTED: "Interrupted with ctrl-C.",
    ExitCode.TERMINATED: "Ended by SIGTERM.",
}

_GROUPS: Final = {
    "AS1": "Reading: how the bytes were made sense of",
    "AS2": "Checks: what was read and what is wrong with it",
    "AS3": "Conversion: what a target cannot carry",
    "AS4": "Sync: what stands in the way of applying",
    "AS5": "Policy: what is said of an agent by somebody other than its author",
}

_EVENTS: Final = {
    "source.moved": "A source leads to another commit than the one that was applied last.",
    "source.failed": "A source could not be fetched, or was fetched and refused. Its last good commit stays.",
    "agent.created": "A file was written where there was none.",
    "agent.updated": "A file that agentsync wrote was replaced.",
    "agent.replaced": "A file that agentsync did not write so was put away and replaced, since the user said `adopt`.",
    "agent.pruned": "A file that agentsync wrote was deleted, since the source dropped it.",
    "agent.restored": "A file that agentsync wrote and somebody deleted was written again.",
    "agent.taken": "A file was there already with the very bytes that are wanted, and counts as written by agentsync "
    "from now on.",
    "agent.forgotten": "A file is gone from the source and from the disk, and is no longer kept track of.",
    "agent.conflict": "What stands at the path was not written by agentsync, or was edited since. It is kept.",
    "agent.failed": "A file could not be written or deleted.",
    "agent.held": "A change was not made, since its source would delete too much at once.",
    "agent.refused": "An agent, or one of its conversions, cannot be used. The code says why.",
    "agent.diagnostic": "Something was repaired or lost; or, at level debug, a remark.",
    "sync.rolled_back": "`rollback` brought back what was here after the sync `to`; one event a file stands before it.",
    "sync.finished": "The cycle is over. There is one in every `pull`.",
}
_ON_EVERY_EVENT: Final = ("sync_id", "event", "level", "timestamp")


def main() -> None:
    """Brings every page up to date."""
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")


def pages() -> dict[Path, str]:
    """Every page that has generated parts, as it should be."""
    texts = ((path, path.read_text(encoding="utf-8")) for path in sorted(DIRECTORY.glob("*.md")))
    filled = {path: _PART.sub(_filled, text) for path, text in texts if _PART.search(text)}
    unit = DIRECTORY.parent / "systemd/agentsync-pull.service"
    return {
        **filled,
        DIRECTORY / "agent.schema.json": json.dumps(agent_schema(), indent=2) + "\n",
        unit: _PLACES.sub(_places, unit.read_text(encoding="utf-8")),
    }


# Where a service may write: a line for each of the places in which a tool looks for the user's agents.
_PLACES: Final = re.compile(r"(?:^ReadWritePaths=-.*\n)+", re.MULTILINE)


def _places(_match: re.Match[str]) -> str:
    directories = sorted({dialect.written_directory for dialect in dialects().values()} - {""})
    return "".join(f"ReadWritePaths=-%h/{directory}\n" for directory in directories)


def _filled(match: re.Match[str]) -> str:
    return f"{match[1]}\n{_PARTS[match['name']]().strip()}\n\n{match[3]}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *([cell.replace("|", r"\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


# Commands.


def _commands() -> str:
    return "\n".join(_command(*found) for found in _contexts())


def _contexts() -> Iterator[tuple[click.Command, click.Context]]:
    root = _root()
    for name in COMMANDS:
        command = cli.get_command(root, name)
        if command is None:
            raise LookupError(name)
        yield command, click.Context(command, info_name=name, parent=root)


def _root() -> click.Context:
    return click.Context(cli, info_name="agentsync", **cli.context_settings)


def _command(command: click.Command, context: click.Context) -> str:
    usage = command.get_usage(context).removeprefix("Usage: ")
    parts = [f"## {command.name}\n", f"    {usage}\n", f"{inspect.cleandoc(command.help or '')}\n"]
    shared = {parameter.name for parameter in cli.get_params(_root())}
    own = [parameter for parameter in command.params if parameter.name not in shared]
    if rows := _options(own, context):
        parts.append(_table(("option", "variable", "meaning"), rows))
    if examples := _examples(command.epilog or ""):
        parts.append(f"```\n{examples}\n```\n")
    return "\n".join(parts)


def _common_options() -> str:
    root = _root()
    return _table(("option", "variable", "meaning"), _options(cli.get_params(root), root))


def _options(parameters: Iterable[click.Parameter], context: click.Context) -> list[tuple[str, str, str]]:
    return [
        (f"`{_spelling(option, context)}`", _variable(option, context), _meaning(option))
        for option in parameters
        if isinstance(option, click.Option)
    ]


def _spelling(option: click.Option, context: click.Context) -> str:
    names = ", ".join(option.opts) + "".join(f" / {name}" for name in option.secondary_opts)
    if option.is_flag or option.count:
        return names
    return f"{names} {option.make_metavar(context).removesuffix(' RANGE')}"


def _meaning(option: click.Option) -> str:
    parts = [option.help or ""]
    if option.show_default:
        parts.append(f"Default: {option.default}.")
    if option.required:
        parts.append("Required.")
    if option.multiple:
        parts.append("May be given more than once.")
    return " ".join(parts)


def _variable(option: click.Option, context: click.Context) -> str:
    """The variable that click reads for an option; what ends the run at once is no setting."""
    if option.is_eager or option.name is None:
        return ""
    return f"`{context.auto_envvar_prefix}_{option.name.upper()}`"


def _examples(epilog: str) -> str:
    _, _, examples = inspect.cleandoc(epilog.replace("\b", "")).partition("Examples:\n")
    return inspect.cleandoc(examples)


def _exit_codes() -> str:
    return _table(("status", "meaning"), ((str(int(code)), _EXITS[code]) for code in ExitCode))


# Diagnostic codes.


def _codes() -> str:
    return "\n".join(f"## {title}\n\n{_codes_of(prefix)}" for prefix, title in _GROUPS.items())


def _codes_of(prefix: str) -> str:
    rows = (
        (code.id, code.name.lower().replace("_", "-"), code.severity.value, code.cause, code.remedy)
        for code in Code
        if code.id.startswith(prefix)
    )
    return _table(("code", "name", "severity", "cause", "remedy"), rows)


# Log events: what the code itself tells of a made-up cycle in which everything happens.

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
_MOMENT: Final = "2026-01-01T12:00:00.000000Z"


def events() -> dict[str, list[dict[str, object]]]:
    """Each event of a cycle by name, as its JSON records."""
    found: dict[str, list[dict[str, object]]] = {name: [] for name in _EVENTS}
    for line in _told(readable=False).splitlines():
        record = json.loads(line) | {"timestamp": _MOMENT}
        found[record["event"]].append(record)
    return found


def _told(*, readable: bool) -> str:
    before = structlog.get_config()
    stream = io.StringIO()
    try:
        configure(logging.DEBUG, stream=stream, readable=readable)
        tell(_cycle())
        tell_rollback("2d6e297023cb", "9c4f0b1d77aa", (), ())
    finally:
        structlog.configure(**before)
    return stream.getvalue()


def _cycle() -> Report:
    base = recorded(_FILE, _URL)
    made = [action for action in Action if action not in (Action.KEEP, Action.CONFLICT)]
    clash = _change(Action.CONFLICT, base=None)
    failed = Diagnostic(
        Code.WRITE_FAILED, "it could not be written: No space left on device", path="/home/dev/.claude/agents"
    )
    lost = Diagnostic(
        Code.FIELD_LOST,
        "the color is left out: it has no place here",
        path=_FILE.source_path,
        line=4,
        column=1,
        agent=_FILE.agent,
        target="codex",
    )
    remark = Diagnostic(Code.NAME_CHANGED, "'Code Reviewer' is called `code-reviewer` here", agent=_FILE.agent)
    refused = Diagnostic(Code.DESCRIPTION_MISSING, Code.DESCRIPTION_MISSING.cause, path="agents/tester.md", line=1)
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
        products=(),
        states=(),
        plan=Plan((), held=(_change(Action.DELETE, base=base),), diagnostics=()),
        outcomes=outcomes,
        diagnostics=(lost, remark, refused),
        inventory={},
        contents=Contents((), ()),
    )


def _sources() -> tuple[SourceReport, ...]:
    error = SourceUnavailableError("the server cannot be reached", place="ssh://git@git.acme.example/other.git")
    return (
        SourceReport("team", _URL, "refs/heads/main", commit=_FILE.commit, previous=_BEFORE),
        SourceReport("other", error.place, "HEAD", error=error),
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
    _, _, line = _told(readable=True).splitlines()[0].partition(" ")
    return f"```\n{_MOMENT} {line}\n```"


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
        ("dialect", "tool", "for the user", "in a project", "files", "required", "checked with"),
        (
            (
                f"`{dialect.name}`",
                f"[{dialect.title}]({dialect.source})" if "://" in dialect.source else dialect.title,
                f"`~/{dialect.user_directory}`" if dialect.user_directory else "-",
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
            line = f"- **{dialect.title}** also reads the agents of {title}, and may not heed what restricts them."
            lines.append(line)
    return "\n".join(lines)


_PARTS: Final[dict[str, Callable[[], str]]] = {
    "commands": _commands,
    "common-options": _common_options,
    "exit-codes": _exit_codes,
    "codes": _codes,
    "events": _event_list,
    "readable-event": _readable_event,
    "agent-keys": _agent_keys,
    "dialects": _dialects,
    "matrix": _matrix,
    "lists": _lists,
    "notices": _notices,
}

if __name__ == "__main__":
    main()
