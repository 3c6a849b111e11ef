"""The image and the example for Kubernetes: no root, nothing written outside of volumes, and an init for orphans."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentsync.config import Config
from agentsync.formats.validated_toml import load

_ROOT = Path(__file__).parents[3]
_OURS = 10001


@pytest.fixture(scope="module")
def stages() -> list[list[tuple[str, str]]]:
    """The instructions of each stage of the Dockerfile."""
    text = (_ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    instructions = [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines if line)]
    starts = [number for number, (word, _) in enumerate(instructions) if word == "FROM"]
    return [instructions[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]


@pytest.fixture(scope="module")
def objects() -> dict[str, Any]:
    """The objects of the example, by kind."""
    text = (_ROOT / "examples/kubernetes/daemonset.yaml").read_text(encoding="utf-8")
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


def test_the_image_holds_the_built_package_and_no_build_tools(stages: list[list[tuple[str, str]]]) -> None:
    build, image = stages
    assert ("WORKDIR", "/build") in build
    assert [rest for word, rest in image if word == "COPY"] == ["--from=build /opt/agentsync /opt/agentsync"]
    installed = next(rest for word, rest in image if word == "RUN" and "apt-get install" in rest)
    assert "--no-install-recommends ca-certificates git openssh-client tini" in installed
    assert installed.endswith("rm -rf /var/lib/apt/lists/*")


@pytest.mark.parametrize("name", ["build", "runtime"])
def test_every_file_that_the_image_installs_has_a_hash_at_the_version_of_the_constraints(name: str) -> None:
    pinned = set((_ROOT / "constraints.txt").read_text(encoding="utf-8").lower().splitlines())
    blocks = re.split(r"\n(?! )", (_ROOT / f"container/{name}.txt").read_text(encoding="utf-8").strip())
    assert [block for block in blocks if "--hash=sha256:" not in block] == []
    versions = {block.partition(" ")[0] for block in blocks}
    assert {one.replace("_", "-") for one in versions} <= {one.replace("_", "-") for one in pinned}


def test_the_image_runs_the_service_below_an_init_and_not_as_root(stages: list[list[tuple[str, str]]]) -> None:
    image = stages[-1]
    last = dict(image)
    assert last["USER"] == f"{_OURS}:{_OURS}"
    assert json.loads(last["ENTRYPOINT"]) == ["tini", "--", "agentsync"]
    assert json.loads(last["CMD"]) == ["daemon"]
    assert json.loads(last["HEALTHCHECK"].partition("CMD")[2]) == ["agentsync", "health"]
    words = [word for word, _ in image]
    assert words.index("USER") > max(number for number, word in enumerate(words) if word == "RUN")
    directories = re.findall(r"(CONFIGURATION|STATE|CACHE)_DIRECTORY=(\S+)", last["ENV"])
    assert {path for name, path in directories if name != "CONFIGURATION"} < set(json.loads(last["VOLUME"]))


def test_the_example_may_do_as_little_as_the_image(objects: dict[str, Any]) -> None:
    pod = objects["DaemonSet"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": _OURS,
        "runAsGroup": _OURS,
        "fsGroup": _OURS,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()


def test_each_volume_of_the_example_is_mounted_where_the_image_looks(
    objects: dict[str, Any], stages: list[list[tuple[str, str]]]
) -> None:
    pod = objects["DaemonSet"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts.keys() == {volume["name"] for volume in pod["volumes"]}
    assert {*json.loads(dict(stages[-1])["VOLUME"]), "/config", "/tmp"} <= set(mounts.values())  # noqa: S108 - in a pod
    assert all(probe["exec"]["command"][:2] == ["agentsync", "health"] for probe in _probes(container))


def _probes(container: dict[str, Any]) -> list[dict[str, Any]]:
    return [container[f"{name}Probe"] for name in ("startup", "liveness", "readiness")]


def test_the_examples_configuration_is_one(objects: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/agentsync")
    text = objects["ConfigMap"]["data"]["config.toml"]
    config = load(text, Config, "config.toml")
    mounted = {mount["mountPath"] for mount in _mounts(objects)}
    assert all(str(target.directory.parent) in mounted for target in config.resolved_targets())
    assert all(target.create for target in config.resolved_targets())
    assert config.health.address is not None
    tokens = [source["auth"]["token_file"] for source in tomllib.loads(text)["sources"].values()]
    assert [str(Path(token).parent) in mounted for token in tokens] == [True]


def _mounts(objects: dict[str, Any]) -> list[dict[str, str]]:
    (container,) = objects["DaemonSet"]["spec"]["template"]["spec"]["containers"]
    mounts: list[dict[str, str]] = container["volumeMounts"]
    return mounts
