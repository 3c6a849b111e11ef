"""The option that rewrites golden files: `pytest tests/dialects --update-goldens`."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-goldens",
        action="store_true",
        help="rewrite golden files from the current output; then review the changes",
    )


@pytest.fixture
def update_goldens(pytestconfig: pytest.Config) -> bool:
    # Registered only where this directory is named on the command line; any other run compares golden files.
    return bool(pytestconfig.getoption("update_goldens", default=False))
