"""What a command tells machines: events, on standard error."""

from __future__ import annotations

import logging
import sys

from agentsync.cli.options import Common
from agentsync.core.log import configure, level_of


def start_log(common: Common) -> None:
    """Sends events to standard error, as much as was asked for."""
    configure(_level(common), colors=common.colored)


def is_verbose(common: Common) -> bool:
    """Whether events are sent that are no warnings."""
    return _level(common) <= logging.INFO


def _level(common: Common) -> int:
    return level_of(common.verbosity, for_people=sys.stderr.isatty())
