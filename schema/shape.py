"""Whether a database file still has the tables, triggers and indexes that this program makes.

Without its triggers a log could be changed unnoticed while it is used; without an index it is only slow.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing

from schema.migrations import Migration, make_format

_OBJECTS = "SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
_OF_SOME_FILES = " AUTOINCREMENT"  # positions are given by us: whether SQLite counts too makes no difference


def differences(db: sqlite3.Connection, steps: Sequence[Migration]) -> list[str]:
    """What is missing, added or changed, in words: compared with a new file of the same format. Raises
    sqlite3.Error."""
    versions = [row[0] for row in db.execute("SELECT version FROM format")]
    if len(versions) != 1:
        return [f"the table format has {len(versions)} rows, not one"]
    found, made = _objects(db), _made(steps[: versions[0]])
    return [_said(each, found, made) for each in sorted({each for each, _ in found.items() ^ made.items()})]


def _said(each: tuple[str, str], found: dict[tuple[str, str], str], made: dict[tuple[str, str], str]) -> str:
    kind, name = each
    if each not in found:
        return f"the {kind} {name} is missing"
    return f"the {kind} {name} was changed" if each in made else f"there is a {kind} {name} that was not made by us"


def _made(steps: Sequence[Migration]) -> dict[tuple[str, str], str]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        make_format(db)
        for step in steps:
            step.apply(db)
        return _objects(db)


def _objects(db: sqlite3.Connection) -> dict[tuple[str, str], str]:
    return {(row[0], row[1]): (row[2] or "").replace(_OF_SOME_FILES, "") for row in db.execute(_OBJECTS)}
