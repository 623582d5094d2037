"""An upstream that answers each request with the message that is told beforehand, and notes what it got."""

import asyncio
import hashlib
import json
from typing import Any

TICKET = "x-replay-ticket"


class ReplayUpstream:
    """`expect` names the answer for a ticket, a header that the client sends and the proxy passes on; `seen` holds the
    sha256 of the body that came with it."""

    def __init__(self) -> None:
        self._answers: dict[str, dict[str, Any]] = {}
        self.seen: dict[str, bytes] = {}

    async def listen(self) -> int:
        """Start on a free port of 127.0.0.1."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 26)
        return int(self._server.sockets[0].getsockname()[1])

    def expect(self, ticket: str, answer: dict[str, Any]) -> None:
        self._answers[ticket] = answer

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
                headers = dict(line.split(": ", 1) for line in head[1:-2])
                body = await reader.readexactly(int(headers["content-length"]))
                self.seen[headers[TICKET]] = hashlib.sha256(body).digest()
                writer.write(_answer(self._answers.pop(headers[TICKET])))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def _answer(message: dict[str, Any]) -> bytes:
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    body = json.dumps({"id": "r", "object": "chat.completion", "choices": [choice], "usage": usage}).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body
