"""The upstream seam: what the hot path asks of an HTTP client. Two clients stand behind it.

`direct_upstream.py` speaks HTTP/1.1 to the provider itself; `aiohttp_upstream.py` goes through the HTTP proxies that
the environment names. Bytes come out as they came in: nothing is decompressed, no cookie kept, no redirect followed, so
that no address outside the configuration is ever called.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import msgspec


class UpstreamHeaders:
    """Headers as they go out, values beyond ASCII as UTF-8. The same object comes with every request that has the same
    ones: `heads` is for what a client has made of them, by address."""

    __slots__ = ("heads", "pairs")

    def __init__(self, pairs: Sequence[tuple[str, str]] = ()) -> None:
        self.pairs = tuple(pairs)
        self.heads: dict[str, bytes] = {}


class UpstreamRequest(msgspec.Struct, frozen=True):
    """A POST. `headers`, and behind them `own` of this request alone, go out as given beside Host and Content-Length;
    timeouts are in seconds: to connect (name lookup and TLS included), and between two bytes of the answer."""

    url: str
    headers: UpstreamHeaders
    body: bytes
    connect_timeout_s: float
    read_timeout_s: float
    own: tuple[tuple[str, str], ...] = ()


class UpstreamAnswer(Protocol):
    """An answer whose head has come. `headers` in the order and case of the wire, latin-1 decoded, repeats kept;
    `attempts` counts the connections it took (1 or 2), `lost_s` are the seconds that the first of two took."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> list[tuple[str, str]]: ...

    @property
    def attempts(self) -> int: ...

    @property
    def lost_s(self) -> float: ...

    @property
    def complete(self) -> bool:
        """Whether all of the body has come, and has been given out: so far as that is known without waiting."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, still compressed if it is. Raises UpstreamError when it breaks off or stalls."""
        ...

    async def aclose(self) -> None:
        """Give the connection back when the body was read to its end, else close it. May be called again."""
        ...


class Upstream(Protocol):
    async def open(self, request: UpstreamRequest) -> UpstreamAnswer:
        """Send and wait for the head of the answer, whatever its status. Raises UpstreamError."""
        ...

    async def aclose(self) -> None:
        """Close all connections, those in use too."""
        ...
