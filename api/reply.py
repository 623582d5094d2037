"""An answer on its way to the client: adds the headers that every answer carries, and notes how far it got."""

from collections.abc import Awaitable, Iterable

from starlette.types import Message, Send

Pairs = list[tuple[bytes, bytes]]


class Reply:
    """Called like `send`. `added` are headers in lower case, kept where the answer has them already; with `head_only`
    no body bytes go out (HEAD)."""

    def __init__(self, send: Send, added: Pairs, *, head_only: bool = False) -> None:
        self._send = send
        self._added = added
        self._head_only = head_only
        self.started = False

    def __call__(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.started = True
            headers = list(message.get("headers", ()))
            present = [name for name, _ in headers]
            headers += [pair for pair in self._added if pair[0] not in present]
            message = {**message, "headers": headers}
        elif self._head_only:
            message = {**message, "body": b""}
        return self._send(message)

    async def whole(self, status: int, body: bytes, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Send a complete JSON answer."""
        pairs = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        pairs += [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]
        await self({"type": "http.response.start", "status": status, "headers": pairs})
        await self({"type": "http.response.body", "body": body, "more_body": False})
