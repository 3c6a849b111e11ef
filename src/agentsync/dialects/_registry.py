"""Discovery of the dialects; a module of its own, since what they share needs their names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from agentsync.agents.key_effects import add_own_restrictions

if TYPE_CHECKING:
    from agentsync.dialects._base import Dialect  # which imports what imports this


@cache
def dialects() -> Mapping[str, Dialect]:
    """Every dialect by name, in alphabetical order."""
    package = import_module(__package__)
    # What begins with an underscore is shared code, not a dialect.
    names = (info.name for info in iter_modules(package.__path__) if info.name[0] != "_")
    modules = (import_module(f"{__package__}.{name}") for name in names)
    found: dict[str, Dialect] = {module.DIALECT.name: module.DIALECT for module in modules}
    add_own_restrictions(key for dialect in found.values() for key in dialect.restrictions)
    return found
