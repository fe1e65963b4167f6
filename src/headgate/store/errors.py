"""What can go wrong with the store, each as one line that can be printed.

StoreError            anything below; the message never holds a password, a secret or a row's values
  StoreUnavailable    it may work later: no connection, locked, disk full, shutting down
  NotFound            no such object, or one of another workspace
  Duplicate           the name is taken
  Refused             the change makes no sense as things are
  BadValue            a value that no database could keep
  WrongMasterKey      sealed with another master key than the one at hand
  BadMasterKey        there is no usable master key
  SealBroken          sealed bytes that are damaged or belong to another record
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

LOCKED = "the database is locked by another process"

# SQLSTATE classes that pass by themselves: connection trouble, serialisation and deadlocks, resources, locks held by
# others, a statement's time limit, a server that stops or starts, a system error of the server's machine.
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_PASSING = ("08", "40", "53", "55P03", "57014", "57P", "58")
_SHOWN = 300


class StoreError(Exception):
    """The store cannot do it. The message is one line."""


class StoreUnavailable(StoreError):
    """The store cannot be used now; the same call may succeed later."""


class NotFound(StoreError):
    """There is no such object in the workspace."""


class Duplicate(StoreError):
    """The name is taken."""


class Refused(StoreError):
    """The change makes no sense as things are."""


class BadValue(StoreError):
    """A value that the database cannot keep: a number beyond 64 bits, a NUL or half a surrogate pair in a text."""


class WrongMasterKey(StoreError):
    """A secret was sealed with another master key."""


class BadMasterKey(StoreError):
    """There is no master key, or it cannot be used."""


class SealBroken(StoreError):
    """Sealed bytes are damaged, or were moved here from another record."""


@contextmanager
def translated() -> Iterator[None]:
    """Turns what the drivers and SQLAlchemy raise into a StoreError; a mistake in our SQL stays as it is.

    The cause is cut off where it could hold a row's values: Postgres quotes them in its detail line.
    """
    try:
        yield
    except IntegrityError as error:
        raise StoreError(f"the database refused the change: {_constraint(error)}") from None
    except (DataError, UnicodeEncodeError, OverflowError) as error:
        raise BadValue(f"the database cannot keep a value: {type(error).__name__}") from None
    except NoConnectionLeft:
        raise StoreUnavailable("every connection to the database is in use") from None
    except (OperationalError, InterfaceError) as error:
        raise _operational(error) from None
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.DatabaseError) and _sqlite_code(error) in _SQLITE:
            raise _operational(error) from None
        if error.statement is None:
            raise StoreError(f"cannot connect to the database: {printable(str(error.orig))}") from None
        if error.connection_invalidated:
            raise StoreUnavailable("the connection to the database was lost") from None
        raise


def _operational(error: DBAPIError) -> StoreError:
    if isinstance(error.orig, sqlite3.Error):
        kind, message = _SQLITE.get(_sqlite_code(error), (StoreError, f"the database failed: {error.orig}"))
        return kind(message)
    state = getattr(error.orig, "sqlstate", None)
    text = printable(str(error.orig))
    if state is None or state.startswith(_PASSING):
        if any(sign in text for sign in _LASTING):
            return StoreError(f"cannot connect to the database: {text}")
        return StoreUnavailable(f"the database is not available: {text}")
    return StoreError(f"the database refused: {text}")


# libpq gives no SQLSTATE for a connection that was never made, only the server's words.
_LASTING = ("invalid ", "authentication failed", "no password supplied", "does not exist", "no pg_hba.conf entry")


def _sqlite_code(error: DBAPIError) -> int:
    """SQLite's primary result code, 0 when there is none. https://www.sqlite.org/rescode.html"""
    code: int = getattr(error.orig, "sqlite_errorcode", 0)
    return code & 0xFF


_SQLITE: dict[int, tuple[type[StoreError], str]] = {
    sqlite3.SQLITE_BUSY: (StoreUnavailable, LOCKED),
    sqlite3.SQLITE_LOCKED: (StoreUnavailable, LOCKED),
    sqlite3.SQLITE_FULL: (StoreUnavailable, "the disk of the database is full"),
    sqlite3.SQLITE_IOERR: (StoreUnavailable, "the disk of the database fails (input/output error, or no space left)"),
    sqlite3.SQLITE_READONLY: (StoreError, "the database cannot be written: its file or directory is read-only"),
    sqlite3.SQLITE_PERM: (StoreError, "the database cannot be written: permission denied"),
    sqlite3.SQLITE_CANTOPEN: (StoreError, "the database file cannot be opened"),
    sqlite3.SQLITE_NOTADB: (StoreError, "the file is not a database"),
    sqlite3.SQLITE_CORRUPT: (StoreError, "the database file is damaged; restore a backup"),
    sqlite3.SQLITE_TOOBIG: (BadValue, "the database cannot keep a value: it is too large"),
}


def _constraint(error: IntegrityError) -> str:
    """The constraint's name or the columns of it, never the values."""
    diagnosis = getattr(error.orig, "diag", None)
    if diagnosis is not None:
        return printable(diagnosis.message_primary or "a constraint")
    return printable(str(error.orig))


def printable(text: str) -> str:
    """The first line that says something, at most 300 characters, control characters replaced."""
    line = " ".join(text.split())
    shown = "".join(char if char.isprintable() else "?" for char in line)
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"
