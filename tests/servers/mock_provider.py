"""A provider to test against: a real HTTP/1.1 server on a real socket, whose faults are chosen per request.

The header `x-mock` holds JSON (see `Plan`). `python -m tests.servers.mock_provider --port 0` prints its port and serves
until it is killed; `MockProvider` does the same inside an event loop. What it got: GET /_requests and /_last; which
connections the client closed: GET /_closed.
"""

import argparse
import asyncio
import gzip
import hashlib
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from tests.servers.mock_answers import USAGE, Plan, events, json_answer

__all__ = ["USAGE", "MockProvider", "Plan", "Seen"]


class Seen(msgspec.Struct):
    """A request as it arrived."""

    path: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int


class MockProvider:
    """`async with MockProvider() as provider:` listens on a free port of 127.0.0.1."""

    def __init__(self, plan: Plan | None = None) -> None:
        self.plan = plan or Plan()
        self.seen: list[Seen] = []
        self.closed: list[int] = []
        self.changed = asyncio.Condition()
        self._connections = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "MockProvider":
        await self.listen(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def listen(self, port: int) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", port, limit=1 << 26)

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def aclose(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def until(self, condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
        """Wait until `condition()` holds; it is looked at after every request and every closed connection."""
        async with asyncio.timeout(timeout_s), self.changed:
            await self.changed.wait_for(condition)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._connections += 1
        number = self._connections
        try:
            await self._serve(number, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()
            await self._note_closed(number)

    async def _note_closed(self, number: int) -> None:
        self.closed.append(number)
        async with self.changed:
            self.changed.notify_all()

    async def _serve(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for used in range(1_000_000):
            seen = await _read_request(reader, number)
            if seen is None:
                return
            if seen.path.startswith("/_"):
                _whole(writer, 200, {"Content-Type": "application/json"}, msgspec.json.encode(self._report(seen.path)))
                continue
            self.seen.append(seen)
            async with self.changed:
                self.changed.notify_all()
            plan = _plan(seen, self.plan)
            if plan.fin_on_reuse and used:
                return
            if not await self._answer(plan, seen, reader, writer):
                return

    def _report(self, path: str) -> Any:
        if path == "/_closed":
            return self.closed
        if path == "/_last":
            last = self.seen[-1]
            return {"body": last.body.decode("utf-8", "replace"), "headers": last.headers}
        hashes = [hashlib.sha256(seen.body).hexdigest() for seen in self.seen]
        return {"count": len(self.seen), "sha256": hashes, "headers": [seen.headers for seen in self.seen]}

    async def _answer(self, plan: Plan, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """False when the connection is to be closed."""
        await asyncio.sleep(plan.delay_ms / 1_000)
        if plan.stall == "before_headers":
            await reader.read()  # until the client leaves
            return False
        if plan.cut == "before_headers":
            return False
        request = _json(seen.body)
        if plan.status != 200 or plan.body is not None:
            body = plan.body if isinstance(plan.body, str) else msgspec.json.encode(plan.body or {}).decode()
            _whole(writer, plan.status, {"Content-Type": "application/json", **plan.headers}, body.encode())
        elif request.get("stream") is True or plan.raw_sse is not None:
            return await self._stream(plan, request, reader, writer)
        else:
            self._json_answer(plan, request, writer)
        await writer.drain()
        return not plan.close_after_answer and plan.cut == "none"

    def _json_answer(self, plan: Plan, request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        body = json_answer(plan, request)
        headers = {"Content-Type": "application/json", "X-Request-Id": "upstream-1", **plan.headers}
        if plan.gzip:
            body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
        if plan.cut != "none":
            headers["Content-Length"] = str(len(body))
            sent = b"" if plan.cut == "before_body" else body[: len(body) // 2]
            writer.write(_head(200, headers) + sent)
        else:
            _whole(writer, 200, headers, body)

    async def _stream(
        self, plan: Plan, request: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        headers = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked", **plan.headers}
        if plan.gzip:
            headers["Content-Encoding"] = "gzip"
        writer.write(_head(200, headers))
        await writer.drain()
        frames = [plan.raw_sse.encode()] if plan.raw_sse is not None else events(plan, request)
        if plan.gzip:
            frames = [gzip.compress(b"".join(frames))]
        for index, event in enumerate(frames):
            if plan.cut == "before_body" or (plan.cut == "boundary" and index == 2):
                return False
            if plan.stall == "mid_stream" and index == 2:
                await reader.read()
                return False
            if plan.cut == "mid_event" and index == 2:
                _chunk(writer, event[: len(event) // 2])
                await writer.drain()
                await asyncio.sleep(0.05)  # not in one packet with the end
                return False
            size = plan.split_bytes or len(event)
            for at in range(0, len(event), size):
                _chunk(writer, event[at : at + size])
                await writer.drain()
            await asyncio.sleep(plan.chunk_interval_ms / 1_000)
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return not plan.close_after_answer


async def _read_request(reader: asyncio.StreamReader, number: int) -> Seen | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    length = int(next((value for name, value in headers if name == "content-length"), "0"))
    body = await reader.readexactly(length)
    return Seen(first.split(" ")[1], headers, body, number)


def _plan(seen: Seen, default: Plan) -> Plan:
    chosen = next((value for name, value in seen.headers if name == "x-mock"), None)
    return msgspec.json.decode(chosen, type=Plan) if chosen else default


def _json(body: bytes) -> dict[str, Any]:
    decoded = msgspec.json.decode(body)
    return decoded if isinstance(decoded, dict) else {}


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} Mock\r\n{lines}\r\n".encode("latin-1")


def _whole(writer: asyncio.StreamWriter, status: int, headers: dict[str, str], body: bytes) -> None:
    writer.write(_head(status, {**headers, "Content-Length": str(len(body))}) + body)


def _chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


async def _main(port: int) -> None:
    provider = MockProvider()
    await provider.listen(port)
    sys.stdout.write(f"{provider.port}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(_main(parser.parse_args().port))
