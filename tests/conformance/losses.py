"""What conversion costs the agents of the public corpus, as tables in docs/conformance.md.

usage: python tests/conformance/losses.py [--as before] [FILE]

It measures the agentsync that its Python has installed, so that of another checkout too, and prints the tables or
renews them in FILE. The values of now go to the right of each arrow, or with `--as before` to the left.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.core.codes import Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects import dialects
from agentsync.repository.dialect_detection import NoAgent, read_agent
from conformance.access import GROUPS, losses
from conformance.authors import author
from conformance.counts import replace_between, table
from conformance.oracle import shared_directory
from conformance.reported import ABLE, keys_of, reported
from conformance.samples import public_agents

_BEGIN, _END = "<!-- losses -->\n", "<!-- end of losses -->\n"

Cell = tuple[str, str, str]
"""Table, row and column of one number."""

_WORKERS = 2
_MEASURED = Path(__file__).with_suffix(".json")
_EVERY, _REFUSED, _MODEL, _WITH_MODEL = "every target", "refused", "model kept", "with a model"
_LOST = {group: f"lose {group}" for group in GROUPS}
_COLUMNS = (_REFUSED, *_LOST.values(), _MODEL)
_MODELS = re.compile(r'(?m)^ *"?(?:model|modelId|active_model)"? *[:=] *(.+)$')
_FAMILY = re.compile(r"opus|sonnet|haiku|fable|gpt[\d.]+|gemini[\d.]+|\bo\d")
_ARROW = " → "


def measure(shared: Path) -> Counter[Cell]:
    """The number for each cell of both tables."""
    files = list(public_agents(shared))
    with ProcessPoolExecutor(_WORKERS) as pool:
        parts = pool.map(_of_files, [files[start :: 4 * _WORKERS] for start in range(4 * _WORKERS)])
        return sum(parts, Counter[Cell]())


def _of_files(files: Iterable[tuple[str, str, bytes]]) -> Counter[Cell]:
    counted = Counter[Cell]()
    for dialect, path, data in files:
        counted["files", "", "all"] += 1
        read = read_agent(path, data, dialect)
        if isinstance(read, NoAgent):
            counted += _refusal(_EVERY, read.diagnostics) if read.refused else Counter()
            continue
        counted["files", "", "agents"] += 1
        written = 0
        for target in dialects().values():
            file = render(read, target, WriteOptions())
            written += file.data is not None
            if file.data is None:
                counted += _refusal(target.name, file.diagnostics)
            elif target is not read.dialect:
                counted += _lost(dialect, data, target.name, file.data)
        counted["files", "", "nowhere"] += not written
    return counted


def _refusal(target: str, diagnostics: Sequence[Diagnostic]) -> Counter[Cell]:
    codes = {diagnostic.code.id for diagnostic in diagnostics if diagnostic.severity is Severity.ERROR}
    return Counter[Cell]({("targets", target, _REFUSED): 1, **{("codes", target, code): 1 for code in codes}})


def _lost(dialect: str, data: bytes, target: str, output: bytes) -> Counter[Cell]:
    """What an agent of another tool does not get of what its author wrote."""
    source = author(dialect, data)
    counted = Counter[Cell]()
    if target in ABLE:
        groups = losses(source.wanted, reported(target, keys_of(target, output)), ABLE[target])
        counted.update(("targets", target, _LOST[group]) for group in groups)
    if families := _families(source.model):
        models = " ".join(_MODELS.findall(output.decode()))
        counted["targets", target, _WITH_MODEL] += 1
        counted["targets", target, _MODEL] += bool(families & _families(models))
    return counted


def _families(model: str) -> set[str]:
    return set(_FAMILY.findall(re.sub(r"[ -]", "", model.lower())))


def markdown(before: Mapping[str, int], now: Mapping[str, int]) -> str:
    """The tables of two measurements, each a number by the joined parts of a cell; one of them may be empty."""

    def pair(*cell: str) -> str:
        both = [str(numbers.get(_key(cell), 0)) for numbers in (before, now) if numbers]
        return both[0] if len(set(both)) == 1 else _ARROW.join(both)

    def cell(target: str, column: str) -> str:
        if column in _LOST.values() and target not in ABLE:
            return "-"
        shown = pair("targets", target, column)
        return f"{shown} of {pair('targets', target, _WITH_MODEL)}" if column == _MODEL else shown

    names = sorted(dialects(), key=lambda name: (name not in ABLE, name))
    by_target = [(name, *(cell(name, column) for column in _COLUMNS)) for name in names]
    codes = sorted({tuple(key.split("/"))[1:] for key in {*before, *now} if key.startswith("codes/")})
    by_code = [(target, code, pair("codes", target, code)) for target, code in codes]
    refused = pair("targets", _EVERY, _REFUSED), pair("files", "", "nowhere")
    counts = (
        f"Of {pair('files', '', 'all')} files {pair('files', '', 'agents')} are read as agents; {refused[0]} are "
        f"refused when they are read, and {refused[1]} of the others for every target.\n"
    )
    return "\n".join(
        [
            counts,
            table(("target", *_COLUMNS), by_target, "-" + "r" * len(_COLUMNS)),
            table(("refused for", "code", "files"), by_code, "--r"),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--as", dest="column", choices=("before", "now"), default="now")
    parser.add_argument("file", nargs="?", type=Path)
    arguments = parser.parse_args()
    shared = shared_directory()
    if not shared.is_dir():
        parser.exit(0, f"{shared} is not there, so nothing is measured\n")
    columns = json.loads(_MEASURED.read_text(encoding="utf-8"))
    columns[arguments.column] = {_key(cell): number for cell, number in sorted(measure(shared).items())}
    tables = markdown(columns["before"], columns["now"])
    if arguments.file is None:
        sys.stdout.write(tables)
        return
    _MEASURED.write_text(json.dumps(columns, indent=1) + "\n", encoding="utf-8")
    replace_between(arguments.file, _BEGIN, _END, tables)


def _key(cell: Sequence[str]) -> str:
    return "/".join(cell)


if __name__ == "__main__":
    main()
