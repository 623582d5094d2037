"""Headers on their way up and down: what is passed on, what is dropped, what is ours (contract 3.3.1, 3)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

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
VARYING = (b"content-length", b"x-request-id")  # between the requests of one client
_REQUEST_ID = "x-request-id"
_UPSTREAM_REQUEST_ID = "x-upstream-request-id"

# What browser pages may read of our answers is ours to say.
_DROPPED_DOWN = ("proxy-", "access-control-")

# The same headers come with every request of a client and every answer of a provider: each is looked at once.
_CACHED = 4_000
_CACHED_VALUE = 256  # bytes; longer values are looked at each time

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110, 5.5


def upstream_headers(
    client: Sequence[tuple[bytes, bytes]], *, api_key: str | None, extra: Mapping[str, str]
) -> list[tuple[str, str]]:
    """The headers for the upstream: the client's, without its credentials and what belongs to its connection; a plain
    answer is asked for; `api_key` if there is one. `extra`, the provider's own, win, but never frame the body."""
    ours = {name: value for name, value in extra.items() if name.lower() not in _FRAMING and _is_valid(name, value)}
    own = {name.lower() for name in ours}
    dropped = own | _connection_names(
        value.decode("latin-1") for name, value in client if name.lower() == b"connection"
    )
    up: list[tuple[str, str]] = []
    for name, value in client:
        pair = upstream_pair(name, value)
        if pair is not None and pair[0] not in dropped:
            up.append(pair)
    if "accept-encoding" not in own:
        up.append(("accept-encoding", "identity"))
    if api_key and "authorization" not in own:
        up.append(("authorization", f"Bearer {api_key.strip()}"))
    return up + list(ours.items())


def upstream_pair(name: bytes, value: bytes) -> tuple[str, str] | None:
    """One header of the client's as it goes up; None for one that never does."""
    return _up(name, value) if len(value) <= _CACHED_VALUE else _up.__wrapped__(name, value)


def client_headers(
    upstream: Iterable[tuple[str, str]], added: Sequence[tuple[bytes, bytes]], *, changed: bool = False
) -> list[tuple[bytes, bytes]]:
    """The headers for the client, names in lower case as ASGI wants them: the upstream's without those of its
    connection, then `added`, valid ones, which replace the upstream's of the same name.

    The upstream's request id becomes X-Upstream-Request-Id. `changed` says that the body may not have the upstream's
    length. What a server would choke on is left out.
    """
    given = [(name.lower(), value) for name, value in upstream]
    names = [name for name, _ in given]
    dropped = {name for name, _ in added}
    # With a Transfer-Encoding a length was not the body's (RFC 9112, 6.3).
    if changed or "transfer-encoding" in names:
        dropped.add(b"content-length")
    if "connection" in names:
        named = _connection_names(value for name, value in given if name == "connection")
        dropped |= {name.encode("latin-1", "replace") for name in named}
    down: list[tuple[bytes, bytes]] = []
    for name, value in given:
        pair = _down(name, value) if len(value) <= _CACHED_VALUE else _down.__wrapped__(name, value)
        if pair is not None and pair[0] not in dropped:
            down.append(pair)
    down += added
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


@lru_cache(maxsize=_CACHED)
def _up(raw_name: bytes, raw_value: bytes) -> tuple[str, str] | None:
    """One header as it goes up; None for one that never does."""
    name = raw_name.decode("latin-1").lower()
    if name in _NOT_UP or name.startswith("proxy-") or not _is_valid(name, raw_value.decode("latin-1")):
        return None
    return name, _text(raw_value)


@lru_cache(maxsize=_CACHED)
def _down(name: str, value: str) -> tuple[bytes, bytes] | None:
    """One header as it comes down, its name in lower case; None for one that never does."""
    value = value.strip(" \t")
    if name == _UPSTREAM_REQUEST_ID or name in _NOT_DOWN or name.startswith(_DROPPED_DOWN):
        return None
    if not _is_valid(name, value):
        return None
    shown = _UPSTREAM_REQUEST_ID if name == _REQUEST_ID else name
    return shown.encode("ascii"), value.encode("latin-1")


def _is_valid(name: str, value: str) -> bool:
    return _NAME.fullmatch(name) is not None and _VALUE.fullmatch(value) is not None


def _text(value: bytes) -> str:
    """What the upstream client will write as UTF-8: the same bytes where they are UTF-8 already."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
