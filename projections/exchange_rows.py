"""An exchange as read, and how it is made of a stored row."""

from typing import Literal

import msgspec

from projections.sessions import erased_sql
from schema.exchanges import ReductionStep, Timings, Try, Usage, UsageSource

_decode_steps = msgspec.json.Decoder(tuple[ReductionStep, ...]).decode
_decode_tries = msgspec.json.Decoder(tuple[Try, ...]).decode
Outcome = Literal["running", "completed", "failed", "cancelled", "interrupted"]

STARTED = (
    "started_position, exchange_id, session_id, started_at, api, model_requested, model_sent, provider, stream, rule,"
    " branch, parent_id, client_family, received_count, received_tokens, system_tokens, memory_tokens, sent_count,"
    " sent_tokens, envelope_ref, sent_envelope_ref, skipped_reason, steps, preview"
)
FINISHED = (
    "finished_position, finished_at, outcome, usage_source, prompt_tokens, completion_tokens, total_tokens,"
    " cached_tokens, cache_write_tokens, reasoning_tokens, overhead_ms, ttft_ms, duration_ms, answer_ref, other_refs,"
    " finish_reason, http_status, attempts, model_answered, upstream_request_id, error_code, error_message, tries,"
    " last_provider, last_model, last_envelope_ref, cache_write_1h_tokens, service_tier"
)
COLUMNS = f"{STARTED}, {FINISHED}"
_HOME = (
    "coalesce((SELECT h.session_id FROM exchange_homes h WHERE h.exchange_id = exchanges.exchange_id"
    " ORDER BY h.position DESC LIMIT 1), exchanges.session_id)"
)
SHOWN = f"{COLUMNS}, {erased_sql(_HOME)}"  # its texts are sealed for the session that it belongs to in the end


class _Stored(msgspec.Struct, array_like=True):
    """One row of `exchanges`, in the order of SHOWN."""

    started_position: int
    exchange_id: int
    session_id: int
    started_at: int
    api: str
    model_requested: str | None
    model_sent: str
    provider: str
    stream: int
    rule: str
    branch: str | None
    parent_id: int | None
    client_family: str | None
    received_count: int
    received_tokens: int
    system_tokens: int
    memory_tokens: int
    sent_count: int | None
    sent_tokens: int | None
    envelope_ref: str
    sent_envelope_ref: str | None
    skipped_reason: str | None
    steps: str | None
    preview: str | None
    finished_position: int | None
    finished_at: int | None
    outcome: Outcome | None
    usage_source: UsageSource | None
    prompt_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None
    cached_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    overhead_ms: float | None
    ttft_ms: float | None
    duration_ms: float | None
    answer_ref: str | None
    other_refs: str | None
    finish_reason: str | None
    http_status: int | None
    attempts: int | None
    model_answered: str | None
    upstream_request_id: str | None
    error_code: str | None
    error_message: str | None
    tries: str | None
    last_provider: str | None
    last_model: str | None
    last_envelope_ref: str | None
    cache_write_1h_tokens: int | None
    service_tier: str | None
    erased: int


class ExchangeRow(msgspec.Struct, frozen=True, kw_only=True):
    """An exchange as of a position; while it runs, nothing of its end is known. Times in ms since the epoch.

    `provider`, `model_sent` and `sent_envelope_ref` are of the last try, once it is finished; `tries` is empty where
    there was one only. `memory_tokens` are those of what was sent; `sent_count` and `sent_tokens` repeat the received
    ones where `sent_identical`. `error_message` and `preview` are None once the session was `erased`. `cost` in
    micro-dollars; None where it is not known."""

    id: int
    session_id: int
    started_position: int
    started_at: int
    finished_position: int | None = None
    finished_at: int | None = None
    outcome: Outcome = "running"
    api: str
    model_requested: str | None
    model_sent: str
    model_answered: str | None = None
    provider: str
    stream: bool
    rule: str
    branch: str | None
    parent_id: int | None
    client_family: str | None
    received_count: int
    received_tokens: int
    system_tokens: int
    memory_tokens: int
    sent_count: int
    sent_tokens: int
    sent_identical: bool
    envelope_ref: str
    sent_envelope_ref: str
    skipped_reason: str | None
    steps: tuple[ReductionStep, ...] = ()
    preview: str | None
    usage: Usage = Usage()
    cache_write_1h_tokens: int | None = None
    service_tier: str | None = None
    cost: int | None = None
    timings: Timings = Timings()
    answer_ref: str | None = None
    other_refs: tuple[str, ...] = ()
    finish_reason: str | None = None
    http_status: int | None = None
    attempts: int = 0
    tries: tuple[Try, ...] = ()
    upstream_request_id: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    moved_from: int | None = None
    erased: bool = False
    origin: int | None = None  # the session that it began in, where it was moved


def exchange_row(values: tuple[object, ...], *, at: int) -> ExchangeRow:
    """The exchange in `values` (SHOWN) as it stood at position `at`."""
    row = msgspec.convert(values, _Stored)
    running = ExchangeRow(
        id=row.exchange_id,
        session_id=row.session_id,
        started_position=row.started_position,
        started_at=row.started_at,
        api=row.api,
        model_requested=row.model_requested,
        model_sent=row.model_sent,
        provider=row.provider,
        stream=bool(row.stream),
        rule=row.rule,
        branch=row.branch,
        parent_id=row.parent_id,
        client_family=row.client_family,
        received_count=row.received_count,
        received_tokens=row.received_tokens,
        system_tokens=row.system_tokens,
        memory_tokens=row.memory_tokens,
        sent_count=row.received_count if row.sent_count is None else row.sent_count,
        sent_tokens=row.received_tokens if row.sent_tokens is None else row.sent_tokens,
        sent_identical=row.sent_count is None,
        envelope_ref=row.envelope_ref,
        sent_envelope_ref=row.sent_envelope_ref or row.envelope_ref,
        skipped_reason=row.skipped_reason,
        steps=_decode_steps(row.steps) if row.steps else (),
        preview=row.preview,
        erased=bool(row.erased),
    )
    if row.finished_position is None or row.finished_position > at:
        return running
    return msgspec.structs.replace(
        running,
        finished_position=row.finished_position,
        finished_at=row.finished_at,
        outcome=row.outcome or "running",
        usage=_usage(row),
        cache_write_1h_tokens=row.cache_write_1h_tokens,
        service_tier=row.service_tier,
        timings=Timings(overhead_ms=row.overhead_ms or 0.0, ttft_ms=row.ttft_ms, duration_ms=row.duration_ms),
        answer_ref=row.answer_ref,
        other_refs=tuple((row.other_refs or "").split()),
        finish_reason=row.finish_reason,
        http_status=row.http_status,
        attempts=row.attempts or 0,
        tries=_decode_tries(row.tries) if row.tries else (),
        provider=row.last_provider or row.provider,
        model_sent=row.last_model or row.model_sent,
        sent_envelope_ref=row.last_envelope_ref or running.sent_envelope_ref,
        model_answered=row.model_answered,
        upstream_request_id=row.upstream_request_id,
        error_code=row.error_code,
        error_message=row.error_message,
    )


def _usage(row: _Stored) -> Usage:
    return Usage(
        source=row.usage_source or "none",
        prompt_tokens=row.prompt_tokens or 0,
        completion_tokens=row.completion_tokens or 0,
        total_tokens=row.total_tokens or 0,
        cached_tokens=row.cached_tokens,
        cache_write_tokens=row.cache_write_tokens,
        reasoning_tokens=row.reasoning_tokens,
    )
