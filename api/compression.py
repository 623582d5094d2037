"""Compressing a session's context: a summary takes the place of all but the last exchanges (contract 53-55)."""

import sqlite3
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from api import compression_shapes, views
from api.bodies import RequestBody, documented, read
from api.context_desk import Planned, Subject, subject
from api.errors import ApiError
from api.fields import PathId
from api.reading import PAST, Reads
from api.request_context import Context
from api.services import Services, Use
from api.session_answers import living_session
from api.shapes import CtxState
from api.writing import Writes
from commands.compaction import LeaveAsIs
from commands.deciding import Command
from commands.workspace import require
from context.compaction import Plan, Refused
from context.cuts import Cut, keep_exchanges
from projections.compaction import DecisionRow, Totals, decision_at, decision_totals
from projections.session_stats import session_stats
from projections.sessions import SessionRow
from proxy.summarizing import Summary
from schema.compaction import CompressionPerformed

router = APIRouter(prefix="/api/compress", tags=["compaction"])


class CompressBody(RequestBody):
    """`force` compresses also what is not full yet."""

    force: bool = False


class CompressionTotals(BaseModel):
    total_compressions: int
    total_original_tokens: int
    total_compressed_tokens: int
    avg_compression_ratio: float


class Config(BaseModel):
    threshold_percentage: int
    preserve_recent_exchanges: int
    summary_max_tokens: int


class GlobalStats(BaseModel):
    everywhere: CompressionTotals = Field(alias="global")
    config: Config


class CurrentContext(BaseModel):
    total_tokens: int
    max_context: int
    percentage: float
    can_compress: bool


class SessionConfig(BaseModel):
    threshold_percentage: int
    preserve_recent_exchanges: int


class SessionStats(BaseModel):
    session_id: int
    compression_stats: CompressionTotals
    current_context: CurrentContext
    config: SessionConfig


class Found(msgspec.Struct, frozen=True):
    session: SessionRow
    tokens: int
    totals: Totals


@router.get("/stats", dependencies=PAST)
async def stats(reads: Reads, services: Use) -> GlobalStats:
    """Of all sessions."""
    section = services.compression
    totals = _totals(await reads.run(decision_totals, "compression"))
    return GlobalStats.model_validate({"global": totals, "config": section.model_dump(exclude={"model"})})


@router.get("/{session_id}/stats", dependencies=PAST)
async def session_totals(session_id: PathId, reads: Reads, services: Use) -> SessionStats:
    """Of one session, and whether it is full enough."""
    found = await reads.run(_found, session_id)
    used = _context(services, found.session, found.tokens)
    section = services.compression
    return SessionStats(
        session_id=session_id,
        compression_stats=_totals(found.totals),
        current_context=CurrentContext(
            total_tokens=found.tokens,
            max_context=used.max_context,
            percentage=used.percentage,
            can_compress=used.percentage_with_reserved >= section.threshold_percentage,
        ),
        config=SessionConfig(**section.model_dump(exclude={"model", "summary_max_tokens"})),
    )


@router.post("/{session_id}", openapi_extra=documented(CompressBody), response_model_exclude_none=True)
async def compress(
    session_id: PathId,
    body: Annotated[CompressBody, Depends(read(CompressBody))],
    services: Use,
    writes: Writes,
    context: Context,
) -> compression_shapes.Compressed:
    """Let a summary stand for all but the last exchanges."""

    async def work() -> Command:
        await writes.caught_up()
        require(services.handler.state, session_id)
        found = (await services.reads.run(subject, session_id)).value
        _require_full(services, found, force=body.force)
        planned = await _planned(services, found)
        if isinstance(planned.made, Refused):
            return LeaveAsIs(session_id)
        summary = await _summary(services, session_id, planned, context.request_id)
        if summary is not None and summary.text is not None:
            summed_up = await services.desk.plan(found, _cut(services), force=True, summary=summary.text)
            planned = summed_up if isinstance(summed_up.made, Plan) else planned
        return services.desk.compress(found, planned, services.handler.next_decision_id(), summary)

    outcome = await writes.append(work)
    if any(isinstance(event, CompressionPerformed) for event in outcome.events):
        row = await writes.read(outcome, _decision)
        answer = compression_shapes.compressed(row)
        answer.summary = services.redact(answer.summary or "")
        return answer
    found = (await services.reads.run(subject, session_id, at=outcome.position)).value
    return _refused(session_id, (await _planned(services, found)).made)


def _refused(session_id: int, made: Plan | Refused) -> compression_shapes.Compressed:
    count, tokens = (made.messages, made.tokens) if isinstance(made, Refused) else (0, 0)
    return compression_shapes.Compressed(
        compressed=False,
        session_id=session_id,
        original_tokens=tokens,
        compressed_tokens=tokens,
        tokens_saved=0,
        compression_ratio=0.0,
        messages_before=count,
        messages_after=count,
        system_preserved=0,
        recent_preserved=count,
        reason="insufficient_messages" if count else "no_messages",
    )


def _require_full(services: Services, found: Subject, *, force: bool) -> None:
    """Raises ApiError 409."""
    used = _context(services, found.session, found.stats.context_tokens).percentage_with_reserved
    least = services.compression.threshold_percentage
    if not force and used < least:
        raise ApiError(
            409,
            "below_threshold",
            f"The context is {used:.1f} % full: compression begins at {least} %.",
            context={"current_percentage": used, "threshold": least, "hint": "Send force: true to compress anyway."},
        )


async def _planned(services: Services, found: Subject) -> Planned:
    """The minimums of a compaction do not count here: the threshold does."""
    return await services.desk.plan(found, _cut(services), force=True)


def _cut(services: Services) -> Cut:
    return keep_exchanges(services.compression.preserve_recent_exchanges)


async def _summary(services: Services, session_id: int, planned: Planned, request_id: str) -> Summary | None:
    """By the configured model, None without one."""
    if services.summarizer is None or not isinstance(planned.made, Plan):
        return None
    items = services.desk.items(planned)
    messages = [items[index].message for index in planned.made.removed]
    return await services.summarizer.summarize(session_id, request_id, messages)


def _context(services: Services, row: SessionRow, tokens: int) -> CtxState:
    return views.context(row, tokens, services.catalogue.max_context(row.provider, row.model))


def _totals(totals: Totals) -> CompressionTotals:
    return CompressionTotals(
        total_compressions=totals.in_force,
        total_original_tokens=totals.before or 0,
        total_compressed_tokens=totals.after or 0,
        avg_compression_ratio=round(totals.ratio or 0.0, 2),
    )


def _found(db: sqlite3.Connection, session_id: int, *, at: int) -> Found:
    session = living_session(db, session_id, at=at)
    tokens = session_stats(db, session_id, at=at).context_tokens
    return Found(session, tokens, decision_totals(db, "compression", at=at, session_id=session_id))


def _decision(db: sqlite3.Connection, *, at: int) -> DecisionRow:
    """Raises LookupError."""
    row = decision_at(db, at)
    if row is None:
        raise LookupError(f"event {at} has no row")
    return row
