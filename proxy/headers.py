"""Which headers go up and which come down (contract 3.3.1, 3; decisions 3.7)."""

import re
from collections.abc import Iterable, Mapping, Sequence

Raw = Sequence[tuple[bytes, bytes]]

_HOP_BY_HOP = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    )
)
_CREDENTIALS = ("authorization", "api-key", "x-api-key", "x-goog-api-key", "proxy-authorization")
_NOT_UP = _HOP_BY_HOP | {
    *_CREDENTIALS,
    "host",
    "content-length",
    "accept-encoding",
    "content-encoding",
    "cookie",
    "expect",
}
_NOT_DOWN = _HOP_BY_HOP | {"server", "date", "set-cookie"}
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def credential(headers: Raw) -> str | None:
    """The client's credential: of Authorization without its scheme, else of the keys that other APIs use."""
    found = {name: value for name, value in reversed(headers) if name in _CREDENTIAL_BYTES}
    for name in _CREDENTIAL_BYTES:
        text = found.get(name, b"").decode("latin-1").strip()
        if name == b"authorization" and text:
            scheme, _, value = text.partition(" ")
            text = value.strip() or scheme
        if text:
            return text
    return None


def upstream_headers(client: Raw, *, api_key: str | None, extra: Mapping[str, str]) -> list[tuple[str, str]]:
    """The client's headers without its credentials, cookies and what concerns its own connection, with the provider's
    key and its configured headers (`extra`, which replace the client's)."""
    listed = _connection_names(value.decode("latin-1") for name, value in client if name == b"connection")
    replaced = {name.lower() for name in extra}
    headers = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in client
        if (lower := name.decode("latin-1").lower()) not in _NOT_UP
        and lower not in listed
        and lower not in replaced
        and not lower.startswith("proxy-")
    ]
    if "accept-encoding" not in replaced:
        headers.append(("Accept-Encoding", "identity"))
    if api_key and "authorization" not in replaced:
        headers.append(("Authorization", f"Bearer {api_key}"))
    headers += extra.items()
    return headers


def client_headers(
    upstream: Iterable[tuple[str, str]], added: Iterable[tuple[str, str]], *, changed: bool = False
) -> list[tuple[bytes, bytes]]:
    """The upstream's headers for the client, then ours. `changed`: the body may have another length.

    The upstream's request id is kept under X-Upstream-Request-Id; what is no valid header is left out, because the
    server would fail on it.
    """
    pairs = list(upstream)
    ours = list(added)
    listed = _connection_names(value for name, value in pairs if name.lower() == "connection")
    taken = {name.lower() for name, _ in ours}
    headers: list[tuple[bytes, bytes]] = []
    for name, value in pairs:
        lower = name.lower()
        if lower in _NOT_DOWN or lower in listed or (changed and lower == "content-length"):
            continue
        if lower == "x-request-id":
            lower = "x-upstream-request-id"
        elif lower in taken:
            continue
        if _NAME.fullmatch(lower) and _VALUE.fullmatch(value):
            headers.append((lower.encode("ascii"), value.encode("latin-1")))
    headers += [(name.lower().encode("ascii"), value.encode("latin-1", "replace")) for name, value in ours]
    return headers


def _connection_names(values: Iterable[str]) -> frozenset[str]:
    """The headers that a Connection header names as its own, but none that ends a message or an event stream."""
    names = {name.strip().lower() for value in values for name in value.split(",")}
    return frozenset(names - {"", "close", "keep-alive", "content-type"})


_CREDENTIAL_BYTES = tuple(name.encode() for name in _CREDENTIALS[:4])
