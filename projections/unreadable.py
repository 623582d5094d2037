"""Events of the log that cannot be decoded, so that it can be said where and why something is missing."""

import sqlite3
from collections.abc import Mapping

import msgspec

from projections.declaration import Log, Projection, on
from schema.recorded import Recorded
from schema.unreadable import Unreadable

TABLES = (
    "CREATE TABLE unreadable_events("
    "position INTEGER PRIMARY KEY, type TEXT NOT NULL, session_id INTEGER, reason TEXT NOT NULL) STRICT",
)
_LOOKED_AT = 100  # a file whose first hundred are as they were has not been mended


class UnreadableEvents(msgspec.Struct, frozen=True):
    """How many there are, and the first of them."""

    count: int
    first: Unreadable

    def __str__(self) -> str:
        more = f", and {self.count - 1:,} more" if self.count > 1 else ""
        return f"{self.first}{more}"


def unreadable_events(db: sqlite3.Connection, *, at: int) -> UnreadableEvents | None:
    """None where all up to `at` can be read."""
    (count,) = db.execute("SELECT count(*) FROM unreadable_events WHERE position <= ?", (at,)).fetchone()
    found = unreadable_between(db, 1, at, limit=1)
    return UnreadableEvents(count, next(iter(found.values()))) if found else None


def all_unreadable(found: UnreadableEvents | None, met: Mapping[int, Unreadable]) -> UnreadableEvents | None:
    """What the tables know, with those that reads of the log have `met` since: they may have been damaged later."""
    count = max(found.count if found is not None else 0, len(met))
    every = [*met.values(), *((found.first,) if found is not None else ())]
    return UnreadableEvents(count, min(every, key=lambda event: event.position)) if every else None


def unreadable_between(db: sqlite3.Connection, low: int, high: int, *, limit: int = -1) -> dict[int, Unreadable]:
    """Those from `low` to `high`, both inclusive, by their positions; ascending."""
    query = (
        "SELECT position, type, session_id, reason FROM unreadable_events WHERE position BETWEEN ? AND ?"
        " ORDER BY position LIMIT ?"
    )
    return {
        position: Unreadable(position=position, type=name, session_id=session_id, reason=reason)
        for position, name, session_id, reason in db.execute(query, (low, high, limit))
    }


def can_be_read_now(db: sqlite3.Connection, log: Log) -> int | None:
    """The first event that could not be read when the tables were made, and can be: by a newer program, or because the
    file was mended."""
    for position in unreadable_between(db, 1, (1 << 63) - 1, limit=_LOOKED_AT):
        found = log.read(position - 1, limit=1)
        if found and not isinstance(found[0].event, Unreadable):
            return position
    return None


def _noted(db: sqlite3.Connection, recorded: Recorded, event: Unreadable) -> None:
    row = (event.position, event.type, event.session_id, event.reason)
    db.execute("INSERT INTO unreadable_events VALUES (?, ?, ?, ?)", row)


UNREADABLE = Projection(name="unreadable", version=1, tables=TABLES, handles=dict((on(Unreadable, _noted),)))
