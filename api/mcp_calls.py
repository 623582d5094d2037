"""What was called through the gateway, and how the servers behind it are."""

import asyncio
import contextlib
from typing import Annotated, Literal

import msgspec
from annotated_types import Interval
from fastapi import APIRouter, Query
from pydantic import BaseModel

from api.fields import FROM_TEXT, Offset, QueryId, QueryText
from api.reading import PAST, Reads
from api.services import Services, Use
from api.shapes import Erased
from api.times import iso
from commands.errors import CommandError
from projections.gateway import McpCallRow, list_mcp_calls
from projections.waiting import ProjectionLagError

router = APIRouter(prefix="/api/mcp", tags=["mcp"])
_SHORT = 16
_PATIENCE_S = 1.0
Status = Literal["completed", "failed", "refused"]


class McpCall(BaseModel):
    """`outcome` is `ok`, `tool_error`, or the stable code of the reason; `arguments` the beginning of what the tool was
    told, null like `error` once erased; `masks` are hashes for /api/mask."""

    position: int
    session_id: int | None
    server: str
    method: str
    tool: str | None
    status: Status
    outcome: str
    code: int | None
    duration_ms: float | None
    bytes: int
    masks: list[str]
    timestamp: str
    correlation_id: str | None
    arguments: str | None
    error: str | None
    erased: Erased = False


class McpCalls(BaseModel):
    calls: list[McpCall]
    total: int


@router.get("/calls", dependencies=PAST)
async def calls(
    reads: Reads,
    services: Use,
    server: QueryText = None,
    tool: QueryText = None,
    status: Status | None = None,
    session_id: QueryId = None,
    limit: Annotated[int, Interval(ge=1, le=500), FROM_TEXT, Query()] = 50,
    offset: Offset = 0,
) -> McpCalls:
    """Newest first; with all calls that have been answered."""
    if not reads.past:
        await _caught_up(services)
    page = await reads.run(
        list_mcp_calls, server=server, tool=tool, status=status, session_id=session_id, limit=limit, offset=offset
    )
    return McpCalls(calls=[_shown(services, row) for row in page.rows], total=page.total)


async def _caught_up(services: Services) -> None:
    """Calls do not wait until they are shown. A log that takes nothing any more can still be read."""
    with contextlib.suppress(CommandError, ProjectionLagError, TimeoutError):
        async with asyncio.timeout(_PATIENCE_S):
            await services.waiter.until(await services.handler.flushed(), _PATIENCE_S)


def _shown(services: Use, row: McpCallRow) -> McpCall:
    own = {
        "session_id": row.session_id or None,
        "masks": [each[:_SHORT] for each in msgspec.json.decode(row.masks)],
        "timestamp": iso(row.timestamp),
        "arguments": services.redact(row.arguments) if row.arguments is not None else None,
        "error": services.redact(row.error) if row.error is not None else None,
    }
    return McpCall.model_validate(msgspec.structs.asdict(row) | own)
