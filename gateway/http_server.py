"""A server that is reached by Streamable HTTP: each request is a POST, its answer JSON or a stream of events."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

import httpx

from gateway.addresses import ForbiddenAddressError, Resolve, pinned, same_origin
from gateway.backend import Checked, Down, Invalid, Odd, Relayed, Silent, names_of
from gateway.event_stream import EventStream
from gateway.jsonrpc import encode
from gateway.negotiation import NOBODY, Agreed, negotiate
from gateway.protocol import VERSION_KEY
from gateway.tools import Caller, RpcError
from schema.gateway import McpServerStarted

MAX_ANSWER = 64 << 20  # bytes
_CONNECT_S = 5.0
_REDIRECTS = 3
_IDLE_S = 4.0  # servers close idle connections after 5 s, and a call on one that is being closed is lost
_KEEP_ADDRESS_S = 30.0
_THREAD_FROM = 131_072
_TAKEN_BACK_S = 2.0
Told = Callable[[McpServerStarted], None]


async def system_resolve(name: str, port: int) -> Sequence[str]:
    """The addresses of a name, in the order of the system. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class HttpServer:
    """`headers` go with every request. One handshake serves all callers."""

    transport = "http"
    resting = False

    def __init__(
        self,
        name: str,
        url: str,
        told: Told,
        client: Mapping[str, str],
        *,
        headers: Mapping[str, str],
        private: bool,
        resolve: Resolve = system_resolve,
        client_factory: Callable[[], httpx.AsyncClient] | None = None,
    ) -> None:
        parts = urlsplit(url)
        self.name = name
        self.address = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
        self._url, self._told, self._client_info, self._headers = url, told, client, dict(headers)
        self._private, self._resolve = private, resolve
        self._make = client_factory or _plain_client
        self._http: httpx.AsyncClient | None = None
        self._next = 0
        self._agreed: Agreed | None = None
        self._session: str | None = None
        self._shaking = asyncio.Lock()
        self._known: tuple[float, str, str, str] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def identity(self) -> Mapping[str, Any]:
        if self._agreed is None:
            with contextlib.suppress(Down, Invalid, RpcError, TimeoutError):  # what is asked for next will say why
                async with asyncio.timeout(_CONNECT_S):
                    await self._ready()
        return self._agreed.identity if self._agreed is not None else NOBODY

    def masks(self, tool: str) -> bool:
        return True

    async def request(self, method: str, params: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        agreed = await self._ready()
        try:
            return await self._ask(method, agreed.params(params), agreed)
        except _SessionLostError:  # it has forgotten us, and so has not begun with the call
            self._forget(agreed)
            agreed = await self._ready()
            try:
                return await self._ask(method, agreed.params(params), agreed)
            except _SessionLostError:
                raise Odd(f"{self.name} does not know the session that it has just begun.") from None

    async def notify(self, method: str, params: Mapping[str, Any], caller: Caller) -> None:
        if self._agreed is not None and not self._agreed.modern:
            with contextlib.suppress(Down, Invalid, _SessionLostError):
                await self._tell(method, params)

    async def check(self) -> Checked:
        try:
            result = await self.request("tools/list", {}, Caller())
        except (Down, Invalid, RpcError) as error:
            return Checked(connected=False, error=str(error))
        return Checked(connected=True, tools=names_of(result))

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._http is not None:
            if self._session is not None:
                with contextlib.suppress(Down, Invalid, TimeoutError, OSError):
                    async with asyncio.timeout(_TAKEN_BACK_S), self._sent("DELETE", None, self._of_session()):
                        pass
            await self._http.aclose()
            self._http = self._session = self._agreed = None

    async def _ready(self) -> Agreed:
        """The handshake, once. Raises Down, Invalid and RpcError."""
        if self._agreed is not None:
            return self._agreed
        async with self._shaking:
            if self._agreed is None:
                began = time.monotonic()
                try:
                    self._agreed = await negotiate(self._ask, self._tell, self._client_info)
                except _SessionLostError:
                    raise Odd(f"{self.name} answered 404: there is no MCP server at its address.") from None
                ms = round((time.monotonic() - began) * 1_000, 1)
                fact = McpServerStarted(
                    server=self.name, transport="http", protocol=self._agreed.version, duration_ms=ms
                )
                self._told(fact)
            return self._agreed

    def _forget(self, agreed: Agreed) -> None:
        if self._agreed is agreed:
            self._agreed = self._session = None

    async def _tell(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        async with self._sent("POST", encode(message), self._of_session()) as answer:
            await answer.aread()
        return {}

    async def _ask(self, method: str, params: Mapping[str, Any], agreed: Agreed | None = None) -> dict[str, Any]:
        self._next += 1
        number = self._next
        message = encode({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        headers = self._of_session()
        meta = params.get("_meta")
        if agreed is not None:
            headers |= agreed.headers(method, params)
        elif method == "server/discover" and isinstance(meta, dict):
            headers |= {"MCP-Protocol-Version": str(meta.get(VERSION_KEY)), "Mcp-Method": method}
        try:
            async with self._sent("POST", message, headers) as answer:
                return await self._answered(answer, number, method)
        except asyncio.CancelledError:
            if agreed is not None and not agreed.modern:  # to close the stream is enough in the later era
                self._take_back(number)
            raise

    def _take_back(self, number: int) -> None:
        task = asyncio.get_running_loop().create_task(self._tell_taken_back(number))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell_taken_back(self, number: int) -> None:
        with contextlib.suppress(Down, Invalid, TimeoutError, _SessionLostError):
            async with asyncio.timeout(_TAKEN_BACK_S):
                await self._tell("notifications/cancelled", {"requestId": number})

    def _of_session(self) -> dict[str, str]:
        found = {"Mcp-Session-Id": self._session} if self._session is not None else {}
        if self._agreed is not None and not self._agreed.modern:
            found["MCP-Protocol-Version"] = self._agreed.version
        return found

    @contextlib.asynccontextmanager
    async def _sent(
        self, method: str, content: bytes | None, headers: Mapping[str, str]
    ) -> AsyncIterator[httpx.Response]:
        """The answer's head. Follows redirects on the same server only. Raises Down and Odd."""
        url = self._url
        try:
            for _ in range(_REDIRECTS + 1):
                request = await self._built(url, method, content, headers)
                answer = await self._opened().send(request, stream=True)
                try:
                    if answer.status_code not in (307, 308):
                        yield answer
                        return
                    there = urljoin(url, answer.headers.get("location", ""))
                finally:
                    await answer.aclose()
                if not same_origin(url, there):
                    raise Odd(f"{self.name} sends its callers on to another server, which is not followed.")
                url = there
            raise Odd(f"{self.name} sends its callers in circles.")
        except ForbiddenAddressError as error:
            raise Down(f"{self.name} is not called: {error}.") from None
        except httpx.ConnectTimeout:
            raise Silent(f"{self.name} could not be connected within {_CONNECT_S:g} s.") from None
        except httpx.ConnectError as error:
            raise Down(f"{self.name} could not be connected: {error}") from None
        except OSError as error:
            raise Down(f"{self.name} could not be found: {error.strerror or error}") from None
        except httpx.HTTPError as error:
            raise Down(f"{self.name} went away: {type(error).__name__}", told=True) from None

    async def _built(self, url: str, method: str, content: bytes | None, headers: Mapping[str, str]) -> httpx.Request:
        target, host, name = await self._place(url)
        own = {
            **self._headers,
            "Accept": "application/json, text/event-stream",
            **({"Content-Type": "application/json"} if content is not None else {}),
            **headers,
            "Host": host,
        }
        return self._opened().build_request(
            method, target, content=content, headers=own, extensions={"sni_hostname": name, "timeout": _TIMEOUT}
        )

    async def _place(self, url: str) -> tuple[str, str, str]:
        """Where to call, checked anew now and then."""
        now = time.monotonic()
        if self._known is not None and self._known[0] > now and url == self._url:
            return self._known[1:]
        found = await pinned(url, self._resolve, private=self._private)
        place = (found.url, found.host, found.name)
        if url == self._url:
            self._known = (now + _KEEP_ADDRESS_S, *place)
        return place

    def _opened(self) -> httpx.AsyncClient:
        if self._http is None:
            self._http = self._make()
        return self._http

    async def _answered(self, answer: httpx.Response, number: int, method: str) -> dict[str, Any]:
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if answer.status_code == 404 and kind != "application/json":
            raise _SessionLostError
        if kind == "text/event-stream" and answer.is_success:
            message = await self._from_stream(answer, number)
        elif kind == "application/json" or answer.is_success:
            message = await self._whole(answer)
        else:
            raise self._refused(answer.status_code)
        if answer.status_code == 404 and self._session is not None and method != "initialize":
            raise _SessionLostError
        if method == "initialize":
            self._session = answer.headers.get("mcp-session-id")
        return self._result(message, number, answer)

    def _result(self, message: object, number: int, answer: httpx.Response) -> dict[str, Any]:
        error = message.get("error") if isinstance(message, dict) else None
        if isinstance(error, dict) and isinstance(error.get("code"), int):
            raise Relayed(error)
        if not answer.is_success:
            raise self._refused(answer.status_code)
        if not isinstance(message, dict) or message.get("id") != number or not isinstance(message.get("result"), dict):
            raise Invalid(f"{self.name} answered with what is no JSON-RPC.")
        result: dict[str, Any] = message["result"]
        return result

    def _refused(self, status: int) -> Down | Odd:
        text = f"{self.name} answered with HTTP {status}."
        return Down(text, told=True) if status >= 500 else Odd(text)

    async def _whole(self, answer: httpx.Response) -> object:
        pieces, size = [], 0
        async for piece in answer.aiter_bytes():
            size += len(piece)
            if size > MAX_ANSWER:
                raise Invalid(f"{self.name} answered with more than {MAX_ANSWER:,} bytes.")
            pieces.append(piece)
        return await self._decoded(b"".join(pieces))

    async def _from_stream(self, answer: httpx.Response, number: int) -> object:
        """The message that answers; what comes before it is for nobody."""
        stream = EventStream(MAX_ANSWER)
        async for piece in answer.aiter_bytes():
            for data in stream.feed(piece):
                message = await self._decoded(data)
                if isinstance(message, dict) and message.get("id") == number and "method" not in message:
                    return message
            if stream.overflown:
                raise Invalid(f"{self.name} answered with more than {MAX_ANSWER:,} bytes.")
        raise Down(f"{self.name} ended its stream without an answer.", told=True)

    async def _decoded(self, data: bytes) -> object:
        try:
            return json.loads(data) if len(data) < _THREAD_FROM else await asyncio.to_thread(json.loads, data)
        except (ValueError, RecursionError):
            raise Invalid(f"{self.name} answered with what is no JSON.") from None


class _SessionLostError(Exception):
    """The server does not know our session."""


_TIMEOUT = {"connect": _CONNECT_S, "read": None, "write": None, "pool": None}


def _plain_client() -> httpx.AsyncClient:
    """Without what the environment says of proxies: the address that was checked is the one that is called."""
    limits = httpx.Limits(keepalive_expiry=_IDLE_S)
    return httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=None, limits=limits)
