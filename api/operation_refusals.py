"""Which errors an operation answers with, each with an example: those of its kind, and those of its own."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec

from api.errors import error_body
from api.operation_kinds import Kind

_TIME = "2026-11-22T23:33:51.123Z"
_SHA = "9f86d081884c7d65"

Shape = Literal["api", "openai", "rpc"]


class Refusal(msgspec.Struct, frozen=True):
    """`context` are the further fields of the code."""

    status: int
    text: str
    context: Mapping[str, Any] = {}


def _field(where: str, name: str, kind: str, text: str, given: object) -> Mapping[str, Any]:
    return {"detail": [{"type": kind, "loc": [where, name], "msg": text, "input": given}]}


def _value(where: str, name: str, text: str, given: object = None, context: Mapping[str, Any] | None = None) -> Refusal:
    return Refusal(422, text, {**(context or {}), **_field(where, name, "value_error", text, given)})


_OF_SESSION = {"session_id": 7}
_WINDOW = {"max_context": 262_144}
_ERASED = {"session_id": 7, "erased_at": _TIME}
_LESS = "Input should be greater than or equal to 1"
REFUSALS: Mapping[str, Refusal] = {
    "malformed_json": Refusal(400, "The body is not valid JSON in UTF-8."),
    "body_not_object": Refusal(400, "The body must be one JSON object."),
    "invalid_request": Refusal(400, "A message is one JSON object of JSON-RPC 2.0."),
    "auth_required": Refusal(401, "Send Authorization: Bearer with the server's token."),
    "invalid_token": Refusal(401, "The token is not the server's."),
    "invalid_api_key": Refusal(401, "Send the proxy's token or one of its client keys as the API key."),
    "host_not_allowed": Refusal(403, 'The Host "evil.example" is not served here.'),
    "origin_not_allowed": Refusal(403, 'The Origin "https://evil.example" is not allowed.'),
    "session_not_found": Refusal(404, "There is no session 7.", _OF_SESSION),
    "session_merged": Refusal(404, "Session 7 became a part of session 3.", {"session_id": 7, "merged_into": 3}),
    "no_active_session": Refusal(404, "No session is active."),
    "unknown_sessions": Refusal(404, "There are no sessions [99].", {"failed_ids": [99]}),
    "exchange_not_found": Refusal(404, "There is no exchange 99."),
    "event_not_found": Refusal(404, "There is no event 99."),
    "mask_not_found": Refusal(404, f"There is no mask {_SHA}.", {"hash": _SHA}),
    "message_not_found": Refusal(404, "1 of these messages are not in session 7.", {"failed_refs": ["0" * 64]}),
    "compaction_not_found": Refusal(404, "Session 7 has no compaction 99."),
    "memory_not_found": Refusal(404, "There is no memory 99.", {"memory_id": 99}),
    "ledger_not_found": Refusal(404, "There is no such ledger."),
    "model_not_found": Refusal(404, "There is no model none."),
    "price_book_not_found": Refusal(404, "There is no such book of prices."),
    "unknown_server": Refusal(404, "There is no server none.", {"server_name": "none"}),
    "mcp_session_not_found": Refusal(404, "There is no such Mcp-Session-Id."),
    "version_conflict": Refusal(409, "The last event is 12, not 9.", {"expected": 9, "actual": 12}),
    "idempotency_in_progress": Refusal(409, "The first request with this Idempotency-Key is running."),
    "session_busy": Refusal(409, "Session 7 has a running exchange.", _OF_SESSION),
    "active_session": Refusal(409, "Session 7 is the active one.", _OF_SESSION),
    "rebuild_running": Refusal(409, "The read tables are being made anew."),
    "ambiguous_hash": Refusal(409, "Several masks begin so: give more digits."),
    "nothing_to_revert": Refusal(409, "Session 7 has no compaction in force."),
    "already_reverted": Refusal(409, "Compaction 4 was undone already."),
    "revert_order": Refusal(409, "Undo compaction 5 first.", {"newer": 5}),
    "below_threshold": Refusal(
        409,
        "The context is 12.0 % full: compression begins at 85 %.",
        {"current_percentage": 12.0, "threshold": 85, "hint": "Send force: true to compress anyway."},
    ),
    "already_remembered": Refusal(409, "The session remembers this text already."),
    "no_price_book": Refusal(409, "There is no book of prices."),
    "content_erased": Refusal(410, "Session 7 was erased.", _ERASED),
    "content_not_recorded": Refusal(410, "The contents of this session were not recorded.", _OF_SESSION),
    "body_too_large": Refusal(413, "The body is larger than 20971520 bytes.", {"limit": 20_971_520}),
    "unsupported_media_type": Refusal(415, "Send the body as Content-Type: application/json."),
    "invalid_field": Refusal(422, f"query.limit: {_LESS}", _field("query", "limit", "greater_than_equal", _LESS, 0)),
    "at_not_supported": _value("query", "at", "This address has no past: it does not take `at`.", "7"),
    "at_out_of_range": _value("query", "at", "The last event is 12.", 99, {"head": 12}),
    "idempotency_key_reuse": _value(
        "header", "Idempotency-Key", "This Idempotency-Key was used with another request.", "7b0b8a5e-rename"
    ),
    "self_merge": _value("body", "source_ids", "A session is not merged into itself."),
    "reserved_too_large": _value(
        "body", "reserved_tokens", "At most 262,143 of the window's 262,144 tokens can be reserved.", None, _WINDOW
    ),
    "path_not_allowed": _value("body", "path", "This path is none of the ledgers that may be read."),
    "upstream_unreachable": Refusal(502, "The server cannot be reached.", {"server_name": "search"}),
    "not_ready": Refusal(503, "The read tables are being built."),
    "projection_lag": Refusal(503, "Not yet: the tables are at event 11, not 12."),
    "store_unavailable": Refusal(503, "The event log cannot be written."),
    "projection_failed": Refusal(503, "An event cannot be applied."),
}
_LACKING = ("content_erased", "content_not_recorded")
_BUSY = ("active_session", "session_busy")
_EXCHANGE = ("exchange_not_found",)
_MEMORY = ("memory_not_found",)
_LEDGER = ("ledger_not_found", "path_not_allowed")
_RPC = ("unknown_server", "mcp_session_not_found")
OWN: Mapping[str, tuple[str, ...]] = {
    "DELETE /api/sessions": ("unknown_sessions", "content_erased", *_BUSY),
    "GET /api/sessions/active": ("no_active_session",),
    "DELETE /api/sessions/{session_id}": _BUSY,
    "POST /api/sessions/vacuum": ("rebuild_running",),
    "POST /api/sessions/{session_id}/erase": ("session_busy",),
    "POST /api/sessions/{session_id}/merge": ("unknown_sessions", "self_merge", "session_busy"),
    "POST /api/sessions/{session_id}/fork": (*_EXCHANGE, *_LACKING),
    "GET /api/sessions/{session_id}/messages": (*_EXCHANGE, *_LACKING),
    "POST /api/sessions/{session_id}/pins": ("message_not_found",),
    "DELETE /api/sessions/{session_id}/pins": ("message_not_found",),
    "GET /api/exchanges/{exchange_id}": _EXCHANGE,
    "POST /api/exchanges/{id}/reassign": (*_EXCHANGE, "session_not_found", "session_busy", *_LACKING),
    "GET /api/events/{position}": ("event_not_found",),
    "GET /api/export/csv": ("no_active_session", "session_not_found"),
    "GET /api/export/json": ("no_active_session", "session_not_found"),
    "GET /api/mask/{content_hash}": ("mask_not_found", "ambiguous_hash", *_LACKING),
    "POST /api/compaction/{session_id}": (*_EXCHANGE, *_LACKING),
    "GET /api/compaction/{session_id}/preview": (*_EXCHANGE, *_LACKING),
    "POST /api/compaction/{session_id}/reserved": ("reserved_too_large",),
    "POST /api/compaction/{session_id}/revert": (
        *("compaction_not_found", "nothing_to_revert", "already_reverted", "revert_order"),
        *_LACKING,
    ),
    "POST /api/compress/{session_id}": (*_EXCHANGE, "below_threshold", *_LACKING),
    "POST /api/memory/store": ("session_not_found", *_LACKING),
    "POST /api/memory/similarity": ("session_not_found", *_LACKING),
    "GET /api/memory/frequent": ("session_not_found",),
    "GET /api/budgets": ("session_not_found",),
    "GET /api/memory/stats/advanced": ("session_not_found",),
    "GET /api/memory/similar/{session_id}": _LACKING,
    "GET /api/memory/{memory_id}": _MEMORY,
    "DELETE /api/memory/{memory_id}": (*_MEMORY, "content_erased"),
    "POST /api/memory/{memory_id}/restore": (*_MEMORY, "already_remembered", *_LACKING),
    "POST /api/memory/{memory_id}/demote": (*_MEMORY, "content_erased"),
    "GET /models/{model_id}": ("model_not_found",),
    "GET /v1/models/{model_id}": ("model_not_found",),
    "POST /api/projections/rebuild": ("rebuild_running", "projection_failed"),
    "POST /api/cline/import": _LEDGER,
    "POST /api/ledgers/import": _LEDGER,
    "GET /api/usage": ("session_not_found",),
    "GET /api/usage/sessions/{session_id}/context": (*_EXCHANGE, *_LACKING),
    "POST /api/prices/reprice": ("no_price_book", "price_book_not_found"),
    "POST /mcp": ("invalid_request", "mcp_session_not_found", "upstream_unreachable"),
    "DELETE /mcp": ("mcp_session_not_found",),
    "POST /api/mcp-gateway/{server_name}/rpc": ("invalid_request", *_RPC, "upstream_unreachable"),
    "DELETE /api/mcp-gateway/{server_name}/rpc": _RPC,
}
_MEANT = {
    400: "The body is no JSON object",
    401: "Credentials are missing or wrong",
    403: "The Host or the Origin is not allowed",
    404: "There is no such thing",
    409: "It is not in this state, or not any more",
    410: "The contents are erased, or were never recorded",
    413: "The body is too large",
    415: "The body is not sent as JSON",
    422: "A value that no state accepts",
    502: "The server behind the gateway gave no answer",
    503: "The store or the read tables cannot serve it now",
}
_SCHEMAS: Mapping[Shape, str] = {"api": "Refused", "openai": "OpenAIRefused", "rpc": "RpcAnswer"}
_PATHS: Mapping[Shape, str] = {"api": "/api", "openai": "/v1", "rpc": "/mcp"}
_RENAMED = {"mcp_session_not_found": "session_not_found"}


def refusals(kind: Kind, *, guarded: bool) -> dict[str, dict[str, Any]]:
    """The error responses of an operation by status. `guarded`: credentials are asked for."""
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys(_codes(kind, guarded=guarded)):
        by_status.setdefault(REFUSALS[code].status, []).append(code)
    return {str(status): _response(kind, status, codes) for status, codes in sorted(by_status.items())}


def examples() -> dict[str, dict[str, Any]]:
    """The bodies of all refusals in each shape, for the document's components."""
    return {
        f"{shape}_{code}": {"value": _body(path, code, refusal)}
        for shape, path in _PATHS.items()
        for code, refusal in REFUSALS.items()
    }


def _body(path: str, code: str, refusal: Refusal) -> dict[str, Any]:
    body = error_body(path, refusal.status, _RENAMED.get(code, code), refusal.text, refusal.context)
    fields: dict[str, Any] = msgspec.json.decode(body)
    return fields


def _shape(kind: Kind) -> Shape:
    return "rpc" if kind.rpc else "openai" if kind.area == "openai" else "api"


def _codes(kind: Kind, *, guarded: bool) -> Iterator[str]:
    yield "host_not_allowed"
    if kind.method != "GET":
        yield "origin_not_allowed"
    if guarded:
        yield from ("invalid_api_key",) if kind.area == "openai" else ("auth_required", "invalid_token")
    if kind.body:
        yield from ("malformed_json", "body_not_object") if not kind.rpc else ()
        yield from ("body_too_large", "unsupported_media_type")
    yield from _about_moments(kind)
    yield from _about_state(kind)
    yield from OWN.get(kind.key, ())


def _about_moments(kind: Kind) -> Iterable[str]:
    if kind.rpc:
        return ("at_not_supported",)
    return ("invalid_field", "at_out_of_range") if kind.past else ("invalid_field", "at_not_supported")


def _about_state(kind: Kind) -> Iterator[str]:
    if "{session_id}" in kind.path:
        yield from ("session_not_found", "session_merged")
        if kind.changes:
            yield "content_erased"
    if kind.ready:
        yield "not_ready"
    if kind.waits or kind.writes:
        yield "projection_lag"
    if kind.changes:
        yield from ("idempotency_key_reuse", "version_conflict", "idempotency_in_progress", "store_unavailable")
    elif kind.writes:
        yield "version_conflict"


def _response(kind: Kind, status: int, codes: list[str]) -> dict[str, Any]:
    name = _SCHEMAS[_shape(kind)]
    examples = {code: {"$ref": f"#/components/examples/{_shape(kind)}_{code}"} for code in codes}
    schema = {"$ref": f"#/components/schemas/{name}"}
    content = {"application/json": {"schema": schema, "examples": examples}}
    return {"description": _MEANT[status], "content": content}
