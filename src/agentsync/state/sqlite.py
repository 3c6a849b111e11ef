"""SQLite files: opening, querying and changing them, and handling damaged ones."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from agentsync.core.errors import StateError, StateShortageError, shortage, why
from agentsync.core.files import replace_quickly
from agentsync.core.ownership import require_own
from agentsync.core.paths import make_private

_BUSY_SECONDS = 10.0
_CHUNK = 500
_SIDE_FILES = ("-wal", "-shm", "-journal")
_WRITING = (sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMSIZE)


class DamagedError(StateError):
    """The file of a database is damaged, or its tables are of an earlier version."""


class Database:
    """Open SQLite file. It has one connection, for the thread that opened it.

    Every method raises StateError when the file cannot be used, and DamagedError when it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inode = 0
        self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        has_changed = self._connection.total_changes > 0
        self._connection.close()
        if has_changed and self._inode:
            self._record_sound()

    def _is_known_sound(self) -> bool:
        """Whether the file is as SQLite left it after it was checked as a whole.

        So a file is checked again once anything else has changed it, as a restored backup, a copy or an editor does, or
        this program was killed. What a disk loses without that shows when it is read, as damage.
        """
        try:
            return _checked(self._path).read_text(encoding="ascii") == _facts(self._path)
        except (OSError, UnicodeDecodeError):
            return False

    def _require_sound(self, message: str, *, damaged_values: str = "") -> None:
        """Check the file as a whole, unless it is known to be sound.

        Args:
            message: of the error.
            damaged_values: a query for values that SQLite's own check does not notice.

        Raises:
            DamagedError: it is damaged.
        """
        if not self._is_known_sound():
            if self._query("PRAGMA quick_check(1)") != [("ok",)]:
                raise DamagedError(message, place=str(self._path))
            if damaged_values and self._query(damaged_values):
                raise DamagedError(f"{message}: it holds a value that nothing writes", place=str(self._path))
            self._record_sound()
        with suppress(OSError):
            self._inode = self._path.stat().st_ino

    def _record_sound(self) -> None:
        """Record that the file is sound as it is now, unless another file has its name, or is damaged."""
        with suppress(OSError):
            if self._inode and (self._path.stat().st_ino != self._inode or not _checked(self._path).exists()):
                return
            replace_quickly(_checked(self._path), _facts(self._path))

    def _open(self) -> None:
        self._connection = _connect(self._path)
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> None:
        """Choose settings and create tables, before anything else is done with the file."""
        raise NotImplementedError

    def _query(self, query: str, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        with _translated_errors(self._path):
            return self._connection.execute(query, parameters).fetchall()

    def _query_in(self, query: str, values: Iterable[str]) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a query that ends in `IN`, for any number of values."""
        values = list(values)
        for start in range(0, len(values), _CHUNK):
            chunk = values[start : start + _CHUNK]
            yield from self._query(f"{query} ({', '.join('?' * len(chunk))})", tuple(chunk))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _translated_errors(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # A failed COMMIT (a full disk) may have ended the transaction already.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def _checked(path: Path) -> Path:
    """The file that has what `_facts` returned when the database was last known to be sound."""
    return path.with_name(f"{path.name}.checked")


def _facts(path: Path) -> str:
    """What changes whenever a file does."""
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


def set_aside(path: Path) -> None:
    """Rename a closed database to `<name>.corrupt-<n>`.

    Raises:
        StateError: it cannot be renamed.
    """
    number = 1
    while (aside := path.with_name(f"{path.name}.corrupt-{number}")).exists():
        number += 1
    with _translated_errors(path):
        path.rename(aside)
        for suffix in _SIDE_FILES:
            with suppress(FileNotFoundError):
                path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))


def delete(path: Path) -> None:
    """Delete a closed database.

    Raises:
        StateError: it cannot be deleted.
    """
    with _translated_errors(path):
        for suffix in ("", *_SIDE_FILES):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def _connect(path: Path) -> sqlite3.Connection:
    with _translated_errors(path):
        make_private(path.parent)
        # Created here, since SQLite would make it readable by everyone; its journal files get the same mode.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        require_own(path)
        return sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)


@contextmanager
def _translated_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error, UnicodeDecodeError) as error:
        if _is_damage(error):
            with suppress(OSError):  # the next run checks it as a whole, and sets it aside
                _checked(path).unlink(missing_ok=True)
            raise DamagedError(f"the database is damaged: {error}", place=str(path)) from error
        hint = "check permissions and space of its directory"
        kind = StateShortageError if _is_shortage(error) else StateError
        raise kind(f"the database cannot be used: {why(error)}", place=str(path), hint=hint) from error


def _is_shortage(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", 0)
    # SQLite has no errors of its own for the limits on a file's size and on open files.
    limited = (code in _WRITING and _limits_files()) or (
        code & 0xFF == sqlite3.SQLITE_CANTOPEN and _lacks_descriptors()
    )
    return limited or code & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM) or shortage(error) is not None


def _lacks_descriptors() -> bool:
    """Whether no more files can be opened, of which SQLite needs a few at once."""
    opened: list[int] = []
    try:
        opened.extend(os.open(os.devnull, os.O_RDONLY) for _ in _SIDE_FILES)
    except OSError as error:
        return error.errno in (errno.EMFILE, errno.ENFILE)
    finally:
        for descriptor in opened:
            os.close(descriptor)
    return False


def _limits_files() -> bool:
    try:
        from resource import RLIM_INFINITY, RLIMIT_FSIZE, getrlimit  # noqa: PLC0415 - Windows has no such module
    except ImportError:
        return False
    return getrlimit(RLIMIT_FSIZE)[0] != RLIM_INFINITY


def _is_damage(error: Exception) -> bool:
    if not hasattr(error, "sqlite_errorcode"):  # for text that is not UTF-8, in a value or in a message
        return isinstance(error, (sqlite3.OperationalError, UnicodeDecodeError))
    code: int = error.sqlite_errorcode & 0xFF  # the low byte is the primary code
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
