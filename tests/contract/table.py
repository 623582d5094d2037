"""Every pair of method and path that exists: what it answers, and what it refuses (contract 3).

A path's `{session_id}` is a living session that is not active, of a conversation as `given` says; `{ref}` a message of
it, `{exchange_id}` a finished exchange of the active session, `{other_id}` another session that is not
active, `{moving_id}` an exchange of that.
"""

from tests.contract import audit_pairs
from tests.contract.gateway_pairs import PAIRS as GATEWAY_PAIRS
from tests.contract.ledgers_pairs import PAIRS as LEDGERS
from tests.contract.limits_pairs import PAIRS as LIMITS
from tests.contract.memory_pairs import PAIRS as MEMORY_PAIRS
from tests.contract.pair import INVALID, NO_AT, Pair
from tests.contract.pair import get as _get
from tests.contract.pair import post as _post
from tests.contract.usage_pairs import PAIRS as USAGE

_CHAT = {"model": "demo/echo", "messages": [{"role": "user", "content": "hi"}]}
_COMPLETION = "{id:str, object:str, created:int, model, choices:object[], usage:object}"

PAIRS = (
    _get("1", "/api/sessions", "Session[]", ("?limit=1001", None, 422, INVALID), at=True),
    _post(
        "2", "/api/sessions", "SessionX", ("", {"name": ""}, 422, INVALID), body={"name": "n"},
        events=("SessionStarted", "SessionActivated"),
    ),
    Pair(
        row="3", method="DELETE", path="/api/sessions", body={"session_ids": ["{session_id}"]}, answer="Deleted",
        events=("SessionDeleted",), bad=("", {"session_ids": ["16"]}, 422, INVALID),
    ),
    _get("4", "/api/sessions/active", "Detail", ("?metrics_limit=201", None, 422, INVALID), at=True),
    _get("5", "/api/sessions/auto-status", "{enabled, session_id:int?}", ("?at=x", None, 422, INVALID), at=True),
    _post(
        "6", "/api/sessions/toggle-auto", "{enabled, session_id:int?}", ("", {"enabled": 1}, 422, INVALID),
        body={"enabled": False}, events=("AutoSessionDisabled",),
    ),
    _get("7", "/api/sessions/{session_id}", "Detail", ("?metrics_limit=x", None, 422, INVALID), at=True),
    _post(
        "8", "/api/sessions/{session_id}/activate", "{message, session_id, session:Session}",
        ("", [], 400, "body_not_object"), events=("SessionActivated",),
    ),
    _post(
        "9", "/api/sessions/vacuum",
        "{message, database:{path, size_before_bytes, size_after_bytes, space_saved_bytes, space_saved_mb}}",
        ("", [], 400, "body_not_object"), events=("DatabaseVacuumed",),
    ),
    _get(
        "10", "/api/sessions/diagnostic",
        "{database:{file_size_bytes, file_size_mb, path}, sessions:{total_count, active_count, inactive_count,"
        " by_provider:object}, note, events:{head, by_type:object}}",
        ("?at=-1", None, 422, INVALID), at=True,
    ),
    Pair(
        row="N1", method="PATCH", path="/api/sessions/{session_id}", body={"name": "renamed"}, answer="Session",
        events=("SessionRenamed",), bad=("", {}, 422, INVALID),
    ),
    Pair(
        row="N2", method="DELETE", path="/api/sessions/{session_id}", answer="Deleted", events=("SessionDeleted",),
        bad=("", 7, 400, "body_not_object"),
    ),
    _get(
        "11", "/api/providers",
        '{key, type:"openai"/"gemini"/"anthropic"/"echo", name, has_api_key, icon, color, models:{key, model, name,'
        " max_context_size:int, capabilities}[]}[]",
        NO_AT,
    ),
    _get("12", "/api/models", "Model[]", NO_AT),
    _get("13", "/api/models/all", "Model[]", NO_AT),
    _get("13", "/models/all", "Model[]", NO_AT, auth="openai"),
    _get("14", "/models", "{object:str, data:{id:str, object:str, created:int, owned_by}[]}", NO_AT, auth="openai"),
    _get("14", "/v1/models", "{object:str, data:{id:str, object:str, created:int, owned_by}[]}", NO_AT, auth="openai"),
    _get("N7", "/v1/models/demo/echo", "{id:str, object:str, created:int, owned_by}", NO_AT, auth="openai"),
    _get("N7", "/models/demo/echo", "{id:str, object:str, created:int, owned_by}", NO_AT, auth="openai"),
    *(
        _post(
            "15", path, _COMPLETION, ("", {**_CHAT, "messages": []}, 400, ""), body=_CHAT, auth="openai",
            events=("SessionStarted", "ExchangeStarted", "ExchangeCompleted"),
        )
        for path in ("/chat/completions", "/v1/chat/completions")
    ),
    _get(
        "16", "/health",
        '{status:"ok"/"degraded", max_context, active_session:Session?, log_watcher:{status:"running"/"stopped",'
        " log_file_exists:bool, log_path:str?}, rate_limit:Rate, version, position}",
        NO_AT, auth="open",
    ),
    _get(
        "N8", "/health/ready", "{ready:bool, checks:{event_store, writer, projections}, position, lag_events:int}",
        NO_AT, auth="open",
    ),
    _get(
        "17", "/api/rate-limit",
        '{status:"normal"/"elevated"/"warning"/"critical", current_rpm:int, max_rpm, percentage, mode,'
        " waiting:int, limits:{name, current_rpm:int, max_rpm, percentage}[]}",
        NO_AT,
    ),
    _get("18", "/", None, NO_AT, kind="text/html; charset=utf-8", auth="open"),
    _get("19", "/favicon.ico", None, NO_AT, kind="image/", auth="open"),
    _get("N9", "/metrics", None, NO_AT, kind="text/plain; version="),
    _get(
        "20", "/api/export/csv", None, ("?session_id=999", None, 404, "session_not_found"), at=True,
        kind="text/csv; charset=utf-8",
    ),
    _get(
        "21", "/api/export/json", "{session:Session, metrics:Metric[], exported_at}",
        ("?format=xml", None, 422, INVALID), at=True,
    ),
    _get(
        "22", "/api/mask",
        "{items:{hash, preview, tags, token_count, created_at, session_id, retrievals:int, tool:str?}[], total}",
        ("?limit=501", None, 422, INVALID), at=True,
    ),
    _get(
        "23", "/api/mask/{mask}",
        "{hash, preview, tags, token_count, created_at, file_path, original_content:str?, sha256, session_id}",
        ("?lines=1", None, 422, INVALID), at=True,
    ),
    _get(
        "24", "/api/sanitizer/stats",
        "{enabled, threshold_tokens:int, preview_length:int, tmp_dir,"
        " stats:{total_masked:int, total_tokens_masked:int, recent_24h:int}}",
        ("?at=x", None, 422, INVALID), at=True,
    ),
    _post(
        "25", "/api/sanitizer/toggle", "{enabled, message}", ("", {"enabled": "no"}, 422, INVALID),
        body={"enabled": False}, events=("SanitizerDisabled",),
    ),
    _post(
        "42", "/api/compaction/{session_id}",
        "{success, message, session_id, result:CompResult, compaction_ratio, history_id, current_stats:CtxState}",
        ("", {"preserve_messages": 201}, 422, INVALID), body={"preserve_messages": 2}, given="long",
        events=("CompactionPerformed",),
    ),
    _post(
        "42", "/api/compaction/{session_id}", "{success, message, session_id, reason}",
        ("", {"preserve_messages": None}, 422, INVALID), body={"force": False},
    ),
    _get(
        "43", "/api/compaction/stats",
        "{global:{global:{total_compactions, total_tokens_saved:int?, avg_compaction_ratio:number?,"
        " last_compaction_at:time?}, sessions:{session_id, compaction_count, session_tokens_saved:int}[]},"
        " config:{threshold_percentage:int, max_preserved_messages, min_tokens_to_compact:int,"
        " target_reduction_ratio}, active_session:CompState?}",
        ("?at=x", None, 422, INVALID), at=True,
    ),
    _get(
        "44", "/api/compaction/{session_id}/stats", "{session_id, compaction:CompState, context:CtxState}",
        ("?at=x", None, 422, INVALID), at=True, given="compacted",
    ),
    _get(
        "45", "/api/compaction/{session_id}/history", "{session_id, history:HistoryRow[], total_entries:int}",
        ("?limit=1001", None, 422, INVALID), at=True, given="compacted",
    ),
    _get(
        "46", "/api/compaction/{session_id}/history-chart",
        "{session_id, labels:str[], datasets:object[], timestamps:time[], positions:int[], kinds:str[]}",
        ("?limit=501", None, 422, INVALID), at=True, given="compacted",
    ),
    _get(
        "47", "/api/compaction/{session_id}/preview",
        "{can_compact, session_id, preview:{messages_preview:{role, preview, full_length:int}[], total_messages,"
        " messages_to_summarize, messages_to_preserve}, estimate:{original_tokens:int, compacted_tokens:int,"
        " tokens_saved, savings_percentage, show_savings}, config:{preserved_messages, target_reduction:number},"
        " removed_refs, summary_text}",
        ("?preserve_messages=201", None, 422, INVALID), at=True, given="long",
    ),
    _get(
        "47", "/api/compaction/{session_id}/preview",
        "{can_compact, reason, message, current_messages, min_required?:int}",
        ("?preserve_messages=-1", None, 422, INVALID), at=True,
    ),
    _post(
        "48", "/api/compaction/{session_id}/reserved", "{success, session_id, reserved_tokens, message}",
        ("", {"reserved_tokens": 262_144}, 422, "reserved_too_large"), body={"reserved_tokens": 1_000},
        events=("TokensReserved",),
    ),
    _post(
        "49", "/api/compaction/{session_id}/simulate", "{simulated:bool, result:CompResult}",
        ("", {"messages": [{}]}, 422, INVALID), body={"messages": [{"role": "user", "content": "hi"}]},
    ),
    _post(
        "50", "/api/compaction/{session_id}/toggle-auto",
        "{success, session_id, auto_compaction_enabled:bool, message}", ("", {"enabled": 0}, 422, INVALID),
        body={"enabled": False}, events=("AutoCompactionDisabled",),
    ),
    _get(
        "51", "/api/compaction/{session_id}/auto-status",
        "{session_id, status:{enabled, session_auto_enabled:bool, threshold:number, cooldown_minutes:int,"
        " cooldown_remaining_seconds:number, max_consecutive, consecutive_count, is_pending, last_compaction_at:time?,"
        " total_compactions}, context:{current_tokens, max_context, usage_ratio, usage_percentage}, alert:object?}",
        ("?at=x", None, 422, INVALID), at=True,
    ),
    _get(
        "52", "/api/compaction/config/ui",
        "{show_compact_button, manual_button_threshold:int, show_detailed_tooltips, show_notifications,"
        " threshold_percentage:int, critical_threshold:int, preview:{preview_messages_count, preview_max_length:int,"
        " show_savings_estimate}}",
        NO_AT,
    ),
    _post(
        "53", "/api/compress/{session_id}", "Compressed", ("", {}, 409, "below_threshold"), body={"force": True},
        given="long", events=("CompressionPerformed",),
    ),
    _post(
        "53", "/api/compress/{session_id}", "Compressed", ("", {"force": "yes"}, 422, INVALID), body={"force": True},
    ),
    _get(
        "54", "/api/compress/stats",
        "{global:CompTotals, config:{threshold_percentage:int, preserve_recent_exchanges:int, summary_max_tokens}}",
        ("?at=x", None, 422, INVALID), at=True,
    ),
    _get(
        "55", "/api/compress/{session_id}/stats",
        "{session_id, compression_stats:CompTotals, current_context:{total_tokens, max_context, percentage,"
        " can_compress}, config:{threshold_percentage:int, preserve_recent_exchanges:int}}",
        ("?at=x", None, 422, INVALID), at=True,
    ),
    _post(
        "N10", "/api/compaction/{session_id}/revert",
        '{success, session_id, kind:"compaction"/"compression", history_id:int?, log_id:int?, restored_refs,'
        " tokens_restored, current_stats:CtxState}",
        ("", {"history_id": 999_999}, 404, "compaction_not_found"), given="compacted", events=("CompactionReverted",),
    ),
    _post(
        "N3", "/api/sessions/{session_id}/erase",
        "{success, session_id, erased_at, erased:{messages:int, masks:int, memories:int, previews:int}}",
        ("", {"confirm": False}, 422, INVALID), body={"confirm": True, "reason": "asked for"},
        events=("SessionErasureRequested", "SessionErased"),
    ),
    _post(
        "N4", "/api/sessions/{session_id}/merge",
        "{success, session:SessionX, merged_ids, exchanges_moved:int, memories_moved:int, compactions_moved:int}",
        ("", {"source_ids": ["{session_id}"]}, 422, INVALID), body={"source_ids": ["{other_id}"], "name": "merged"},
        events=("SessionsMerged", "SessionRenamed"),
    ),
    _post(
        "N17", "/api/exchanges/{moving_id}/reassign", "{success, exchange:Exchange, moved:int}",
        ("", {"session_id": "5"}, 422, INVALID), body={"session_id": "{session_id}"}, events=("ExchangeReassigned",),
    ),
    _get(
        "N5", "/api/sessions/{session_id}/pins",
        "{session_id, pins:{ref, role, preview, tokens, pinned_at, reason:str?}[], total}",
        ("?limit=501", None, 422, INVALID), at=True, given="pinned",
    ),
    _post(
        "N6", "/api/sessions/{session_id}/pins", "{success, session_id, pinned_refs, changed:int}",
        ("", {"refs": ["0" * 64]}, 404, "message_not_found"), body={"refs": ["{ref}"], "reason": "the plan"},
        events=("MessagePinned",),
    ),
    Pair(
        row="N6", method="DELETE", path="/api/sessions/{session_id}/pins", body={"refs": ["{ref}"]},
        answer="{success, session_id, pinned_refs, changed:int}", given="pinned", events=("MessageUnpinned",),
        bad=("", {"refs": []}, 422, INVALID),
    ),
    _get(
        "N11", "/api/events", "{events:EventSummary[], next_cursor:str?, head, total}",
        ("?cursor=nonsense", None, 422, INVALID), at=True,
    ),
    _get("N12", "/api/events/1", "Event", NO_AT),
    _get(
        "N13", "/api/sessions/{session_id}/events", "{events:EventSummary[], next_cursor:str?, head, total}",
        ("?order=sideways", None, 422, INVALID), at=True,
    ),
    _get(
        "N14", "/api/sessions/{session_id}/diff?from=2000-01-01T00:00:00Z&to=2100-01-01T00:00:00Z",
        "{session_id, from:int, to:int, events:int, changes:{field, before:any, after:any}[], messages:MsgDiff,"
        " tokens:{before:int, after:int}}",
        ("?to=x", None, 422, INVALID),
    ),
    _get(
        "N15", "/api/sessions/{session_id}/timeline",
        "{session_id, position, total, downsampled:bool, t0:time, types:str[], columns:{position:int[], dt_ms:int[],"
        " type:int[], used:int[], max:int[], reserved:int[], saved:int[], ratio:number?[], cost_usd:number?[]}}",
        ("?points=9", None, 422, INVALID), at=True,
    ),
    _get(
        "N16", "/api/sessions/{session_id}/messages",
        '{session_id, exchange_id:int?, view:"received"/"sent", messages:Msg[], total, tokens}',
        ("?content=all", None, 422, INVALID), at=True,
    ),
    _get("N18", "/api/exchanges/{exchange_id}", "Exchange", ("?at=x", None, 422, INVALID), at=True),
    _get("N19", "/api/exchanges", "{exchanges:Listed[], total}", ("?outcome=won", None, 422, INVALID), at=True),
    _get(
        "N20", "/api/settings",
        '{settings:{key, value:any, source:"default"/"file"/"event", position:int?}[], config_file:str?,'
        " warnings:str[]}",
        ("?at=x", None, 422, INVALID), at=True,
    ),
    _get(
        "N21", "/api/projections",
        '{head, projections:{name, version:int, position, lag_events:int, lag_ms, state:"live"/"rebuilding"/"failed",'
        " progress:number?, rows:int, checksum:str?, rebuilt_at:time?, error:str?}[]}",
        NO_AT,
    ),
    _post(
        "N22", "/api/projections/rebuild",
        "{names:str[], events:int, duration_ms, equal:bool, checksum_before:str?, checksum_after}",
        ("", {"names": ["nothing"]}, 422, INVALID), body={"wait": True}, events=("ReadModelRebuilt",),
    ),
    _get(
        "N23", "/api/log/verify",
        "{ok:bool, from:int, to:int, checked:int, head_hash, first_bad_position:int?, erased_sessions:int,"
        " duration_ms}",
        ("?from=0", None, 422, INVALID),
    ),
    _get(
        "-", "/api/log/sizes",
        "{sessions:{session_id:int, name, events:int, stored_bytes:int, share:number}[], total:int, events:int,"
        ' stored_bytes:int, file_size_bytes:int, disk:{free_bytes:int, status:"ok"/"low"/"critical"}}',
        ("?limit=0", None, 422, INVALID), at=True,
    ),
    *GATEWAY_PAIRS,
    *LIMITS,
    *USAGE,
    *LEDGERS,
    *MEMORY_PAIRS,
    *audit_pairs.PAIRS,
)  # fmt: skip
