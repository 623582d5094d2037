"""Rows of the read tables in the shapes of the contract. Pure."""

from collections.abc import Container
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from api import exchange_shapes, shapes
from api.times import iso, iso_or_none
from projections.exchange_rows import ExchangeRow
from projections.session_stats import StatsRow
from projections.sessions import SessionRow
from projections.timeline import EventRow
from proxy.providers import VENDOR_URLS, Catalogue
from schema.catalogue import REGISTRY
from schema.recorded import Recorded
from schema.registry import Event
from schema.unreadable import Unreadable

_PREVIEW = 100  # characters
_PREFIX_STAGES = ("compact", "compress")  # of several, the first is told what was left out


def session(row: SessionRow) -> shapes.Session:
    return shapes.Session.model_validate(_session_fields(row))


def session_x(row: SessionRow, catalogue: Catalogue) -> shapes.SessionX:
    known = {
        "max_context": catalogue.max_context(row.provider, row.model),
        "provider_known": catalogue.provider_known(row.provider),
    }
    return shapes.SessionX.model_validate(_session_fields(row) | known)


def session_detail(
    row: SessionRow, stats: StatsRow, exchanges: list[ExchangeRow], catalogue: Catalogue, *, limit: int
) -> shapes.SessionDetail:
    """`exchanges` are the newest ones, at least one where the session has any; `limit` of them are shown."""
    shown = session_x(row, catalogue)
    return shapes.SessionDetail(
        session=shown,
        provider=provider_ref(row.provider, catalogue),
        memory=mem_stat(exchanges[0] if exchanges else None),
        stats=_stats(stats),
        recent_metrics=[metric(exchange, catalogue) for exchange in exchanges[:limit]],
        context=context(row, stats.context_tokens, shown.max_context),
    )


def mem_stat(row: ExchangeRow | None) -> shapes.MemStat:
    """What of an exchange's context came from memories, and the rest."""
    sent, memory = (row.sent_tokens, row.memory_tokens) if row is not None else (0, 0)
    return shapes.MemStat(memory_tokens=memory, chat_tokens=sent - memory, memory_ratio=percent(memory, sent))


def provider_ref(key: str, catalogue: Catalogue) -> shapes.ProviderRef:
    provider = next((provider for provider in catalogue.providers() if provider.key == key), None)
    if provider is None:
        return shapes.ProviderRef(key=key, name=key, color="", icon="", info={})
    url = provider.base_url or VENDOR_URLS.get(provider.type, "")
    info = shapes.ProviderInfo(type=provider.type, base_url=public_url(url))
    return shapes.ProviderRef(key=key, name=provider.name or key, color=provider.color, icon=provider.icon, info=info)


def public_url(url: str) -> str:
    """Without userinfo and query, which may hold a key."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def metric(row: ExchangeRow, catalogue: Catalogue) -> shapes.Metric:
    """Until usage is known, the count of what was sent stands in, marked as estimated."""
    usage = row.usage
    tokens = usage.total_tokens if usage.source != "none" else row.sent_tokens
    return shapes.Metric(
        id=row.id,
        session_id=row.session_id,
        timestamp=iso(row.started_at),
        estimated_tokens=tokens,
        percentage=percent(tokens, catalogue.max_context(row.provider, row.model_sent)),
        content_preview=None if row.erased else (row.preview or "")[:_PREVIEW],
        prompt_tokens=row.sent_tokens if row.outcome == "running" else usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        is_estimated=usage.source != "measured",
        source="proxy",
        **mem_stat(row).model_dump(),
        model=row.model_sent,
        provider=row.provider,
        outcome=row.outcome,
        cached_tokens=usage.cached_tokens,
        duration_ms=row.timings.duration_ms,
        cost_usd=usd(row.cost),
        erased=row.erased,
    )


def exchange_summary(row: ExchangeRow) -> exchange_shapes.ExchangeSummary:
    return exchange_shapes.ExchangeSummary.model_validate(_exchange_fields(row))


def exchange(
    row: ExchangeRow, received: tuple[str, ...], sent: tuple[str, ...], diff: exchange_shapes.MsgDiff
) -> exchange_shapes.Exchange:
    fields = _exchange_fields(row)
    by_stage: dict[str, list[str]] = {}
    for each in diff.rewritten:
        by_stage.setdefault(each.stage, []).append(each.ref_before)
    prefix = next((step["stage"] for step in fields["reduction"]["steps"] if step["stage"] in _PREFIX_STAGES), None)
    if prefix is not None:
        by_stage[prefix] = [each.ref for each in diff.removed]
    for step in fields["reduction"]["steps"]:
        step["refs"] = by_stage.get(step["stage"], [])
    fields["diff"] = diff
    fields["answer_ref"], fields["other_refs"] = row.answer_ref, row.other_refs
    fields["received"] = {**_counts(row.received_count, row.received_tokens), "refs": received}
    fields["sent"] = {**_counts(row.sent_count, row.sent_tokens), "identical": row.sent_identical, "refs": sent}
    return exchange_shapes.Exchange.model_validate(fields)


def event_summary(row: EventRow, unreadable: Unreadable | None = None) -> shapes.EventSummary:
    fields = msgspec.structs.asdict(row)
    error = unreadable.reason if unreadable is not None else None
    return shapes.EventSummary.model_validate({**fields, "timestamp": iso(row.timestamp), "error": error})


def event(recorded: Recorded, summary: str, erased: Container[int | None]) -> shapes.Event:
    """`erased` are the sessions whose contents were erased."""
    fields, held = msgspec.structs.asdict(recorded), recorded.event
    own = {
        "timestamp": iso(recorded.timestamp),
        "summary": summary,
        "version": recorded.type_version,
        "data": {} if isinstance(held, Unreadable) else msgspec.to_builtins(held),
        "error": held.reason if isinstance(held, Unreadable) else None,
        "erased": recorded.session_id in erased and _has_contents(held),
    }
    return shapes.Event.model_validate(fields | own)


def _has_contents(event: Event) -> bool:
    """Whether events of its kind have sealed texts, or it has bodies beside it."""
    if isinstance(event, Unreadable):
        return False
    return bool(REGISTRY.of(event).sealed) or getattr(event, "blob", None) is not None


def usd(micros: int | None) -> float | None:
    """Micro-dollars as dollars: exact, and as short as JSON can say it."""
    return None if micros is None else micros / 1_000_000


def percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 2) if whole else 0.0


def _session_fields(row: SessionRow) -> dict[str, object]:
    return {
        **msgspec.structs.asdict(row),
        **compaction_fields(row),
        "created_at": iso(row.created_at),
        "erased_at": iso_or_none(row.erased_at),
    }


def compaction_fields(row: SessionRow) -> dict[str, object]:
    """What a session says of its compactions and the settings beside them."""
    return {
        "reserved_tokens": row.reserved_tokens,
        "compaction_count": row.context.compactions,
        "last_compaction_at": iso_or_none(row.context.last_at),
        "auto_compaction_enabled": row.auto_compaction_enabled,
        "auto_compaction_threshold": row.defaults.threshold,
        "consecutive_auto_compactions": row.context.consecutive,
    }


def _stats(row: StatsRow) -> shapes.Stats:
    return shapes.Stats.model_validate({**msgspec.structs.asdict(row), "avg_tokens": row.avg_tokens})


def context(row: SessionRow, tokens: int, max_context: int) -> shapes.CtxState:
    """How full a session's window is."""
    reserved, ready = row.reserved_tokens, row.defaults.ready_percentage
    with_reserved = percent(tokens + reserved, max_context)
    return shapes.CtxState(
        current_tokens=tokens,
        max_context=max_context,
        percentage=percent(tokens, max_context),
        reserved_tokens=reserved,
        percentage_with_reserved=with_reserved,
        compaction_ready=with_reserved >= ready,
        threshold=ready,
    )


def _counts(count: int, tokens: int) -> dict[str, object]:
    return {"count": count, "tokens": tokens}


def _exchange_fields(row: ExchangeRow) -> dict[str, Any]:
    return {
        **msgspec.structs.asdict(row),
        "started_at": iso(row.started_at),
        "finished_at": iso_or_none(row.finished_at),
        "resolution": {"rule": row.rule, "branch": row.branch, "parent_id": row.parent_id},
        "received": _counts(row.received_count, row.received_tokens),
        "sent": {**_counts(row.sent_count, row.sent_tokens), "identical": row.sent_identical},
        "reduction": {
            "applied": not row.sent_identical,
            "skipped_reason": row.skipped_reason,
            "tokens_before": row.received_tokens,
            "tokens_after": row.sent_tokens,
            "tokens_saved": row.received_tokens - row.sent_tokens,
            "steps": [msgspec.structs.asdict(step) for step in row.steps],
        },
        "usage": msgspec.structs.asdict(row.usage),
        "tries": [msgspec.structs.asdict(each) for each in row.tries],
        "timings": msgspec.structs.asdict(row.timings),
        "cost_usd": usd(row.cost),
        "error": {"code": row.error_code, "message": row.error_message} if row.error_code else None,
        "positions": {"started": row.started_position, "finished": row.finished_position},
    }
