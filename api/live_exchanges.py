"""Events of exchanges as messages of /ws: as of their event."""

import re
from collections.abc import Mapping

from api import views
from api.live_alerts import alert, auto_alert, level_rises
from api.live_view import Fields, Said, Say, View, on
from api.times import iso
from projections.exchange_rows import ExchangeRow
from projections.exchanges import get_exchange, recent_metrics
from projections.session_stats import session_stats
from schema.exchanges import (
    ExchangeCancelled,
    ExchangeCompleted,
    ExchangeFailed,
    ExchangeInterrupted,
    ExchangeStarted,
    Finished,
)
from schema.recorded import Recorded
from schema.registry import Event

_ERROR_TYPES = {
    "upstream_unreachable": "connect_error",
    "upstream_timeout": "timeout_error",
    "upstream_invalid": "read_error",
}
# as providers word the refusal of a request that is too long
_TOO_LONG = re.compile(
    r"context_length_exceeded|context (length|window|size)|maximum (context|prompt)|prompt is too long|too many tokens"
    r"|exceeds? the (maximum|limit|model)|input is too long|token count .{0,40}exceeds",
    re.IGNORECASE,
)


def _exchange_started(view: View, recorded: Recorded, event: ExchangeStarted) -> Said:
    row = get_exchange(view.db, event.exchange_id, at=recorded.position)
    if row is None:
        return
    stats = session_stats(view.db, event.session_id, at=recorded.position)
    metric = views.metric(row, view.catalogue)
    shown = {
        **metric.model_dump(),
        "cumulative_tokens": row.sent_tokens,
        "delta_tokens": row.sent_tokens - stats.context_tokens,
        "system_tokens": row.system_tokens,
        "history_tokens": max(row.sent_tokens - row.system_tokens, 0),
    }
    fields = {
        "session_id": event.session_id,
        "metric": shown,
        "session_updated": stats.total_requests == 1,
        "alert": alert(metric.percentage),
    }
    if row.memory_tokens:
        fields["mcp_memory"] = views.mem_stat(row).model_dump()
    yield "metric", event.session_id, fields
    yield from _memory(view, recorded, row)


def _memory(view: View, recorded: Recorded, row: ExchangeRow) -> Said:
    """Where the part of the context that comes from memories is another than at the request before."""
    before = recent_metrics(view.db, row.session_id, at=recorded.position - 1, limit=1)
    if row.memory_tokens == (before[0].memory_tokens if before else 0):
        return
    shown = {**views.mem_stat(row).model_dump(), "total_tokens": row.sent_tokens}
    fields: Fields = {"session_id": row.session_id, "memory": shown, "timestamp": iso(recorded.timestamp)}
    yield "memory_metrics_update", row.session_id, fields


def _finished(view: View, recorded: Recorded, event: Finished) -> Said:
    session_id, at = event.session_id, recorded.position
    row = get_exchange(view.db, event.exchange_id, at=at)
    if row is None:
        return
    before = session_stats(view.db, session_id, at=at - 1).context_tokens
    after = session_stats(view.db, session_id, at=at).context_tokens
    window = view.catalogue.max_context(row.provider, row.model_sent)
    yield "metric_updated", session_id, _metric_updated(row, after, window)
    most = view.max_context(session_id)
    if level_rises(before, after, most):
        yield "compaction_alert", session_id, {"session_id": session_id, "alert": auto_alert(after, most)}
    if isinstance(event, ExchangeFailed):
        yield from _failed(row, event, recorded, window)


def _metric_updated(row: ExchangeRow, context: int, window: int) -> Fields:
    usage = row.usage
    used = views.percent(context, window)
    return {
        "metric_id": row.id,
        "session_id": row.session_id,
        "real_tokens": {
            "total": usage.total_tokens,
            "prompt": usage.prompt_tokens,
            "completion": usage.completion_tokens,
            "percentage": views.percent(usage.total_tokens, window),
        },
        "cumulative_tokens": context,
        "cumulative_percentage": used,
        "alert": alert(used),
        "source": "proxy",
        "is_estimated": usage.source != "measured",
        "outcome": row.outcome,
        "cost_usd": views.usd(row.cost),
    }


def _failed(row: ExchangeRow, event: ExchangeFailed, recorded: Recorded, window: int) -> Said:
    text = event.error_message or event.error_code
    if event.http_status in (400, 413) and _TOO_LONG.search(text):
        fields: Fields = {
            "session_id": row.session_id,
            "error": text,
            "provider": row.provider,
            "model": row.model_sent,
            "estimated_tokens": row.sent_tokens,
            "max_context": window,
            "message": f"{row.provider} refused about {row.sent_tokens:,} tokens as too long.",
        }
        yield "provider_context_limit_error", row.session_id, fields
    yield (
        "streaming_error",
        row.session_id,
        {
            "session_id": row.session_id,
            "metric_id": row.id,
            "error_type": _ERROR_TYPES.get(event.error_code, "unknown"),
            "error_message": text,
            "timestamp": iso(recorded.timestamp),
        },
    )


SAYS: Mapping[type[Event], Say] = dict(
    (
        on(ExchangeStarted, _exchange_started),
        on(ExchangeCompleted, _finished),
        on(ExchangeFailed, _finished),
        on(ExchangeCancelled, _finished),
        on(ExchangeInterrupted, _finished),
    )
)
