"""The key of the up-to-date check holds every input of a run."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from agentsync.config import Config
from agentsync.core.paths import AppPaths
from agentsync.repository.working_tree import WorkingTree
from agentsync.sync.fetch import Fetches
from agentsync.sync.request import Environment, Scope, SyncRequest, key_fields
from agentsync.sync.up_to_date import key_of
from agentsync.targets.consent import Consent

PATHS = AppPaths(Path("/state"), Path("/cache"))
ENVIRONMENT = Environment(Config(version=1), PATHS, "version = 1")
REQUEST = SyncRequest(Scope.APPLY)

OTHER_VALUES: dict[type, dict[str, Any]] = {
    AppPaths: {"state": Path("/other"), "cache": Path("/other"), "policy": Path("/other"), "trials": True},
    Environment: {"app_paths": replace(PATHS, state=Path("/other")), "text": "version = 1\n"},
    Consent: {"deletions": True, "escalation": True, "scattered": True, "replaces": lambda _change: True},
    SyncRequest: {
        "scope": Scope.PLAN,
        "consent": Consent(deletions=True),
        "working_trees": {"team": WorkingTree(Path("/tree"))},
        "allow_restore": False,
        "ad_hoc": True,
    },
}

NO_INPUT: dict[type, dict[str, Any]] = {
    Environment: {
        "config": Config(version=1, overlays=Path("/overlays")),  # follows from its text, and what the fingerprint has
        "fetches": Fetches(),  # the fingerprint has the commits
        "progress": lambda *_: None,
    },
    SyncRequest: {"quiet_noop": True, "lock_timeout": 1},  # only the log; only a wait
}


def key_with(kind: type, name: str, value: Any) -> str | None:
    """The key of a run where this field of one of its inputs has this value."""
    environment, request = ENVIRONMENT, REQUEST
    if kind is AppPaths:
        environment = replace(environment, app_paths=replace(PATHS, **{name: value}))
    elif kind is Environment:
        environment = replace(environment, **{name: value})
    elif kind is Consent:
        request = replace(request, consent=replace(Consent(), **{name: value}))
    else:
        request = replace(request, **{name: value})
    return key_of(key_fields(environment), request)


def test_no_field_of_an_input_is_forgotten() -> None:
    """A new field needs a line above: with a value that counts, or with the reason why it has no bearing."""
    for kind, values in OTHER_VALUES.items():
        assert {one.name for one in fields(kind)} == {*values, *NO_INPUT.get(kind, ())}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, values in OTHER_VALUES.items() for name in values])
def test_another_value_of_a_field_is_another_key(kind: type, name: str) -> None:
    same = key_with(Environment, "text", ENVIRONMENT.text)
    assert same
    assert key_with(kind, name, OTHER_VALUES[kind][name]) != same


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, values in NO_INPUT.items() for name in values])
def test_what_has_no_bearing_is_no_part_of_the_key(kind: type, name: str) -> None:
    assert key_with(kind, name, NO_INPUT[kind][name]) == key_with(Environment, "text", ENVIRONMENT.text)


def test_a_run_that_cannot_be_compared_has_no_key() -> None:
    assert key_with(Consent, "replaces", lambda _change: False) is None
    assert key_with(Environment, "text", "") is None


INPUT_FILES = {"overlays", "allowed_signers", "revoked", "gpg_keys"}
OTHER_FILES = {
    # To fetch with: the fingerprint has the commits.
    *("token_file", "ssh_key", "known_hosts", "ca_directory", "ca_file", "client_cert", "client_key"),
    *("path", "project"),  # to write to: the state has the files
    *("textfile",),  # to report to
}


def test_no_file_that_a_configuration_names_is_forgotten() -> None:
    """A new path needs a place above; the content of an input file is read by `Environment.inputs`."""
    assert {name for name, kind in _fields(Config) if kind is Path} == INPUT_FILES | OTHER_FILES


def _fields(model: type[BaseModel]) -> set[tuple[str, type]]:
    """The name and type of each field of a model, and of the models in it."""
    found: set[tuple[str, type]] = set()
    for name, one in model.model_fields.items():
        for kind in _kinds(one.annotation):
            found |= _fields(kind) if issubclass(kind, BaseModel) else {(name, kind)}
    return found


def _kinds(annotation: Any) -> set[type]:
    """The types in an annotation."""
    if inner := get_args(annotation):
        return {kind for one in inner for kind in _kinds(one)}
    return {annotation} if isinstance(annotation, type) else set()
