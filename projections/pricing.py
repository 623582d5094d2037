"""What an exchange cost, by the book that holds for it. Pure; money in whole micro-dollars.

An exchange is rounded once, half a micro-dollar up, and every sum adds rounded exchanges: so whatever way exchanges are
grouped, the groups add up to the total exactly.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from schema.prices import PriceRow

PER = 1_000_000  # tokens that a rate is for
MOST = 1 << 53  # micro-dollars, some nine billion dollars: what no exchange has cost is a count that is not true
USUAL = frozenset(("", "default", "standard", "auto", "on_demand"))  # names of the usual service tier
_DAY_MS = 86_400_000
_REMEMBERED = 10_000
Book = Mapping[tuple[str, str | None], Sequence[PriceRow]]  # rows by model and provider


class Consumption(msgspec.Struct, frozen=True):
    """Tokens of one exchange as they are billed. `cached` and `cache_write` are parts of `input`, `cache_write_1h` of
    `cache_write`."""

    input: int
    output: int
    cached: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0


class Served(msgspec.Struct, frozen=True):
    """What was asked for, of whom and when: position of its start, ms since the epoch."""

    position: int
    at: int
    provider: str
    model: str
    service_tier: str | None = None


class Adopted(msgspec.Struct, frozen=True):
    position: int
    hash: str


class Repriced(msgspec.Struct, frozen=True):
    """At `position` what had begun at event `from_` or later was priced by `hash`."""

    position: int
    from_: int
    hash: str


def book_of(rows: Sequence[PriceRow]) -> Book:
    found: dict[tuple[str, str | None], list[PriceRow]] = {}
    for row in rows:
        found.setdefault((row.model, row.provider), []).append(row)
    return found


class Pricing:
    """The books as of one position, and which of them holds for which exchange."""

    def __init__(
        self, adopted: Sequence[Adopted], repriced: Sequence[Repriced], books: Mapping[str, Sequence[PriceRow]]
    ) -> None:
        """`adopted` and `repriced` by position."""
        self._adopted = tuple(adopted)
        self._positions = [each.position for each in adopted]
        self._repriced = tuple(reversed(repriced))
        self._books = {digest: book_of(rows) for digest, rows in books.items()}
        self._found: dict[tuple[str, str, str, int, str], tuple[PriceRow, ...]] = {}

    def __bool__(self) -> bool:
        """Whether there is any book: without one, nothing has a price."""
        return bool(self._adopted)

    def cost(self, served: Served, used: Consumption) -> int | None:
        """None where the book does not say what some of it costs."""
        row = self.row(served, used.input)
        return cost(row, used) if row is not None else None

    def row(self, served: Served, tokens: int) -> PriceRow | None:
        """The prices of a request of so many input tokens."""
        digest = self.book(served.position)
        if digest is None:
            return None
        tier = served.service_tier or ""
        if tier:
            tier = "" if tier.lower() in USUAL else tier.lower()
        key = digest, served.provider, served.model, served.at // _DAY_MS, tier
        rows = self._found.get(key)
        if rows is None:
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            rows = self._found[key] = _in_force(self._books[digest], *key[1:])
        for row in rows:
            if tokens > row.above or not row.above:
                return row
        return None

    def sellers(self, position: int, model: str) -> tuple[str, ...]:
        """The providers that the book for what was said at `position` has rows of a model of."""
        digest = self.book(position)
        found = self._books[digest] if digest is not None else {}
        return tuple(sorted(provider for name, provider in found if name == model and provider is not None))

    def book(self, position: int) -> str | None:
        """The hash of the book for an exchange that began at `position`; None before the first."""
        for each in self._repriced:
            if each.from_ <= position <= each.position:
                return each.hash
        place = bisect_right(self._positions, position)
        return self._adopted[place - 1].hash if place else None


def cost(row: PriceRow, used: Consumption) -> int | None:
    """In micro-dollars, at most MOST. What the cache is given or gives has the price of input where the book names none
    for it."""
    read = row.input if row.cache_read is None else row.cache_read
    plain = used.input - used.cached - used.cache_write
    parts = [(plain if plain > 0 else 0, row.input), (used.cached, read), (used.output, row.output)]
    if used.cache_write:
        write = row.input if row.cache_write is None else row.cache_write
        hour = write if row.cache_write_1h is None else row.cache_write_1h
        five = used.cache_write - used.cache_write_1h
        parts += [(five if five > 0 else 0, write), (used.cache_write_1h, hour)]
    total = PER // 2
    for tokens, rate in parts:
        if rate is not None:
            total += tokens * rate
        elif tokens:
            return None
    return min(total // PER, MOST)


def _in_force(book: Book, provider: str, model: str, day: int, tier: str) -> tuple[PriceRow, ...]:
    """Of the provider's own rows, else of those of any, the set of the latest day; longest requests first."""
    today = datetime.fromtimestamp(day * _DAY_MS / 1_000, UTC).date().isoformat()
    for owner in (provider, None):
        rows = [row for row in book.get((model, owner), ()) if (row.service_tier or "") == tier]
        rows = [row for row in rows if (row.from_ or "") <= today]
        if rows:
            latest = max(row.from_ or "" for row in rows)
            return tuple(sorted((row for row in rows if (row.from_ or "") == latest), key=lambda row: -row.above))
    return ()
