"""The status page in a real browser: by eye (pictures), by keyboard, by a screen reader's rules, and without a script.

`make browser` fetches what this needs beside Chromium; without that the tests are skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from support.endpoint import Watched
from support.machine import agent

_HERE = Path(__file__).parents[1] / "browser"
_MODULES = Path(os.environ.get("AGENTSYNC_BROWSER", _HERE))
_BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_SECONDS = 120
_MOST_PIXELS = 7000  # of height, however many agents there are; one unfolded row for each would exceed it

pytestmark = [
    pytest.mark.skipif(not _BROWSER, reason="there is no Chromium"),
    pytest.mark.skipif(not shutil.which("node"), reason="there is no Node.js"),
    pytest.mark.skipif(
        not (_MODULES / "node_modules" / "playwright-core").is_dir(), reason="`make browser` fetches Playwright"
    ),
]


def look(service: Watched, pictures: Path) -> dict[str, Any]:
    """Render the page in a browser; its pictures stay in the directory, or in $AGENTSYNC_PICTURES."""
    pictures = Path(os.environ.get("AGENTSYNC_PICTURES", pictures)) / pictures.name
    pictures.mkdir(parents=True, exist_ok=True)
    address = f"http://{service.health.address}/"
    # The path of a socket has room for about a hundred bytes, and Chromium keeps one there.
    with TemporaryDirectory() as short:
        done = subprocess.run(
            ["node", _HERE / "look.mjs", address, str(_BROWSER), pictures, _MODULES],
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
            env={"PATH": os.environ["PATH"], "HOME": short, "TMPDIR": short},
        )
    assert done.returncode == 0, done.stderr
    rendered: dict[str, Any] = json.loads(done.stdout)
    assert sorted(path.stem for path in pictures.glob("*.png")) == ["dark", "light", "narrow", "narrow-dark"]
    assert rendered["console"] == []
    assert {request.partition("?")[0] for request in rendered["requests"]} == {address}
    return rendered


def assert_everybody_can_read_it(rendered: dict[str, Any]) -> None:
    for name, view in rendered["views"].items():
        assert view["violations"] == [], name
        assert view["passes"] > 30
        assert view["overflow"] <= 0, f"{name} has to be scrolled sideways"
    assert rendered["views"]["light"]["ground"] != rendered["views"]["dark"]["ground"]
    assert set(rendered["landmarks"].values()) == {1}
    assert rendered["keyboard"][0]["name"] == "Skip to the content"
    assert all(stop["outline"] != "none" for stop in rendered["keyboard"])
    names = [stop["name"] for stop in rendered["keyboard"]]
    assert len(set(names)) == len(names)


def test_when_all_is_well(tmp_path: Path) -> None:
    with Watched(tmp_path / "machine") as service:
        service.cycle()
        rendered = look(service, tmp_path / "well")
    assert_everybody_can_read_it(rendered)
    assert "Needs attention" not in rendered["headings"]
    assert "Every file is as its source wants it." in rendered["plain"]
    assert "Two agents" in rendered["plain"]


def test_when_much_is_wrong(tmp_path: Path) -> None:
    with Watched(tmp_path / "machine") as service:
        service.cycle()
        service.source.write({f"agents/spare-{number}.md": agent(f"spare-{number}") for number in range(120)})
        service.source.commit("Many")
        service.cycle()
        (service.directory / "reviewer.md").write_text(agent("reviewer", "You <script>alert(1)</script> help me."))
        service.source.write({"agents/broken.md": "---\nname: broken\n---\nNo description.\n"})
        service.source.commit("Break <b>one</b>")
        service_status = service.cycle()
        (service.directory / "tester.md").unlink()
        service.publish(
            replace(
                service_status,
                config_error="config.toml:4: unknown key `sources.team.brnach`",
                suspended="looking into the last change",
                fallbacks=("/mnt/agents: it is on a network file system (nfs4)",),
                sources=(replace(service_status.sources[0], error="the server cannot be reached", desired="d" * 40),),
            )
        )
        rendered = look(service, tmp_path / "wrong")
    assert_everybody_can_read_it(rendered)
    assert max(view["height"] for view in rendered["views"].values()) < _MOST_PIXELS
    found = rendered["filter"]
    assert found["first"] == ["broken", "reviewer", "tester"]
    assert found["word"]["seen"] == ["spare-7", *(f"spare-{number}" for number in range(70, 80))]
    assert found["word"]["text"] == "Matching: 11 agents, 0 causes, 0 files."
    assert found["word"]["again"] == "/?words=spare-7+claude"
    assert (found["cleared"]["seen"], found["cleared"]["again"]) == (found["first"], "/")
    assert found["asked"]["seen"] == found["first"]
    assert rendered["headings"][1] == "Needs attention"
    expected = (
        "Pulling is suspended",
        "brnach",
        "Source team cannot be used",
        "1 file in conflict",
        "Break <b>one</b>",
    )
    for line in expected:
        assert line in rendered["plain"]
    assert "-You <script>alert(1)</script> help me." in rendered["plain"]
