"""The tables in docs/conformance.md: files that each tool was given, and loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conformance.oracle import TOOLS, Oracle

_BEGIN, _END = "<!-- counted -->\n", "<!-- end of what was counted -->\n"


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of one run.

    Attributes:
        versions: of the tools.
        rows: by repository and tool: files, how many were written, how many of those loaded, and how many errors.
        generated: by the dialect that generated agents were read from and the tool: how many loaded.
    """

    versions: dict[str, str] = field(default_factory=dict)
    rows: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    generated: dict[str, Counter[str]] = field(default_factory=dict)

    def add(
        self, repository: str, oracle: Oracle, *, files: int, written: int, loaded: int, refused: Mapping[str, int]
    ) -> None:
        """Count the files of one repository for one tool."""
        self.versions[oracle.tool] = oracle.version
        codes = ", ".join(f"{count} {code}" for code, count in sorted(refused.items())) or "none"
        self.rows[repository, oracle.tool] = (str(files), str(written), str(loaded), codes)

    def add_generated(self, tool: str, read_from: Iterable[str]) -> None:
        """Count the generated agents that a tool loaded, by the dialect that each was read from."""
        for dialect in read_from:
            self.generated.setdefault(dialect, Counter())[tool] += 1

    def markdown(self) -> str:
        in_order = sorted(self.rows.items(), key=lambda row: (TOOLS.index(row[0][1]), row[0][0]))
        rows = [(repository, f"{tool} {self.versions[tool]}", *cells) for (repository, tool), cells in in_order]
        by_dialect = [
            (dialect, *(str(counted[tool]) for tool in TOOLS)) for dialect, counted in sorted(self.generated.items())
        ]
        return "\n".join(
            [
                table(("repository", "tool", "files", "written", "loaded by the tool", "refused"), rows, "--rrr-"),
                "The generated agents that each tool loaded, by the dialect that they were read from:\n",
                table(("read from", *TOOLS), by_dialect, "-" + "r" * len(TOOLS)),
            ]
        )

    def renew(self, document: Path) -> None:
        """Replace the tables between the marks of a document."""
        replace_between(document, _BEGIN, _END, self.markdown())


def replace_between(document: Path, begin: str, end: str, markdown: str) -> None:
    """Replace what a document has between two marks."""
    before, _, rest = document.read_text(encoding="utf-8").partition(begin)
    after = rest.partition(end)[2]
    document.write_text(f"{before}{begin}\n{markdown}\n{end}{after}", encoding="utf-8")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], sides: str) -> str:
    """Markdown; `r` in `sides` puts a column to the right."""
    rule = ["---:" if side == "r" else "---" for side in sides]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, rule, *rows))
