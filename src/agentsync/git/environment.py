"""Environment of every git command, with settings that override any configuration of the user."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

_FIXED_ENVIRONMENT = {
    "LC_ALL": "C",
    "LANGUAGE": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "SSH_ASKPASS_REQUIRE": "never",
    "GCM_INTERACTIVE": "never",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_SSH_VARIANT": "ssh",
    "GIT_ALLOW_PROTOCOL": "none",
}
_FIXED_SETTINGS = (
    ("protocol.version", "2"),
    ("fetch.fsckObjects", "true"),
    ("fetch.unpackLimit", "1"),  # a fetch always writes one pack, so the limit on a file's size limits it all
    ("core.bigFileThreshold", "1m"),  # objects larger than any agent are streamed and never loaded into memory
    ("core.packedGitWindowSize", "32m"),
    ("transfer.bundleURI", "false"),
    ("http.followRedirects", "false"),
    ("http.lowSpeedLimit", "1000"),
    ("http.lowSpeedTime", "20"),
    ("credential.helper", ""),
    ("core.askPass", ""),
    ("core.hooksPath", os.devnull),
    ("core.fsmonitor", "false"),
    ("core.symlinks", "false"),
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("gc.auto", "0"),
    ("gc.autoDetach", "false"),
    ("maintenance.auto", "false"),
    ("init.templateDir", ""),
    ("init.defaultBranch", "main"),
)


def base_environment() -> dict[str, str]:
    """Environment of a git command that uses no repository."""
    return _FIXED_ENVIRONMENT | {"PATH": os.environ.get("PATH", os.defpath)}


def repository_environment(directory: Path, home: Path) -> dict[str, str]:
    """Environment of a git command in a bare repository, with an empty home."""
    own = {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "GIT_DIR": str(directory)}
    return with_settings(base_environment() | own, _FIXED_SETTINGS)


def with_settings(environment: Mapping[str, str], settings: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Add git settings to an environment, after those that it has already."""
    first = int(environment.get("GIT_CONFIG_COUNT", "0"))
    result = dict(environment) | {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for number, (name, value) in enumerate(settings, start=first):
        result |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return result
