"""Every regular expression of the package, and the ways in which it is used, found in the source itself."""

from __future__ import annotations

import ast
import pkgutil
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import BuiltinMethodType, ModuleType
from typing import Any

import agentsync

_METHODS = frozenset({"match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"})


@dataclass(frozen=True, slots=True)
class Use:
    """A pattern and one method that is called with it.

    Attributes:
        place: the module, with the name of the pattern or the line of the call.
    """

    place: str
    pattern: str | bytes
    flags: int
    method: str


@dataclass(frozen=True, slots=True)
class Call:
    """A call of `re` whose pattern is made at run time."""

    module: str
    function: str
    source: str


@cache
def uses() -> Sequence[Use]:
    """Each use of each pattern of the package, in a constant order; those that are made at run time are left out."""
    found = {*_compiled()}
    return sorted({*found, *_written_out({use.pattern for use in found})}, key=repr)


def _compiled() -> Iterator[Use]:
    """Each pattern that a module has when it is imported, with each method that the package calls on its name.

    One without a name of its own, in a table or an object, is searched with and matched, since anything may be.
    """
    methods = _methods()
    for module in modules():
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern):
                used = methods.get(value) or {"search", "fullmatch"}
                yield from (Use(f"{_short(module)}.{name}", value.pattern, value.flags, method) for method in used)
            elif getattr(value, "__module__", None) in {None, module.__name__} or not callable(value):
                for pattern in _within(value, set()):
                    yield from (
                        Use(f"{_short(module)}.{name}[]", pattern.pattern, pattern.flags, method)
                        for method in ("search", "fullmatch", "finditer")
                    )


def _written_out(had: AbstractSet[str | bytes]) -> Iterator[Use]:
    """Each call of `re` with a pattern that its module alone decides, in a function or where no module has its result.

    Such a result is a method of the pattern that is taken at once, as in `re.compile("x").sub`.

    Args:
        had: the patterns that modules have.
    """
    for module, function, call in _calls():
        made = _value(call.args[0], module)
        if made is not None and (function or made not in had):
            flags = [*call.args[3 if call.func.attr == "split" else 2 :], *(word.value for word in call.keywords)]  # type: ignore[attr-defined]
            values = [_value(flag, module) for flag in flags if "re." in ast.unparse(flag)]
            pattern = made.pattern if isinstance(made, re.Pattern) else made
            yield Use(f"{_short(module)}:{call.lineno}", pattern, sum(filter(None, values)), call.func.attr)  # type: ignore[attr-defined]


def made_at_run_time() -> set[Call]:
    """Every other call."""
    return {
        Call(_short(module), function, ast.unparse(call.args[0]))
        for module, function, call in _calls()
        if function and _value(call.args[0], module) is None
    }


def hidden() -> Iterator[str]:
    """Each place where `re` is used in a way in which its patterns would not be found."""
    for module in modules():
        called = {id(node.func) for node in _nodes(module) if isinstance(node, ast.Call)}
        for node in _nodes(module):
            is_other = isinstance(node, ast.ImportFrom) and node.module in {"re", "regex"}
            renamed = isinstance(node, ast.Import) and any(
                one.name == "regex" or (one.name == "re" and one.asname) for one in node.names
            )
            taken = (
                isinstance(node, ast.Attribute)
                and node.attr in {*_METHODS, "compile"}
                and isinstance(node.value, ast.Name)
                and node.value.id == "re"
                and id(node) not in called
            )
            if is_other or renamed or taken:
                yield f"{_short(module)}:{node.lineno}"  # type: ignore[attr-defined]


@cache
def modules() -> tuple[ModuleType, ...]:
    """Every module of the package; those of libraries that are not installed are left out."""
    names = [found.name for found in pkgutil.walk_packages(agentsync.__path__, "agentsync.")]
    return tuple(import_module(name) for name in names if not name.endswith("__main__"))


def _short(module: ModuleType) -> str:
    return module.__name__.removeprefix("agentsync.")


def _within(value: object, seen: set[int]) -> Iterator[re.Pattern[str]]:
    """The patterns of text in a value: in containers, and in attributes of our own objects."""
    if id(value) in seen:
        return
    seen.add(id(value))
    value = getattr(value, "__self__", value) if isinstance(value, BuiltinMethodType) else value  # such as `_KEY.sub`
    if isinstance(value, re.Pattern):
        yield value
    for part in _parts(value):
        yield from _within(part, seen)


def _parts(value: object) -> list[object]:
    if isinstance(value, Mapping):
        return [*value.values()]
    if isinstance(value, tuple | list | set | frozenset):
        return [*value]
    if isinstance(value, type):
        return [*vars(value).values()] if value.__module__.startswith("agentsync.") else []
    if type(value).__module__.startswith("agentsync."):
        names = [*getattr(type(value), "__slots__", ()), *getattr(value, "__dict__", ())]
        return [getattr(value, name, None) for name in names]
    return []


@cache
def _nodes(module: ModuleType) -> Sequence[ast.AST]:
    """The nodes of a module's source; from the outside to the inside."""
    return [*ast.walk(ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8")))]


@cache
def _methods() -> Mapping[re.Pattern[str], set[str]]:
    """Of each pattern that has a name in a module, the methods that are called on that name there or taken from it."""
    found: defaultdict[re.Pattern[str], set[str]] = defaultdict(set)
    for module in modules():
        for node in _nodes(module):
            if isinstance(node, ast.Attribute) and node.attr in _METHODS and isinstance(node.value, ast.Name):
                value = vars(module).get(node.value.id)
                if isinstance(value, re.Pattern):
                    found[value].add(node.attr)
    return found


def _calls() -> Iterator[tuple[ModuleType, str, ast.Call]]:
    """Each call of a function of `re`, with the name of the function that it is in; empty where it is in none."""
    for module in modules():
        calls: dict[ast.AST, ast.Call] = {
            node: node for node in _nodes(module) if isinstance(node, ast.Call) and _is_of_re(node)
        }
        if not calls:
            continue  # as in most modules: walking each of their functions would take seconds
        outside = {*calls}
        for function in _nodes(module):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                inside = [calls[node] for node in ast.walk(function) if node in calls]
                outside.difference_update(inside)
                yield from ((module, getattr(function, "name", "lambda"), call) for call in inside)
        yield from ((module, "", calls[node]) for node in outside)


def _is_of_re(call: ast.Call) -> bool:
    function = call.func
    return (
        isinstance(function, ast.Attribute)
        and function.attr in {*_METHODS, "compile"}
        and isinstance(function.value, ast.Name)
        and function.value.id == "re"
    )


def _value(node: ast.expr, module: ModuleType) -> Any:
    """The value of an expression where the names of the module decide it; None where they do not."""
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    if not all(hasattr(module, name) for name in names) or any(isinstance(part, ast.Call) for part in ast.walk(node)):
        return None
    return eval(compile(ast.Expression(node), "pattern", "eval"), vars(module))  # noqa: S307 - our own source


def functions() -> Iterator[tuple[str, str, ast.FunctionDef]]:
    """Each function of the package, with the path and the short name of its module."""
    for module in modules():
        for node in _nodes(module):
            if isinstance(node, ast.FunctionDef):
                yield str(module.__file__), _short(module), node
