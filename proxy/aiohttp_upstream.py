"""The upstream client for providers that are reached through an HTTP proxy: aiohttp, which knows how to."""

import asyncio
import io
import ssl
import time
from collections.abc import AsyncIterator
from contextvars import ContextVar
from http import HTTPStatus
from typing import TYPE_CHECKING
from weakref import WeakSet

import aiohttp
from multidict import CIMultiDict

from proxy.environment_proxy import fault_of, origin_of, proxy_for
from proxy.upstream import UpstreamAnswer, UpstreamRequest
from proxy.upstream_errors import PROXY_ANSWERED, SWITCHED, UpstreamError, broken_off, explained

if TYPE_CHECKING:
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace

_NO_AUTO_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
_HEADER_LIMIT = 65_536  # bytes of one header: cookies and policies of some providers pass the library's 8 KiB
_STREAMED_BODY = 262_144  # bytes: larger bodies are written in pieces, so that they do not hold up other requests
_ANSWER_FAILED = (aiohttp.ClientError, asyncio.TimeoutError, OSError)
_READ_FAILED = (*_ANSWER_FAILED, RuntimeError)  # the library's word for reading after the whole client was closed


_reused: ContextVar[bool] = ContextVar("reused")


class _AiohttpAnswer:
    __slots__ = ("_origin", "_response", "attempts", "headers", "lost_s", "status")

    def __init__(self, response: aiohttp.ClientResponse, origin: str, attempts: int, lost_s: float) -> None:
        self._response = response
        self._origin = origin
        self.attempts, self.lost_s = attempts, lost_s
        self.status = response.status
        self.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers]

    @property
    def complete(self) -> bool:
        return False

    async def chunks(self) -> AsyncIterator[bytes]:
        read = self._response.content.readany
        try:
            while chunk := await read():
                yield chunk
        except asyncio.CancelledError:
            self._response.close()
            raise
        except _READ_FAILED as error:
            self._response.close()
            raise broken_off(error, self._origin, self.attempts) from error

    async def aclose(self) -> None:
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


class AiohttpUpstream:
    """The shared client; make it inside the running event loop, once.

    Environment: HTTP_PROXY, HTTPS_PROXY, NO_PROXY, and SSL_CERT_FILE or SSL_CERT_DIR for a certificate authority of
    one's own. TCP_NODELAY is set by the library on every connection; names are tried over IPv6 and IPv4.
    """

    def __init__(self) -> None:
        tls = ssl.create_default_context()
        self._session = _session(_Connector(limit=0, ssl=tls))
        # A retry must not meet a second stale connection: this one keeps none.
        self._fresh = _session(_Connector(limit=0, ssl=tls, force_close=True))
        self._timeouts: dict[tuple[float, float], aiohttp.ClientTimeout] = {}
        self._ways: dict[str, tuple[str, str | None]] = {}

    async def open(self, request: UpstreamRequest) -> UpstreamAnswer:
        origin, proxy = self._way(request.url)
        _reused.set(False)
        attempts, lost_s, began = 1, 0.0, time.perf_counter()
        try:
            try:
                response = await self._send(self._session, request, proxy)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if not _reused.get() or not _untouched(error):
                    raise
                attempts, lost_s = 2, time.perf_counter() - began
                response = await self._send(self._fresh, request, proxy)
        except (*_ANSWER_FAILED, ValueError) as error:
            failed = explained(error, origin, attempts)
            failed.lost_s = lost_s
            raise failed from error
        if response.status < HTTPStatus.OK:
            response.close()
            switched = response.status == HTTPStatus.SWITCHING_PROTOCOLS
            text = SWITCHED if switched else "the answer is not valid HTTP"
            raise UpstreamError("upstream_invalid", f"{origin}: {text}", attempts)
        if (
            response.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
            and proxy is not None
            and origin.startswith("http:")
        ):
            response.close()  # a proxy's own answer: through TLS the library tells it apart
            raise UpstreamError("upstream_unreachable", f"{origin}: {PROXY_ANSWERED} {response.status}", attempts)
        return _AiohttpAnswer(response, origin, attempts, lost_s)

    async def aclose(self) -> None:
        await self._session.close()
        await self._fresh.close()

    async def _send(
        self,
        session: aiohttp.ClientSession,
        request: UpstreamRequest,
        proxy: str | None,
    ) -> aiohttp.ClientResponse:
        if session.closed:
            raise aiohttp.ClientConnectionError
        body = request.body
        if len(body) <= _STREAMED_BODY:
            return await self._post(session, request, body, proxy)
        # The read timeout starts when the body is written: an upstream that does not take it needs a limit too.
        async with asyncio.timeout(request.connect_timeout_s + 2 * request.read_timeout_s):
            return await self._post(session, request, io.BytesIO(body), proxy)

    async def _post(
        self,
        session: aiohttp.ClientSession,
        request: UpstreamRequest,
        data: bytes | io.BytesIO,
        proxy: str | None,
    ) -> aiohttp.ClientResponse:
        return await session.post(
            request.url,
            data=data,
            headers=CIMultiDict([*request.headers.pairs, *request.own]),
            proxy=proxy,
            allow_redirects=False,
            timeout=self._timeout(request.connect_timeout_s, request.read_timeout_s),
        )

    def _timeout(self, connect_s: float, read_s: float) -> aiohttp.ClientTimeout:
        """Cached: there are as many as the configuration names."""
        timeout = self._timeouts.get((connect_s, read_s))
        if timeout is None:
            timeout = aiohttp.ClientTimeout(total=None, connect=connect_s, sock_connect=connect_s, sock_read=read_s)
            self._timeouts[connect_s, read_s] = timeout
        return timeout

    def _way(self, url: str) -> tuple[str, str | None]:
        """Origin and HTTP proxy of an address, cached: there are as many as the configuration names."""
        way = self._ways.get(url)
        if way is None:
            try:
                way = (origin_of(url), proxy_for(url))
            except ValueError as error:
                raise UpstreamError("upstream_invalid", "the upstream's address is not a valid URL") from error
            fault = fault_of(way[1]) if way[1] is not None else None
            if fault is not None:
                text = f"{way[0]}: the HTTP proxy of the environment cannot be used: {fault}"
                raise UpstreamError("upstream_unreachable", text)
            self._ways[url] = way
        return way


class _Connector(aiohttp.TCPConnector):
    """Tells in `_reused`, in the context of the request, whether its connection was used before. The library's tracing
    tells it too, for 30 us a request."""

    def __init__(self, *, limit: int, ssl: ssl.SSLContext, force_close: bool = False) -> None:
        super().__init__(limit=limit, ssl=ssl, force_close=force_close)
        self._used: WeakSet[object] = WeakSet()

    async def connect(
        self, req: aiohttp.ClientRequest, traces: "list[Trace]", timeout: aiohttp.ClientTimeout
    ) -> "Connection":
        connection = await super().connect(req, traces, timeout)
        _reused.set(connection.protocol in self._used)
        self._used.add(connection.protocol)
        return connection


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=_NO_AUTO_HEADERS,
        trust_env=False,
        max_line_size=_HEADER_LIMIT,
        max_field_size=_HEADER_LIMIT,
    )


def _untouched(error: aiohttp.ClientError) -> bool:
    """No byte of an answer came. The library puts what had come of a head into the error's message."""
    return not isinstance(error, aiohttp.ServerDisconnectedError) or isinstance(error.message, str)
