"""Every pair of method and path that exists: what it answers, and what it refuses (contract 3).

A path's `{session_id}` is a living session that is not active, `{exchange_id}` a finished exchange of the active one.
"""

from typing import Any, Literal

import msgspec

Auth = Literal["api", "openai", "open"]


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """`answer` is in the notation of the contract (None: no JSON object), `events` are what a success appends, `bad` is
    a request (query, body) with the status and the code that refuse it."""

    row: str
    method: str
    path: str
    body: Any = None
    query: str = ""
    status: int = 200
    answer: str | None = None
    kind: str = "application/json"
    at: bool = False
    events: tuple[str, ...] = ()
    auth: Auth = "api"
    bad: tuple[str, Any, int, str]


def _get(row: str, path: str, answer: str | None, bad: tuple[str, Any, int, str], **more: Any) -> Pair:
    return Pair(row=row, method="GET", path=path, answer=answer, bad=bad, **more)


def _post(row: str, path: str, answer: str | None, bad: tuple[str, Any, int, str], **more: Any) -> Pair:
    return Pair(row=row, method="POST", path=path, answer=answer, bad=bad, **more)


INVALID = "invalid_field"
NO_AT = ("?at=1", None, 422, "at_not_supported")
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
        '{status:"normal"/"elevated"/"warning"/"critical", current_rpm:int, max_rpm, percentage, mode}', NO_AT,
    ),
    _get("18", "/", None, ("?x=1", None, 200, ""), kind="text/html; charset=utf-8", auth="open"),
    _get("19", "/favicon.ico", None, ("?x=1", None, 200, ""), kind="image/", auth="open"),
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
)  # fmt: skip
