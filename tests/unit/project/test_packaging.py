"""The package: versions, licence, type marker, units and image."""

from __future__ import annotations

import configparser
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import agentsync
from agentsync.dialects import dialects

_ROOT = Path(__file__).parents[3]


def _text(path: str) -> str:
    return (_ROOT / path).read_text(encoding="utf-8")


def test_constraints_hold_names_and_versions_only() -> None:
    lines = [line for line in _text("constraints.txt").splitlines() if line and not line.startswith("#")]
    assert lines
    pin = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][A-Za-z0-9.]*")
    assert [line for line in lines if not pin.fullmatch(line)] == []


def test_every_dependency_is_constrained() -> None:
    project = tomllib.loads(_text("pyproject.toml"))["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    pinned = {_normal(line.partition("==")[0]) for line in _text("constraints.txt").splitlines()}
    assert {_normal(re.split(r"[\[<>=~! ;]", line)[0]) for line in wanted} <= pinned


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_no_class_of_click_is_subscripted_since_the_oldest_that_is_allowed_cannot_be() -> None:
    found = [
        f"{path.name}: {one[0]}"
        for path in (_ROOT / "src").rglob("*.py")
        for one in re.finditer(r"\bclick(\.\w+)+\[", path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_the_package_has_a_type_marker() -> None:
    assert (Path(agentsync.__file__).parent / "py.typed").is_file()


def test_the_licence_is_mit() -> None:
    project = tomllib.loads(_text("pyproject.toml"))["project"]
    assert project["license"] == "MIT"
    assert _text(project["license-files"][0]).startswith("MIT License\n")


def test_the_changelog_has_a_section_for_each_version() -> None:
    unreleased, *sections = re.findall(r"^## (.+)$", _text("CHANGELOG.md"), re.MULTILINE)
    assert unreleased == "[Unreleased]"
    dated = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", section) for section in sections]
    versions = [found[1] for found in dated if found]
    assert len(versions) == len(sections)
    assert versions == sorted(versions, key=lambda version: [*map(int, version.split("."))], reverse=True)
    tags = subprocess.run(["git", "tag", "--list", "v*"], cwd=_ROOT, check=False, capture_output=True, text=True)
    assert {tag[1:] for tag in tags.stdout.split()} <= {*versions}  # none in a copy without git, or without tags
    assert f'"agentsync {versions[0]}"' in _text("docs/agentsync.1")
    assert f"/agentsync:{versions[0]}\n" in _text("examples/kubernetes/daemonset.yaml")


@pytest.mark.skipif(not (_ROOT / ".gitattributes").exists(), reason="an sdist has its version elsewhere")
def test_an_archive_of_the_repository_names_its_commit_and_tag() -> None:
    assert _text(".gitattributes") == ".git_archival.txt export-subst\n"
    assert {line.partition(":")[0] for line in _text(".git_archival.txt").splitlines()} == {
        "node",
        "node-date",
        "describe-name",
    }


_UNITS = ("agentsync.service", "agentsync@.service", "agentsync-pull.service", "agentsync-pull.timer")


@pytest.mark.parametrize("name", _UNITS)
def test_a_unit_has_sections_and_settings_and_can_be_found_in_two_places(name: str) -> None:
    unit = _unit(name)
    assert unit.sections()[0] == "Unit"
    assert all(unit[section] for section in unit.sections())
    assert (_ROOT / "systemd" / name).resolve() == _ROOT / "src/agentsync/units" / name


@pytest.mark.parametrize("name", ["agentsync.service", "agentsync-pull.service"])
def test_a_users_service_may_write_to_every_tools_directory(name: str) -> None:
    """And, of a home directory, only to that, its state and its cache."""
    own = {"%h/.local/state/agentsync", "%h/.cache/agentsync"}
    assert _paths(name, "ReadWritePaths") == _tools("%h") | own


def test_the_machines_service_sees_the_same_of_a_home() -> None:
    assert _paths("agentsync@.service", "BindPaths") == _tools("/home/%i")
    assert _paths("agentsync@.service", "BindReadOnlyPaths") == {"-/home/%i/.config/agentsync"}
    assert _paths("agentsync@.service", "ReadWritePaths") == set()


def _paths(name: str, setting: str) -> set[str]:
    values = re.findall(rf"^{setting}=(.*)$", _text(f"systemd/{name}"), re.MULTILINE)
    return {path for value in values for path in value.split()}


def _tools(home: str) -> set[str]:
    directories = {dialect.written_directory for dialect in dialects().values()} - {""}
    return {f"-{home}/{directory}" for directory in directories}


def test_a_service_notifies_systemd_of_its_start_and_progress() -> None:
    for name in ("agentsync.service", "agentsync@.service"):
        service = _unit(name)["Service"]
        assert (service["Type"], service["NotifyAccess"], service["Restart"]) == ("notify", "main", "on-failure")
        assert "WatchdogSec" in service
        assert service["ExecStart"].endswith("/agentsync daemon")
        assert service["ExecReload"] == """/bin/sh -c 'kill -HUP "$$MAINPID"'"""
    assert _unit("agentsync@.service")["Service"]["User"] == "%i"


def test_the_timers_service_is_no_daemon() -> None:
    service = _unit("agentsync-pull.service")["Service"]
    assert (service["Type"], service["ExecStart"]) == ("oneshot", "%h/.local/bin/agentsync pull")
    assert "Install" not in _unit("agentsync-pull.service")


class _UnitParser(configparser.RawConfigParser):
    """For systemd's units, in which keys have capitals and may come twice."""

    def __init__(self) -> None:
        super().__init__(strict=False)

    def optionxform(self, optionstr: str) -> str:
        return optionstr


def _unit(name: str) -> _UnitParser:
    unit = _UnitParser()
    unit.read_string(_text(f"systemd/{name}"))
    return unit


def test_the_image_gets_every_file_that_it_is_built_from() -> None:
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", _text("Dockerfile"), re.MULTILINE)
    let_in = {line[1:] for line in _text(".dockerignore").splitlines() if line.startswith("!")}
    assert {name for line in copied for name in line.split()} == let_in
    assert [name for name in let_in if not (_ROOT / name).exists()] == []
