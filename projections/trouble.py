"""Errors of SQLite by what they come from: the machine (disk full, file locked, I/O), the file, or else an event."""

import sqlite3

_PRIMARY = 0xFF  # an extended result code holds the primary one in its low byte
_ENVIRONMENTAL = frozenset(
    (
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    )
)


def is_environmental(error: BaseException) -> bool:
    """True where trying the same again later can help."""
    if not isinstance(error, sqlite3.Error):
        return False
    code = getattr(error, "sqlite_errorcode", None)  # absent on errors that Python itself raised
    return isinstance(code, int) and code & _PRIMARY in _ENVIRONMENTAL and code != sqlite3.SQLITE_IOERR_SHORT_READ


def is_locked(error: BaseException) -> bool:
    """True where another program holds the file."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.Error) and isinstance(code, int) and code & _PRIMARY == sqlite3.SQLITE_BUSY


def is_of_the_file(error: BaseException) -> bool:
    """True where the file of the read tables is not what was made: damaged, or a table is gone."""
    return is_damage(error) or (isinstance(error, sqlite3.DatabaseError) and str(error).startswith("no such table"))


def is_damage(error: BaseException) -> bool:
    """True where SQLite came upon bytes in the file that nobody wrote, or upon its end too soon."""
    code = getattr(error, "sqlite_errorcode", None)
    if not isinstance(error, sqlite3.DatabaseError) or not isinstance(code, int):
        return False
    return code & _PRIMARY in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or code == sqlite3.SQLITE_IOERR_SHORT_READ
