"""Price books and what was priced anew, as rows; and the prices as of a position."""

import sqlite3
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from projections.exchange_rows import ExchangeRow
from projections.pricing import Adopted, Consumption, Pricing, Repriced, Served
from schema.prices import PriceBookAdopted, PriceRow, RepricedFrom
from schema.recorded import Recorded

PRICES_TABLES = (
    "CREATE TABLE price_books("
    "position INTEGER PRIMARY KEY, timestamp INTEGER NOT NULL, hash TEXT NOT NULL, content TEXT NOT NULL) STRICT",
    "CREATE TABLE repricings("
    "position INTEGER PRIMARY KEY, timestamp INTEGER NOT NULL, start INTEGER NOT NULL, hash TEXT NOT NULL) STRICT",
)
_decode = msgspec.json.Decoder(tuple[PriceRow, ...]).decode


class BookRow(msgspec.Struct, frozen=True):
    """A book when it was adopted, in ms since the epoch."""

    position: int
    adopted_at: int
    hash: str
    content: tuple[PriceRow, ...]


class RepricingRow(msgspec.Struct, frozen=True):
    """At `position` what had begun at event `from_` or later was priced by the book `hash`."""

    position: int
    repriced_at: int
    from_: int
    hash: str


def adopted(db: sqlite3.Connection, recorded: Recorded, event: PriceBookAdopted) -> None:
    content = msgspec.json.encode(event.content).decode()
    row = recorded.position, recorded.timestamp, event.hash, content
    db.execute("INSERT INTO price_books VALUES (?, ?, ?, ?)", row)


def repriced(db: sqlite3.Connection, recorded: Recorded, event: RepricedFrom) -> None:
    row = recorded.position, recorded.timestamp, event.from_, event.book
    db.execute("INSERT INTO repricings VALUES (?, ?, ?, ?)", row)


def books(db: sqlite3.Connection, *, at: int) -> list[BookRow]:
    """All that were adopted, the first one first."""
    rows = db.execute(
        "SELECT position, timestamp, hash, content FROM price_books WHERE position <= ? ORDER BY position", (at,)
    )
    return [BookRow(position, timestamp, digest, _content(content)) for position, timestamp, digest, content in rows]


def repricings(db: sqlite3.Connection, *, at: int) -> list[RepricingRow]:
    rows = db.execute(
        "SELECT position, timestamp, start, hash FROM repricings WHERE position <= ? ORDER BY position", (at,)
    )
    return [RepricingRow(*row) for row in rows]


def last_repriced(db: sqlite3.Connection, *, at: int) -> int:
    """Position of the last event up to `at` that has changed what past exchanges cost; 0 where there is none."""
    return int(db.execute("SELECT coalesce(max(position), 0) FROM repricings WHERE position <= ?", (at,)).fetchone()[0])


def pricing(db: sqlite3.Connection, *, at: int) -> Pricing:
    """How exchanges are priced as of `at`."""
    known = books(db, at=at)
    if not known:
        return Pricing((), (), {})
    return Pricing(
        [Adopted(each.position, each.hash) for each in known],
        [Repriced(each.position, each.from_, each.hash) for each in repricings(db, at=at)],
        {each.hash: each.content for each in known},
    )


def priced(db: sqlite3.Connection, rows: Sequence[ExchangeRow], *, at: int) -> list[ExchangeRow]:
    """The exchanges with what they cost as of `at`."""
    prices = pricing(db, at=at)
    if not prices:
        return list(rows)
    return [msgspec.structs.replace(row, cost=row_cost(prices, row)) for row in rows]


def row_cost(prices: Pricing, row: ExchangeRow) -> int | None:
    """In micro-dollars; None while it runs, where nothing is known of what it used, and where the book has no price."""
    usage = row.usage
    if usage.source == "none":
        return None
    used = Consumption(
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.cached_tokens or 0,
        usage.cache_write_tokens or 0,
        row.cache_write_1h_tokens or 0,
    )
    served = Served(row.started_position, row.started_at, row.provider, row.model_sent, row.service_tier)
    return prices.cost(served, used)


@lru_cache(maxsize=32)
def _content(text: str) -> tuple[PriceRow, ...]:
    return _decode(text)
