"""The request that begins a WebSocket (RFC 6455, 4.2.1), and what is wrong with one that does not. Pure."""

import base64
import binascii
from collections.abc import Sequence

import msgspec

from api.gate import Headers

LIVE_PATH = "/ws"
_VERSION = b"13"
_KEY_BYTES = 16


class Fault(msgspec.Struct, frozen=True):
    """The error that such a request gets; `headers` belong to its answer."""

    status: int
    code: str
    message: str
    headers: tuple[tuple[str, str], ...] = ()


NEEDED = Fault(
    426,
    "upgrade_required",
    f"A WebSocket is here, version {_VERSION.decode()}: it begins with a handshake, on a connection of its own.",
    (("upgrade", "websocket"), ("connection", "upgrade"), ("sec-websocket-version", _VERSION.decode())),
)
_METHOD = Fault(405, "method_not_allowed", "A WebSocket begins with GET.", (("allow", "GET"),))
_BODY = Fault(400, "malformed_request", "The request that begins a WebSocket has no body.")
_KEY = Fault(400, "malformed_request", f"Sec-WebSocket-Key must be {_KEY_BYTES} bytes in base64, once.")


def fault(method: str, headers: Headers) -> Fault | None:
    """None where a WebSocket can begin, as far as it depends on these. Names of headers are in lower case."""
    if method not in ("GET", "HEAD"):
        return _METHOD
    if _values(headers, b"transfer-encoding") or any(value != b"0" for value in _values(headers, b"content-length")):
        return _BODY
    if method == "HEAD" or _values(headers, b"sec-websocket-version") != [_VERSION]:
        return NEEDED
    keys = _values(headers, b"sec-websocket-key")
    return None if len(keys) == 1 and _is_key(keys[0]) else _KEY


def asks_websocket(headers: Headers) -> bool:
    """Whether the protocol that is asked for, if any, is a WebSocket."""
    return [value.lower() for value in _values(headers, b"upgrade")] == [b"websocket"]


def subprotocols(headers: Headers) -> list[str]:
    """Those that are offered, in their order."""
    offered = b",".join(_values(headers, b"sec-websocket-protocol")).decode("latin-1")
    return [name.strip() for name in offered.split(",") if name.strip()]


def _values(headers: Headers, name: bytes) -> Sequence[bytes]:
    return [value.strip() for key, value in headers if key == name]


def _is_key(value: bytes) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == _KEY_BYTES
    except binascii.Error:
        return False
