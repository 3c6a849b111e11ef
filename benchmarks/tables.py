"""How what was measured is printed, and written into a page."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from goals import Goal
from measure import Summary


def machine(measured: str) -> str:
    """Describes what was measured, when and on what."""
    git = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    load = os.getloadavg()[0]
    return (
        f"{measured}, {time.strftime('%Y-%m-%d')}; {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores (load {load:.1f}), Python {platform.python_version()}, {git}"
    )


def rows(summaries: Sequence[Summary]) -> Iterator[tuple[str, ...]]:
    """Yields the rows of what was measured, the heading first."""
    yield "case", "median s", "fastest s", "CPU s", "peak MiB"
    for summary in summaries:
        peak = f"{summary.peak:.0f}" if summary.peak else "-"
        yield summary.name, f"{summary.wall:.3f}", f"{summary.fastest:.3f}", f"{summary.cpu:.3f}", peak


def goal_rows(reached: Sequence[Goal]) -> Iterator[tuple[str, ...]]:
    """Yields the rows of goals, the heading first."""
    yield "goal", "measured", "wanted", ""
    for goal in reached:
        yield goal.name, *goal.words


def aligned(lines: Iterator[tuple[str, ...]]) -> str:
    """Aligns rows for a terminal."""
    table = list(lines)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in table
    )


def markdown(lines: Iterator[tuple[str, ...]]) -> str:
    """Makes a table of Markdown of rows."""
    head, *body = lines
    rule = ("---", *("---:" for _ in head[1:]))
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, rule, *body))


def publish(
    described: str, summaries: Sequence[Summary], reached: Sequence[Goal], *, document: Path | None, part: str
) -> None:
    """Prints what was measured and the goals, and renews a part of a page with them if there is one."""
    print(described, aligned(rows(summaries)), aligned(goal_rows(reached)), sep="\n\n")
    if document:
        replace(document, part, "\n".join([f"{described}\n", markdown(rows(summaries)), markdown(goal_rows(reached))]))


def replace(document: Path, part: str, measured: str) -> None:
    """Renews one part of a page, between its comments; the first one has no name."""
    name = f": {part}" if part else ""
    begin, end = f"<!-- measured{name} -->\n", f"<!-- end of what was measured{name} -->\n"
    before, _, rest = document.read_text(encoding="utf-8").partition(begin)
    after = rest.partition(end)[2]
    document.write_text(f"{before}{begin}\n{measured}\n{end}{after}", encoding="utf-8")
