"""The way back of one request: the answer's bytes to the client, and what is known of them for the record."""

import time
from collections.abc import Callable

import msgspec

from proxy.committing import committed
from proxy.finishing import Ending
from proxy.headers import client_headers
from proxy.intake import Headers, Send
from proxy.long_answers import End
from proxy.openai_errors import Refusal, error_body, error_event, upstream_error_text
from proxy.running import Running
from proxy.sse import SseStream
from proxy.upstream import UpstreamAnswer
from proxy.upstream_errors import UpstreamError

_KEPT_ANSWER = 16 << 20  # bytes of an answer that are kept for the record
_KEPT_ERROR = 64 << 10


class Pass(msgspec.Struct, kw_only=True):
    """One request on its way through: where it answers to, and what will be recorded of it.

    It is a failure of ours until something else is known.
    """

    send: Send
    running: Running
    request_id: str
    injected: bool
    stop_watching: Callable[[], None]
    answered: Callable[[Running, Ending], None]
    ending: Ending = msgspec.field(default_factory=lambda: Ending(kind="failed", error_code="internal_error"))


async def pass_answer(passing: Pass, answer: UpstreamAnswer, *, context_limit: int) -> None:
    """An answer that has begun, as its bytes come, until its end or where it breaks off."""
    ending = passing.ending
    given = [(name.lower(), value) for name, value in answer.headers]
    heads = dict(given)
    is_sse = heads.get("content-type", "").lower().startswith("text/event-stream")
    ending.form, ending.content_encoding = ("sse" if is_sse else "json"), heads.get("content-encoding")
    ending.upstream_request_id = heads.get("x-request-id")
    plain = ending.content_encoding in (None, "identity")
    stream = ending.stream = SseStream(withhold_usage=passing.injected) if is_sse and plain else None
    kept: list[bytes] = []
    room = _KEPT_ANSWER if answer.status < 400 else _KEPT_ERROR
    try:
        added = _added_headers(passing.running, passing.request_id, context_limit)
        await _start(passing.send, answer.status, client_headers(given, added, changed=stream is not None))
        rest = b""
        async for chunk in answer.chunks():
            if ending.ttft_ms is None:
                ending.ttft_ms = (time.perf_counter() - passing.running.arrived) * 1_000
            if room > 0:
                kept.append(chunk)
                room -= len(chunk)
            else:
                ending.end = ending.end or End()
                ending.end.add(chunk)
            out = stream.feed(chunk) if stream is not None else chunk
            if stream is not None and stream.done and ending.kind != "completed" and stream.last_error() is None:
                ending.kind, ending.data = "completed", b"".join(kept)
                passing.answered(passing.running, ending)
            if answer.complete:  # its end goes out with it
                rest = out
                break
            if out:
                await passing.send({"type": "http.response.body", "body": out, "more_body": True})
        _come_to_an_end(ending, answer.status, kept)
        passing.stop_watching()
        if stream is not None:
            rest += stream.finish()
        await passing.send({"type": "http.response.body", "body": rest, "more_body": False})
    except UpstreamError as error:
        whole = ending.kind == "completed"  # [DONE] had come
        if not whole:
            _fail(ending, error)
        if stream is not None and stream.at_boundary:
            passing.stop_watching()
            last = b"" if whole else error_event(error.message, error.code)
            await passing.send({"type": "http.response.body", "body": last, "more_body": False})
        # else the answer stays incomplete, and the server closes the connection: the client must not take it for whole
    finally:
        ending.data = b"".join(kept)
        ending.usage_raw = stream.usage_raw if stream is not None else None


def _come_to_an_end(ending: Ending, status: int, kept: list[bytes]) -> None:
    if 200 <= status < 300:
        ending.kind = "completed"
        return
    ending.kind = "failed"
    ending.error_code = f"http_{status}"
    ending.error_message = upstream_error_text(b"".join(kept), ending.content_encoding)


def _fail(ending: Ending, error: UpstreamError) -> None:
    ending.kind, ending.error_code, ending.error_message = "failed", error.code, error.message


async def fail_before(passing: Pass, error: UpstreamError) -> None:
    """No answer came: say so ourselves."""
    ending = passing.ending
    _fail(ending, error)
    ending.attempts = error.attempts
    ending.reached = error.code == "upstream_timeout"
    ending.http_status = 504 if error.code == "upstream_timeout" else 502
    await committed(passing.running)
    body = error_body(ending.http_status, error.message, error.code)
    added = _added_headers(passing.running, passing.request_id, None)
    passing.stop_watching()
    await _start(passing.send, ending.http_status, [*_json_head(body), *added])
    await passing.send({"type": "http.response.body", "body": body, "more_body": False})


def _added_headers(running: Running, request_id: str, context_limit: int | None) -> Headers:
    added = [
        (b"x-session-id", b"%d" % running.session_id),
        (b"x-session-rule", running.rule.encode()),
        (b"x-exchange-id", b"%d" % running.exchange_id),
        (b"x-context-tokens", b"%d" % running.tokens),
        (b"x-context-saved", b"%d" % running.saved),
        (b"x-request-id", request_id.encode()),
    ]
    if context_limit is not None:
        added.append((b"x-context-limit", b"%d" % context_limit))
    position = running.position()
    if position is not None:
        added.append((b"x-event-position", b"%d" % position))
    return added


async def _start(send: Send, status: int, headers: Headers) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})


def _json_head(body: bytes) -> Headers:
    return [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]


async def refuse(send: Send, refusal: Refusal, request_id: str) -> None:
    """No exchange begins."""
    body = refusal.body()
    await _start(send, refusal.status, [*_json_head(body), *refusal.headers, (b"x-request-id", request_id.encode())])
    await send({"type": "http.response.body", "body": body, "more_body": False})
