"""Options that every command takes, before or after its name."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import click
from click.core import ParameterSource

from agentsync.core.errors import ExitCode

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass
class Common:
    """The common options of one run; of an option given twice, the last one counts.

    Attributes:
        log_format: how events are logged; None where nobody chose, and then the service's are JSON, a command's text.
        typed: the names of those that are on the command line, not in an environment variable.
        status: the exit status if the reader of the output is gone; a command sets it before it prints.
    """

    config: Path | None = None
    verbosity: int = 0
    format: Literal["text", "markdown", "json"] = "text"
    log_format: Literal["text", "json"] | None = None
    color: Literal["auto", "always", "never"] = "auto"
    typed: set[str] = field(default_factory=set)
    status: ExitCode = ExitCode.OK

    @property
    def json(self) -> bool:
        return self.format == "json"

    @property
    def logs_json(self) -> bool:
        """Whether a command logs its events for programs, instead of printing its diagnostics for people."""
        return self.log_format == "json"

    @property
    def colored(self) -> bool | None:
        """Whether to colour; None to let the terminal decide."""
        return {"always": True, "never": False}.get(self.color)


def common(context: click.Context | None = None) -> Common:
    """The common options of the current run."""
    return (context or click.get_current_context()).ensure_object(Common)


def place_options(function: Function) -> Function:
    """Add the options that replace a configuration."""
    return add(function, _PLACES)


def common_options(function: Function) -> Function:
    """Add the common options to a command."""
    return common_options_with(formats=("text", "json"))(function)


def common_options_with(*, formats: Sequence[str]) -> Callable[[Function], Function]:
    """Add the common options to a command whose results can be printed in these formats."""
    format_option = click.option(
        "--format",
        type=click.Choice(formats),
        help="How results are printed (text).",
        expose_value=False,
        callback=_set,
    )
    return lambda function: add(function, (*_OPTIONS[:-1], format_option, *_OPTIONS[-1:]))


def add(function: Function, options: Sequence[Callable[[Any], Any]]) -> Function:
    """Add options to a command, so that help lists them in this order."""
    for option in reversed(options):
        function = option(function)
    return function


def _set(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    options = context.find_root().ensure_object(Common)
    if context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE:
        options.typed.add(str(parameter.name))
    elif parameter.name in options.typed:
        return  # an option before the command's name takes precedence over the command's own variable
    if parameter.name == "color" and options.color == "auto" and os.environ.get("NO_COLOR"):
        value = value or "never"
    if not value or parameter.name is None:
        return
    match parameter.name:
        case "verbose":
            options.verbosity = max(options.verbosity, value)
        case "quiet":
            options.verbosity = -1
        case "color":
            options.color = value
            context.color = context.find_root().color = options.colored
        case name:
            setattr(options, name, value)


_OPTIONS = (
    click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        help="The configuration to use.",
        expose_value=False,
        callback=_set,
    ),
    click.option(
        "-v", "--verbose", count=True, help="Print more; twice for debugging.", expose_value=False, callback=_set
    ),
    click.option("-q", "--quiet", is_flag=True, help="Print only problems.", expose_value=False, callback=_set),
    click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        help="How events are logged to standard error (text; the service: json).",
        expose_value=False,
        callback=_set,
    ),
    click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        help="Whether to colour (auto: at a terminal, unless NO_COLOR is set).",
        expose_value=False,
        callback=_set,
    ),
)


_PLACES = (
    click.option("--source", multiple=True, metavar="URL", help="A repository, instead of a configuration."),
    click.option(
        "--to",
        multiple=True,
        metavar="DIALECT[=DIR]",
        help="A target, instead of a configuration.",
    ),
    click.option("--branch", help="The branch of --source; its default branch otherwise."),
    click.option("--subfolder", default="", help="The part of --source that holds agents."),
)
