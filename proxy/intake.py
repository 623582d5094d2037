"""Taking in a request body: content type, size, gzip."""

import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from proxy.openai_errors import Refusal

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
WhenGone = Callable[[Callable[[], None] | None], None]  # calls it when the client leaves; None for nobody

_JSON = b"application/json"


class ClientGoneError(Exception):
    """The client closed the connection before its request was complete."""


def header(headers: Headers, name: bytes) -> bytes | None:
    """The first value of a header, by its lower-case name."""
    for key, value in headers:
        if key == name:
            return value
    return None


async def until_gone(receive: Receive) -> None:
    """Wait until the client has closed the connection; its request has been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def read_body(receive: Receive, headers: Headers, limit: int) -> bytes:
    """The body, inflated when it is gzip. Raises Refusal (413, 415, 400) and ClientGoneError."""
    said = dict(reversed(headers))  # of a repeated one the first
    kind, encoding = said.get(b"content-type"), said.get(b"content-encoding")
    if encoding is not None or kind != _JSON:  # else it is what nearly all send
        _check_type(kind)
        encoding = _checked_encoding(encoding)
    declared = said.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body: bytes = message.get("body", b"")  # one piece, the common case: no copy
    else:
        body = await _rest(message, receive, limit)
    if len(body) > limit:
        raise _too_large(limit)
    return _inflated(body, limit) if encoding == b"gzip" else body


async def _rest(message: Message, receive: Receive, limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while True:
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return b"".join(pieces)
        message = await receive()


def _inflated(body: bytes, limit: int) -> bytes:
    inflater = zlib.decompressobj(31)
    try:
        plain = inflater.decompress(body, limit + 1)
    except zlib.error:
        raise Refusal(400, "The body is not valid gzip.", "malformed_json") from None
    if len(plain) > limit:
        raise _too_large(limit)
    if not inflater.eof:
        raise Refusal(400, "The gzip body ends early.", "malformed_json")
    return plain


def _checked_encoding(value: bytes | None) -> bytes:
    encoding = (value or b"identity").strip().lower()
    if encoding not in (b"identity", b"gzip"):
        raise Refusal(
            415, f"Content-Encoding {encoding.decode('latin-1')[:40]} is not supported.", "unsupported_media_type"
        )
    return encoding


def _check_type(value: bytes | None) -> None:
    kind = (value or b"").split(b";", 1)[0].strip().lower()
    if kind != _JSON and not (kind.startswith(b"application/") and kind.endswith(b"+json")):
        raise Refusal(415, "Send the request with Content-Type: application/json.", "unsupported_media_type")


def _too_large(limit: int) -> Refusal:
    return Refusal(413, f"The request body is larger than {limit} bytes.", "request_too_large")
