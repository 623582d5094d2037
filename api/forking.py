"""Going on from an earlier moment of a session, in a new one."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from api import shapes, views
from api.bodies import RequestBody, documented, read
from api.details import invalid
from api.errors import InvalidFieldError, beyond_head
from api.fields import MAX_INT, UNICODE, PathId, position_or_time
from api.forks import Forks
from api.reading import Moment, moment_of
from api.services import Use
from api.session_answers import living_session
from api.writing import Writes
from commands.deciding import Command
from projections.store import AtOutOfRangeError
from schema.forking import SessionForked

router = APIRouter(prefix="/api/sessions", tags=["sessions"])


class ForkBody(RequestBody):
    """`at` is an event's position or an ISO-8601 time, by default now; the name says by default where it comes from."""

    at: (
        Annotated[
            Annotated[int, Field(ge=0, le=MAX_INT)]
            | Annotated[str, Field(min_length=1, max_length=64, examples=["2026-11-22T23:33:51.123Z"])],
            position_or_time(0),
        ]
        | None
    ) = None
    name: Annotated[str, Field(min_length=1, max_length=200), UNICODE] | None = None
    activate: bool = False


class Forked(BaseModel):
    """`exchange_id` is the exchange of the source whose messages the context is, `messages` their number with the
    answer, `tokens` what the context holds."""

    success: Literal[True]
    session: shapes.SessionX
    source_id: int
    at: int
    exchange_id: int | None
    messages: int
    tokens: int


@router.post("/{session_id}/fork", openapi_extra=documented(ForkBody))
async def fork(
    session_id: PathId, body: Annotated[ForkBody, Depends(read(ForkBody))], services: Use, writes: Writes
) -> Forked:
    """Start a new session whose context is this one's as of an earlier event; this one stays as it is. A client goes on
    in it by naming it in X-Session-Id."""
    moment = _moment(body.at)

    async def work() -> Command:
        await writes.caught_up()
        forks = Forks(services.log, services.reads, services.handler)
        try:
            return await forks.command(session_id, moment, body.name, activate=body.activate)
        except AtOutOfRangeError as error:
            raise beyond_head(("body", "at"), error.at, error.head) from None

    outcome = await writes.append(work)
    event = next(event for event in outcome.events if isinstance(event, SessionForked))
    row = await writes.read(outcome, living_session, event.session_id)
    exchange = event.exchange
    return Forked(
        success=True,
        session=views.session_x(row, services.catalogue),
        source_id=event.source_id,
        at=event.at,
        exchange_id=exchange.exchange_id if exchange is not None else None,
        messages=exchange.received.count + (exchange.answer_ref is not None) if exchange is not None else 0,
        tokens=event.context_tokens,
    )


def _moment(at: int | str | None) -> Moment:
    """Raises InvalidFieldError."""
    if at is None or isinstance(at, int):
        return Moment(position=at)
    try:
        return moment_of(at, "at")
    except InvalidFieldError:
        entry = invalid("moment", ("body", "at"), "Input should be an event position or an ISO-8601 time", at)
        raise InvalidFieldError([entry]) from None
