"""What was used and cost, without adding it up anew: running totals for each hour, session, provider, model, client
family and kind of count.

A row for each event that changes a total, so that any position is one lookup for each key. Pricing history anew, and
moving exchanges, write one row for each total that they change.
"""

import sqlite3
from collections import defaultdict
from typing import NamedTuple

from projections.bounds import LARGEST, bounded
from projections.exchange_rows import FINISHED, Outcome
from projections.prices import pricing
from projections.pricing import Consumption, Pricing, Served
from projections.rows import Row, Rows
from projections.usage_entries import HOUR_MS

COUNTS = (
    "completed", "failed", "cancelled", "interrupted", "attempts", "retries", "input", "output", "cached",
    "cache_write", "cache_write_1h", "reasoning", "cost", "unpriced",
)  # fmt: skip
USAGE_TABLES = (
    "CREATE TABLE usage_keys("
    "hour INTEGER NOT NULL, session_id INTEGER NOT NULL, provider TEXT NOT NULL,"
    " model TEXT NOT NULL, client_family TEXT NOT NULL, source TEXT NOT NULL, id INTEGER NOT NULL,"
    " PRIMARY KEY(hour, session_id, provider, model, client_family, source)) STRICT, WITHOUT ROWID",
    "CREATE INDEX usage_keys_of_session ON usage_keys(session_id)",
    f"CREATE TABLE usage_totals(key INTEGER NOT NULL, position INTEGER NOT NULL,"
    f" {', '.join(f'{name} INTEGER NOT NULL' for name in COUNTS)}, PRIMARY KEY(key, position)) STRICT, WITHOUT ROWID",
)
_DIMENSIONS = "hour, session_id, provider, model, client_family, source"
INSERT_KEY = f"INSERT INTO usage_keys({_DIMENSIONS}, id) VALUES (?, ?, ?, ?, ?, ?, ?)"
INSERT_USAGE = f"INSERT OR REPLACE INTO usage_totals VALUES ({', '.join('?' * (2 + len(COUNTS)))})"
_KEY = (
    "SELECT id FROM usage_keys WHERE hour = ? AND session_id = ? AND provider = ? AND model = ? AND client_family = ?"
    " AND source = ?"
)
_LATEST = f"SELECT {', '.join(COUNTS)} FROM usage_totals WHERE key = ? ORDER BY position DESC LIMIT 1"
_EXCHANGES = (
    "SELECT e.exchange_id, e.started_position, e.started_at, e.session_id, e.provider, e.model_sent,"
    " coalesce(e.client_family, ''), coalesce(e.branch, '') = 'retry', e.outcome,"
    f" {', '.join(f'e.{name}' for name in FINISHED.split(', '))} FROM exchanges e WHERE e.finished_position IS NOT NULL"
)
_PRICED = (
    "SELECT e.started_at, coalesce((SELECT h.session_id FROM exchange_homes h WHERE h.exchange_id = e.exchange_id"
    " ORDER BY h.position DESC LIMIT 1), e.session_id), coalesce(e.last_provider, e.provider),"
    " coalesce(e.last_model, e.model_sent), coalesce(e.client_family, ''), e.usage_source, e.started_position,"
    " e.service_tier, e.prompt_tokens, e.completion_tokens, coalesce(e.cached_tokens, 0),"
    " coalesce(e.cache_write_tokens, 0), coalesce(e.cache_write_1h_tokens, 0) FROM exchanges e"
    " WHERE e.started_position >= ? AND e.usage_source IN ('measured', 'estimated')"
)
_HOME = "SELECT session_id FROM exchange_homes WHERE exchange_id = ? ORDER BY position DESC LIMIT 1"
_PLACES = {name: place for place, name in enumerate(FINISHED.split(", "))}
_SOURCE, _ATTEMPTS, _TIER = _PLACES["usage_source"], _PLACES["attempts"], _PLACES["service_tier"]
_TOKENS = tuple(
    _PLACES[name]
    for name in ("prompt_tokens", "completion_tokens", "cached_tokens", "cache_write_tokens", "cache_write_1h_tokens")
)
_LAST_PROVIDER, _LAST_MODEL = _PLACES["last_provider"], _PLACES["last_model"]
_REASONING = _PLACES["reasoning_tokens"]
_OUTCOMES: tuple[Outcome, ...] = ("completed", "failed", "cancelled", "interrupted")
_PLACE_OF: dict[Outcome, int] = {outcome: COUNTS.index(outcome) for outcome in _OUTCOMES}
_ATTEMPTS_AT, _RETRIES_AT = COUNTS.index("attempts"), COUNTS.index("retries")
_SUMMED = tuple(
    (COUNTS.index(name), column)
    for name, column in zip(
        ("input", "output", "cached", "cache_write", "cache_write_1h", "reasoning"), (*_TOKENS, _REASONING), strict=True
    )
)
_COST, _UNPRICED = COUNTS.index("cost"), COUNTS.index("unpriced")
_REMEMBERED = 10_000


class Begun(NamedTuple):
    """How an exchange began: position, ms since the epoch, and what it is counted under."""

    position: int
    at: int
    session_id: int
    provider: str
    model: str
    family: str
    retry: bool


class Key(NamedTuple):
    """What a total is of. `hour` counts from the epoch; `source` says whether its tokens were measured."""

    hour: int
    session_id: int
    provider: str
    model: str
    family: str
    source: str


class _Total:
    """A total as it stands, and its number in the table."""

    __slots__ = ("counts", "number")

    def __init__(self, number: int, counts: list[int]) -> None:
        self.number, self.counts = number, counts


class UsageTotals:
    """The totals while events come in; `rows` takes what is to be written."""

    def __init__(self, db: sqlite3.Connection, rows: Rows) -> None:
        self._db, self._rows = db, rows
        self._lines = rows.of(INSERT_USAGE)
        self._totals: dict[Key, _Total] = {}
        self._pricing: Pricing | None = None
        self._next: int | None = None

    def finished(self, position: int, begun: Begun, row: Row, outcome: Outcome) -> None:
        """Add an exchange; `row` as its end is stored (FINISHED)."""
        begun = _served(begun, row)
        total = self._total(_key(begun, row))
        counts = total.counts
        counts[_PLACE_OF[outcome]] += 1
        counts[_ATTEMPTS_AT] += _int(row[_ATTEMPTS])
        counts[_RETRIES_AT] += begun.retry
        for place, column in _SUMMED:
            value = row[column]
            if isinstance(value, int):
                counts[place] += value
        cost, unpriced = _priced(self._prices(position), begun, row)
        counts[_COST] += cost
        counts[_UNPRICED] += unpriced
        self._put(position, total)

    def moved(self, position: int, exchange_id: int, session_id: int) -> None:
        """An exchange belongs to another session from here on. Its rows must be written."""
        found = self._db.execute(f"{_EXCHANGES} AND e.exchange_id = ?", (exchange_id,)).fetchone()
        if found is None:
            return
        begun, outcome, row = _read(found)
        counts = _counts(begun, row, outcome)
        counts[_COST], counts[_UNPRICED] = _priced(self._prices(position), begun, row)
        key, home = _key(begun, row), self._home(exchange_id, begun)
        self._add(position, key._replace(session_id=home), [-count for count in counts])
        self._add(position, key._replace(session_id=session_id), counts)

    def merged(self, position: int, source_id: int, target_id: int) -> None:
        """All of a session is counted with another from here on. Their rows must be written."""
        self._write()
        query = f"SELECT {_DIMENSIONS} FROM usage_keys WHERE session_id = ? ORDER BY id"
        for row in self._db.execute(query, (source_id,)).fetchall():
            key = Key(*row)
            counts = list(self._total(key).counts)
            if any(counts):
                self._add(position, key, [-count for count in counts])
                self._add(position, key._replace(session_id=target_id), counts)

    def repriced(self, position: int, from_: int) -> None:
        """What began at event `from_` or later has other prices from here on. All rows must be written."""
        before, after = self._prices(position - 1), pricing(self._db, at=position)
        self._pricing = after
        for key, (cost, unpriced) in sorted(self._changes(from_, before, after).items()):
            counts = [0] * len(COUNTS)
            counts[_COST], counts[_UNPRICED] = cost, unpriced
            self._add(position, key, counts)

    def _changes(self, from_: int, before: Pricing, after: Pricing) -> dict[Key, list[int]]:
        """By how much the cost, and the exchanges without one, of each total change."""
        changes: dict[Key, list[int]] = defaultdict(lambda: [0, 0])
        for at, session_id, provider, model, family, source, begun, tier, *tokens in self._db.execute(
            _PRICED, (from_,)
        ):
            served, used = Served(begun, at, provider, model, tier), Consumption(*tokens)
            old, new = before.cost(served, used), after.cost(served, used)
            if old != new:
                change = changes[Key(at // HOUR_MS, session_id, provider, model, family, source)]
                change[0] += (new or 0) - (old or 0)
                change[1] += (new is None) - (old is None)
        return changes

    def priced_otherwise(self) -> None:
        """There is another book."""
        self._pricing = None

    def written(self) -> None:
        """All rows are in the tables: what is remembered can be read again."""
        if len(self._totals) > _REMEMBERED:
            self._totals.clear()

    def forget(self) -> None:
        self._totals.clear()
        self._pricing = self._next = None

    def _home(self, exchange_id: int, begun: Begun) -> int:
        found = self._db.execute(_HOME, (exchange_id,)).fetchone()
        return int(found[0]) if found else begun.session_id

    def _prices(self, position: int) -> Pricing:
        """Those of now: books and repricings come one event at a time, and make this forget them."""
        if self._pricing is None:
            self._pricing = pricing(self._db, at=position)
        return self._pricing

    def _add(self, position: int, key: Key, counts: list[int]) -> None:
        total = self._total(key)
        total.counts = [have + more for have, more in zip(total.counts, counts, strict=True)]
        self._put(position, total)

    def _put(self, position: int, total: _Total) -> None:
        counts = total.counts
        if not -LARGEST <= min(counts) <= max(counts) <= LARGEST:
            counts = total.counts = [bounded(count) for count in counts]
        self._lines.append((total.number, position, *counts))

    def _total(self, key: Key) -> _Total:
        total = self._totals.get(key)
        if total is None:
            total = self._totals[key] = self._stored(key) or self._new(key)
        return total

    def _stored(self, key: Key) -> _Total | None:
        found = self._db.execute(_KEY, key).fetchone()
        if found is None:
            return None
        latest = self._db.execute(_LATEST, found).fetchone()
        return _Total(int(found[0]), list(latest or [0] * len(COUNTS)))

    def _new(self, key: Key) -> _Total:
        if self._next is None:
            self._next = 1 + int(self._db.execute("SELECT coalesce(max(id), 0) FROM usage_keys").fetchone()[0])
        total = _Total(self._next, [0] * len(COUNTS))
        self._rows.add(INSERT_KEY, (*key, total.number))
        self._next += 1
        return total

    def _write(self) -> None:
        self._rows.write()


def _read(found: Row) -> tuple[Begun, Outcome, Row]:
    row = found[9:]
    return _served(Begun(*found[1:8]), row), found[8], row  # type: ignore[arg-type, return-value]


def _served(begun: Begun, row: Row) -> Begun:
    """With the provider and model that were asked last, which are those that were paid for."""
    provider, model = row[_LAST_PROVIDER], row[_LAST_MODEL]
    if provider is None and model is None:
        return begun
    return begun._replace(provider=str(provider or begun.provider), model=str(model or begun.model))


def _key(begun: Begun, row: Row) -> Key:
    source = str(row[_SOURCE])
    return Key(begun.at // HOUR_MS, begun.session_id, begun.provider, begun.model, begun.family, source)


def _counts(begun: Begun, row: Row, outcome: Outcome) -> list[int]:
    ends = [int(outcome == each) for each in _OUTCOMES]
    return [
        *ends,
        _int(row[_ATTEMPTS]),
        int(begun.retry),
        *(_int(row[p]) for p in _TOKENS),
        _int(row[_REASONING]),
        0,
        0,
    ]


def _priced(prices: Pricing, begun: Begun, row: Row) -> tuple[int, int]:
    """Micro-dollars, and whether it has no price; an exchange of which nothing is known has none, and lacks none."""
    if row[_SOURCE] == "none":
        return 0, 0
    if not prices:
        return 0, 1
    tier = row[_TIER]
    served = Served(begun.position, begun.at, begun.provider, begun.model, tier if isinstance(tier, str) else None)
    found = prices.cost(served, Consumption(*(_int(row[place]) for place in _TOKENS)))
    return (0, 1) if found is None else (found, 0)


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0
