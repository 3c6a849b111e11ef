"""The option that writes golden files anew: `pytest tests/dialects --update-goldens`."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-goldens", action="store_true", help="write what the dialects say now; then review it")


@pytest.fixture
def update_goldens(pytestconfig: pytest.Config) -> bool:
    # Known only where this directory is named on the command line; goldens are compared in any other run.
    return bool(pytestconfig.getoption("update_goldens", default=False))
