"""Times agentsync on 1,000 agents and three tools, beside what bounds it and beside a peer; docs/performance.md."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from cases import cases, peers
from goals import goals
from measure import Run, Summary
from real_files import SKIPPED, real_files
from scene import Scene
from tables import machine, publish


def main() -> int:
    """Runs the benchmark as the command line says; the exit status is 0 whatever the goals."""
    options = _options()
    peer_root = peers()
    if peer_root is None:
        print("rulesync is not installed under $AGENTSYNC_PEERS (~/.cache/agentsync-peers): no peer to compare with")
    if real_files() is None:
        print(SKIPPED)
    root = Path(tempfile.mkdtemp(prefix="agentsync-bench-"))
    try:
        scene = Scene(root, options.agents)
        scene.build()
        if peer_root:
            scene.build_rulesync()
        summaries = _measure(scene, peer_root, options.rounds, options.seconds)
        written = scene.written()
    finally:
        shutil.rmtree(root)
    reached = tuple(goals({summary.name: summary for summary in summaries}))
    machine_line = machine(f"{options.agents} agents, {len(summaries[0].runs)} rounds")
    publish(machine_line, summaries, reached, document=options.document, part="")
    print("\nfiles written: " + ", ".join(f"{place} {count}" for place, count in written.items()))
    if options.json:
        record = {
            "machine": machine_line,
            "measurements": [summary.as_dict() for summary in summaries],
            "goals": [goal.as_dict() for goal in reached],
            "written": written,
        }
        options.json.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=1000, help="how many agents (1000)")
    parser.add_argument("--rounds", type=int, default=7, help="how often each case is run (7)")
    parser.add_argument("--seconds", type=float, default=200, help="start no further round after this time (200)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every run to a file")
    parser.add_argument("--document", type=Path, metavar="FILE", help="also renew the tables in a Markdown file")
    return parser.parse_args()


def _measure(scene: Scene, peer_root: Path | None, rounds: int, seconds: float) -> list[Summary]:
    """Rounds over all cases, so that what else the machine does falls on all of them alike."""
    todo = tuple(cases(scene, peer_root))
    runs: dict[str, list[Run]] = {case.name: [] for case in todo}
    until = time.monotonic() + seconds
    for number in range(1, rounds + 1):
        for case in todo:
            case.before()
            runs[case.name].append(case.run())
        print(f"round {number} of {rounds}", file=sys.stderr)
        if time.monotonic() > until:
            break
    return [Summary(name, tuple(taken)) for name, taken in runs.items()]


if __name__ == "__main__":
    sys.exit(main())
