"""What was used and cost, grouped: sums of running totals, as of any position."""

import sqlite3
from collections.abc import Callable, Sequence

from projections.bounds import bounded, exact_sums, whole_sums
from projections.imported_usage import imported_usage
from projections.usage_entries import HOURS_OF_A_DAY, Asked, Entry, Grouping, Kind
from projections.usage_totals import COUNTS

_KEYS: dict[Grouping | None, str] = {
    None: "''",
    "day": f"k.hour / {HOURS_OF_A_DAY}",
    "model": "k.provider || '/' || k.model",
    "provider": "k.provider",
    "session": "k.session_id",
    "client_family": "k.client_family",
}
Source = Callable[..., list[Entry]]  # (connection, asked, at=position)


def wire_usage(db: sqlite3.Connection, asked: Asked, *, at: int) -> list[Entry]:
    """What went through the proxy, in no order."""
    where, values = _where(asked)
    sums = exact_sums(f"t.{name}" for name in COUNTS)
    rows = db.execute(
        f"SELECT CAST({_KEYS[asked.group_by]} AS TEXT), k.source, {sums} FROM usage_keys k"
        " JOIN usage_totals t ON t.key = k.id AND t.position ="
        " (SELECT max(u.position) FROM usage_totals u WHERE u.key = k.id AND u.position <= ?)"
        f" WHERE {where} GROUP BY 1, 2",
        (at, *values),
    )
    found = ((key, source, whole_sums(halves)) for key, source, *halves in rows)
    return [_entry(key, source, counts) for key, source, counts in found if any(counts)]


SOURCES: tuple[Source, ...] = (wire_usage, imported_usage)


def usage(db: sqlite3.Connection, asked: Asked, *, at: int) -> list[Entry]:
    """Of all sources; none of them counts what another one does."""
    return [entry for source in SOURCES for entry in source(db, asked, at=at)]


def added(key: str, source: Kind, entries: Sequence[Entry]) -> Entry:
    """The sum of entries, as one of `key`."""
    names = (*COUNTS, "client_cost", "client_priced")
    sums = {name: bounded(sum(getattr(entry, name) for entry in entries)) for name in names}
    return Entry(key=key, source=source, **sums)


def _entry(key: str, source: Kind, counts: Sequence[int]) -> Entry:
    return Entry(key=key, source=source, **dict(zip(COUNTS, counts, strict=True)))


def _where(asked: Asked) -> tuple[str, list[object]]:
    where, values = ["k.hour BETWEEN ? AND ?"], [asked.from_hour, asked.to_hour]  # type: list[str], list[object]
    if asked.sessions is not None:
        where.append(f"k.session_id IN ({', '.join('?' * len(asked.sessions))})")
        values += asked.sessions
    if asked.model is not None:
        where.append(f"(k.model = ?{' OR (k.provider, k.model) = (?, ?)' * len(asked.meant)})")
        values += [asked.model, *(name for pair in asked.meant for name in pair)]
    for column in ("provider", "client_family"):
        value = getattr(asked, column)
        if value is not None:
            where.append(f"k.{column} = ?")
            values.append(value)
    return " AND ".join(where), values
