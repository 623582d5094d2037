"""An MCP server over HTTP, by hand, as an ASGI application: it answers as its `mode` says."""

import json
from typing import Any

from starlette.types import Message, Receive, Scope, Send

Pairs = list[tuple[bytes, bytes]]


class McpHttp:
    """`seen` are the messages with their headers; `sessions` those that are alive."""

    def __init__(self) -> None:
        self.mode = "json"
        self.seen: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.sessions: set[str] = set()
        self.left = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        more = True
        while more:
            part = await receive()
            body, more = body + part.get("body", b""), part.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        message = json.loads(body) if body else {}
        self.seen.append((scope["method"], message, headers))
        await self._answer(scope, message, headers, receive, send)

    async def _answer(
        self, scope: Scope, message: dict[str, Any], headers: dict[str, str], receive: Receive, send: Send
    ) -> None:
        method, number = message.get("method"), message.get("id")
        if scope["method"] == "DELETE" or number is None:
            return await reply(send, 202 if scope["method"] == "POST" else 200, b"")
        if scope["path"] == "/moved":
            return await reply(send, 307, b"", [(b"location", b"/mcp")])
        if self.mode == "elsewhere":
            return await reply(send, 307, b"", [(b"location", b"http://169.254.169.254/latest")])
        if method == "initialize":
            return await self._hello(number, send)
        if headers.get("mcp-session-id") not in self.sessions:
            return await reply(send, 404, b"gone", [(b"content-type", b"text/plain")])
        match self.mode:
            case "json":
                await json_reply(send, 200, {"id": number, "result": result(message, headers)})
            case "stream":
                await self._stream(number, result(message, headers), send)
            case "half":
                head = [(b"content-type", b"text/event-stream")]
                await send({"type": "http.response.start", "status": 200, "headers": head})
                await send({"type": "http.response.body", "body": b": nothing\n\n", "more_body": False})
            case "page":
                await reply(send, 200, b"<html>", [(b"content-type", b"text/html")])
            case "login":
                await reply(send, 401, b"<html>", [(b"content-type", b"text/html")])
            case "broken":
                await reply(send, 503, b"<html>", [(b"content-type", b"text/html")])
            case "error":
                await json_reply(send, 400, {"id": number, "error": {"code": -32099, "message": "no", "data": [1]}})
            case "wait":
                while (await receive())["type"] != "http.disconnect":
                    pass
                self.left += 1

    async def _hello(self, number: Any, send: Send) -> None:
        session = f"session-{len(self.sessions)}-{len(self.seen)}"
        self.sessions.add(session)
        hello = {
            "protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
            "serverInfo": {"name": "remote", "version": "3"},
        }  # fmt: skip
        await json_reply(send, 200, {"id": number, "result": hello}, [(b"mcp-session-id", session.encode())])

    async def _stream(self, number: Any, found: dict[str, Any], send: Send) -> None:
        head = [(b"content-type", b"text/event-stream; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        note = json.dumps({"jsonrpc": "2.0", "method": "notifications/progress", "params": {}})
        answer = json.dumps({"jsonrpc": "2.0", "id": number, "result": found})
        half = len(answer) // 2
        whole = f"id: 1\ndata:\n\nevent: ping\ndata: x\n\ndata: {note}\n\nevent: message\r\ndata: {answer[:half]}"
        for piece in (whole.encode(), answer[half:].encode() + b"\r\n\r", b"\n"):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def result(message: dict[str, Any], headers: dict[str, str]) -> dict[str, Any]:
    if message["method"] == "tools/list":
        return {"tools": [{"name": "hello", "inputSchema": {"type": "object"}}]}
    text = json.dumps({"params": message["params"], "host": headers["host"], "key": headers.get("x-key")})
    return {"content": [{"type": "text", "text": text}]}


async def json_reply(send: Send, status: int, message: dict[str, Any], headers: Pairs | None = None) -> None:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    await reply(send, status, body, [(b"content-type", b"application/json"), *(headers or [])])


async def reply(send: Send, status: int, body: bytes, headers: Pairs | None = None) -> None:
    start: Message = {"type": "http.response.start", "status": status, "headers": headers or []}
    await send(start)
    await send({"type": "http.response.body", "body": body, "more_body": False})
