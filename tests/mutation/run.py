"""Break the code that decides about permissions and files in every small way, and list changes that no test notices.

    make mutation MODULES="agents/narrowing dialects/claude/permissions"  # without MODULES: all that decide anything

The project is copied first, so nothing in the working tree changes. A change is tried in a fork of a process that has
collected the tests and knows which of them call which function: only those run, the narrowest first. The contents of
tables are put into the loaded module, and into those that are made of it; `--anew` tries instead the changes that show
only after a new import (how classes and tables of one module are used in another), at more than a second each. A
survivor is printed as `module:line: function: change`.
"""

from __future__ import annotations

import argparse
import ast
import gc
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import fields, is_dataclass
from functools import _lru_cache_wrapper, partial
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Final, TypeVar

import hypothesis
import pydantic  # noqa: F401 (so that no fork has to import it)
import pytest

from mutation.mutants import Mutant, mutants

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = "src/agentsync"
CORE: Final = (
    "agents/grants agents/patterns agents/narrowing convert/render convert/proof repository/overrides targets/plan"
    " targets/deletion_limits targets/apply targets/batch"
).split()
DIALECTS: Final = Path(PACKAGE, "dialects")
APART: Final = frozenset({"__init__.py", "_base.py", "_kit/__init__.py", "_kit/fields.py", "_kit/prompt_template.py"})
"""Modules of dialects that have no part in grants."""
TESTS: Final = [
    *(f"tests/unit/{path}" for path in ("agents", "dialects", "convert/test_widening.py", "targets/test_plan.py")),
    *(f"tests/unit/repository/test_{name}.py" for name in ("overrides", "dialect_detection")),
    *(f"tests/integration/test_{name}.py" for name in ("apply", "apply_recovery", "shared_file")),
    "tests/dialects",
]
NAMES: Final = "test_names_mean"
"""Notices most changes of a table of names, so it comes first there."""
PROPERTIES: Final = "tests/unit/convert/test_properties.py"
QUICK: Final = ["-k", "not every_output"]
OPTIONS: Final = ["-q", "-x", "-s", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
SECONDS: Final = 60
MEMORY: Final = 3 * 2**30

_Kind = TypeVar("_Kind")
Function = tuple[str, str]
"""A module's path, and the dotted name of a function in it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("modules", nargs="*", help="paths below src/agentsync, without .py")
    parser.add_argument("--anew", action="store_true", help="only changes that need a new import of the package")
    parser.add_argument("--all-tests", action="store_true", help="also the slow ones, up to a minute for each survivor")
    parser.add_argument("--budget", type=float, default=2, help="seconds of processor time for the tests of a mutant")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        _copy(Path(scratch, "copy"))
        paths = [Path(PACKAGE, f"{name}.py") for name in arguments.modules] or [*_modules()]
        noted = Path(scratch, "early")
        noted.write_text("[]")
        tests = [*TESTS, PROPERTIES] if arguments.all_tests else [*TESTS, *QUICK]
        budget = SECONDS if arguments.all_tests else arguments.budget
        plugin = partial(Functions, [] if arguments.anew else paths, noted, budget)
        _end(lambda: pytest.main([*OPTIONS, *tests], plugins=[plugin()]) == 0, seconds=0)
        early = {(file, function) for file, function in json.loads(noted.read_text())}
        for path in paths if arguments.anew else ():
            _report(path, _anew(path, early))


def _copy(copy: Path) -> None:
    """Copy the project; make the copy the working directory and the imported package."""
    for part in ("src", "tests", "docs"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    os.chdir(copy)
    sys.path.insert(0, str(copy / "src"))
    sys.dont_write_bytecode = True
    hypothesis.settings.register_profile("mutation", derandomize=True, database=None, deadline=None)
    hypothesis.settings.load_profile("mutation")


def _modules() -> Iterator[Path]:
    yield from (Path(PACKAGE, f"{name}.py") for name in CORE)
    yield from (path for path in sorted(DIALECTS.rglob("*.py")) if str(path.relative_to(DIALECTS)) not in APART)


def _print(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _report(path: Path, results: Iterable[tuple[Mutant, str]]) -> None:
    """Print each survivor of a module at once, and then the number of its mutants by outcome."""
    began, outcomes = time.monotonic(), Counter[str]()
    module = path.relative_to(PACKAGE)
    for mutant, outcome in results:
        outcomes[outcome] += 1
        if outcome != "killed":
            _print(f"{module}:{mutant.line}: {outcome}: {mutant.function}: {mutant.change}")
    summary = ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))
    _print(f"{module}: {outcomes.total()} mutants, {summary} ({time.monotonic() - began:.0f} s)")


def _end(passes: Callable[[], bool], *, seconds: int = SECONDS) -> str:
    """Try a mutant in a process of its own; return its outcome. Without a time limit, that process may also print."""
    child = os.fork()
    if not child:
        status = 1
        try:
            if seconds:
                signal.alarm(seconds)
                resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
                silent = os.open(os.devnull, os.O_WRONLY)
                os.dup2(silent, 1)
                os.dup2(silent, 2)
            status = 0 if passes() else 1
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
        return "out of time"
    return "killed" if status else "survived"


def _is_patched(path: Path, mutant: Mutant, early: Collection[Function]) -> bool:
    """Whether a change can be put into the loaded package: of a function, or of a dialect's tables."""
    if mutant.is_within_function and (str(path), mutant.function) not in early:
        return True
    return path.is_relative_to(DIALECTS) and not mutant.function.endswith(".")


def _anew(path: Path, early: Collection[Function]) -> Iterator[tuple[Mutant, str]]:
    """The mutants that cannot be put into the loaded package; the dialect's own tests come first."""
    source = path.read_text()
    own = _dialect(path)
    runs = [["tests/dialects", "-k", own], TESTS[:-1]] if Path("tests/dialects", own).is_dir() else [[*TESTS, *QUICK]]
    for mutant in mutants(source):
        if not _is_patched(path, mutant, early):
            path.write_text(ast.unparse(mutant.tree))
            yield mutant, _end(lambda: all(pytest.main([*OPTIONS, *run]) == 0 for run in runs))
    path.write_text(source)


class Functions:
    """A pytest plugin that tries mutants once the tests are collected.

    Args:
        paths: the modules.
        noted: where to write the functions that were called before: their results are in tables already.
        budget: seconds of processor time after which no further test of a mutant is begun.
    """

    def __init__(self, paths: list[Path], noted: Path, budget: float) -> None:
        self._paths = paths
        self._noted = noted
        self._budget = budget
        self._here = f"{Path.cwd()}/"
        self._called: set[Function] = set()
        self._failed = False
        sys.setprofile(self._note)

    def _note(self, frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(self._here):
            file = frame.f_code.co_filename.removeprefix(self._here)
            self._called.add((file, frame.f_code.co_qualname.partition(".<locals>")[0]))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._failed |= report.failed

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        sys.setprofile(None)
        early = set(self._called)
        self._noted.write_text(json.dumps(sorted(early)))
        callers = self._callers(session.items) if self._paths else {}
        for path in self._paths:
            _report(path, self._tried(path, callers, early))
        return True

    def _passes(self, item: pytest.Item) -> bool:
        self._failed = False
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        return not self._failed

    def _all_pass(self, items: Iterable[pytest.Item]) -> bool:
        return all(self._passes(item) for item in items if time.process_time() < self._budget)

    def _callers(self, items: list[pytest.Item]) -> dict[Function, list[pytest.Item]]:
        """The tests that call each function, those first that call the fewest others."""
        callers: dict[Function, list[tuple[int, pytest.Item]]] = defaultdict(list)
        caches = [cache for cache in _living(_lru_cache_wrapper) if cache.__module__.startswith("agentsync.")]
        for item in items:
            for cache in caches:
                cache.cache_clear()
            self._called = set()
            sys.setprofile(self._note)
            passed = self._passes(item)
            sys.setprofile(None)
            for function in self._called if passed else ():
                callers[function].append((len(self._called), item))
            if not passed:
                _print(f"left out, since it fails without a change: {item.nodeid}")
        for cache in caches:
            cache.cache_clear()
        return {name: [item for _, item in sorted(users, key=lambda pair: pair[0])] for name, users in callers.items()}

    def _tried(
        self, path: Path, callers: dict[Function, list[pytest.Item]], early: set[Function]
    ) -> Iterator[tuple[Mutant, str]]:
        users = _users(path)
        files = {str(path), *map(str, users)}
        own = _dialect(path)
        around = [item for items in callers.values() for item in items if own in item.nodeid]
        around += [item for (file, _), items in callers.items() if file in files for item in items]
        around.sort(key=lambda item: NAMES not in item.nodeid)
        for mutant in mutants(path.read_text()):
            name = (str(path), mutant.function)
            code = compile(mutant.tree, str(path), "exec")
            puts = [partial(_put_function, path, _part(code, mutant.function))] if mutant.is_within_function else []
            items = callers.get(name, [])
            if not mutant.is_within_function or name in early:
                puts.append(partial(_put_tables, path, code))
                puts += [partial(_put_tables, user, compile(user.read_text(), str(user), "exec")) for user in users]
                items = [*dict.fromkeys([*items, *around])]
            if _is_patched(path, mutant, early):
                yield mutant, self._tried_with(puts, items)

    def _tried_with(self, puts: Iterable[Callable[[], None]], items: Iterable[pytest.Item]) -> str:
        def passes() -> bool:
            for put in puts:
                put()
            return self._all_pass(items)

        return _end(passes)


def _living(kind: type[_Kind]) -> list[_Kind]:
    return [instance for instance in gc.get_objects() if isinstance(instance, kind)]


def _dialect(path: Path) -> str:
    """The dialect of a module, as in the names of tests; for any other module its own name."""
    return path.relative_to(DIALECTS).parts[0].removesuffix(".py") if path.is_relative_to(DIALECTS) else path.stem


def _module(path: Path) -> str:
    return ".".join(path.with_suffix("").parts[1:]).removesuffix(".__init__")


def _users(path: Path) -> list[Path]:
    """The modules of dialects that are built from this one's tables, each after those that it is built from."""
    taken = f"from {_module(path)} import"
    first = [user for user in sorted(DIALECTS.rglob("*.py")) if taken in user.read_text()]
    users = [*first, *(other for user in first for other in _users(user))]
    return [*reversed(dict.fromkeys(reversed(users)))]


def _put_function(path: Path, code: CodeType) -> None:
    """Give the function another code, wherever it is held."""
    for function in _living(FunctionType):
        known = function.__code__
        if known.co_qualname == code.co_qualname and known.co_filename.endswith(f"/{path}"):
            function.__code__ = code


def _part(module: CodeType, name: str) -> CodeType:
    """The code of a function, or of a method, in a module's."""
    for part in module.co_consts:
        if isinstance(part, CodeType) and part.co_qualname == name:
            return part
        if isinstance(part, CodeType) and name.startswith(f"{part.co_qualname}."):
            return _part(part, name)
    raise LookupError(name)


def _put_tables(path: Path, code: CodeType) -> None:
    """Give the module's tables, and the values built from them, the values of the changed module."""
    module = sys.modules[_module(path)]
    fresh = ModuleType(module.__name__)
    fresh.__dict__.update({name: value for name, value in vars(module).items() if name.startswith("__")})
    exec(code, fresh.__dict__)  # noqa: S102 (the project's own)
    for name, new in vars(fresh).items():
        old = vars(module).get(name)
        if name.startswith("__") or isinstance(new, FunctionType | ModuleType | type):
            continue
        if isinstance(old, dict):
            old.clear()
            old.update(new)
        elif is_dataclass(old) and not isinstance(old, type):
            for field in fields(old):
                object.__setattr__(old, field.name, getattr(new, field.name))
            for cached in {*getattr(old, "__dict__", {})} - {field.name for field in fields(old)}:
                del old.__dict__[cached]
        else:
            for other in [loaded for key, loaded in sys.modules.items() if key.startswith("agentsync.")]:
                if name in vars(other) and vars(other)[name] is old:
                    setattr(other, name, new)


if __name__ == "__main__":
    main()
