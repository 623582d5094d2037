"""Pinned messages: they go upstream as they came (contract N5, N6)."""

import asyncio
import sqlite3
from typing import Annotated

from annotated_types import Interval
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field, StringConstraints

from api.bodies import RequestBody, documented, read
from api.details import invalid
from api.errors import InvalidFieldError
from api.fields import FROM_TEXT, UNICODE, Offset, PathId
from api.missing import contents_of
from api.reading import PAST, Reads
from api.services import Services, Use
from api.session_answers import living_session
from api.shapes import Erased
from api.times import iso
from api.writing import Writes
from commands.deciding import Command
from commands.pins import PinMessages, UnpinMessages
from context.messages import count_message, decode_message, text_of
from context.turns import role_of
from projections.paging import Page
from projections.pins import PinRow, list_pins, pinned_refs
from proxy.contents import MissingContentError, SessionContents

router = APIRouter(prefix="/api/sessions/{session_id}/pins", tags=["context"])

_PREVIEW = 200  # characters
_MOST = 500
Ref = Annotated[str, StringConstraints(min_length=1, max_length=128), UNICODE]
Reason = Annotated[str, Field(max_length=500), UNICODE]


class PinsBody(RequestBody):
    """`refs` as they stand in messages."""

    refs: Annotated[list[Ref], Field(min_length=1, max_length=_MOST)]
    reason: Reason | None = None


class UnpinsBody(RequestBody):
    """`refs` may stand in the address instead."""

    refs: list[Ref] = Field(default_factory=list, max_length=_MOST)
    reason: Reason | None = None


class Pin(BaseModel):
    """Once erased, `role`, `preview`, `tokens` and `reason` are null."""

    ref: str
    role: str | None
    preview: str | None
    tokens: int | None
    pinned_at: str
    reason: str | None
    erased: Erased = False


class Pins(BaseModel):
    session_id: int
    pins: list[Pin]
    total: int


class Pinned(BaseModel):
    success: bool
    session_id: int
    pinned_refs: list[str]
    changed: int


@router.get("", dependencies=PAST)
async def pins(
    session_id: PathId,
    reads: Reads,
    services: Use,
    limit: Annotated[int, Interval(ge=1, le=500), FROM_TEXT, Query()] = 100,
    offset: Offset = 0,
) -> Pins:
    """Pinned last first."""
    page = await reads.run(_page, session_id, limit, offset)
    return Pins(
        session_id=session_id,
        pins=await asyncio.to_thread(_shown, services, session_id, page.rows),
        total=page.total,
    )


@router.post("", openapi_extra=documented(PinsBody))
async def pin(
    session_id: PathId, body: Annotated[PinsBody, Depends(read(PinsBody))], services: Use, writes: Writes
) -> Pinned:
    """Pin messages that the session has received or answered."""

    async def work() -> Command:
        await writes.caught_up()
        return PinMessages(session_id, tuple(body.refs), await _known(services, session_id), body.reason)

    outcome = await writes.append(work)
    return _pinned(session_id, await writes.read(outcome, _refs, session_id), outcome.count)


@router.delete("", openapi_extra=documented(UnpinsBody))
async def unpin(
    session_id: PathId,
    body: Annotated[UnpinsBody, Depends(read(UnpinsBody))],
    services: Use,
    writes: Writes,
    ref: Annotated[list[str] | None, Query(max_length=_MOST)] = None,
) -> Pinned:
    """Let messages be reduced like any other again."""
    refs = (*body.refs, *(ref or ()))
    if not refs or len(refs) > _MOST:
        raise InvalidFieldError([invalid("missing", ("body", "refs"), f"Name 1 to {_MOST} messages", list(refs))])

    async def work() -> Command:
        await writes.caught_up()
        return UnpinMessages(session_id, refs, await _known(services, session_id), body.reason)

    outcome = await writes.append(work)
    return _pinned(session_id, await writes.read(outcome, _refs, session_id), outcome.count)


async def _known(services: Services, session_id: int) -> frozenset[str]:
    """The session's messages. Raises NotFoundError."""
    await services.reads.run(living_session, session_id)
    return await asyncio.to_thread(lambda: frozenset(contents_of(services, session_id).message_refs()))


def _pinned(session_id: int, refs: list[str], changed: int) -> Pinned:
    return Pinned(success=True, session_id=session_id, pinned_refs=refs, changed=changed)


def _refs(db: sqlite3.Connection, session_id: int, *, at: int) -> list[str]:
    return sorted(pinned_refs(db, session_id, at=at))


def _page(db: sqlite3.Connection, session_id: int, limit: int, offset: int, *, at: int) -> Page[PinRow]:
    living_session(db, session_id, at=at)
    return list_pins(db, session_id, at=at, limit=limit, offset=offset)


def _shown(services: Services, session_id: int, rows: list[PinRow]) -> list[Pin]:
    contents = contents_of(services, session_id) if rows else None
    return [_pin(services, contents, row) for row in rows] if contents is not None else []


def _pin(services: Services, contents: SessionContents, row: PinRow) -> Pin:
    """Without role and text where the log does not hold the message."""
    if row.erased:
        pinned_at = iso(row.pinned_at)
        return Pin(ref=row.ref, role=None, preview=None, tokens=None, pinned_at=pinned_at, reason=None, erased=True)
    try:
        message = decode_message(contents.body(row.ref))
    except MissingContentError:
        message = {}
    return Pin(
        ref=row.ref,
        role=role_of(message),
        preview=services.redact(text_of(message.get("content")))[:_PREVIEW],
        tokens=count_message(message, services.count) if message else 0,
        pinned_at=iso(row.pinned_at),
        reason=row.reason,
    )
