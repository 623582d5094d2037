"""Headers on their way up and down: what is passed on, what is dropped, what is ours (contract 3.3.1, 3)."""

import re
from collections.abc import Iterable, Mapping, Sequence

_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-connection", "te", "trailer", "trailers", "transfer-encoding", "upgrade")
)
# In the order in which one is taken as the client's credential (decisions 3.7). None of them goes upstream.
_CREDENTIALS = (b"authorization", b"api-key", b"x-api-key", b"x-goog-api-key", b"proxy-authorization", b"cookie")
# A gzip body has been inflated by the time it is passed on.
_NOT_UP = (
    _HOP_BY_HOP
    | {name.decode() for name in _CREDENTIALS}
    | {"host", "content-length", "content-encoding", "accept-encoding", "expect"}
)
_FRAMING = _HOP_BY_HOP | {"content-length", "content-encoding"}
_NOT_DOWN = _HOP_BY_HOP | {"server", "date", "set-cookie", "set-cookie2"}
_REQUEST_ID = "x-request-id"
_UPSTREAM_REQUEST_ID = "x-upstream-request-id"

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110, 5.5


def upstream_headers(
    client: Sequence[tuple[bytes, bytes]], *, api_key: str | None, extra: Mapping[str, str]
) -> list[tuple[str, str]]:
    """The headers for the upstream: the client's, without its credentials and what belongs to its connection; a plain
    answer is asked for; `api_key` if there is one. `extra`, the provider's own, win, but never frame the body."""
    named = _connection_names(value.decode("latin-1") for name, value in client if name.lower() == b"connection")
    ours = {name: value for name, value in extra.items() if name.lower() not in _FRAMING and _is_valid(name, value)}
    dropped = _NOT_UP | named | {name.lower() for name in ours}
    up: list[tuple[str, str]] = []
    for raw_name, raw_value in client:
        name = raw_name.decode("latin-1").lower()
        if name in dropped or name.startswith("proxy-"):
            continue
        value = _text(raw_value)
        if _is_valid(name, raw_value.decode("latin-1")):
            up.append((name, value))
    own = {name.lower() for name in ours}
    if "accept-encoding" not in own:
        up.append(("accept-encoding", "identity"))
    if api_key and "authorization" not in own:
        up.append(("authorization", f"Bearer {api_key.strip()}"))
    return up + list(ours.items())


def client_headers(
    upstream: Iterable[tuple[str, str]], added: Iterable[tuple[str, str]], *, changed: bool = False
) -> list[tuple[bytes, bytes]]:
    """The headers for the client, names in lower case as ASGI wants them: the upstream's without those of its
    connection, then `added`, which replace the upstream's of the same name.

    The upstream's request id becomes X-Upstream-Request-Id. `changed` says that the body may not have the upstream's
    length. What a server would choke on is left out.
    """
    given, ours = list(upstream), [(name.lower(), value) for name, value in added]
    named = _connection_names(value for name, value in given if name.lower() == "connection")
    dropped = _NOT_DOWN | named | {name for name, _ in ours} | {_UPSTREAM_REQUEST_ID}
    # With a Transfer-Encoding a length was not the body's (RFC 9112, 6.3).
    if changed or any(name.lower() == "transfer-encoding" for name, _ in given):
        dropped |= {"content-length"}
    down: list[tuple[bytes, bytes]] = []
    for given_name, value in given:
        name = given_name.lower()
        if name == _REQUEST_ID:
            _append(down, _UPSTREAM_REQUEST_ID, value)
        elif name not in dropped and not name.startswith("proxy-"):
            _append(down, name, value)
    for name, value in ours:
        _append(down, name, value)
    return down


def credential(client: Sequence[tuple[bytes, bytes]]) -> str | None:
    """The client's credential: the token of `Authorization: Bearer`, else the first other header that holds one."""
    for wanted in _CREDENTIALS:
        for name, value in client:
            text = value.decode("latin-1").strip() if name.lower() == wanted else ""
            scheme, _, token = text.partition(" ")
            if scheme.lower() == "bearer":
                text = token.strip()
            if text:
                return text
    return None


def _connection_names(values: Iterable[str]) -> set[str]:
    return {name.strip().lower() for value in values for name in value.split(",")}


def _append(headers: list[tuple[bytes, bytes]], name: str, value: str) -> None:
    value = value.strip(" \t")
    if _is_valid(name, value):
        headers.append((name.encode("ascii"), value.encode("latin-1")))


def _is_valid(name: str, value: str) -> bool:
    return _NAME.fullmatch(name) is not None and _VALUE.fullmatch(value) is not None


def _text(value: bytes) -> str:
    """What the upstream client will write as UTF-8: the same bytes where they are UTF-8 already."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
