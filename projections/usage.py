"""What was used and cost, grouped: sums of running totals, as of any position.

Others who know of usage (ledgers of clients) add a source of entries of their own to SOURCES.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from projections.usage_totals import COUNTS

Grouping = Literal["day", "model", "provider", "session", "client_family"]
Kind = Literal["measured", "estimated", "imported", "none"]
HOURS_OF_A_DAY = 24
_KEYS: dict[Grouping | None, str] = {
    None: "''",
    "day": f"k.hour / {HOURS_OF_A_DAY}",
    "model": "k.provider || '/' || k.model",
    "provider": "k.provider",
    "session": "k.session_id",
    "client_family": "k.client_family",
}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which usage, and how grouped: None means any. Hours count from the epoch, the last one included. Groups of a day
    have its number since the epoch as their key, those of a model `provider/model`."""

    group_by: Grouping | None = None
    from_hour: int = 0
    to_hour: int = 1 << 40
    sessions: tuple[int, ...] | None = None
    provider: str | None = None
    model: str | None = None
    client_family: str | None = None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One group's usage of one kind of count; `cost` in micro-dollars. `input` holds `cached` and `cache_write`, and
    that `cache_write_1h`; `output` holds `reasoning`. Of `unpriced` exchanges the cost is not known."""

    key: str
    source: Kind
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    interrupted: int = 0
    attempts: int = 0
    retries: int = 0
    input: int = 0
    output: int = 0
    cached: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0
    cost: int = 0
    unpriced: int = 0

    @property
    def exchanges(self) -> int:
        return self.completed + self.failed + self.cancelled + self.interrupted

    @property
    def priced(self) -> int:
        return self.exchanges - self.unpriced if self.source != "none" else 0


Source = Callable[..., list[Entry]]  # (connection, asked, at=position)


def wire_usage(db: sqlite3.Connection, asked: Asked, *, at: int) -> list[Entry]:
    """What went through the proxy, in no order."""
    where, values = _where(asked)
    sums = ", ".join(f"sum(t.{name})" for name in COUNTS)
    rows = db.execute(
        f"SELECT CAST({_KEYS[asked.group_by]} AS TEXT), k.source, {sums} FROM usage_keys k"
        " JOIN usage_totals t ON t.key = k.id AND t.position ="
        " (SELECT max(u.position) FROM usage_totals u WHERE u.key = k.id AND u.position <= ?)"
        f" WHERE {where} GROUP BY 1, 2",
        (at, *values),
    )
    return [_entry(row[0], row[1], row[2:]) for row in rows if any(row[2:])]


SOURCES: tuple[Source, ...] = (wire_usage,)


def usage(db: sqlite3.Connection, asked: Asked, *, at: int) -> list[Entry]:
    """Of all sources; none of them counts what another one does."""
    return [entry for source in SOURCES for entry in source(db, asked, at=at)]


def added(key: str, source: Kind, entries: Sequence[Entry]) -> Entry:
    """The sum of entries, as one of `key`."""
    return _entry(key, source, [sum(getattr(entry, name) for entry in entries) for name in COUNTS])


def _entry(key: str, source: Kind, counts: Sequence[int]) -> Entry:
    return Entry(key=key, source=source, **dict(zip(COUNTS, counts, strict=True)))


def _where(asked: Asked) -> tuple[str, list[object]]:
    where, values = ["k.hour BETWEEN ? AND ?"], [asked.from_hour, asked.to_hour]  # type: list[str], list[object]
    if asked.sessions is not None:
        where.append(f"k.session_id IN ({', '.join('?' * len(asked.sessions))})")
        values += asked.sessions
    for column in ("provider", "model", "client_family"):
        value = getattr(asked, column)
        if value is not None:
            where.append(f"k.{column} = ?")
            values.append(value)
    return " AND ".join(where), values
