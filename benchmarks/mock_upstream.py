"""A provider that costs next to nothing: a raw asyncio.Protocol which answers from bytes made in advance.

What it answers stands in the request's `user` field, as `plan` writes it; anything else gets the small JSON answer.
"""

import asyncio
import json
import re
from functools import lru_cache
from typing import NamedTuple, cast

CHUNK_BYTES = 250
PACE_SECONDS = 0.002
_PLAN = re.compile(rb'"user":"(paced|unpaced)-(\d+)"')
_PLAN_WITHIN = 300  # bytes at either end of the body in which the plan stands
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\nx-request-id: req_bench\r\n"
ANSWER: dict[str, object] = {
    "role": "assistant",
    "content": "The function is defined twice; the second definition wins.",
}
_USAGE = {"prompt_tokens": 50, "completion_tokens": 12, "total_tokens": 62}
_SHARED: dict[str, object] = {"id": "chatcmpl-bench", "created": 1_700_000_000, "model": "bench"}


class Plan(NamedTuple):
    """A stream of `chunks` events of 250 bytes each; paced: one every 2 ms, unpaced: one each turn of the loop."""

    chunks: int
    paced: bool

    def user(self) -> str:
        """The value of the request's `user` field that asks for this stream."""
        return f"{'paced' if self.paced else 'unpaced'}-{self.chunks}"


def json_body() -> bytes:
    """The small answer, its keys in the order in which a re-serialising pydantic model gives them back."""
    choice = {"index": 0, "message": ANSWER, "finish_reason": "stop"}
    return _compact({"id": _SHARED["id"], "choices": [choice], **_SHARED, "object": "chat.completion", "usage": _USAGE})


@lru_cache
def sse_events(chunks: int) -> tuple[bytes, ...]:
    """The events of a stream: `chunks` of 250 bytes each, then the usage and the end mark in one."""
    shared = {**_SHARED, "object": "chat.completion.chunk"}
    bare = len(_event({**shared, "choices": [_delta("")]}))
    piece = _event({**shared, "choices": [_delta("x" * (CHUNK_BYTES - bare))]})
    last = _event({**shared, "choices": [], "usage": _USAGE})
    return (*(piece for _ in range(chunks)), last + b"data: [DONE]\n\n")


def sse_body(chunks: int) -> bytes:
    return b"".join(sse_events(chunks))


def _delta(text: str) -> dict[str, object]:
    return {"index": 0, "delta": {"content": text}, "finish_reason": None}


def _event(data: dict[str, object]) -> bytes:
    return b"data: " + _compact(data) + b"\n\n"


def _compact(data: object) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode()


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_JSON = json_body()
_JSON_ANSWER = _HEAD % b"application/json" + b"content-length: %d\r\n\r\n" % len(_JSON) + _JSON
_SSE_HEAD = _HEAD % b"text/event-stream" + b"transfer-encoding: chunked\r\n\r\n"


@lru_cache
def _sse_frames(chunks: int) -> tuple[bytes, ...]:
    """A stream as it goes on the wire, one write each."""
    events = sse_events(chunks)
    return (_SSE_HEAD + _chunked(events[0]), *map(_chunked, events[1:-1]), _chunked(events[-1]) + b"0\r\n\r\n")


class MockConnection(asyncio.Protocol):
    """One connection: requests come one after another, each with a content-length."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._pending = 0  # bytes of the request that are known to be missing

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its bases

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._pending -= len(data)
        while self._received and self._pending <= 0:
            request = self._next_request()
            if request is None:
                return
            self._answer(request)

    def _next_request(self) -> bytes | None:
        """Both ends of the next body, taken off with all of the request; None while it is incomplete."""
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return None
        found = _LENGTH.search(self._received, 0, end)
        size = end + 4 + (int(found[1]) if found else 0)
        if len(self._received) < size:
            self._pending = size - len(self._received)
            return None
        start = self._received[end + 4 : min(size, end + 4 + _PLAN_WITHIN)]
        ends = bytes(start + self._received[max(end + 4, size - _PLAN_WITHIN) : size])
        del self._received[:size]
        return ends

    def _answer(self, ends: bytes) -> None:
        plan = _PLAN.search(ends)
        if plan is None:
            self._transport.write(_JSON_ANSWER)
        else:
            self._send(_sse_frames(int(plan[2])), 0, PACE_SECONDS if plan[1] == b"paced" else 0.0)

    def _send(self, frames: tuple[bytes, ...], index: int, pause: float) -> None:
        """One event for each turn of the loop, as models send them; `pause` in seconds between them."""
        if self._transport.is_closing():
            return
        self._transport.write(frames[index])
        if index + 1 < len(frames):
            asyncio.get_running_loop().call_later(pause, self._send, frames, index + 1, pause)


async def start_mock() -> asyncio.Server:
    """Listen on a free port of 127.0.0.1."""
    return await asyncio.get_running_loop().create_server(MockConnection, "127.0.0.1", 0, backlog=1024)
