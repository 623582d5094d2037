"""Every error as an HTTP answer: one table from exception to status and code, three shapes (contract 1.3).

`{"error": text, "code": code, ...context}`, `{"error": {message, type, param, code}}` on OpenAI paths, and JSON-RPC on
those of the gateway.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping

from eventsourcing.persistence import PersistenceError
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match, Mount

from api.details import Location, bounded_details, invalid, sentence
from api.gate import area_of, speaks_rpc
from api.times import iso
from commands.errors import (
    CommandError,
    ConflictError,
    GoneError,
    InvalidCommandError,
    NotFoundError,
    StaleError,
    UnavailableError,
)
from gateway.jsonrpc import INTERNAL_ERROR, INVALID_REQUEST
from gateway.jsonrpc import encode as rpc_encode
from gateway.jsonrpc import error_body as rpc_error_body
from projections.store import AtOutOfRangeError
from projections.timeline import CursorError
from projections.trouble import is_environmental, is_of_the_file
from projections.waiting import ProjectionLagError
from proxy.openai_errors import error_body as openai_error_body
from schema.sealing import SealError
from schema.unreadable import UnreadableEventError

_COMMAND_STATUS = {
    NotFoundError: 404,
    ConflictError: 409,
    StaleError: 409,
    GoneError: 410,
    InvalidCommandError: 422,
    UnavailableError: 503,
}
_REPEATING = ("/api/cline/", "/api/memory/store")  # whose clients read the text as `detail` (contract 1.3)
_NOT_THERE = {"session_not_found": "sessions", "exchange_not_found": "exchanges"}  # and who would know
_ROUTED = ("GET", "POST", "PATCH", "DELETE")
_ROUTING = {
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This method is not allowed here."),
}


class ApiError(Exception):
    """An error of the HTTP side: `context` are the further fields that the contract names for `code`."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        context: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.context, self.headers = dict(context or {}), dict(headers or {})


class InvalidFieldError(ApiError):
    """422: `details` say which fields, in the form of FastAPI."""

    def __init__(self, details: Iterable[Mapping[str, object]]) -> None:
        items = bounded_details(details)
        super().__init__(422, "invalid_field", sentence(items), context={"detail": items})


class RefusedValueError(ApiError):
    """422 with a code of its own: what is `given` at `loc` is well formed, but cannot be."""

    def __init__(self, code: str, loc: Location, text: str, given: object = None, **context: object) -> None:
        items = bounded_details([invalid("value_error", loc, text, given)])
        super().__init__(422, code, text, context={**context, "detail": items})


def beyond_head(loc: Location, at: int, head: int) -> ApiError:
    """A position at `loc` that no event has yet."""
    return RefusedValueError("at_out_of_range", loc, f"The last event is {head}.", at, head=head)


_PLACES: Mapping[str, Location] = {  # in a request, of what a command was refused for
    "self_merge": ("body", "source_ids"),
    "reserved_too_large": ("body", "reserved_tokens"),
    "path_not_allowed": ("body", "path"),
    "invalid_field": ("header", "X-Expected-Position"),
}
_KINDS = (
    ApiError,
    CommandError,
    AtOutOfRangeError,
    ProjectionLagError,
    CursorError,
    RequestValidationError,
    HTTPException,
    ClientDisconnect,
    UnreadableEventError,
    SealError,
    PersistenceError,
    sqlite3.DatabaseError,
    Exception,
)


def error_body(path: str, status: int, code: str, message: str, context: Mapping[str, object] | None = None) -> bytes:
    """The JSON body in the shape that belongs to `path`."""
    if area_of(path) == "openai":
        return openai_error_body(status, message, code)
    if speaks_rpc(path):
        number = INVALID_REQUEST if status < 500 else INTERNAL_ERROR
        return rpc_encode(rpc_error_body(number, message, {"code": code, **(context or {})}, None))
    fields = {"error": message, "code": code, **(context or {})}
    if path.startswith(_REPEATING):
        fields.setdefault("detail", message)
    # what a client sent may hold unpaired surrogates, which no JSON text can
    return json.dumps(fields, ensure_ascii=False, default=str).encode("utf-8", "replace")


def install(app: FastAPI, redact: Callable[[str], str]) -> None:
    """Answer every exception of the app's routes by `as_api_error`; what they echo is without configured secrets."""

    async def answer(request: Request, error: Exception) -> Response:
        return _answer(request, error, redact)

    for kind in _KINDS:
        app.add_exception_handler(kind, answer)


def as_api_error(error: Exception) -> ApiError:
    """The table; what it does not name is a bug, and the answer says nothing about it."""
    match error:
        case ApiError():
            return error
        case InvalidCommandError(code=code, message=message, context=context):
            return RefusedValueError(code, _PLACES.get(code, ("body",)), message, **_shown(context))
        case CommandError(code=code, message=message, context=context):
            return ApiError(_COMMAND_STATUS[type(error)], code, message, context=_shown(context))
        case AtOutOfRangeError(at=at, head=head):
            return beyond_head(("query", "at"), at, head)
        case ProjectionLagError():
            return ApiError(503, "projection_lag", f"Not yet: {error}.")
        case CursorError(given=given):
            return InvalidFieldError([invalid("value_error", ("query", "cursor"), f"This is {error}.", given)])
        case RequestValidationError():
            return InvalidFieldError(error.errors())
        case HTTPException(status_code=status):
            code, message = _ROUTING.get(status, ("http_error", "The request cannot be answered."))
            return ApiError(status, code, message)
        case ClientDisconnect():
            return ApiError(400, "client_disconnected", "The client left before its request was complete.")
        case UnreadableEventError(event=event):
            text = f"Contents are missing: {event}."
            return ApiError(503, "store_unavailable", text, context={"position": event.position})
        case SealError():
            return ApiError(503, "store_unavailable", f"The log cannot be read: {error}.")
        case PersistenceError():  # locked, full or gone, perhaps for a while
            return ApiError(503, "store_unavailable", "The event log cannot be read.")
        case sqlite3.DatabaseError() if is_environmental(error) or is_of_the_file(error):
            return ApiError(503, "store_unavailable", "The read tables cannot be read.")
        case _:
            return ApiError(500, "internal_error", "An internal error occurred.")


def _shown(context: Mapping[str, object]) -> dict[str, object]:
    """Times of the inside as those of answers."""
    return {
        key: iso(value) if key.endswith("_at") and isinstance(value, int) else value for key, value in context.items()
    }


def _answer(request: Request, error: Exception, redact: Callable[[str], str]) -> Response:
    found = _of_whole_tables(request, error, as_api_error(error))
    headers = dict(found.headers)
    if found.status == 405 and "Allow" not in headers:
        headers["Allow"] = ", ".join(_allowed(request))
    body = error_body(request.url.path, found.status, found.code, found.message, found.context)
    body = redact(body.decode()).encode()
    return Response(body, found.status, headers, "application/json")


def _of_whole_tables(request: Request, error: Exception, found: ApiError) -> ApiError:
    """The same, unless the read tables lack what is in the log: then nothing is missing, and it is no bug."""
    committed: dict[str, str] | None = getattr(request.state, "committed", None)
    if committed is not None:
        return _after_commit(request, error, found, committed)
    lacking = None
    if found.status == 500:
        lacking = _lacking(request)
    elif request.method == "GET" and found.code in _NOT_THERE:
        lacking = _lacking(request, _NOT_THERE[found.code])
    if lacking is None:
        return found
    return ApiError(503, "store_unavailable", f"The read tables lack what this may need: {lacking}.")


def _after_commit(request: Request, error: Exception, found: ApiError, committed: Mapping[str, str]) -> ApiError:
    """What is in the log was done, also where the tables cannot show it."""
    lacking = _lacking(request)
    unseen = isinstance(error, sqlite3.Error | AtOutOfRangeError)
    if unseen or (lacking is not None and found.status in (404, 500)):
        text = f"Committed, but the read tables cannot show it: {lacking or found.message.rstrip('.')}."
        found = ApiError(503, "projection_lag", text)
    found.headers.update(committed)
    return found


def _lacking(request: Request, name: str | None = None) -> str | None:
    """What a projection, or the one of this name, has stopped at."""
    parts = request.app.state.services.health.projections()
    return next((part.error for part in parts if part.error is not None and name in (None, part.name)), None)


def _allowed(request: Request) -> list[str]:
    """The methods of all routes of the path: the router itself names those of the first only."""
    found = [method for method in _ROUTED if _matches(request, method)]
    return ["GET", "HEAD", *found[1:]] if found[:1] == ["GET"] else found


def _matches(request: Request, method: str) -> bool:
    scope = {**request.scope, "method": method, "root_path": ""}  # a mount has changed it
    return any(
        method == "GET" if isinstance(route, Mount) else True  # a mount of static files matches whatever the method
        for route in request.app.routes
        if route.matches(scope)[0] is Match.FULL
    )
