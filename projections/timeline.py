"""The timeline: every event as one line that people read, filter and search."""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from projections.declaration import Projection
from projections.rows import Rows
from projections.saying import model_label
from projections.summaries import SEALED_WORDS, SUMMARIES, without_sealed
from projections.summaries_exchanges import label_of_beginning
from schema.erasure import SessionErased
from schema.exchanges import ExchangeStarted, Finished
from schema.recorded import Actor, Recorded
from schema.registry import Event
from schema.unreadable import Unreadable

Order = Literal["asc", "desc"]

TABLES = (
    "CREATE TABLE timeline("
    "position INTEGER PRIMARY KEY, type TEXT NOT NULL, session_id INTEGER, exchange_id INTEGER,"
    " timestamp INTEGER NOT NULL, actor TEXT NOT NULL, by TEXT, correlation_id TEXT, causation_position INTEGER,"
    " summary TEXT NOT NULL, search TEXT NOT NULL, sealed TEXT, rank INTEGER NOT NULL) STRICT",
    # sealed: words of sealed fields, until they are erased; rank: the how-manieth of its type
    "CREATE INDEX timeline_of_type ON timeline(type, position, rank)",
    "CREATE INDEX timeline_of_session ON timeline(session_id, position, type) WHERE session_id IS NOT NULL",
    "CREATE INDEX timeline_of_correlation ON timeline(correlation_id, position) WHERE correlation_id IS NOT NULL",
)
_INSERT = "INSERT INTO timeline VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_BEGUN = (
    "SELECT summary FROM timeline WHERE session_id = ? AND type = 'ExchangeStarted' AND exchange_id = ?"
    " ORDER BY position DESC LIMIT 1"
)
_COLUMNS = "position, type, session_id, exchange_id, timestamp, actor, by, correlation_id, causation_position, summary"


class CursorError(ValueError):
    """A cursor that did not come from a page of this order: `given`."""

    def __init__(self, given: str, order: str) -> None:
        super().__init__(f"not a cursor of order {order}")
        self.given = given


class EventRow(msgspec.Struct, frozen=True, array_like=True):
    """EventSummary of the contract; `timestamp` in ms since the epoch."""

    position: int
    type: str
    session_id: int | None
    exchange_id: int | None
    timestamp: int
    actor: Actor
    by: str | None
    correlation_id: str | None
    causation_position: int | None
    summary: str


class EventPage(msgspec.Struct, frozen=True):
    """`next_cursor` continues after the last row, None at the end; `total` counts all matches."""

    rows: list[EventRow]
    next_cursor: str | None
    total: int


class _Filter(msgspec.Struct, frozen=True):
    """What a list asks: positions from `low` to `high`, both inclusive."""

    low: int
    high: int
    session_id: int | None
    q: str
    correlation_id: str | None = None

    def where(self, type_name: str | None) -> tuple[str, list[int | str]]:
        """Condition and values; with a session its index serves, which holds the type too, hence the `+`."""
        where, values = ["position BETWEEN ? AND ?"], [self.low, self.high]  # type: list[str], list[int | str]
        if self.correlation_id is not None:
            where.append("correlation_id = ?")
            values.append(self.correlation_id)
        if self.session_id is not None:
            where.append("session_id = ?" if self.correlation_id is None else "+session_id = ?")
            values.append(self.session_id)
        if type_name is not None:
            where.append("type = ?" if self.session_id is None and self.correlation_id is None else "+type = ?")
            values.append(type_name)
        if self.q:
            where.append("(instr(search, ?) > 0 OR instr(sealed, ?) > 0)")
            values += self.q, self.q
        return " AND ".join(where), values


def list_events(
    db: sqlite3.Connection,
    *,
    at: int,
    session_id: int | None = None,
    types: Sequence[str] = (),
    from_position: int | None = None,
    to_position: int | None = None,
    q: str | None = None,
    correlation_id: str | None = None,
    order: Order = "desc",
    limit: int,
    cursor: str | None = None,
) -> EventPage:
    """Events up to `at`, from and to inclusive. `q` is found anywhere in type, summary, names, models and error
    texts, whatever the case; `correlation_id` names a request: all that it caused. A cursor names a position, so it
    survives new events. Raises CursorError."""
    high = at if to_position is None else min(at, to_position)
    whole = _Filter(max(from_position or 1, 1), high, session_id, (q or "").casefold(), correlation_id)
    page = _after(whole, cursor, order)
    wanted: list[str | None] = [*sorted(set(types))] or [None]
    # one ordered walk for each type: a single one over several types would have to sort all that match
    found = [row for name in wanted for row in _rows(db, page, name, order, limit + 1)]
    found.sort(key=lambda row: row.position, reverse=order == "desc")
    rows = found[:limit]
    more = len(found) > limit and bool(rows)
    return EventPage(
        rows,
        f"{order[0]}{rows[-1].position}" if more else None,
        sum(_count(db, whole, name) for name in wanted),
    )


def get_event(db: sqlite3.Connection, position: int, *, at: int) -> EventRow | None:
    """None where it had not happened."""
    rows = list_events(db, at=at, from_position=position, to_position=position, limit=1).rows
    return rows[0] if rows else None


def position_at_time(db: sqlite3.Connection, ms: int, *, at: int) -> int:
    """Position of the last event up to `at` that is not later than `ms` since the epoch; 0 where there is none.

    Timestamps never run backwards, so the rows are searched by halving."""
    low, high = 0, min(at, _last(db))
    while low < high:
        middle = (low + high + 1) // 2
        row = db.execute("SELECT timestamp FROM timeline WHERE position = ?", (middle,)).fetchone()
        low, high = (middle, high) if row[0] <= ms else (low, middle - 1)
    return low


def events_by_type(db: sqlite3.Connection, *, at: int) -> dict[str, int]:
    """How many events of each type there are up to `at`; one lookup for each type."""
    found = {name: _rank(db, name, at) for name in sorted(cls.__name__ for cls in SUMMARIES)}
    return {name: count for name, count in found.items() if count}


def _after(whole: _Filter, cursor: str | None, order: Order) -> _Filter:
    """What is left of the range behind `cursor`."""
    if cursor is None:
        return whole
    if cursor[:1] != order[0] or not (cursor[1:].isascii() and cursor[1:].isdigit()) or len(cursor) > 17:
        raise CursorError(cursor, order)
    position = int(cursor[1:])
    if order == "asc":
        return msgspec.structs.replace(whole, low=max(whole.low, position + 1))
    return msgspec.structs.replace(whole, high=min(whole.high, position - 1))


def _rows(db: sqlite3.Connection, page: _Filter, type_name: str | None, order: Order, limit: int) -> list[EventRow]:
    where, values = page.where(type_name)
    direction = "ASC" if order == "asc" else "DESC"
    query = f"SELECT {_COLUMNS} FROM timeline WHERE {where} ORDER BY position {direction} LIMIT ?"
    return [EventRow(*row) for row in db.execute(query, (*values, limit))]


def _count(db: sqlite3.Connection, whole: _Filter, type_name: str | None) -> int:
    """How many match; counted one by one only where a session or `q` asks for it."""
    if whole.session_id is not None or whole.correlation_id is not None or whole.q:
        where, values = whole.where(type_name)
        return int(db.execute(f"SELECT count(*) FROM timeline WHERE {where}", values).fetchone()[0])
    if type_name is not None:
        return max(_rank(db, type_name, whole.high) - _rank(db, type_name, whole.low - 1), 0)
    return max(min(whole.high, _last(db)) - whole.low + 1, 0)  # positions have no gaps and every event has a row


def _rank(db: sqlite3.Connection, type_name: str, at: int) -> int:
    """How many events of the type there are up to `at`."""
    row = db.execute(
        "SELECT rank FROM timeline WHERE type = ? AND position <= ? ORDER BY position DESC LIMIT 1", (type_name, at)
    ).fetchone()
    return int(row[0]) if row else 0


def _last(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT coalesce(max(position), 0) FROM timeline").fetchone()[0])


class TimelineRows:
    """Lines while events come in."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._rows = Rows(db, _INSERT)
        self._lines = self._rows.of(_INSERT)
        self._ranks: dict[str, int] = {}
        self._labels: dict[int, str] = {}  # of exchanges that have begun and not ended

    def append(self, recorded: Recorded, event: Event) -> None:
        kind = type(event)
        say = SUMMARIES[kind]
        label = "" if recorded.exchange_id is None else self._label(event)
        summary, words = say(event, label)
        sealed = None
        if kind in SEALED_WORDS:
            clear = say(without_sealed(event), label)[1]
            sealed = _joined(word for word in words if word not in clear) or None
            words = clear
        self._line(recorded, summary, _joined((recorded.type, summary, *words)), sealed)

    def unreadable(self, recorded: Recorded, event: Unreadable) -> None:
        """Every event has a line, also one that says nothing else."""
        summary = f"cannot be read: {event.reason}"
        self._line(recorded, summary, _joined((recorded.type, summary)), None)

    def _line(self, recorded: Recorded, summary: str, search: str, sealed: str | None) -> None:
        rank = self._ranks.get(recorded.type)
        if rank is None:
            rank = _rank(self._db, recorded.type, recorded.position)
        self._ranks[recorded.type] = rank + 1
        self._lines.append(
            (
                recorded.position,
                recorded.type,
                recorded.session_id,
                recorded.exchange_id,
                recorded.timestamp,
                recorded.actor,
                recorded.by,
                recorded.correlation_id,
                recorded.causation_position,
                summary,
                search,
                sealed,
                rank + 1,
            )
        )

    def erased(self, recorded: Recorded, event: SessionErased) -> None:
        self.append(recorded, event)
        self.write()
        self._db.execute("UPDATE timeline SET sealed = NULL WHERE session_id = ?", (recorded.session_id,))

    def write(self) -> None:
        self._rows.write()

    def forget(self) -> None:
        self._rows.clear()
        self._ranks.clear()
        self._labels.clear()

    def _label(self, event: Event) -> str:
        """Provider and model of an exchange: only its beginning names them, its end is to be found by them too."""
        if isinstance(event, ExchangeStarted):
            label = self._labels[event.exchange_id] = model_label(event.provider, event.model_sent)
            return label
        if isinstance(event, Finished):
            return self._labels.pop(event.exchange_id, None) or self._stored_label(event)
        return ""

    def _stored_label(self, event: Finished) -> str:
        """What the beginning's line ends with; nothing where the exchange never began, or that cannot be read."""
        self.write()  # it may be one of this batch
        row = self._db.execute(_BEGUN, (event.session_id, event.exchange_id)).fetchone()
        return label_of_beginning(row[0]) if row is not None else ""


def _joined(words: Iterable[str | None]) -> str:
    return " ".join(filter(None, words)).casefold()


TIMELINE = Projection(
    name="timeline",
    version=3,
    tables=TABLES,
    fold=TimelineRows,
    handles={
        **dict.fromkeys(SUMMARIES, TimelineRows.append),
        SessionErased: TimelineRows.erased,
        Unreadable: TimelineRows.unreadable,
    },
)
