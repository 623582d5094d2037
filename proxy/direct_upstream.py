"""The upstream client of the hot path: HTTP/1.1 on connections of our own, kept open for the next request.

A general client library costs more than all the rest of a small request (docs/decisions/0002-http-clients.md).
"""

import asyncio
import base64
import socket
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from urllib.parse import quote, unquote, urlsplit

import aiohappyeyeballs
import msgspec

from proxy.environment_proxy import origin_of, proxy_for
from proxy.http1 import BrokenError, Connection, head_start, header_lines
from proxy.upstream import Upstream, UpstreamAnswer, UpstreamRequest
from proxy.upstream_errors import UpstreamError, connecting_failed

_KEPT_IDLE_S = 15.0  # less than most servers wait before they close an idle connection
_SWEEP_S = 5.0
_NEXT_ADDRESS_S = 0.25  # RFC 8305: how long an address may take before the next one is tried beside it
_PORTS = {"http": 80, "https": 443}
_SAFE = "/%:@!$&'()*+,;=~-._?"


class Target(msgspec.Struct, frozen=True):
    """An address, taken apart once. `path` and `host_header` as they go out; `basic` is the userinfo's credential."""

    origin: str
    tls: bool
    host: str
    port: int
    path: bytes
    host_header: bytes
    basic: str | None
    proxied: bool


class DirectAnswer:
    """An answer whose head has come, on a connection of its own."""

    __slots__ = ("_connection", "_pool", "_target", "attempts", "headers", "lost_s", "status")

    def __init__(
        self, pool: "DirectUpstream", target: Target, connection: Connection, attempts: int, lost_s: float
    ) -> None:
        self._pool, self._target, self._connection = pool, target, connection
        self.attempts, self.lost_s = attempts, lost_s
        self.status, self.headers = connection.status, connection.headers

    @property
    def complete(self) -> bool:
        return self._connection.complete and not self._connection.waiting

    def chunks(self) -> AsyncIterator[bytes]:
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        """A generator would cost a request as much as its lookup of headers."""
        return self

    async def __anext__(self) -> bytes:
        try:
            data = await self._connection.read()
        except asyncio.CancelledError:
            self._connection.close()
            raise
        except BrokenError as error:
            raise UpstreamError(error.code, f"{self._target.origin}: {error.text}", self.attempts) from error
        if not data:
            raise StopAsyncIteration
        return data

    async def aclose(self) -> None:
        self._pool.give_back(self._target, self._connection)


class DirectUpstream:
    """The shared client; make it inside the running event loop, once. `by_proxy` serves what the environment wants
    called through an HTTP proxy.

    Environment: SSL_CERT_FILE or SSL_CERT_DIR for a certificate authority of one's own. Names are tried over IPv6 and
    IPv4 (RFC 8305).
    """

    def __init__(self, by_proxy: Upstream) -> None:
        self._by_proxy = by_proxy
        self._tls = ssl.create_default_context()
        self._targets: dict[str, Target] = {}
        self._idle: dict[str, deque[Connection]] = {}
        self._busy: set[Connection] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    async def open(self, request: UpstreamRequest) -> UpstreamAnswer:
        target = self._target(request.url)
        if target.proxied:
            return await self._by_proxy.open(request)
        head = _head(target, request)
        connection = self._take(target.origin)
        if connection is None:
            return await self._anew(target, head, request, 1, 0.0)
        began = time.perf_counter()
        try:
            return await self._exchange(target, connection, head, request, 1, 0.0)
        except BrokenError as error:
            if not error.untouched:
                raise _told(error, target, 1) from error
        lost_s = time.perf_counter() - began
        try:
            return await self._anew(target, head, request, 2, lost_s)
        except UpstreamError as error:
            error.lost_s = lost_s
            raise

    async def _anew(
        self, target: Target, head: bytes, request: UpstreamRequest, attempts: int, lost_s: float
    ) -> DirectAnswer:
        """On a connection that was not used before."""
        connection = await self._connect(target, request.connect_timeout_s, attempts)
        try:
            return await self._exchange(target, connection, head, request, attempts, lost_s)
        except BrokenError as error:
            raise _told(error, target, attempts) from error

    async def aclose(self) -> None:
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connections in (*self._idle.values(), list(self._busy)):
            for connection in connections:
                connection.close()
        self._idle.clear()
        self._busy.clear()

    def give_back(self, target: Target, connection: Connection) -> None:
        """Keep the connection for the next request where its answer was read to the end, else close it."""
        if connection not in self._busy:
            return
        self._busy.discard(connection)
        if not connection.idle or self._closed:
            connection.close()
            return
        connection.rest()
        self._idle.setdefault(target.origin, deque()).append(connection)
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().call_later(_SWEEP_S, self._sweep)

    async def _exchange(
        self,
        target: Target,
        connection: Connection,
        head: bytes,
        request: UpstreamRequest,
        attempts: int,
        lost_s: float,
    ) -> DirectAnswer:
        self._busy.add(connection)
        try:
            await connection.request(head, request.body, request.read_timeout_s)
        except BaseException:
            self._busy.discard(connection)
            connection.close()
            raise
        return DirectAnswer(self, target, connection, attempts, lost_s)

    def _take(self, origin: str) -> Connection | None:
        """The connection used last that is still open."""
        waiting = self._idle.get(origin)
        while waiting:
            connection = waiting.pop()
            if connection.idle:
                return connection
        return None

    async def _connect(self, target: Target, timeout_s: float, attempts: int) -> Connection:
        if self._closed:
            raise UpstreamError("upstream_unreachable", f"{target.origin}: the client was closed", attempts)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._connected(target)
        except (OSError, TimeoutError, ssl.SSLError, UnicodeError) as error:
            raise connecting_failed(error, target.origin, attempts) from error

    async def _connected(self, target: Target) -> Connection:
        loop = asyncio.get_running_loop()
        addresses = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
        sock = await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=_NEXT_ADDRESS_S, interleave=1, loop=loop
        )
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            tls = self._tls if target.tls else None
            name = target.host if target.tls else None
            _, connection = await loop.create_connection(Connection, sock=sock, ssl=tls, server_hostname=name)
        except BaseException:
            sock.close()
            raise
        return connection

    def _target(self, url: str) -> Target:
        """Cached: there are as many as the configuration names."""
        target = self._targets.get(url)
        if target is None:
            try:
                target = self._targets[url] = _parsed(url)
            except ValueError as error:
                raise UpstreamError("upstream_invalid", "the upstream's address is not a valid URL") from error
        return target

    def _sweep(self) -> None:
        """Close what has been idle for too long; look again while any is left."""
        loop = asyncio.get_running_loop()
        for origin, waiting in list(self._idle.items()):
            while waiting and (not waiting[0].idle or loop.time() - waiting[0].idle_since > _KEPT_IDLE_S):
                waiting.popleft().close()
            if not waiting:
                del self._idle[origin]
        self._sweeper = loop.call_later(_SWEEP_S, self._sweep) if self._idle else None


def _parsed(url: str) -> Target:
    """Raises ValueError for what is no http or https address."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("not an http address")
    host = parts.hostname if parts.hostname.isascii() else parts.hostname.encode("idna").decode()
    shown = f"[{host}]" if ":" in host else host
    path = quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")
    userinfo = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return Target(
        origin=origin_of(url),
        tls=parts.scheme == "https",
        host=host,
        port=parts.port if parts.port is not None else _PORTS[parts.scheme],
        path=path.encode("ascii"),
        host_header=(f"{shown}:{parts.port}" if parts.port is not None else shown).encode("ascii"),
        basic=base64.b64encode(userinfo.encode()).decode() if parts.username is not None else None,
        proxied=proxy_for(url) is not None,
    )


def _head(target: Target, request: UpstreamRequest) -> bytes:
    try:
        start = request.headers.heads.get(request.url)
        if start is None:
            start = request.headers.heads[request.url] = _start(target, request.headers.pairs)
        return b"%b%bcontent-length: %d\r\n\r\n" % (start, header_lines(request.own), len(request.body))
    except ValueError as error:
        raise UpstreamError("upstream_invalid", f"{target.origin}: a request header cannot be sent") from error


def _start(target: Target, headers: Sequence[tuple[str, str]]) -> bytes:
    """Raises ValueError."""
    if target.basic is not None and not any(name.lower() == "authorization" for name, _ in headers):
        headers = [*headers, ("authorization", f"Basic {target.basic}")]
    return head_start(target.path, target.host_header, headers)


def _told(error: BrokenError, target: Target, attempts: int) -> UpstreamError:
    return UpstreamError(error.code, f"{target.origin}: {error.text}", attempts)
