"""Prices: the book in force, and pricing history anew by it or by an earlier one."""

import sqlite3
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from api.bodies import RequestBody, documented, read
from api.details import invalid
from api.errors import InvalidFieldError, beyond_head
from api.fields import MAX_INT, UNICODE, position_or_time
from api.price_book import RATES, usd
from api.reading import PAST, Reads
from api.services import Services, Use
from api.times import iso, parse_time
from api.writing import Writes
from commands.prices import Reprice
from projections.prices import BookRow, RepricingRow, books, repricings
from projections.timeline import position_at_time
from projections.usage import wire_usage
from projections.usage_entries import Asked
from schema.prices import PriceRow

router = APIRouter(prefix="/api/prices", tags=["usage"])


class PriceOf(BaseModel):
    """USD for a million tokens, null where the book does not say. Without `provider` it is the model's at any;
    `since` a day (UTC), null: ever since; `service_tier` null: the usual one; for requests of more than `above` input
    tokens."""

    model: str
    provider: str | None
    since: str | None
    service_tier: str | None
    above: int
    input: float | None
    output: float | None
    cache_read: float | None
    cache_write: float | None
    cache_write_1h: float | None


class Book(BaseModel):
    hash: str
    position: int
    adopted_at: str
    prices: int


class Repricing(BaseModel):
    """What had begun at event `from_position` or later was priced by `book`."""

    book: str
    from_position: int
    position: int
    repriced_at: str


class Prices(BaseModel):
    """`prices` of the book in force (`book`, null before the first); all books and repricings, the last ones first."""

    book: str | None
    prices: list[PriceOf]
    books: list[Book]
    repricings: list[Repricing]


class RepriceBody(RequestBody):
    """`from` is an event's position or an ISO-8601 time; `book` the hash of an adopted book, by default the one in
    force."""

    from_: Annotated[
        Annotated[int, Field(ge=1, le=MAX_INT)] | Annotated[str, Field(max_length=64)], position_or_time(1)
    ] = Field(default=1, alias="from")
    book: Annotated[str, Field(min_length=1, max_length=64), UNICODE] | None = None


class Repriced(BaseModel):
    """`changed` is false where all was priced so already, or nothing has begun since the time that was named."""

    success: bool
    changed: bool
    book: str
    from_position: int
    cost_before_usd: float
    cost_after_usd: float
    unpriced_before: int
    unpriced_after: int


class Sums(msgspec.Struct, frozen=True):
    """Of all exchanges: micro-dollars, and how many have no price."""

    cost: int
    unpriced: int


@router.get("", dependencies=PAST)
async def prices(reads: Reads) -> Prices:
    """The price book in force, and how it became so."""
    adopted, anew = await reads.run(_found)
    last = adopted[-1] if adopted else None
    return Prices(
        book=last.hash if last else None,
        prices=[_price(row) for row in last.content] if last else [],
        books=[_book(row) for row in reversed(adopted)],
        repricings=[_repricing(row) for row in reversed(anew)],
    )


@router.post("/reprice", openapi_extra=documented(RepriceBody))
async def reprice(body: Annotated[RepriceBody, Depends(read(RepriceBody))], services: Use, writes: Writes) -> Repriced:
    """Price what has happened by the book in force, or by another one that was adopted: the cost of every exchange from
    there on follows, and answers as of earlier events stay as they were."""
    from_ = await _position(services, body.from_)
    outcome = await writes.append(Reprice(from_, body.book, services.log.head()))
    before = (await services.reads.run(sums, at=max(outcome.position - outcome.count, 0))).value
    after = await writes.read(outcome, sums)
    adopted, anew = await writes.read(outcome, _found)
    book = anew[-1].hash if outcome.count else body.book or adopted[-1].hash
    return Repriced(
        success=True,
        changed=bool(outcome.count),
        book=book,
        from_position=from_,
        cost_before_usd=before.cost / 1_000_000,
        cost_after_usd=after.cost / 1_000_000,
        unpriced_before=before.unpriced,
        unpriced_after=after.unpriced,
    )


async def _position(services: Services, from_: int | str) -> int:
    """Of an event that is there; of a time after the last one, the position of the next. Raises ApiError 422."""
    head = services.log.head()
    if is_position(str(from_)) and int(str(from_)[:20]) > max(head, 1):
        raise beyond_head(("body", "from"), int(str(from_)[:20]), head)
    try:
        return (await services.reads.run(position_from, str(from_))).value
    except ValueError:
        message = "Input should be an event position or an ISO-8601 time with its offset"
        raise InvalidFieldError([invalid("moment", ("body", "from"), message, from_)]) from None


def is_position(text: str) -> bool:
    """Whether it says a position, and not a time."""
    return text.isascii() and text.isdigit()


def position_from(db: sqlite3.Connection, text: str, *, at: int) -> int:
    """An event's position as it is given, or that of the first event at a time or later. Raises ValueError."""
    if is_position(text):
        return min(max(int(text[:20]), 1), MAX_INT)
    return 1 + position_at_time(db, parse_time(text) - 1, at=at)


def _found(db: sqlite3.Connection, *, at: int) -> tuple[list[BookRow], list[RepricingRow]]:
    return books(db, at=at), repricings(db, at=at)


def sums(db: sqlite3.Connection, *, at: int) -> Sums:
    """Of all that went through the proxy."""
    entries = wire_usage(db, Asked(), at=at)
    return Sums(sum(entry.cost for entry in entries), sum(entry.unpriced for entry in entries))


def _price(row: PriceRow) -> PriceOf:
    rates = {name: usd(getattr(row, name)) for name in RATES}
    return PriceOf(
        model=row.model,
        provider=row.provider,
        since=row.from_,
        service_tier=row.service_tier,
        above=row.above,
        **rates,
    )


def _book(row: BookRow) -> Book:
    return Book(hash=row.hash, position=row.position, adopted_at=iso(row.adopted_at), prices=len(row.content))


def _repricing(row: RepricingRow) -> Repricing:
    return Repricing(book=row.hash, from_position=row.from_, position=row.position, repriced_at=iso(row.repriced_at))
