"""Events of prices: which book holds from when on, and what was priced anew. Stream `workspace`.

Rates are whole micro-dollars for a million tokens, so that 1.25 USD for a million is 1,250,000: nothing is rounded
before an exchange is.
"""

import msgspec

from schema.registry import Event


class PriceRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the tokens of one model cost, in micro-dollars for a million; None: not known. `model` is the name that goes
    upstream; without `provider` it is that model's at any. It holds from the day `from` on (YYYY-MM-DD, UTC; None: ever
    since), for answers of that `service_tier` (None: the usual one), and for requests of more than `above` input
    tokens."""

    model: str
    provider: str | None = None
    from_: str | None = msgspec.field(name="from", default=None)
    service_tier: str | None = None
    above: int = 0
    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    cache_write_1h: int | None = None


class PriceBookAdopted(Event, frozen=True, kw_only=True):
    """From here on exchanges are priced by this book: it differs from the last one. `hash` is over its content."""

    content: tuple[PriceRow, ...]
    hash: str


class RepricedFrom(Event, frozen=True, kw_only=True):
    """The exchanges that had begun by now, at event `from` or later, are priced by the book with the hash `book`."""

    book: str
    from_: int = msgspec.field(name="from")


EVENTS = (PriceBookAdopted, RepricedFrom)
