"""Compacting a session's context, seeing beforehand what that does, and undoing it (contract 42, 47-50, N10)."""

import asyncio
import contextlib
import sqlite3
from typing import Annotated

import msgspec
from annotated_types import Interval
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from api import compaction_shapes as shapes
from api import views
from api.bodies import RequestBody, documented, read
from api.context_desk import Planned, subject
from api.details import invalid
from api.errors import InvalidFieldError
from api.fields import FROM_TEXT, MAX_INT, BodyId, PathId, QueryId, TextFlag, without_default
from api.reading import PAST, Reads
from api.services import Services, Use
from api.session_answers import living_session
from api.shapes import CtxState
from api.writing import Writes
from commands.compaction import (
    DisableAutoCompaction,
    EnableAutoCompaction,
    LeaveAsIs,
    ReserveTokens,
    RevertCompaction,
)
from commands.deciding import Command
from commands.errors import UnavailableError
from commands.handling import Outcome
from context.compaction import Refused
from context.cuts import keep_last
from context.messages import text_of
from context.turns import role_of
from projections.compaction import DecisionRow, decision_at
from projections.session_stats import session_stats
from projections.sessions import SessionRow
from schema.compaction import CompactionPerformed, CompactionReverted

router = APIRouter(prefix="/api/compaction", tags=["compaction"])

Preserve = Annotated[int, Field(ge=0, le=200, json_schema_extra=without_default)]
_CONFIGURED = -1  # left out: as many as the configuration says


class CompactBody(RequestBody):
    """Left out, `preserve_messages` is the configured number; `force` waives the minimums only; `exchange_id` chooses
    the line of conversation that this exchange belongs to, by default the longest."""

    preserve_messages: Preserve = _CONFIGURED
    force: bool = False
    exchange_id: BodyId | None = None


class SimulateBody(RequestBody):
    messages: Annotated[list[dict[str, object]], Field(min_length=1, max_length=10_000)]
    preserve_messages: Preserve = _CONFIGURED


class ReserveBody(RequestBody):
    reserved_tokens: Annotated[int, Field(ge=0, le=MAX_INT)] = 0


class ToggleBody(RequestBody):
    enabled: bool = True


class RevertBody(RequestBody):
    """Neither: the latest compaction or compression in force."""

    history_id: BodyId | None = None
    log_id: BodyId | None = None


class ReservedTokens(BaseModel):
    success: bool
    session_id: int
    reserved_tokens: int
    message: str


class AutoToggled(BaseModel):
    success: bool
    session_id: int
    auto_compaction_enabled: bool
    message: str


class After(msgspec.Struct, frozen=True):
    """A session after a write, and the decision that the write made."""

    session: SessionRow
    tokens: int
    decision: DecisionRow | None


@router.post("/{session_id}", openapi_extra=documented(CompactBody), response_model_exclude_none=True)
async def compact(
    session_id: PathId,
    body: Annotated[CompactBody, Depends(read(CompactBody))],
    services: Use,
    writes: Writes,
) -> shapes.Compacted | shapes.NotCompacted:
    """Leave out the turns before the last messages. The next request of the conversation goes upstream so, although
    its client sends all of it."""
    preserve = _preserved(services, body.preserve_messages)

    async def work() -> Command:
        await writes.caught_up()
        found = (await services.reads.run(subject, session_id, body.exchange_id)).value
        planned = await services.desk.plan(found, keep_last(preserve), force=body.force)
        if isinstance(planned.made, Refused):
            return LeaveAsIs(session_id)
        return services.desk.compact(found, planned, services.handler.next_decision_id())

    outcome = await writes.append(work)
    performed = next((event for event in outcome.events if isinstance(event, CompactionPerformed)), None)
    if performed is None:
        return await _refused(services, session_id, body, preserve, outcome)
    after = await writes.read(outcome, _after, session_id)
    if after.decision is None:
        raise LookupError(f"event {outcome.position} has no row")
    found = shapes.result(after.decision)
    found.summary_text = services.redact(found.summary_text or "")
    return shapes.Compacted(
        success=True,
        message=f"{found.summarized_count:,} messages were left out: {found.tokens_saved:,} tokens saved.",
        session_id=session_id,
        result=found,
        compaction_ratio=found.compaction_ratio,
        history_id=performed.history_id,
        current_stats=_context(services, after),
    )


@router.get("/{session_id}/preview", dependencies=PAST, response_model_exclude_none=True)
async def preview(
    session_id: PathId,
    reads: Reads,
    services: Use,
    preserve_messages: Annotated[int | None, Interval(ge=0, le=200), FROM_TEXT, Query()] = None,
    exchange_id: QueryId = None,
    force: Annotated[TextFlag, Query()] = False,
) -> shapes.Preview | shapes.NoPreview:
    """What a compaction would do now: the same plan, and nothing is written."""
    preserve = _preserved(services, _CONFIGURED if preserve_messages is None else preserve_messages)
    if not reads.past:  # what a compaction would find; where nothing can be written, what is there
        with contextlib.suppress(UnavailableError):
            await services.waiter.until(await services.handler.flushed())
    found = await reads.run(subject, session_id, exchange_id)
    planned = await services.desk.plan(found, keep_last(preserve), force=force)
    made = planned.made
    if isinstance(made, Refused):
        return shapes.NoPreview(
            can_compact=False,
            reason=made.reason,
            message=shapes.MESSAGES[made.reason],
            current_messages=made.messages,
            min_required=made.min_required,
        )
    refs = planned.conversation.found.facts.refs if planned.conversation is not None else b""
    return shapes.Preview(
        can_compact=True,
        session_id=session_id,
        preview=shapes.WhatGoes(
            messages_preview=_previews(services, planned, made.removed),
            total_messages=made.messages_before,
            messages_to_summarize=len(made.removed),
            messages_to_preserve=made.messages_before - len(made.removed),
        ),
        estimate=shapes.Estimate(
            original_tokens=made.tokens_before,
            compacted_tokens=made.tokens_after,
            tokens_saved=made.saved,
            savings_percentage=shapes.ratio(made.saved, made.tokens_before),
            show_savings=services.compaction.preview.show_savings_estimate,
        ),
        config=shapes.PreviewConfig(
            preserved_messages=preserve, target_reduction=services.compaction.target_reduction_ratio
        ),
        removed_refs=[refs[index * 32 : (index + 1) * 32].hex() for index in made.removed],
        summary_text=services.redact(made.summary),
    )


@router.post("/{session_id}/simulate", openapi_extra=documented(SimulateBody), response_model_exclude_none=True)
async def simulate(
    session_id: PathId,
    body: Annotated[SimulateBody, Depends(read(SimulateBody))],
    services: Use,
    writes: Writes,
) -> shapes.Simulated:
    """What a compaction would do to these messages. Nothing is written."""
    for index, message in enumerate(body.messages):
        if not isinstance(message.get("role"), str):
            raise InvalidFieldError(
                [invalid("missing", ("body", "messages", index, "role"), "Field required", message)]
            )
    outcome = await writes.append(LeaveAsIs(session_id))
    preserve = _preserved(services, body.preserve_messages)
    made = await services.desk.plan_of(body.messages, keep_last(preserve))
    return shapes.Simulated(
        simulated=True, result=shapes.planned_result(session_id, made, await _moment(services, outcome))
    )


@router.post("/{session_id}/revert", openapi_extra=documented(RevertBody))
async def revert(
    session_id: PathId, body: Annotated[RevertBody, Depends(read(RevertBody))], services: Use, writes: Writes
) -> shapes.Reverted:
    """Undo a compaction or compression: the next request carries the originals, byte for byte."""
    if body.history_id is not None and body.log_id is not None:
        raise InvalidFieldError(
            [invalid("one_of", ("body", "log_id"), "Give history_id or log_id, not both", body.log_id)]
        )
    outcome = await writes.append(RevertCompaction(session_id, body.history_id, body.log_id))
    event = next(event for event in outcome.events if isinstance(event, CompactionReverted))
    after = await writes.read(outcome, _after, session_id)
    return shapes.Reverted(
        success=True,
        session_id=session_id,
        kind=event.kind,
        history_id=event.history_id,
        log_id=event.log_id,
        restored_refs=list(event.restored_refs),
        tokens_restored=event.tokens_restored,
        current_stats=_context(services, after),
    )


@router.post("/{session_id}/reserved", openapi_extra=documented(ReserveBody))
async def reserve(
    session_id: PathId, body: Annotated[ReserveBody, Depends(read(ReserveBody))], services: Use, writes: Writes
) -> ReservedTokens:
    """Keep a part of the window free: it counts in every threshold."""

    async def work() -> Command:
        await writes.caught_up()
        row = (await services.reads.run(living_session, session_id)).value
        window = services.catalogue.max_context(row.provider, row.model)
        return ReserveTokens(session_id, body.reserved_tokens, window, services.compaction.reserved_tokens)

    row = await writes.read(await writes.append(work), living_session, session_id)
    return ReservedTokens(
        success=True,
        session_id=session_id,
        reserved_tokens=row.reserved_tokens,
        message=f"{row.reserved_tokens:,} tokens are reserved.",
    )


@router.post("/{session_id}/toggle-auto", openapi_extra=documented(ToggleBody))
async def toggle_auto(
    session_id: PathId, body: Annotated[ToggleBody, Depends(read(ToggleBody))], services: Use, writes: Writes
) -> AutoToggled:
    """Switch automatic compaction of a session on or off."""
    configured = services.compaction.auto.auto_compact
    switch = EnableAutoCompaction if body.enabled else DisableAutoCompaction
    row = await writes.execute(switch(session_id, configured), living_session, session_id)
    on = row.auto_compaction_enabled
    return AutoToggled(
        success=True,
        session_id=session_id,
        auto_compaction_enabled=on,
        message=f"Automatic compaction is {'on' if on else 'off'}.",
    )


def _preserved(services: Services, asked: int) -> int:
    return services.compaction.max_preserved_messages if asked == _CONFIGURED else asked


async def _moment(services: Services, outcome: Outcome) -> int:
    """When it was asked, as the log knows it: the same each time that the request comes again."""
    event = await asyncio.to_thread(services.log.at, outcome.position)
    return event.timestamp if event is not None else services.clock()


async def _refused(
    services: Services, session_id: int, body: CompactBody, preserve: int, outcome: Outcome
) -> shapes.NotCompacted:
    """Why there was nothing to do, as of then."""
    found = (await services.reads.run(subject, session_id, body.exchange_id, at=outcome.position)).value
    planned = await services.desk.plan(found, keep_last(preserve), force=body.force)
    reason = planned.made.reason if isinstance(planned.made, Refused) else "no_messages"
    return shapes.NotCompacted(success=False, message=shapes.MESSAGES[reason], session_id=session_id, reason=reason)


def _after(db: sqlite3.Connection, session_id: int, *, at: int) -> After:
    stats = session_stats(db, session_id, at=at)
    return After(living_session(db, session_id, at=at), stats.context_tokens, decision_at(db, at))


def _context(services: Services, after: After) -> CtxState:
    row = after.session
    return views.context(row, after.tokens, services.catalogue.max_context(row.provider, row.model))


def _previews(services: Services, planned: Planned, removed: tuple[int, ...]) -> list[shapes.MessagePreview]:
    limits = services.compaction.preview
    found = services.desk.items(planned)
    shown: list[shapes.MessagePreview] = []
    for index in removed[: limits.preview_messages_count]:
        message = found[index].message
        text = text_of(message.get("content"))
        preview = services.redact(text)[: limits.preview_max_length]
        shown.append(shapes.MessagePreview(role=role_of(message), preview=preview, full_length=len(text)))
    return shown
