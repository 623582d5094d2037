"""The raw ASGI front: the gate, then completions straight to their handler and everything else to the FastAPI app.

Completions stay out of the framework, because each layer of it costs time per request and per streamed chunk.
"""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Receive, Scope, Send

from api.admission import CHAT_PATHS, Admission, Admissions
from api.errors import RefusedValueError, error_body
from api.gate import Denial, Gate, Headers, request_id_of, value_of
from api.handshake import LIVE_PATH, NEEDED, fault
from api.http_server import WHEN_GONE
from api.reading import NO_PAST
from api.reply import Reply
from api.request_context import RequestContext
from api.request_ids import RequestIds
from proxy.caller import Caller
from proxy.intake import WhenGone

_PLAIN = ("/", "/favicon.ico", "/openapi.json")
_NO_PAST = {"/": "The page itself has no past: a moment stands behind the #, as in /#/exchanges?at=7."}
_PRESENT = frozenset(
    (*(("POST", path) for path in CHAT_PATHS), *((method, path) for method in ("GET", "HEAD") for path in _PLAIN))
)  # what no dependency of a route guards
_METHODS = "GET, HEAD, POST, PATCH, DELETE"
_PREFLIGHT_S = 600

_log = logging.getLogger("chronoproxy.http")


class Chat(Protocol):
    """The handler of completions (proxy/chat.py)."""

    def __call__(
        self,
        headers: list[tuple[bytes, bytes]],
        receive: Receive,
        send: Send,
        *,
        request_id: str,
        caller: Caller,
        when_gone: WhenGone | None,
    ) -> Awaitable[None]:
        """Answer one request."""


class Front:
    """The ASGI application that the server runs. `app` gets what is no completion, `live` every WebSocket. `redact`
    takes configured secrets out of a text: an id that holds one is not used."""

    def __init__(
        self, gate: Gate, chat: Chat, app: ASGIApp, live: ASGIApp, *, redact: Callable[[str], str] = str
    ) -> None:
        self._redact = redact
        self._admissions = Admissions(gate)
        self._ids = RequestIds()
        self._chat = chat
        self._app = app
        self._live = live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._live(scope, receive, send)
            return
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        request_id = request_id_of(headers)
        if request_id is None or self._redact(request_id) != request_id:
            request_id = self._ids.next()
            headers = [pair for pair in headers if pair[0] != b"x-request-id"]  # an unusable one goes no further
        server = scope.get("server")
        admission = self._admissions.of(scope["method"], scope["path"], server[0] if server else None, headers)
        added = [*admission.added, (b"x-request-id", request_id.encode()), (b"x-content-type-options", b"nosniff")]
        reply = Reply(send, added, head_only=scope["method"] == "HEAD")
        try:
            with _Contained(scope, reply) as contained:
                await self._answer(scope, headers, receive, reply, request_id, admission)
        except asyncio.CancelledError:  # the server comes to its end
            if not reply.started:
                await _refuse(reply, scope["path"], 503, "shutting_down", "The proxy is being shut down.")
            raise
        if contained.unanswered:
            await _refuse(reply, scope["path"], 500, "internal_error", "An internal error occurred.")

    async def _answer(
        self,
        scope: Scope,
        headers: list[tuple[bytes, bytes]],
        receive: Receive,
        reply: Reply,
        request_id: str,
        admission: Admission,
    ) -> None:
        method, path, caller = scope["method"], scope["path"], admission.caller
        if admission.denial is not None:
            await _deny(reply, path, admission.denial)
        elif admission.preflight and admission.origin_allowed:
            await reply.whole(200, b"", _preflight(headers))
        elif scope["query_string"] and (past := _past(method, path, scope["query_string"])) is not None:
            text = _NO_PAST.get(path, NO_PAST)
            refused = RefusedValueError("at_not_supported", ("query", "at"), text, past)
            await reply.whole(422, error_body(path, 422, refused.code, text, refused.context))
        elif caller is None and path == LIVE_PATH:  # the handshakes that are in order do not come here
            wrong = fault(method, headers) or NEEDED
            await _refuse(reply, path, wrong.status, wrong.code, wrong.message, list(wrong.headers))
        elif caller is None:
            recorded = method != "HEAD" and value_of(headers, b"sec-fetch-site") != "cross-site"
            state = {"context": RequestContext(request_id, self._admissions.authorized(headers), recorded)}
            # HEAD is GET without its body; the server's own scope keeps the client's method
            inner = {**scope, "state": state, "method": "GET" if method == "HEAD" else method}
            await self._app(inner, receive, reply)
        elif method == "POST":
            gone = scope.get("extensions", {}).get(WHEN_GONE)
            await self._chat(headers, receive, reply, request_id=request_id, caller=caller, when_gone=gone)
        else:
            text = f"{method} is not allowed here; completions are sent by POST."
            await _refuse(reply, path, 405, "method_not_allowed", text, [("allow", "POST")])


class _Contained:
    """The last line of defence: whatever a handler raises is logged without contents, and ends here. `unanswered`
    tells that the client has got nothing yet; where it got a part, the server closes the connection."""

    def __init__(self, scope: Scope, reply: Reply) -> None:
        self._scope = scope
        self._reply = reply
        self.unanswered = False

    def __enter__(self) -> "_Contained":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if not isinstance(error, Exception):  # cancelled, or no error at all
            return False
        self.unanswered = not self._reply.started
        # its message may hold contents of requests: only the type and the places are logged
        frames = traceback.extract_tb(error.__traceback__)[-6:]
        places = " > ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)
        _log.error("%s in %s %r at %s", type(error).__name__, self._scope["method"], self._scope["path"], places)
        return True


def _past(method: str, path: str, query: bytes) -> str | None:
    """The value of `at` where that would be ignored."""
    if (method, path) not in _PRESENT:
        return None
    return dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True)).get("at")


async def _deny(reply: Reply, path: str, denial: Denial) -> None:
    headers = [("www-authenticate", "Bearer")] if denial.status == 401 else None
    await _refuse(reply, path, denial.status, denial.code, denial.message, headers)


async def _refuse(
    reply: Reply, path: str, status: int, code: str, message: str, headers: list[tuple[str, str]] | None = None
) -> None:
    await reply.whole(status, error_body(path, status, code, message), headers or ())


def _preflight(headers: Headers) -> list[tuple[str, str]]:
    asked = value_of(headers, b"access-control-request-headers") or "*"
    return [
        ("access-control-allow-methods", _METHODS),
        ("access-control-allow-headers", asked),
        ("access-control-max-age", str(_PREFLIGHT_S)),
    ]
