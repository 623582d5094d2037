"""The HTTP protocol of the server towards clients that nobody knows yet.

What a client sends is bounded as it arrives, its head above all; who takes too long is let go. It is on the way of
every request: a limit costs a comparison, a deadline nothing (api/connections.py looks).
"""

import asyncio
import re
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from api.connections import Bounded, Connections
from api.errors import error_body
from api.switching import SwitchingProtocol

_IDLE, _HEAD, _BODY = 0, 1, 2  # what of a request is awaited: its first byte, the rest of its head, that of its body
_LINGER_S = 2.0  # in which a client that is still sending can read why it should not
_ABSOLUTE = re.compile(rb"https?://([^/?#]*)([^#]*)(?:#.*)?", re.IGNORECASE | re.DOTALL)

_INVALID = (400, "malformed_request", "The request is not valid HTTP.")
_LATE_HEAD = (408, "request_timeout", "The request's head did not come in time.")
_LATE_BODY = (408, "request_timeout", "The request's body did not come in time.")
_LONG_URL = (414, "uri_too_long", "The request's address is longer than {0.head_bytes} bytes.")
_LONG_HEAD = (431, "head_too_large", "The request's head is longer than {0.head_bytes} bytes.")
_MANY_LINES = (431, "head_too_large", "The request has more than {0.head_lines} headers.")
_CODING = (501, "unsupported_transfer_coding", "The only transfer coding that is understood is chunked.")
_Verdict = tuple[int, str, str]
Data = bytes | memoryview


class RefusedError(Exception):
    """Ends the parsing; it goes no further than data_received."""


class BoundedProtocol(SwitchingProtocol, Bounded):
    """One connection. `server_state` is a Connections, as api/serving.py makes it."""

    def __init__(
        self,
        config: Config,
        server_state: Connections,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._crowd, self._limits = server_state, server_state.limits
        self.url = b""
        self._awaited = _HEAD
        self._head_bytes = 0  # of an unfinished head
        self._beside = 0  # bytes since the last of a body: extensions of chunks and trailers
        self._fed_before = 0  # bytes of what has just come, in pieces before the one that is being fed
        self._fed = True  # whether what has just come held some of a body
        self._verdict: _Verdict | None = None
        self._refused = False
        self.began = self._moved = self.loop.time()

    # Bounded

    @property
    def answering(self) -> bool:
        return self.cycle is not None and not (self.cycle.response_complete or self.cycle.disconnected)

    @property
    def incomplete(self) -> bool:
        if self.pipeline:  # another one is being answered
            return False
        return self._awaited == _BODY if self.answering else self._awaited != _IDLE

    def look(self, now: float) -> None:
        if self.transport.is_closing():
            return
        waited = now - self._moved
        if self._refused:
            if not self.answering and waited > _LINGER_S:
                self.transport.abort()
        elif self.answering:
            if self._awaited != _BODY or self.cycle.response_started:
                return
            if self.flow.read_paused or self.pipeline:  # it is ours to go on
                self._moved = now
            elif waited > self._limits.body_s:
                self._refuse(_LATE_BODY)
        elif self._awaited == _IDLE:
            if waited > self.timeout_keep_alive:
                self.transport.close()
        elif self._awaited == _HEAD:
            if now - self.began <= self._limits.head_s:
                return
            if self._head_bytes or self.cycle is not None:
                self._refuse(_LATE_HEAD)
            else:  # it was made in advance, and never used
                self.transport.close()
        elif waited > self._limits.body_s:  # the rest of a body whose request has been answered
            self.transport.close()

    def drop(self) -> None:
        self.transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._crowd.arrived(transport.get_extra_info("socket"), self.began)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._moved = self.loop.time()
        left: Data = data
        try:
            while left:
                if self._awaited == _IDLE:
                    self._begin()
                try:
                    if self._awaited == _BODY:
                        self._feed_body(left)
                    elif (seen := self._head_bytes + len(left)) <= self._limits.head_bytes:
                        self._head_bytes = seen
                        self.parser.feed_data(left)
                    else:
                        self._feed_long(left)
                    return
                except httptools.HttpParserUpgrade as stop:
                    if self.stopped():
                        return
                    left = memoryview(left)[self._fed_before + stop.args[0] :]
                    self._fed_before = 0
        except (httptools.HttpParserError, RefusedError):
            self._refuse(self._verdict or _INVALID)

    def _begin(self) -> None:
        """A request has its first byte."""
        self._awaited = _HEAD
        self._head_bytes = 0
        self.began = self._moved

    def _feed_long(self, data: Data) -> None:
        """A head that is too long, or more than one of them, or one with much of a body behind it. Raises
        RefusedError."""
        while data and self._awaited == _HEAD:
            room = self._limits.head_bytes - self._head_bytes
            piece, data = data[:room], data[room:]
            self._head_bytes += len(piece)  # 0 again where another request begins in it
            self.parser.feed_data(piece)
            self._fed_before += len(piece)
            if self._awaited == _HEAD and self._head_bytes >= self._limits.head_bytes:
                self._verdict = _LONG_URL if len(self.url) > self._head_bytes // 2 else _LONG_HEAD
                raise RefusedError
        if data:
            self.parser.feed_data(data)
        self._fed_before = 0

    def _feed_body(self, data: Data) -> None:
        """Raises RefusedError."""
        self._fed = False
        self.parser.feed_data(data)
        if self._fed or self._awaited != _BODY:
            self._beside = 0
        else:
            self._beside += len(data)
            if self._beside > self._limits.head_bytes:
                self._verdict = _LONG_HEAD
                raise RefusedError

    # httptools

    def on_message_begin(self) -> None:
        if self._awaited == _IDLE:  # it came together with the one before
            self._begin()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._awaited != _HEAD:  # a trailer, which nobody here reads
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        elif name == b"transfer-encoding" and value.strip().lower() != b"chunked":
            self._verdict = _CODING
            raise RefusedError
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if len(self.headers) > self._limits.head_lines:
            self._verdict = _MANY_LINES
            raise RefusedError
        if self.url[:1] != b"/":
            self._from_absolute()
        self._awaited = _BODY
        self._beside = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._fed = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._awaited = _IDLE
        super().on_message_complete()

    def _from_absolute(self) -> None:
        """`GET http://host/path`: this host is the one that is asked for, whatever the header says (RFC 9112, 3.2.2).
        Where there is not exactly one header, the request is refused as any other."""
        found = _ABSOLUTE.fullmatch(self.url)
        if found is None:
            return
        host, path = found.groups()
        self.url = path if path.startswith(b"/") else b"/" + path
        places = [place for place, (name, _) in enumerate(self.headers) if name == b"host"]
        if len(places) == 1:
            self.headers[places[0]] = (b"host", host)

    # answers

    def on_response_complete(self) -> None:
        """As uvicorn's, without a timer for each request."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self._moved = self.loop.time()
        if self._awaited == _HEAD:  # of a request that began behind this one
            self.began = self._moved
        if self.pipeline:
            self.answer_next()
        self.flow.resume_reading()

    def _refuse(self, verdict: _Verdict) -> None:
        """Take in nothing more. Behind an answer that is under way the connection ends; else it ends with an error."""
        self._refused = True
        self._moved = self.loop.time()
        if self.answering and self._awaited != _BODY:
            self.cycle.keep_alive = False
            return
        if self.answering:
            spoken = self.cycle.response_started or bool(self.pipeline)
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if spoken:
                self.transport.close()
                return
        self.transport.write(self._error(*verdict))
        self.transport.write_eof()

    def _error(self, status: int, code: str, text: str) -> bytes:
        path = self.url.partition(b"?")[0].decode("latin-1")
        body = error_body(path, status, code, text.format(self._limits))
        head = (
            b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n"
            b"x-content-type-options: nosniff\r\nx-request-id: %b\r\n\r\n"
        )
        return STATUS_LINE[status] + head % (len(body), self._crowd.request_ids.next().encode()) + body
