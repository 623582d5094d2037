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
_GZIP = 31  # zlib's window bits for it
_PIECE = 16 << 10  # bytes inflated at once: what is left of one behind a member is copied
_MOST_MEMBERS = 1_000


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
    """The body, inflated when it is gzip, and `{}` where it is empty. Raises Refusal (413, 415, 400) and
    ClientGoneError."""
    said = dict(reversed(headers))  # of a repeated one the first
    kind, encoding = said.get(b"content-type"), said.get(b"content-encoding")
    plain = encoding is None and kind == _JSON  # as nearly all send it
    declared = said.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    if not plain and declared.strip(b"0"):
        _check(kind, encoding)  # there is a body, which need not be read for that
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body: bytes = message.get("body", b"")  # one piece, the common case: no copy
    else:
        body = await _rest(message, receive, limit)
    if len(body) > limit:
        raise _too_large(limit)
    if body and not plain:
        _check(kind, encoding)
        if encoding is not None and _named(encoding) == b"gzip":
            body = _inflated(body, limit)
    return body or b"{}"


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
    """Of one gzip member or several, one after the other."""
    inflater = zlib.decompressobj(_GZIP)
    inflated: list[bytes] = []
    size = position = 0
    members = 1
    while position < len(body):
        if inflater.eof:
            inflater = zlib.decompressobj(_GZIP)
            members += 1
        piece = body[position : position + _PIECE]
        try:
            inflated.append(inflater.decompress(piece, limit + 1 - size))
        except zlib.error:
            raise Refusal(400, "The body is not valid gzip.", "malformed_json") from None
        size += len(inflated[-1])
        if size > limit:
            raise _too_large(limit)
        if members > _MOST_MEMBERS:
            raise Refusal(400, f"The gzip body has more than {_MOST_MEMBERS} members.", "malformed_json")
        position += len(piece) - len(inflater.unused_data)
    if not inflater.eof:
        raise Refusal(400, "The gzip body ends early.", "malformed_json")
    return b"".join(inflated)


def _check(kind: bytes | None, encoding: bytes | None) -> None:
    """What the headers of a body that is not empty say of it. Raises Refusal (415)."""
    said = (kind or b"").split(b";", 1)[0].strip().lower()
    if said != _JSON and not (said.startswith(b"application/") and said.endswith(b"+json")):
        raise Refusal(415, "Send the request with Content-Type: application/json.", "unsupported_media_type")
    if encoding is not None and _named(encoding) not in (b"identity", b"gzip"):
        shown = _named(encoding).decode("latin-1")[:40]
        raise Refusal(415, f"Content-Encoding {shown} is not supported.", "unsupported_media_type")


def _named(encoding: bytes) -> bytes:
    return encoding.strip().lower()


def _too_large(limit: int) -> Refusal:
    return Refusal(413, f"The request body is larger than {limit} bytes.", "request_too_large")
