"""Whether the file of the read tables is the one that was opened, with all that was made in it. Others may delete it,
put another in its place or drop a table while the proxy runs."""

import sqlite3
from contextlib import closing
from pathlib import Path

from projections import tracking
from projections.trouble import is_of_the_file

_BUSY_TIMEOUT_S = 0.1  # who locks it is asked again


class OpenedFile:
    """The file at `path` as it was when this was made."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity = _identity(path)

    def missing(self) -> str | None:
        """Why it cannot be found there any more."""
        found = _identity(self._path)
        if found is None:
            return f"{self._path.name} is gone"
        return None if found == self._identity else f"another file lies in the place of {self._path.name}"


def seen_anew(path: Path, *, damaged: bool) -> str | None:
    """What is wrong for a connection that is opened now: one that is open may go on with what it has in memory. All
    pages are read for it where something was `damaged`."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_TIMEOUT_S)) as db:
            return broken(db) if damaged else lacking(db)
    except sqlite3.DatabaseError as error:
        return str(error) if is_of_the_file(error) else None


def lacking(db: sqlite3.Connection) -> str | None:
    """Which table is gone from the file of the connection."""
    try:
        names = {row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        made = {table for tracked in tracking.read_all(db).values() for table in tracked.tables.split()}
    except sqlite3.DatabaseError as error:
        return str(error) if is_of_the_file(error) else None
    return None if names.issuperset(made) else f"table {min(made - names)} is gone"


def broken(db: sqlite3.Connection) -> str | None:
    """The same, or that a page is damaged; all are read for it, which takes seconds for a gigabyte."""
    try:
        (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        verdict = str(error) if is_of_the_file(error) else "ok"
    return lacking(db) or (None if verdict == "ok" else "the file is damaged")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
