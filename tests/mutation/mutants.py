"""Small changes to a module; for each of them some test should fail."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

_COMPARISONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_PAIR: Final = 2
_CALLS: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}
_LEVELS: Final = {"DENY": ("ASK",), "ASK": ("DENY", "SESSION"), "SESSION": ("ASK", "ALLOW"), "ALLOW": ("SESSION",)}
# A word becomes the next one of its group; any other word becomes an unknown one.
_GROUPS: Final = (
    "read bash edit websearch grep task glob webfetch list write lsp notebook todo external_directory skill question",
    "all none",
    "deny allow ask",
)
_WORDS: Final = {word: after for group in _GROUPS for word, after in pairwise([*group.split(), group.split()[0]])}
_EMPTY: Final = {"bool": "False", "str": "''", "list": "[]", "tuple": "()", "dict": "{}", "frozenset": "frozenset()"}
# Calls that return nearly their argument.
_STEPS: Final = frozenset("lower strip rstrip removeprefix removesuffix casefold".split())
# Names without a part in grants: messages, places, versions, models.
_ASIDE: Final = re.compile(
    r"_*(score|dialect|_str__|.*(model|color|effort|vendor|catalogue)s?.*)|hint|message|title|name|version|source"
    r"|notice|environment|binaries|user_directory|project_directories|also_reads|suffixes|report|Diagnostic|TypeVar",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change.

    Attributes:
        line: where it is made.
        function: the dotted name of the outermost function around it; empty outside of functions.
        change: its description, for people.
        tree: the changed module; asking for the next mutant undoes it.
    """

    line: int
    function: str
    change: str
    tree: ast.Module

    @property
    def is_within_function(self) -> bool:
        """Whether it changes what a function does, and nothing else."""
        return _in_function(self.function)


def mutants(source: str) -> Iterator[Mutant]:
    """Every change to a module, one at a time."""
    tree = ast.parse(source)
    for parent, field, index, function in _places(tree, ""):
        held = getattr(parent, field)
        node = held if index is None else held[index]
        for new in _replacements(node, parent):
            setattr(parent, field, new if index is None else [*held[:index], new, *held[index + 1 :]])
            ast.fix_missing_locations(tree)
            texts = [" ".join(ast.unparse(part).split()) for part in (node, new)]
            if texts[0] != texts[1]:
                change = " -> ".join(text[:90] for text in texts)
                yield Mutant(getattr(node, "lineno", 0) or getattr(parent, "lineno", 0), function, change, tree)
        setattr(parent, field, held)


def _places(parent: ast.AST, function: str) -> Iterator[tuple[ast.AST, str, int | None, str]]:
    """Each node that may be changed: its parent, the field that holds it, its place there, the function around it."""
    for field, value in ast.iter_fields(parent):
        if field in ("annotation", "returns", "decorator_list", "bases", "names", "targets", "type_params"):
            continue
        several = value if isinstance(value, list) else [value]
        for index, node in enumerate(several):
            if not isinstance(node, ast.AST) or _is_aside(parent, node):
                continue
            inner = function
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not _in_function(function):
                inner = f"{function}{node.name}{'' if isinstance(node, ast.FunctionDef) else '.'}"
            where = inner if isinstance(node, ast.FunctionDef) else function
            yield parent, field, index if isinstance(value, list) else None, where
            yield from _places(node, inner)


def _in_function(function: str) -> bool:
    return bool(function) and not function.endswith(".")


def _is_aside(parent: ast.AST, node: ast.AST) -> bool:
    """Whether a node has no part in what an agent may do."""
    names = [getattr(node, "name", ""), getattr(node, "arg", "")]
    if isinstance(node, ast.Assign | ast.AnnAssign):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        names.append(getattr(target, "id", ""))
    if isinstance(parent, ast.Call) and node is not parent.func:
        names.append(getattr(parent.func, "id", getattr(parent.func, "attr", "")) if _reports(parent) else "")
    is_type = isinstance(node, ast.alias | ast.arguments | ast.JoinedStr) or (
        isinstance(parent, ast.Subscript)
        and (isinstance(parent.value, ast.Name) and parent.value.id in ("dict", "list", "tuple", "frozenset", "Final"))
    )
    return is_type or any(isinstance(name, str) and name and _ASIDE.fullmatch(name) for name in names)


def _reports(call: ast.Call) -> bool:
    return getattr(call.func, "id", getattr(call.func, "attr", "")) in ("report", "_report", "Diagnostic")


def _replacements(node: ast.AST, parent: ast.AST) -> Iterator[ast.AST]:
    """Replacements of a node, one after another."""
    yield from _other_conditions(node)
    yield from _other_expressions(node)
    yield from _other_constants(node, parent)
    yield from _fewer(node, parent)


def _other_conditions(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in _COMPARISONS:
            yield ast.Compare(node.left, [_COMPARISONS[type(operator)]()], node.comparators)
        case ast.BoolOp(values=values):
            yield ast.BoolOp(ast.And() if isinstance(node.op, ast.Or) else ast.Or(), values)
            yield from values if len(values) == _PAIR else (_without(node, "values", at) for at in range(len(values)))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.IfExp(body=body, orelse=orelse):
            yield from (body, orelse)
        case ast.If(test=test):
            yield ast.If(ast.Constant(value=False), node.body, node.orelse)
            if not isinstance(test, ast.Compare | ast.BoolOp):  # their parts are changed one by one
                yield ast.If(ast.Constant(value=True), node.body, node.orelse)
        case ast.comprehension(ifs=[*ifs]) if ifs:
            yield from (_without(node, "ifs", at) for at in range(len(ifs)))
            yield ast.comprehension(node.target, node.iter, [ast.Constant(value=False)], node.is_async)
        case _:
            pass


def _other_expressions(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.BinOp(left=left, right=right):
            yield from (left, right)
        case ast.Call(func=ast.Name(id=called)) if called in _CALLS:
            yield ast.Call(ast.Name(_CALLS[called], ast.Load()), node.args, node.keywords)
        case ast.Call(func=ast.Name(id="reversed"), args=[given]):
            yield given
        case ast.Call(func=ast.Attribute(value=receiver, attr=called)) if called in _STEPS:
            yield receiver
        case ast.Attribute(value=ast.Name(id="Approval"), attr=level) if level in _LEVELS:
            yield from (ast.Attribute(node.value, other, ast.Load()) for other in _LEVELS[level])
        case _:
            pass


def _other_constants(node: ast.AST, parent: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Constant(value=bool(value)):
            yield ast.Constant(value=not value)
        case ast.Constant(value=int(value)):
            yield ast.Constant(0 if value == 1 else value + 1)
        # A text with blanks is a message or a docstring.
        case ast.Constant(value=str(text)) if text and " " not in text and not isinstance(parent, ast.Expr):
            yield ast.Constant(_WORDS.get(text, f"{text}XX"))
        case _:
            pass


def _fewer(node: ast.AST, parent: ast.AST) -> Iterator[ast.AST]:
    """The node without one of its parts, or nothing in its place."""
    match node:
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
            if isinstance(getattr(node, "ctx", ast.Load()), ast.Load) and not isinstance(parent, ast.Subscript):
                yield from (_without(node, "elts", at) for at in range(len(elements)))
        case ast.Dict(keys=keys, values=values):
            yield from (
                ast.Dict(*([*part[:at], *part[at + 1 :]] for part in (keys, values))) for at in range(len(keys))
            )
        case ast.Match(cases=cases):
            yield from (_without(node, "cases", at) for at in range(len(cases)))
        case ast.Expr(value=ast.Call() | ast.Yield() | ast.YieldFrom()) | ast.AugAssign() | ast.Continue():
            yield ast.Pass()
        case ast.FunctionDef(returns=ast.expr() as returns):
            yield from _returning(node, returns)
        case _:
            pass


def _returning(node: ast.FunctionDef, returns: ast.expr) -> Iterator[ast.FunctionDef]:
    """The function with nothing but an empty result of its type."""
    kind = ast.unparse(returns)
    empty = _EMPTY.get(kind.partition("[")[0], "None" if kind.endswith("| None") else "")
    for value in (empty, "True") if kind == "bool" else (empty,):
        if value:
            result = ast.Return(ast.parse(value, mode="eval").body)
            yield ast.FunctionDef(node.name, node.args, [result], node.decorator_list, node.returns)


def _without(node: ast.AST, field: str, index: int) -> ast.AST:
    """A copy of a node without one of those in a field of it."""
    parts = dict(ast.iter_fields(node))
    parts[field] = [*parts[field][:index], *parts[field][index + 1 :]]
    return type(node)(**parts)
