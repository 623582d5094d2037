"""The shape of a database file: an append-only list of named steps, each in a transaction of its own with its number.

A file of an earlier shape is copied first; one of a later shape is refused and left as it is (decisions 1.19).
"""

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

PAGE_SIZE = 4096
_TABLE = "CREATE TABLE IF NOT EXISTS format(version INTEGER NOT NULL) STRICT"


class NewerLogError(Exception):
    """The file was written by a newer version of the program."""


class OlderLogError(Exception):
    """The file must be brought up to date before it can be read."""


class Migration(NamedTuple):
    """One step; its place in the list is the format that it leads to, counted from 1."""

    name: str
    apply: Callable[[sqlite3.Connection], None]


def statements(*ddl: str) -> Callable[[sqlite3.Connection], None]:
    """A step that only runs statements."""

    def apply(db: sqlite3.Connection) -> None:
        for statement in ddl:
            db.execute(statement)

    return apply


def bring_up_to_date(path: Path, steps: Sequence[Migration], *, page_size: int = PAGE_SIZE) -> Path | None:
    """Take the steps that `path` lacks, all of them where it does not exist; the backup of an earlier shape, where one
    was made. `page_size` in bytes is for a new file: one that exists keeps its own.

    Raises NewerLogError, and sqlite3.Error with the file as far as the last whole step.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        known = format_of(db)
        if known > len(steps):
            raise NewerLogError(f"{path.name} has format {known}, this version knows up to {len(steps)}")
        if not known:
            db.execute(f"PRAGMA page_size={page_size}")
        db.execute("PRAGMA journal_mode=WAL")  # kept in the file, for all who open it
        backup = _copy(db, path, known) if 0 < known < len(steps) else None
        for number, step in enumerate(steps[known:], known + 1):
            _take(db, step, number)
    return backup


def check_readable(path: Path, steps: Sequence[Migration]) -> None:
    """Whether a file can be read as it is. Raises NewerLogError, OlderLogError and sqlite3.Error."""
    with closing(sqlite3.connect(read_only_uri(path), uri=True)) as db:
        known = format_of(db)
    if known > len(steps):
        raise NewerLogError(f"{path.name} has format {known}, this version knows up to {len(steps)}")
    if not known:
        raise sqlite3.DatabaseError(f"{path.name} is empty")
    if known < len(steps):
        raise OlderLogError(f"{path.name} has format {known}: start the proxy once to bring it up to {len(steps)}")


def read_only_uri(path: Path) -> str:
    """An address under which SQLite opens the file without ever writing. Where no file can be made beside it and no
    program has it open, SQLite must be told that it does not change."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    wal = path.with_name(path.name + "-wal")
    alone = not wal.exists() or wal.stat().st_size == 0
    return uri + "&immutable=1" if alone and not os.access(path.parent, os.W_OK) else uri


def format_of(db: sqlite3.Connection) -> int:
    """The format of a file, 0 for an empty one. Raises sqlite3.DatabaseError where it cannot be known: tables and their
    number are made in one transaction."""
    tables = {row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not tables:
        return 0
    known = db.execute("SELECT max(version) FROM format").fetchone()[0] if "format" in tables else None
    if not isinstance(known, int) or known < 1:
        said = "does not say which format it has" if known is None else f"says that it has format {known}"
        name = Path(db.execute("PRAGMA database_list").fetchone()[2]).name
        raise sqlite3.DatabaseError(f"{name} {said}: it was changed or is damaged, put a backup in its place")
    return known


def make_format(db: sqlite3.Connection) -> None:
    """The table that holds the format."""
    db.execute(_TABLE)


def _take(db: sqlite3.Connection, step: Migration, number: int) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        make_format(db)
        step.apply(db)
        db.execute("DELETE FROM format")
        db.execute("INSERT INTO format VALUES (?)", (number,))
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _copy(db: sqlite3.Connection, path: Path, known: int) -> Path:
    """A whole copy beside the file, under its name only when it is complete."""
    backup = path.with_name(f"{path.stem}.format-{known}{path.suffix}")
    part = backup.with_suffix(".part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    with closing(sqlite3.connect(part)) as copy:
        db.backup(copy)
    part.replace(backup)
    return backup
