"""The table in docs/conformance.md: what each tool was given, and loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from conformance.oracle import Oracle

_BEGIN, _END = "<!-- counted -->\n", "<!-- end of what was counted -->\n"


@dataclass(frozen=True, slots=True)
class Table:
    """The counts of one run, by repository and tool."""

    versions: dict[str, str] = field(default_factory=dict)
    rows: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def add(self, repository: str, oracle: Oracle, *, agents: int, loaded: int, refused: Mapping[str, int]) -> None:
        """Counts what one tool was given of one repository."""
        self.versions[oracle.tool] = oracle.version
        codes = ", ".join(f"{count} {code}" for code, count in sorted(refused.items())) or "none"
        self.rows[repository, oracle.tool] = (str(agents), str(loaded), codes)

    def markdown(self) -> str:
        head = "| repository | tool | files | loaded by the tool | refused |\n| --- | --- | ---: | ---: | --- |\n"
        body = [
            f"| {repository} | {tool} {self.versions[tool]} | {' | '.join(cells)} |\n"
            for (repository, tool), cells in sorted(self.rows.items())
        ]
        return head + "".join(body)

    def renew(self, document: Path) -> None:
        """Puts the table in the place of the one that stands between the marks of a document."""
        before, _, rest = document.read_text(encoding="utf-8").partition(_BEGIN)
        after = rest.partition(_END)[2]
        document.write_text(f"{before}{_BEGIN}\n{self.markdown()}\n{_END}{after}", encoding="utf-8")
