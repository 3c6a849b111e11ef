"""Logging of commands: structured events on standard error."""

from __future__ import annotations

import logging

from agentsync.cli.options import Common
from agentsync.core.log import configure, level_of


def start_log(common: Common) -> None:
    """Send log events to standard error, at the level that the options set."""
    configure(_level(common), readable=not common.logs_json, colors=common.colored)


def is_verbose(common: Common) -> bool:
    """Whether informational events are logged too."""
    return _level(common) <= logging.INFO


def _level(common: Common) -> int:
    return level_of(common.verbosity, for_people=not common.logs_json)
