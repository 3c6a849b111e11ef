"""Whatever reads what others wrote takes time in proportion to its length: every target of the fuzzing is tried.

What parses is found in the source, and has to be reached by a target or be named here; so a new reader gets a target.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType

import pytest

from agentsync.dialects import dialects
from fuzz.targets import seeds, targets
from support.hostile import grows
from support.patterns import functions
from support.thorough import part

_PARSING = frozenset({"loads", "decode", "urlsplit", "urljoin", "fromisoformat", "parse_qs", "literal_eval"})
_OTHERS = sorted(targets().keys() - dialects().keys() - {"state", "merged"})  # the first is a file of fixed size
_UNITS = ("a", " ", "\n", ".", "/", "[", '"', "a:\n", "- a\n", "a.b.", "x://", "{file:", "\\")
_WORD = re.compile(r"[A-Za-z]\w+")
_LENGTH = 100_000
_SEEDS, _LINES = 3, 12

_NOT_REACHED = {
    "of one answer of git, which has a fixed form": (
        *("git.access.access", "git.access._token", "git.identity.copy_in_history", "git.mirror._newest_tag"),
        *("git.merged_reverts.merged_reverts", "git.user_settings._config", "git.user_settings._is_direct"),
        *("git.remedies._ssh_login", "git.own_mirror.tampering"),
        *("git.bare_repository.start_over_whole", "git.bare_repository._repack_part"),
        *("git.clone.origin", "git.clone.resolve"),
        *("git.clone.unpushed", "git.clone.commit", "git.connection.object_format", "git.connection.explain"),
        *("git.mirror._facts", "git.mirror._entry", "git.mirror.is_cut", "git.partial.missing_content"),
        *("git.poll.ask", "git.process.stderr", "git.signatures._tag_object", "git.strict_check.check_strictly"),
        *("git.strict_check._read_with", "git.signatures._title", "git.ancestors.ancestors"),
    ),
    "of what is written on this machine": (
        *("cli.fleet._token", "cli.rollout._edited", "cli.rollout_checks.check_rollout", "fleet.http.__post_init__"),
        *("cli.check._judge", "cli.convert._finish", "cli.cycle.source_name", "cli.health.command"),
        *("cli.install_service._needs_of", "config.policy_of", "config.tables._collector_url", "core.urls.origin"),
        *("git.certificates.find_fault", "service.control_socket.ask", "service.systemd.text.is_ours"),
    ),
    "of an answer of a server that the caller named, and that is limited in size": (
        "fleet.http._as_error",
        "fleet.http._ask",
    ),
    "of what agentsync itself has written": (
        *("report.metrics.otlp._nanoseconds", "report.page._hash", "state.polled._read", "state.store._decoded"),
        *("sync.compiled_agent.decode", "sync.reading._decode", "sync.up_to_date._recall"),
        *("service.local_work._unpacked", "targets.target_directory.temporary"),
    ),
}


def test_everything_that_parses_is_reached_by_a_target_or_named() -> None:
    parsing = {
        (path, node.name): f"{module}.{node.name}"
        for path, module, node in functions()
        if any(_parses(call) for call in ast.walk(node))
    }
    reached = _reached_by_targets()
    named = {name for names in _NOT_REACHED.values() for name in names}
    assert {name for where, name in parsing.items() if where not in reached} == named


def _parses(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in _PARSING or (name == "parse" and ast.unparse(function) == "yaml.parse")


def _reached_by_targets() -> set[tuple[str, str]]:
    reached: set[tuple[str, str]] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            reached.add((frame.f_code.co_filename, frame.f_code.co_name))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        for name, target in targets().items():
            for data in seeds(name):
                target(data)
    finally:
        sys.setprofile(before)
    return reached


@pytest.mark.parametrize("name", part(_OTHERS, of=10, first=0))
def test_every_other_reader_takes_linear_time(name: str) -> None:
    """For documents with a long text in each place, and with many lines that differ in one of their words."""
    target = targets()[name]
    slow = [maker(60) for maker in _hostile(name) if grows(partial(_run, target), maker, _LENGTH)]
    assert slow == []


def _run(target: Callable[[bytes], None], text: str) -> None:
    target(text.encode(errors="surrogateescape"))


def _hostile(name: str) -> Iterator[Callable[[int], str]]:
    yield from (partial(_filled, "", unit, "") for unit in _UNITS)
    for data in [*seeds(name)][-_SEEDS:]:
        lines = data.decode(errors="surrogateescape").splitlines(keepends=True)
        for number, line in enumerate(lines[:_LINES]):
            before, after = "".join(lines[:number]), "".join(lines[number + 1 :])
            yield from (partial(_filled, before + line, unit, after) for unit in _UNITS[::3])
            for word in [*_WORD.finditer(line)][:3]:
                start, end = line[: word.end()], line[word.end() :]
                yield partial(_filled, before + start, "a", end + after)
                yield partial(_numbered, before, start, end, after)


def _filled(before: str, unit: str, after: str, length: int) -> str:
    return before + unit * (length // len(unit)) + after


def _numbered(before: str, start: str, end: str, after: str, length: int) -> str:
    count = length // (len(start + end) + 4)
    return before + "".join(f"{start}{number}{end}" for number in range(count)) + after
