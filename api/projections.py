"""The read tables themselves, and the log they are made of (contract N21-N23)."""

import asyncio
import logging
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field

from api import shapes
from api.bodies import RequestBody, documented, read
from api.details import invalid
from api.errors import ApiError, InvalidFieldError
from api.fields import TextId
from api.reading import LIVE
from api.rebuild_child import RebuildFailedError
from api.rebuilds import NAMES
from api.request_context import Context
from api.services import Services, Use
from api.times import iso_or_none
from api.writing import Writes
from commands.errors import CommandError
from commands.workspace import Acknowledge, RecordRebuild
from projections.rebuilding import PoisonedRebuildError
from projections.store import row_count
from projections.waiting import ProjectionLagError
from schema.recorded import Metadata
from schema.verification import Verifier
from schema.workspace import ReadModelRebuilt

router = APIRouter(prefix="/api", tags=["log"])
_log = logging.getLogger("chronoproxy.projections")


class ProjectionState(BaseModel):
    """`progress` is the share of a rebuild that is done, `rows` counts the rows of all its tables."""

    name: str
    version: int
    position: int
    lag_events: int
    lag_ms: int
    state: Literal["live", "rebuilding", "failed"]
    progress: float | None
    rows: int
    checksum: str | None
    rebuilt_at: str | None
    error: str | None


class ProjectionList(BaseModel):
    head: int
    projections: list[ProjectionState]


class RebuildBody(RequestBody):
    """All of them share a file and are made together; `names` says which ones it is done for."""

    names: Annotated[list[str], Field(min_length=1, max_length=100)] | None = None
    wait: bool = False


class RebuildStarted(BaseModel):
    started: bool
    names: list[str]


class RebuildDone(BaseModel):
    names: list[str]
    events: int
    duration_ms: int
    equal: bool
    checksum_before: str | None
    checksum_after: str


@router.get("/projections", dependencies=LIVE)
async def list_projections(services: Use) -> ProjectionList:
    """How far the read tables are."""
    head = services.log.head()
    rows = (await services.reads.run(row_count)).value
    return ProjectionList(
        head=head,
        projections=[
            ProjectionState(
                name=part.name,
                version=part.version,
                position=part.position,
                lag_events=max(head - part.position, 0),
                lag_ms=_lag_ms(services, part.position, head),
                state=part.state,
                progress=services.rebuilds.progress,
                rows=rows.get(part.name, 0),
                checksum=None,
                rebuilt_at=iso_or_none(services.rebuilds.last),
                error=part.error,
            )
            for part in services.health.projections()
        ],
    )


@router.post("/projections/rebuild", openapi_extra=documented(RebuildBody), responses={202: {"model": RebuildStarted}})
async def rebuild(
    body: Annotated[RebuildBody, Depends(read(RebuildBody))],
    services: Use,
    context: Context,
    response: Response,
    writes: Writes,
) -> RebuildDone | RebuildStarted:
    """Make the read tables anew from the log, in a file of their own that then takes their place; reads go on."""
    names = tuple(body.names or NAMES)
    unknown = sorted(set(names) - set(NAMES))
    if unknown:
        entry = invalid("value_error", ("body", "names"), f"There is no projection {unknown[0]}", unknown[0])
        raise InvalidFieldError([entry])

    async def begun() -> Acknowledge:
        services.rebuilds.refuse_second()
        metadata = Metadata(actor="api", correlation_id=context.request_id)
        services.background.add(_in_background(services, names, metadata))
        return Acknowledge()

    async def done() -> RecordRebuild:
        return await _rebuilt(services, names)

    outcome = await writes.append(done if body.wait else begun)
    if not body.wait:
        response.status_code = 202
        return RebuildStarted(started=True, names=list(names))
    event = next(event for event in outcome.events if isinstance(event, ReadModelRebuilt))
    return RebuildDone(
        names=list(event.names),
        events=event.events,
        duration_ms=event.duration_ms,
        equal=event.equal,
        checksum_before=event.checksum if event.equal else None,
        checksum_after=event.checksum or "",
    )


@router.get("/log/verify", dependencies=LIVE)
async def verify(
    services: Use,
    first: Annotated[TextId, Query(alias="from")] = 1,
    last: Annotated[TextId | None, Query(alias="to")] = None,
) -> shapes.LogVerification:
    """Whether the log is what was written; holds after erasure. `to` may lie beyond the last event."""
    _check_range(first, last, services.log.head())
    found = await asyncio.to_thread(Verifier(services.log, first=first, last=last).run)
    return shapes.LogVerification(
        ok=found.ok,
        **{"from": found.from_},
        to=found.to,
        checked=found.checked,
        head_hash=found.head_hash,
        first_bad_position=found.first_bad_position,
        erased_sessions=found.erased_sessions,
        duration_ms=found.duration_ms,
        problems=[shapes.LogProblem(position=each.position, kind=each.kind, text=each.text) for each in found.problems],
        problems_total=found.problems_total,
    )


def _check_range(first: int, last: int | None, head: int) -> None:
    """A range without an event would be found to be as it was written. Raises InvalidFieldError."""
    if first > max(head, 1):
        text = f"Input should be a position of the log, whose last event is {head}"
        raise InvalidFieldError([invalid("value_error", ("query", "from"), text, first)])
    if last is not None and last < first:
        text = f"Input should be {first} or more, where the range begins"
        raise InvalidFieldError([invalid("value_error", ("query", "to"), text, last)])


async def _rebuilt(services: Services, names: tuple[str, ...]) -> RecordRebuild:
    """Raises ApiError."""
    try:
        done = await services.rebuilds.run()
    except PoisonedRebuildError as error:
        raise ApiError(503, "projection_failed", f"An event cannot be applied: {error}") from None
    except RebuildFailedError as error:
        raise ApiError(503, "store_unavailable", f"The read tables could not be made anew: {error}.") from None
    except ProjectionLagError as error:
        raise ApiError(503, "projection_lag", f"The tables in use are too far behind: {error}.") from None
    return RecordRebuild(names, done.events, done.equal, done.duration_ms, done.checksum)


async def _in_background(services: Services, names: tuple[str, ...], metadata: Metadata) -> None:
    try:
        await services.handler.execute(await _rebuilt(services, names), metadata)
    except (ApiError, CommandError) as error:
        _log.error("the read tables could not be made anew: %s", error.message)


def _lag_ms(services: Services, position: int, head: int) -> int:
    """Since the first event that is not applied."""
    waiting = services.log.at(position + 1) if position < head else None
    return max(services.clock() - waiting.timestamp, 0) if waiting is not None else 0
