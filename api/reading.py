"""Reading the tables for a GET: now, or as of an earlier event (contract 1.5).

A route marked @ takes `Reads`; any other route depends on `live_only`, so that `at` is never silently ignored. All GETs
accept X-Min-Position.
"""

import sqlite3
from collections.abc import Callable, Mapping
from typing import Annotated, TypeVar

import msgspec
from fastapi import Depends, Header, Query, Request, Response

from api.details import invalid
from api.errors import ApiError, InvalidFieldError, RefusedValueError
from api.fields import MAX_INT, TextPosition
from api.services import Services, Use
from api.times import parse_time
from projections.store import Read
from projections.timeline import position_at_time

T = TypeVar("T")

NO_PAST = "This address has no past: it does not take `at`."


class Moment(msgspec.Struct, frozen=True):
    """`at` as it was asked: a position, or a time in ms since the epoch."""

    position: int | None = None
    ms: int | None = None


class Reading:
    """One request's way to the read tables. `at` is the position that was read, once something was."""

    def __init__(self, services: Services, response: Response, moment: Moment | None) -> None:
        self._reads = services.reads
        self._response = response
        self._moment = moment
        self.at = 0

    @property
    def past(self) -> bool:
        """Whether an earlier moment was asked for."""
        return self._moment is not None

    @property
    def moment_header(self) -> dict[str, str]:
        """What the answer says of the position that was read; a route that makes its own answer has to add it."""
        return {"X-Read-Position" if self._moment is None else "X-As-Of": str(self.at)}

    async def run(self, query: Callable[..., T], *args: object, **kwargs: object) -> T:
        """`query(connection, *args, at=position, **kwargs)` in one read transaction, at the moment asked for; the
        answer gets its X-As-Of or X-Read-Position. Raises AtOutOfRangeError."""
        read = await self._read(query, args, kwargs)
        self.at = read.at
        self._response.headers.update(self.moment_header)
        return read.value

    async def _read(self, query: Callable[..., T], args: tuple[object, ...], kwargs: Mapping[str, object]) -> Read[T]:
        moment = self._moment
        if moment is None or moment.ms is None:
            return await self._reads.run(query, *args, at=moment.position if moment else None, **kwargs)
        found = await self._reads.run(_at_time, query, moment.ms, args, kwargs)
        position, value = found.value
        return Read(value, position, found.head)


def moment_of(text: str, name: str) -> Moment:
    """A position (digits) or an ISO-8601 time in the query parameter `name`. Raises InvalidFieldError."""
    if text.isascii() and text.isdigit():
        return Moment(position=min(int(text[:20]), MAX_INT))
    try:
        return Moment(ms=parse_time(text))
    except ValueError:
        entry = invalid("moment", ("query", name), "Input should be an event position or an ISO-8601 time", text)
        raise InvalidFieldError([entry]) from None


async def min_position(services: Use, x_min_position: Annotated[TextPosition | None, Header()] = None) -> None:
    """Wait until the read tables have reached the event that X-Min-Position names. Raises ProjectionLagError."""
    if x_min_position is not None:
        await services.waiter.until(x_min_position)


async def require_ready(services: Use) -> None:
    """After a start the tables may lack what the log holds: say so rather than answer from half of it."""
    if not services.health.ready():
        raise ApiError(503, "not_ready", "The read tables are being built.", headers={"Retry-After": "1"})


def live_only(request: Request) -> None:
    """Refuse `at` where the answer is of now by nature."""
    if (given := request.query_params.get("at")) is not None:
        raise RefusedValueError("at_not_supported", ("query", "at"), NO_PAST, given)


async def _live(request: Request) -> None:
    live_only(request)


async def reading(
    services: Use,
    response: Response,
    at: Annotated[
        str | None, Query(max_length=64, description="An event position or an ISO-8601 time: the answer as of then")
    ] = None,
) -> Reading:
    """The dependency of every route that answers of any moment."""
    return Reading(services, response, None if at is None else moment_of(at, "at"))


def _at_time(
    db: sqlite3.Connection,
    query: Callable[..., T],
    ms: int,
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    *,
    at: int,
) -> tuple[int, T]:
    position = position_at_time(db, ms, at=at)
    return position, query(db, *args, at=position, **kwargs)


Reads = Annotated[Reading, Depends(reading)]
PAST = (Depends(require_ready), Depends(min_position))  # dependencies of a GET marked @
LIVE = (Depends(_live), Depends(min_position))  # dependencies of any other GET
