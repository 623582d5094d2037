"""Of one session: what its context is made of, whether the provider's cache works for it, how long the window lasts."""

import asyncio
import hashlib
import itertools
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Annotated, Any

import msgspec
from annotated_types import Interval
from fastapi import APIRouter, Query
from pydantic import BaseModel

from api import views
from api.fields import FROM_TEXT, PathId, QueryId
from api.messages import ListedExchange, listed_exchange
from api.missing import contents_of, not_there
from api.reading import PAST, Reads
from api.services import Services, Use
from api.session_answers import living_session
from api.times import iso
from api.views import usd
from context.breakdown import Breakdown, Part, breakdown
from context.cache_breaks import Asked, Break, By, Cause, cache_break, came_from
from projections.session_requests import Pace, Request, last_requests, pace
from projections.sessions import SessionRow
from proxy.contents import MissingContentError, SessionContents

router = APIRouter(prefix="/api/usage/sessions", tags=["usage"], dependencies=PAST)

_PACE = 20  # exchanges
_LARGEST = 20
_HOUR_MS = 3_600_000
_LINES = 8  # of conversation, the last ones
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class ContextPart(BaseModel):
    """`share` of all, in per cent."""

    messages: int
    tokens: int
    share: float


class ToolOutput(BaseModel):
    tool: str
    messages: int
    tokens: int


class ContextParts(BaseModel):
    """`history` is what users and the assistant said, with calls of tools; `tool_schemas` count schemas, `tool_output`
    the results. The largest tools first."""

    system: ContextPart
    tool_schemas: ContextPart
    history: ContextPart
    tool_output: ContextPart
    by_tool: list[ToolOutput]


class SessionContext(BaseModel):
    """Of a request as it went upstream. `tokens` are counted here and are estimates; `measured_tokens` is what the
    provider says of the whole, null where it does not. Without an exchange all is null."""

    session_id: int
    exchange_id: int | None
    tokens: int
    measured_tokens: int | None
    max_context: int
    percentage: float
    parts: ContextParts | None


class CacheBreak(BaseModel):
    """The request whose beginning was not taken from the cache, though the one before it (`after_exchange_id`) had left
    it there. `first_changed` is the place of the first message that was not as it was; `lost_tokens` were read anew."""

    exchange_id: int
    after_exchange_id: int
    position: int
    timestamp: str
    cause: Cause
    by: By
    first_changed: int | None
    cached_tokens: int | None
    lost_tokens: int


class SessionCache(BaseModel):
    """Of the last `exchanges` whose usage is known. `reported` of them say what came from the cache; `hit_percentage`
    is of their input, null without any. `breaks` with the latest first."""

    session_id: int
    exchanges: int
    reported: int
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    hit_percentage: float | None
    lost_tokens: int
    breaks: list[CacheBreak]


class Forecast(BaseModel):
    """`tokens_per_request` is the median growth of the context over the last requests of its line of conversation, null
    where it does not grow; `requests_left` until the window is full, about. Rates are of the last `exchanges`, from the
    beginning of the first to the end of the last; null where there are fewer than two, or that is no time."""

    session_id: int
    current_tokens: int
    reserved_tokens: int
    max_context: int
    remaining_tokens: int
    tokens_per_request: float | None
    requests_left: int | None
    exchanges: int
    span_ms: int
    requests_per_hour: float | None
    tokens_per_hour: float | None
    cost_per_hour_usd: float | None
    cost_per_request_usd: float | None
    unpriced: int


class FoundPace(msgspec.Struct, frozen=True):
    session: SessionRow
    pace: Pace


@router.get("/{session_id}/context")
async def context(session_id: PathId, reads: Reads, services: Use, exchange_id: QueryId = None) -> SessionContext:
    """System prompt, schemas of tools, history and outputs of tools in a request, by default the session's latest."""
    found = await reads.run(listed_exchange, session_id, exchange_id)
    if found is None:
        row = await reads.run(living_session, session_id)
        window = services.catalogue.max_context(row.provider, row.model)
        return SessionContext(
            session_id=session_id,
            exchange_id=None,
            tokens=0,
            measured_tokens=None,
            max_context=window,
            percentage=0.0,
            parts=None,
        )
    parts = await asyncio.to_thread(_breakdown, services, session_id, found)
    exchange = found.exchange
    window = services.catalogue.max_context(exchange.provider, exchange.model_sent)
    measured = exchange.usage.prompt_tokens if exchange.usage.source == "measured" else None
    return SessionContext(
        session_id=session_id,
        exchange_id=exchange.id,
        tokens=parts.tokens,
        measured_tokens=measured,
        max_context=window,
        percentage=views.percent(measured or parts.tokens, window),
        parts=_parts(parts, services.redact),
    )


@router.get("/{session_id}/cache")
async def cache(
    session_id: PathId,
    reads: Reads,
    services: Use,
    limit: Annotated[int, Interval(ge=2, le=500), FROM_TEXT, Query()] = 100,
) -> SessionCache:
    """How much of the input came from the provider's cache, and which requests broke the beginning that it held."""
    requests = await reads.run(_requests, session_id, limit)
    breaks = await asyncio.to_thread(_breaks, services, session_id, requests)
    usages = [request.exchange.usage for request in requests]
    reported = [usage for usage in usages if usage.cached_tokens is not None]
    input_tokens, read = sum(u.prompt_tokens for u in reported), sum(u.cached_tokens or 0 for u in reported)
    return SessionCache(
        session_id=session_id,
        exchanges=len(requests),
        reported=len(reported),
        input_tokens=sum(usage.prompt_tokens for usage in usages),
        cache_read_tokens=read,
        cache_write_tokens=sum(usage.cache_write_tokens or 0 for usage in usages),
        hit_percentage=views.percent(read, input_tokens) if input_tokens else None,
        lost_tokens=sum(each.lost_tokens for each in breaks),
        breaks=breaks[::-1],
    )


@router.get("/{session_id}/forecast")
async def forecast(session_id: PathId, reads: Reads, services: Use) -> Forecast:
    """How fast the session uses its window, tokens and money, and after how many requests the window is full."""
    found = await reads.run(_pace, session_id)
    row, exchanges = found.session, found.pace.exchanges
    window = services.catalogue.max_context(row.provider, row.model)
    current, grown = found.pace.stats.context_tokens, _growth(found.pace.totals)
    remaining = max(window - row.reserved_tokens - current, 0)
    span, time = _span(found.pace), hours(found.pace)
    tokens = sum(each.usage.total_tokens for each in exchanges)
    costs = [each.cost for each in exchanges if each.cost is not None]
    return Forecast(
        session_id=session_id,
        current_tokens=current,
        reserved_tokens=row.reserved_tokens,
        max_context=window,
        remaining_tokens=remaining,
        tokens_per_request=grown,
        requests_left=int(remaining // grown) if grown else None,
        exchanges=len(exchanges),
        span_ms=span,
        requests_per_hour=round(len(exchanges) / time, 2) if time else None,
        tokens_per_hour=round(tokens / time, 2) if time else None,
        cost_per_hour_usd=usd(round(sum(costs) / time)) if time and costs else None,
        cost_per_request_usd=usd(round(sum(costs) / len(costs))) if costs else None,
        unpriced=sum(each.usage.source != "none" and each.cost is None for each in exchanges),
    )


def _requests(db: sqlite3.Connection, session_id: int, limit: int, *, at: int) -> list[Request]:
    living_session(db, session_id, at=at)
    return last_requests(db, session_id, at=at, limit=limit)


def _pace(db: sqlite3.Connection, session_id: int, *, at: int) -> FoundPace:
    return FoundPace(living_session(db, session_id, at=at), pace(db, session_id, at=at, limit=_PACE))


def _growth(totals: Sequence[int]) -> float | None:
    """The median of what the context grew by; None where it does not grow."""
    steps = [after - before for before, after in itertools.pairwise(totals)]
    grown = float(median(steps)) if steps else 0.0
    return grown if grown > 0 else None


def hours(found: Pace) -> float:
    """What rates are of; 0 where there is none: how long one exchange took says nothing of when the next one comes."""
    return _span(found) / _HOUR_MS if len(found.exchanges) > 1 else 0.0


def _span(found: Pace) -> int:
    if not found.exchanges:
        return 0
    ends = [each.finished_at for each in found.exchanges if each.finished_at is not None]
    return max(ends) - min(each.started_at for each in found.exchanges)


def _breakdown(services: Services, session_id: int, found: ListedExchange) -> Breakdown:
    """Raises ApiError 410."""
    contents = contents_of(services, session_id, found.exchange.origin)
    try:
        messages = [contents.body(ref) for ref in found.sent]
        envelope = _decode(contents.sent(found.exchange.id))
    except (MissingContentError, msgspec.MsgspecError):
        raise not_there(services, session_id) from None
    return breakdown(messages, envelope, services.count)


def _parts(found: Breakdown, redact: Callable[[str], str]) -> ContextParts:
    """`redact` takes configured keys out of the names that a conversation gives to tools."""

    def part(each: Part) -> ContextPart:
        return ContextPart(messages=each.messages, tokens=each.tokens, share=views.percent(each.tokens, found.tokens))

    largest = sorted(found.by_tool.items(), key=lambda item: (-item[1].tokens, item[0]))[:_LARGEST]
    return ContextParts(
        system=part(found.system),
        tool_schemas=part(found.tools),
        history=part(found.history),
        tool_output=part(found.output),
        by_tool=[ToolOutput(tool=redact(name), messages=each.messages, tokens=each.tokens) for name, each in largest],
    )


def _breaks(services: Services, session_id: int, requests: Sequence[Request]) -> list[CacheBreak]:
    """Oldest first, each against the request before it in its line of conversation. Who edits an earlier message begins
    a new line, and is held against the one that it was edited from."""
    contents = contents_of(services, session_id, *{request.exchange.origin for request in requests})
    tools: dict[str, str | None] = {}
    last: OrderedDict[int, tuple[Request, Asked]] = OrderedDict()
    found: list[CacheBreak] = []
    for request in requests:
        now = _asked(request, contents, tools)
        before = last.get(request.chain) or _edited(last, now)
        last[request.chain] = request, now
        last.move_to_end(request.chain)
        broken = cache_break(before[1], now) if before is not None else None
        if before is not None and broken is not None:
            found.append(_break(before[0], request, broken))
    return found


def _edited(last: OrderedDict[int, tuple[Request, Asked]], now: Asked) -> tuple[Request, Asked] | None:
    newest = list(itertools.islice(reversed(last.values()), _LINES))
    found = came_from((asked for _, asked in newest), now)
    return next((each for each in newest if each[1] is found), None)


def _asked(request: Request, contents: SessionContents, tools: dict[str, str | None]) -> Asked:
    row = request.exchange
    if row.sent_envelope_ref not in tools:
        tools[row.sent_envelope_ref] = _tools(contents, row.id)
    return Asked(
        model=f"{row.provider}/{row.model_sent}",
        tools=tools[row.sent_envelope_ref],
        received=request.received,
        sent=request.sent,
        prompt=row.usage.prompt_tokens,
        cached=row.usage.cached_tokens,
        at=row.started_at,
        ended=row.finished_at or row.started_at,
    )


def _tools(contents: SessionContents, exchange_id: int) -> str | None:
    """A hash of what stands before the messages in the provider's eyes; None where the log does not hold it."""
    try:
        body: Mapping[str, Any] = _decode(contents.sent(exchange_id))
    except (MissingContentError, LookupError, msgspec.MsgspecError):
        return None
    seen = [body.get(key) for key in ("tools", "functions", "response_format")]
    return hashlib.sha256(msgspec.json.encode(seen)).hexdigest()


def _break(before: Request, request: Request, found: Break) -> CacheBreak:
    row = request.exchange
    return CacheBreak(
        exchange_id=row.id,
        after_exchange_id=before.exchange.id,
        position=row.started_position,
        timestamp=iso(row.started_at),
        cause=found.cause,
        by=found.by,
        first_changed=found.first_changed,
        cached_tokens=row.usage.cached_tokens,
        lost_tokens=found.lost,
    )
