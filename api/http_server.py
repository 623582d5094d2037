"""The HTTP protocol of the server: uvicorn's own, with less work for each request.

The head of an answer goes out together with what follows it in the same turn of the loop: one system call and one
packet instead of two. And whoever answers may be told when the client leaves, instead of keeping a task that waits.
It builds on insides of uvicorn: pyproject.toml names the versions that have them.
"""

import asyncio
import logging
import urllib.parse
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, cast

import httptools
from starlette.types import Message
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

WHEN_GONE = "chronoproxy.when_gone"  # among the extensions of a scope: the cycle's `when_gone`

_HIGH_WATER = 262_144  # bytes of a request's body that wait for their handler
# with those that only upstreams make up, such as the 999 of some firewalls
_STATUS_LINES = {**STATUS_LINE, **{status: b"HTTP/1.1 %d \r\n" % status for status in range(600, 1_000)}}
_AHEAD = 16  # requests that may wait behind the one that is being answered

_log = logging.getLogger("chronoproxy.http")

Told = Callable[[], None]


class Flow(FlowControl):
    """`held`: so much waits behind the request that is being answered that nothing more is read for now. Else reading
    goes on, for who does not read does not see that the client leaves."""

    held = False

    def hold(self) -> None:
        self.held = True
        self.pause_reading()

    def resume_reading(self) -> None:
        if self.read_paused and not self.held:
            self.read_paused = False
            self._transport.resume_reading()


class Cycle(RequestResponseCycle):
    """One request and its answer."""

    flow: Flow
    queued = False  # behind another one

    def prepare(self, app: Any, loop: asyncio.AbstractEventLoop) -> None:
        """What uvicorn's own does not have."""
        self._app, self._loop = app, loop
        self._pieces: list[bytes] = []
        self._waiting = 0  # bytes in them
        self._head: bytes | None = None  # that has not gone out yet
        self._told: Told | None = None
        self.scope["extensions"] = {WHEN_GONE: self.when_gone}  # type: ignore[dict-item]

    def when_gone(self, told: Told | None) -> None:
        """Call `told` when the client leaves before its answer is complete, None for nobody. Its request must have been
        read."""
        self._told = told
        if told is not None:
            self.flow.resume_reading()
            if self.disconnected:
                self._tell()

    def lost(self) -> None:
        """The connection is closed."""
        if not self.response_complete:
            self.disconnected = True
            self.message_event.set()
        if self.disconnected:
            self._tell()

    def take(self, body: bytes) -> None:
        """A piece of the request's body."""
        self._pieces.append(body)
        self._waiting += len(body)
        if self._waiting > _HIGH_WATER:
            self.flow.hold() if self.queued else self.flow.pause_reading()
        self.message_event.set()

    @property
    def full(self) -> bool:
        """Whether more of its body has come than should wait."""
        return self._waiting > _HIGH_WATER

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The application, for this request."""
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:  # by the server, at its end: not an error to uvicorn
            self._flush()
            self.transport.close()
            self.disconnected = True
        finally:
            self._flush()  # before what was not answered to its end is closed
            if self.response_started and not self.response_complete and not self.disconnected:
                self._break_off()
            del scope["extensions"]  # which lead back here

    async def receive(self) -> Message:  # type: ignore[override]
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not self.disconnected and not self.response_complete:
            self.flow.resume_reading()
            if not self.message_event.is_set():
                await self.message_event.wait()
            self.message_event.clear()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        pieces = self._pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._waiting = 0
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def send(self, message: Message) -> None:  # type: ignore[override]
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if not self.response_started:
            if kind != "http.response.start":
                raise RuntimeError(f"expected http.response.start, got {kind}")
            self._begin(message["status"], message.get("headers", ()))
        elif self.response_complete or kind != "http.response.body":
            raise RuntimeError(f"unexpected {kind}")
        else:
            self._go_on(message.get("body", b""), ended=not message.get("more_body", False))

    def _begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Make the head. Raises RuntimeError for one that could not be read as what it is."""
        pairs = [*self.default_headers, *headers]
        names = [name.lower() for name, _ in pairs]
        values = [value for _, value in pairs]
        # what no name, or no value, may hold is not in all of them joined either
        if HEADER_RE.search(b"".join(names)) or HEADER_VALUE_RE.search(b"".join(values)):
            raise RuntimeError("invalid HTTP header")
        self.response_started, self.waiting_for_100_continue = True, False
        lines = [b"%b: %b\r\n" % pair for pair in zip(names, values, strict=True)]
        closing = self._framing(names, values)
        if not self.keep_alive and not closing:
            lines.append(b"connection: close\r\n")
        if self.chunked_encoding is None and self.scope["method"] != "HEAD" and status not in (204, 304):
            self.chunked_encoding = True
            lines.append(b"transfer-encoding: chunked\r\n")
        self._head = b"%b%b\r\n" % (_STATUS_LINES[status], b"".join(lines))
        self._loop.call_soon(self._flush)

    def _framing(self, names: list[bytes], values: list[bytes]) -> bool:
        """Note how the body will be framed, as the first header that says so has it; whether the connection is to be
        closed."""
        closing = False
        if b"content-length" in names or b"transfer-encoding" in names or b"connection" in names:
            for name, value in zip(names, values, strict=True):
                if name == b"content-length" and self.chunked_encoding is None:
                    self.expected_content_length, self.chunked_encoding = int(value), False
                elif name == b"transfer-encoding" and value.lower() == b"chunked":
                    self.expected_content_length, self.chunked_encoding = 0, True
                elif name == b"connection" and b"close" in [token.strip() for token in value.lower().split(b",")]:
                    self.keep_alive, closing = False, True
        return closing

    def _go_on(self, body: bytes, *, ended: bool) -> None:
        if self.scope["method"] == "HEAD":
            self.expected_content_length = 0
            self._write()
        elif self.chunked_encoding:
            framed = (b"%x\r\n" % len(body), body, b"\r\n") if body else ()
            self._write(*framed, b"0\r\n\r\n") if ended else self._write(*framed)
        else:
            if len(body) > self.expected_content_length:
                raise RuntimeError("the answer is longer than its Content-Length")
            self.expected_content_length -= len(body)
            self._write(body)
        if ended:
            if self.expected_content_length:
                raise RuntimeError("the answer is shorter than its Content-Length")
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()

    def _write(self, *parts: bytes) -> None:
        """With the head in front, where that has not gone out yet."""
        if self._head is not None:
            parts, self._head = (self._head, *parts), None
        if parts:
            self.transport.write(b"".join(parts))

    def _flush(self) -> None:
        """Nothing followed the head at once: it goes out alone."""
        if self._head is not None and not self.transport.is_closing():
            self._write()

    def _break_off(self) -> None:
        """The client must not take for whole what has no end. It is an upstream's failure, or one that has been told:
        uvicorn, which takes it for an error of the application, is to say nothing."""
        _log.debug("an answer to %s broke off before its end", self.scope["method"])
        self._told = None
        self.disconnected = True
        self.transport.close()

    def _tell(self) -> None:
        told, self._told = self._told, None
        if told is not None:
            told()


class HttpProtocol(HttpToolsProtocol):
    """One connection of a client."""

    cycle: Cycle  # of the request that came last
    flow: Flow
    answered: Cycle | None = None  # the one that is being answered, or was

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = Flow(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.pipeline.clear()  # they will not begin
        if self.answered is not None:
            self.answered.lost()

    def on_headers_complete(self) -> None:
        parser, scope = self.parser, self.scope
        version = parser.get_http_version()
        scope["method"] = parser.get_method().decode("ascii")
        if version != "1.1":
            scope["http_version"] = version
        if parser.should_upgrade():
            return  # it stops behind this head (api/switching.py)
        scope["path"], scope["raw_path"], scope["query_string"] = target_of(self.url)
        before = self.cycle
        self.cycle = cycle = Cycle(
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )
        cycle.prepare(self.app, self.loop)
        if before is None or before.response_complete:
            self.answered = cycle
            self._start_asgi_task(cycle, cycle)
        else:
            cycle.queued = True
            self.pipeline.appendleft((cycle, cycle))
            if len(self.pipeline) >= _AHEAD:
                self.flow.hold()

    def answer_next(self) -> None:
        """Of those that wait, the one that came first."""
        self.answered = cycle = cast(Cycle, self.pipeline.pop()[0])
        cycle.queued = False
        self.flow.held = len(self.pipeline) >= _AHEAD or (self.cycle.queued and self.cycle.full)
        self._start_asgi_task(cycle, cycle)

    def on_body(self, body: bytes) -> None:
        if not self.cycle.response_complete:
            self.cycle.take(body)


@lru_cache(maxsize=1_000)
def target_of(url: bytes) -> tuple[str, bytes, bytes]:
    """Path, path as it came, and query. Raises httptools.HttpParserInvalidURLError."""
    parsed = httptools.parse_url(url)
    path = parsed.path.decode("ascii")
    return urllib.parse.unquote(path) if "%" in path else path, parsed.path, parsed.query or b""
