"""Headers of requests and answers, as the description names them: they follow from what an operation is."""

from collections.abc import Iterator, Mapping
from typing import Any

from api.fields import MAX_INT
from api.operation_kinds import Kind

_POSITION = {"type": "integer", "minimum": 0, "maximum": MAX_INT}
_TEXT = {"type": "string"}
_KEY = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"}
REQUEST: Mapping[str, str] = {
    "X-Min-Position": "Wait, for two seconds at most, until the read tables have reached this event.",
    "X-Expected-Position": "Refuse with 409 unless this is the last event of what the write is about.",
    "If-None-Match": "An ETag: 304 where nothing has changed since.",
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same write with the same key gets the first answer again, and appends nothing. What is refused"
    " with 429, 5xx or version_conflict is not kept: it may be tried again with the same key.",
    "schema": {**_KEY, "title": "Idempotency-Key"},
    "example": "7b0b8a5e-rename",
}
REQUEST_ID = ("X-Request-Id", "The request's own, or a new one.")
_TOTAL = ("X-Total-Count", "How many match in all.", _POSITION)
_FILE = ("Content-Disposition", "The name of the file.", _TEXT)
_NEXT = ("X-Next-Cursor", "`cursor` of the next page, where an answer of lines has one.", _TEXT)
OWN: Mapping[str, tuple[tuple[str, str, Mapping[str, Any]], ...]] = {
    "GET /api/sessions": (_TOTAL,),
    "GET /api/providers": (_TOTAL,),
    "GET /api/models": (_TOTAL,),
    "GET /api/models/all": (_TOTAL,),
    "GET /models/all": (_TOTAL,),
    "GET /api/memory/frequent": (_TOTAL,),
    "GET /api/events": (_TOTAL, _NEXT),
    "GET /api/sessions/{session_id}/events": (_TOTAL, _NEXT),
    "GET /api/export/csv": (_FILE,),
    "GET /api/usage": (_FILE,),
    "GET /api/sessions/{session_id}/timeline": (
        ("ETag", "The session's last event, in quotes.", _TEXT),
        ("Cache-Control", "An earlier answer may be used after it was asked about.", _TEXT),
    ),
    "POST /mcp": (("Mcp-Session-Id", "After `initialize`: what further requests send.", _TEXT),),
    "POST /api/mcp-gateway/{server_name}/rpc": (
        ("Mcp-Session-Id", "After `initialize`: what further requests send.", _TEXT),
    ),
}
_REFUSED: Mapping[str, tuple[str, str, Mapping[str, Any]]] = {
    "401": ("WWW-Authenticate", "Bearer.", _TEXT),
    "503": ("Retry-After", "Seconds, where it is known when.", {"type": "string"}),
}


def parameters(kind: Kind, known: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that were found out, headers by their usual names and with their meaning, and the Idempotency-Key."""
    named = [_named(parameter) for parameter in known]
    return [*named, _IDEMPOTENCY_KEY] if kind.changes else named


def answer_headers(kind: Kind, status: str) -> dict[str, Any]:
    """Of a response with that status."""
    return {name: {"description": text, "schema": dict(schema)} for name, text, schema in _headers(kind, status)}


def _named(parameter: dict[str, Any]) -> dict[str, Any]:
    if parameter["in"] != "header":
        return parameter
    name = next((each for each in REQUEST if each.lower() == parameter["name"].lower()), None)
    if name is None:
        return parameter
    schema = {**parameter["schema"], "title": name}
    return {**parameter, "name": name, "description": REQUEST[name], "schema": schema}


def _headers(kind: Kind, status: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    yield (*REQUEST_ID, _TEXT)
    if status in _REFUSED:
        yield _REFUSED[status]
    if status == "503" and kind.writes:
        yield "X-Event-Position", "With projection_lag: what is committed all the same.", _POSITION
    if not status.startswith("2") and status != "304":
        return
    if kind.writes:
        yield "X-Event-Position", "The last event that the write appended, else the head of the log.", _POSITION
        yield "X-Event-Count", "How many events it appended.", _POSITION
    if kind.changes:
        yield "Idempotent-Replayed", "`true` where the answer is that of an earlier request.", {"const": "true"}
    if kind.past:
        yield "X-Read-Position", "The event as of which the answer is; without `at`.", _POSITION
        yield "X-As-Of", "The same, with `at`.", _POSITION
    yield from OWN.get(kind.key, ())
