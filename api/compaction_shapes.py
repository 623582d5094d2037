"""What the compaction and compression routes answer with (contract 3.7), and how rows become that. Pure."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from api import views
from api.shapes import CtxState
from api.times import iso, iso_or_none
from context.compaction import Plan, Reason, Refused
from projections.compaction import DecisionRow
from projections.sessions import SessionRow
from schema.compaction import Kind

_SUMMARY = 500  # characters of a summary that an answer shows

MESSAGES: dict[Reason, str] = {
    "no_messages": "The session has no messages yet.",
    "insufficient_messages": "There are too few messages to compact.",
    "insufficient_tokens": "Compacting would save nothing to speak of.",
    "not_enough_messages_to_summarize": "There is nothing to leave out before the messages that are preserved.",
}


class HistRow(BaseModel):
    """`compaction_ratio` is 100 * saved / before."""

    id: int
    session_id: int
    timestamp: str
    tokens_before: int
    tokens_after: int
    tokens_saved: int
    preserved_messages: int
    summarized_messages: int
    compaction_ratio: float
    trigger_reason: Literal["manual", "auto_threshold"]
    position: int
    reverted_at: str | None
    removed_refs: list[str]
    summary_ref: str | None


class HistoryRow(HistRow):
    """`cumulative_saved` is what those in force of the kinds asked for had saved by then. The `id` of a compression is
    its log_id."""

    kind: Kind
    cumulative_saved: int


class CompState(BaseModel):
    session_id: int
    reserved_tokens: int
    compaction_count: int
    last_compaction_at: str | None
    auto_compaction_enabled: bool
    auto_compaction_threshold: float
    consecutive_auto_compactions: int
    history: list[HistRow]
    total_tokens_saved: int


class CompResult(BaseModel):
    compacted: bool
    session_id: int
    original_tokens: int
    compacted_tokens: int
    tokens_saved: int
    compaction_ratio: float
    messages_before: int
    messages_after: int
    system_preserved: int
    recent_preserved: int
    summarized_count: int
    timestamp: str
    summary_text: str | None = None
    reason: Reason | None = None


class Compacted(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "success": True,
                    "message": "12 messages were left out: 9,000 tokens saved.",
                    "session_id": 5,
                    "history_id": 3,
                    "compaction_ratio": 75.0,
                    "result": {
                        "compacted": True,
                        "session_id": 5,
                        "original_tokens": 12_000,
                        "compacted_tokens": 3_000,
                        "tokens_saved": 9_000,
                        "compaction_ratio": 75.0,
                        "messages_before": 20,
                        "messages_after": 11,
                        "system_preserved": 1,
                        "recent_preserved": 2,
                        "summarized_count": 12,
                        "timestamp": "2026-11-22T23:33:51.123Z",
                        "summary_text": "[condensed by the proxy; mask:<hash> names a whole output]...",
                    },
                    "current_stats": {
                        "current_tokens": 3_000,
                        "max_context": 262_144,
                        "percentage": 1.14,
                        "reserved_tokens": 0,
                        "percentage_with_reserved": 1.14,
                        "compaction_ready": False,
                        "threshold": 80,
                    },
                }
            ]
        }
    )

    success: Literal[True]
    message: str
    session_id: int
    result: CompResult
    compaction_ratio: float
    history_id: int
    current_stats: CtxState


class NotCompacted(BaseModel):
    success: Literal[False]
    message: str
    session_id: int
    reason: Reason


class MessagePreview(BaseModel):
    role: str
    preview: str
    full_length: int


class WhatGoes(BaseModel):
    messages_preview: list[MessagePreview]
    total_messages: int
    messages_to_summarize: int
    messages_to_preserve: int


class Estimate(BaseModel):
    original_tokens: int
    compacted_tokens: int
    tokens_saved: int
    savings_percentage: float
    show_savings: bool


class PreviewConfig(BaseModel):
    preserved_messages: int
    target_reduction: float


class Preview(BaseModel):
    """`summary_text` is what would stand in the place of the removed messages."""

    can_compact: Literal[True]
    session_id: int
    preview: WhatGoes
    estimate: Estimate
    config: PreviewConfig
    removed_refs: list[str]
    summary_text: str


class NoPreview(BaseModel):
    can_compact: Literal[False]
    reason: Reason
    message: str
    current_messages: int
    min_required: int | None = None


class Simulated(BaseModel):
    simulated: Literal[True]
    result: CompResult


class Reverted(BaseModel):
    success: Literal[True]
    session_id: int
    kind: Literal["compaction", "compression"]
    history_id: int | None
    log_id: int | None
    restored_refs: list[str]
    tokens_restored: int
    current_stats: CtxState


def ratio(saved: int, before: int) -> float:
    return views.percent(saved, before)


def hist_fields(row: DecisionRow) -> dict[str, object]:
    return {
        "id": row.number,
        "session_id": row.session_id,
        "timestamp": iso(row.timestamp),
        "tokens_before": row.tokens_before,
        "tokens_after": row.tokens_after,
        "tokens_saved": row.saved,
        "preserved_messages": row.recent_preserved,
        "summarized_messages": len(row.refs),
        "compaction_ratio": ratio(row.saved, row.tokens_before),
        "trigger_reason": row.trigger,
        "position": row.position,
        "reverted_at": iso_or_none(row.reverted_at),
        "removed_refs": row.refs,
        "summary_ref": row.summary_ref,
    }


def comp_state(row: SessionRow, newest: list[DecisionRow]) -> CompState:
    return CompState.model_validate(
        {
            "session_id": row.id,
            **views.compaction_fields(row),
            "history": [hist_fields(each) for each in newest],
            "total_tokens_saved": row.context.tokens_saved,
        }
    )


def result(row: DecisionRow) -> CompResult:
    """Of what was done."""
    return CompResult(
        compacted=True,
        session_id=row.session_id,
        original_tokens=row.tokens_before,
        compacted_tokens=row.tokens_after,
        tokens_saved=row.saved,
        compaction_ratio=ratio(row.saved, row.tokens_before),
        messages_before=row.messages_before,
        messages_after=row.messages_after,
        system_preserved=row.system_preserved,
        recent_preserved=row.recent_preserved,
        summarized_count=len(row.refs),
        timestamp=iso(row.timestamp),
        summary_text=(row.summary or "")[:_SUMMARY],
    )


def planned_result(session_id: int, made: Plan | Refused, now: int) -> CompResult:
    """Of what would be done."""
    if isinstance(made, Refused):
        return CompResult(
            compacted=False,
            session_id=session_id,
            original_tokens=made.tokens,
            compacted_tokens=made.tokens,
            tokens_saved=0,
            compaction_ratio=0.0,
            messages_before=made.messages,
            messages_after=made.messages,
            system_preserved=0,
            recent_preserved=made.messages,
            summarized_count=0,
            timestamp=iso(now),
            reason=made.reason,
        )
    return CompResult(
        compacted=True,
        session_id=session_id,
        original_tokens=made.tokens_before,
        compacted_tokens=made.tokens_after,
        tokens_saved=made.saved,
        compaction_ratio=ratio(made.saved, made.tokens_before),
        messages_before=made.messages_before,
        messages_after=made.messages_after,
        system_preserved=made.system_preserved,
        recent_preserved=made.recent_preserved,
        summarized_count=len(made.removed),
        timestamp=iso(now),
        summary_text=made.summary[:_SUMMARY],
    )
