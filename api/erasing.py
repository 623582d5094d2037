"""Erasing a session: its contents are destroyed, in the log too (contract N3)."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import AfterValidator, BaseModel, Field

from api.bodies import RequestBody, documented, read
from api.fields import UNICODE, PathId
from api.services import Use
from api.times import iso
from api.writing import Writes
from commands.deciding import Command
from commands.erasure import ConfirmErasure, RequestErasure
from commands.workspace import family
from schema.erasure import SessionErased

router = APIRouter(prefix="/api/sessions", tags=["sessions"])


def _sure(confirm: bool) -> bool:
    if not confirm:
        raise ValueError("must be true: erasing cannot be undone")
    return confirm


class EraseBody(RequestBody):
    """`reason` is kept in clear, for ever."""

    confirm: Annotated[bool, AfterValidator(_sure)]
    reason: Annotated[str, Field(max_length=500), UNICODE] | None = None


class ErasedParts(BaseModel):
    messages: int
    masks: int
    memories: int
    previews: int


class Erased(BaseModel):
    success: Literal[True]
    session_id: int
    erased_at: str
    erased: ErasedParts


@router.post("/{session_id}/erase", openapi_extra=documented(EraseBody))
async def erase(
    session_id: PathId,
    body: Annotated[EraseBody, Depends(read(EraseBody))],
    services: Use,
    writes: Writes,
    response: Response,
) -> Erased:
    """Destroy a session's contents, also those of a deleted one. Ids, counters and hashes stay; copies of the files
    that were made before are not reached."""

    async def work() -> Command:
        await writes.caught_up()
        parts = family(services.handler.state, session_id)
        counts = await services.erasures.counts(parts)
        await writes.before(RequestErasure(session_id, counts, body.reason, services.running()))
        return ConfirmErasure(session_id, await services.erasures.destroy(parts), services.clock())

    outcome = await writes.append(work)
    event = next(event for event in reversed(outcome.events) if isinstance(event, SessionErased))
    await services.erasures.clean()
    response.headers["X-Event-Count"] = str(outcome.count + 1)  # with the one that asked for it
    counts = event.counts
    return Erased(
        success=True,
        session_id=session_id,
        erased_at=iso(event.erased_at),
        erased=ErasedParts(
            messages=counts.messages, masks=counts.masks, memories=counts.memories, previews=counts.previews
        ),
    )
