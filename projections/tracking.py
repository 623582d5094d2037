"""How far each projection is, kept in read.sqlite beside the rows that it stands for.

A projection's row also names the tables that it made and the DDL that made them, so that an outdated one can be dropped
by what it left. Its position stands in a table of its own, because that is written with every batch, and beside it the
hash of its last event, so that rows of another log (a restored backup, or a log whose last commits were lost with the
power) are recognised.
"""

import logging
import sqlite3
from collections.abc import Sequence

import msgspec
from sqlite_utils import Database

from projections.declaration import Log, Projection

_log = logging.getLogger("chronoproxy.projections")
TABLE, POSITIONS = "tracking", "positions"


class Tracked(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of one projection."""

    name: str
    version: int
    ddl: str
    tables: str
    position: int
    hash: str


def prepare(db: sqlite3.Connection, projections: Sequence[Projection], log: Log) -> dict[str, int]:
    """Create what is missing, drop what is outdated; return each projection's position. Commits once, or not at all."""
    schema = Database(db, execute_plugins=False, recursive_triggers=False)
    declared = {projection.name: projection for projection in projections}
    with schema.atomic():
        _create(schema)
        tracked = read_all(db)
        last, head = max((row.position for row in tracked.values()), default=0), log.head()
        if last > head:
            _log.warning("the read tables had reached event %d, the log ends at event %d: made anew", last, head)
        there = set(schema.table_names())
        for row in tracked.values():
            if not (_usable(row, declared.get(row.name), log) and there.issuperset(row.tables.split())):
                _drop(schema, row)
        kept = {name: row.position for name, row in read_all(db).items()}
        for projection in projections:
            if projection.name not in kept:
                _build(schema, projection)
    return {projection.name: kept.get(projection.name, 0) for projection in projections}


def read_all(db: sqlite3.Connection) -> dict[str, Tracked]:
    query = f"SELECT name, version, ddl, tables, position, hash FROM {TABLE} JOIN {POSITIONS} USING (name)"
    return {row[0]: Tracked(*row) for row in db.execute(query).fetchall()}


def advance(db: sqlite3.Connection, names: Sequence[str], position: int, digest: str) -> None:
    """Note that these have applied the events up to `position`, whose hash is `digest`."""
    which = ", ".join("?" * len(names))
    db.execute(f"UPDATE {POSITIONS} SET position = ?, hash = ? WHERE name IN ({which})", (position, digest, *names))


def head(db: sqlite3.Connection) -> int:
    """The position that the read tables answer for. A failed projection stays behind it."""
    return int(db.execute(f"SELECT coalesce(max(position), 0) FROM {POSITIONS}").fetchone()[0])


def _create(schema: Database) -> None:
    for table, columns in (
        (TABLE, {"name": str, "version": int, "ddl": str, "tables": str}),
        (POSITIONS, {"name": str, "position": int, "hash": str}),
    ):
        schema.table(table).create(columns, pk="name", not_null=set(columns), strict=True, if_not_exists=True)


def _usable(row: Tracked, projection: Projection | None, log: Log) -> bool:
    """Whether the rows are of this declaration and of this log."""
    if projection is None or (row.version, row.ddl) != (projection.version, projection.ddl):
        return False
    if row.position == 0:
        return True
    last = log.read(row.position - 1, limit=1)
    return bool(last) and (last[0].position, last[0].hash) == (row.position, row.hash)


def _drop(schema: Database, row: Tracked) -> None:
    for table in row.tables.split():
        schema.table(table).drop(ignore=True)
    for table in (TABLE, POSITIONS):
        schema.table(table).delete(row.name)


def _build(schema: Database, projection: Projection) -> None:
    before = set(schema.table_names())
    for statement in projection.tables:
        schema.conn.execute(statement)
    shadows = {row[0] for row in schema.conn.execute("SELECT name FROM pragma_table_list WHERE type = 'shadow'")}
    made = [name for name in schema.table_names() if name not in before | shadows]  # those go with what they belong to
    row = projection.name, projection.version, projection.ddl, " ".join(made)
    schema.conn.execute(f"INSERT INTO {TABLE} VALUES (?, ?, ?, ?)", row)
    schema.conn.execute(f"INSERT INTO {POSITIONS} VALUES (?, 0, '')", (projection.name,))
