"""What was masked, and its originals (contract 22-25)."""

import asyncio
import sqlite3
from collections.abc import Sequence
from typing import Annotated

from annotated_types import Interval
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from api.bodies import RequestBody, documented, read
from api.details import invalid
from api.errors import ApiError, InvalidFieldError
from api.fields import FROM_TEXT, Offset, QueryId, TextFlag
from api.missing import not_there
from api.originals import HASH, first_living
from api.reading import PAST, Reads
from api.request_context import Context
from api.services import Services, Use
from api.shapes import Erased
from api.times import iso
from api.writing import Writes
from commands.retrievals import RetrieveContent
from commands.workspace import DisableSanitizer, EnableSanitizer
from gateway.excerpts import RangeError, selected, span
from projections.masks import MaskRow, MaskStats, find_masks, list_masks, mask_stats
from projections.timeline import get_event
from projections.workspace import sanitizer
from proxy.contents import MissingContentError

router = APIRouter(prefix="/api", tags=["context"])

_SHORT = 16


class MaskItem(BaseModel):
    """`preview` is null once erased."""

    hash: str
    preview: str | None
    tags: list[str]
    token_count: int
    created_at: str
    session_id: int
    retrievals: int
    tool: str | None
    erased: Erased = False


class MaskList(BaseModel):
    items: list[MaskItem]
    total: int


class MaskedContent(BaseModel):
    """`original_content` is the text as the client sent it or a tool gave it, byte for byte; `selection` the lines that
    were asked for. `session_id` is 0 for a tool that was called without a session."""

    hash: str
    preview: str
    tags: list[str]
    token_count: int
    created_at: str
    file_path: str
    original_content: str | None
    sha256: str
    session_id: int
    selection: str | None = None


class SanitizerTotals(BaseModel):
    total_masked: int
    total_tokens_masked: int
    recent_24h: int


class SanitizerStats(BaseModel):
    enabled: bool
    threshold_tokens: int
    preview_length: int
    tmp_dir: str
    stats: SanitizerTotals


class ToggleBody(RequestBody):
    enabled: bool = True


class Toggled(BaseModel):
    enabled: bool
    message: str


@router.get("/mask", dependencies=PAST)
async def list_all(
    reads: Reads,
    services: Use,
    session_id: QueryId = None,
    limit: Annotated[int, Interval(ge=1, le=500), FROM_TEXT, Query()] = 50,
    offset: Offset = 0,
) -> MaskList:
    """What was masked or shortened, newest first."""
    page = await reads.run(list_masks, session_id=session_id, limit=limit, offset=offset)
    return MaskList(items=[_item(services, row) for row in page.rows], total=page.total)


@router.get("/mask/{content_hash}", dependencies=PAST)
async def get(
    content_hash: str,
    reads: Reads,
    services: Use,
    writes: Writes,
    context: Context,
    peek: TextFlag = False,
    lines: Annotated[str | None, Query(pattern=r"^[0-9]{1,9}-[0-9]{1,9}$")] = None,
    grep: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
) -> MaskedContent:
    """The original of a mask, by the hash that stands in it or more of it. Without `peek` it is recorded that somebody
    asked; that changes nothing of what goes upstream. HEAD leaves no trace, nor does a page of another site that makes
    a browser ask. `lines` is from-to, `grep` a text; both select lines: of JSON with one long text, those of that."""
    _check(lines)
    row, text = await asyncio.to_thread(_living, services, await _of(reads, content_hash))
    if context.recorded and not peek and not reads.past:
        await writes.append(RetrieveContent(row.session_id, row.hash))
    item = _item(services, row)
    chosen = await asyncio.to_thread(selected, text, lines, grep) if lines is not None or grep is not None else None
    return MaskedContent(
        **item.model_dump(include={"hash", "preview", "tags", "token_count", "created_at", "session_id"}),
        file_path=f"store:{row.hash}",
        original_content=text,
        sha256=row.hash,
        selection=chosen.text if chosen is not None else None,
    )


@router.get("/sanitizer/stats", dependencies=PAST)
async def stats(reads: Reads, services: Use) -> SanitizerStats:
    """The switch, its settings, and how much was masked."""
    enabled, found = await reads.run(_stats, services.clock(), past=reads.past)
    return SanitizerStats(
        enabled=services.sanitizer.enabled if enabled is None else enabled,
        threshold_tokens=services.sanitizer.threshold_tokens,
        preview_length=services.sanitizer.preview_length,
        tmp_dir="store:",
        stats=SanitizerTotals(total_masked=found.total, total_tokens_masked=found.tokens, recent_24h=found.recent),
    )


@router.post("/sanitizer/toggle", openapi_extra=documented(ToggleBody))
async def toggle(body: Annotated[ToggleBody, Depends(read(ToggleBody))], services: Use, writes: Writes) -> Toggled:
    """Off: the next request goes upstream as it came. On: what was masked before is masked again."""
    configured = services.sanitizer.enabled
    await writes.append(EnableSanitizer(configured) if body.enabled else DisableSanitizer(configured))
    return Toggled(enabled=body.enabled, message=f"The sanitizer is {'on' if body.enabled else 'off'}.")


def _check(lines: str | None) -> None:
    """Raises InvalidFieldError."""
    try:
        if lines is not None:
            span(lines)
    except RangeError as error:
        raise InvalidFieldError([invalid("line_range", ("query", "lines"), f"Input: {error}", lines)]) from None


async def _of(reads: Reads, prefix: str) -> list[MaskRow]:
    """Of one text. Raises ApiError 404, and 409 where several texts begin so."""
    found = await reads.run(find_masks, prefix) if HASH.fullmatch(prefix) else []
    if not found:
        raise ApiError(404, "mask_not_found", "There is no such mask.", context={"hash": prefix[:64]})
    if len({row.hash for row in found}) > 1:
        raise ApiError(409, "ambiguous_hash", "Several texts have hashes that begin so.", context={"hash": prefix})
    return found


def _living(services: Services, rows: Sequence[MaskRow]) -> tuple[MaskRow, str]:
    """Raises ApiError 410 where the log does not hold it any more."""
    try:
        return first_living(services.log, rows)
    except MissingContentError:
        raise not_there(services, rows[0].session_id) from None


def _item(services: Services, row: MaskRow) -> MaskItem:
    return MaskItem(
        hash=row.hash[:_SHORT],
        preview=None if row.erased else (row.preview or "")[: min(services.sanitizer.preview_length, 200)],
        tags=[row.tool] if row.tool else [],
        token_count=row.tokens,
        created_at=iso(row.created_at),
        session_id=row.session_id,
        retrievals=row.retrievals,
        tool=row.tool or None,
        erased=bool(row.erased),
    )


def _stats(db: sqlite3.Connection, now_ms: int, *, past: bool, at: int) -> tuple[bool | None, MaskStats]:
    """As of an earlier event, a day counts back from that event's time."""
    event = get_event(db, at, at=at) if past else None
    switch = sanitizer(db, at=at)
    return switch.enabled if switch is not None else None, mask_stats(
        db, event.timestamp if event is not None else now_ms, at=at
    )
