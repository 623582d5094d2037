"""A message to a server, from its arrival to its answer: looked up, allowed, passed on, shortened, recorded."""

import asyncio
import math
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from commands.gateway import Asked, RecordMcpCall, RecordMcpServer
from gateway.aggregate import AGGREGATE, Aggregate
from gateway.backend import Backend, Down, Invalid, Odd, Relayed, Silent
from gateway.breaker import OPEN_S, Breaker
from gateway.discretion import Discreet, Redact
from gateway.jsonrpc import (
    CANCELLED,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    NO_SUCH_SERVER,
    UPSTREAM_DOWN,
    UPSTREAM_INVALID,
    Call,
    Id,
    Notification,
    Refusal,
    encode,
    result_body,
)
from gateway.masking import Original, mask_data, mask_result
from gateway.messages import SESSION_HEADER, Incoming, Reply, ServerSettings
from gateway.protocol import (
    discovered,
    handshake_result,
    initialized,
    is_modern,
    modern_result,
    plain_params,
)
from gateway.recording import Recorder
from gateway.relaying import answer_with, with_data
from gateway.sessions import McpSessions
from gateway.tools import Caller, RpcError
from schema.gateway import BreakerOpened


class Served(msgspec.Struct, frozen=True):
    """A server with what the gateway knows of it."""

    backend: Backend
    settings: ServerSettings
    breaker: Breaker


class _CancelledError(Exception):
    """The client took its call back."""


_Running = tuple[str, str, Id]
_SHOWN = 500  # characters of what went wrong


class Gateway:
    """All servers behind one door; `mask_chars` 0 shortens nothing. `redact` takes configured secrets out of what is
    said of failures."""

    def __init__(
        self,
        backends: Mapping[str, tuple[Backend, ServerSettings]],
        recorder: Recorder,
        sessions: McpSessions,
        *,
        redact: Redact,
        mask_chars: int = 4_000,
        version: str = "",
    ) -> None:
        self._recorder = recorder
        self._sessions = sessions
        self._redact, self._mask_chars = redact, mask_chars
        self._running: dict[_Running, asyncio.Task[dict[str, Any]]] = {}
        self.servers = {
            name: Served(Discreet(backend, redact), settings, Breaker(time.monotonic))
            for name, (backend, settings) in backends.items()
        }
        everything = Aggregate(tuple(backends), self.call, lambda name: backends[name][0].resting, version)
        longest = max((settings.timeout_s for _, settings in backends.values()), default=0.0) + 1.0
        self.servers[AGGREGATE] = Served(
            Discreet(everything, redact), ServerSettings(timeout_s=longest), Breaker(time.monotonic)
        )

    async def answer(self, server: str, incoming: Incoming) -> Reply:
        """Raises Refusal for what the gateway refuses itself."""
        served = self._served(server)
        session_id = incoming.headers.get(SESSION_HEADER)
        if session_id is not None and not self._sessions.alive(server, session_id):
            raise Refusal(404, NO_SUCH_SERVER, "session_not_found", "This Mcp-Session-Id is dead: shake hands anew.")
        message = incoming.message
        if isinstance(message, Call):
            return await self._called(served, message, incoming)
        if isinstance(message, Notification):
            await self._notified(served, message, incoming)
        return Reply(202)

    def end(self, server: str, session_id: str | None) -> Reply:
        """The client has done with its Mcp-Session-Id. Raises Refusal."""
        self._served(server)
        if session_id is None or not self._sessions.alive(server, session_id):
            raise Refusal(404, NO_SUCH_SERVER, "session_not_found", "There is no such Mcp-Session-Id.")
        self._sessions.end(session_id)
        return Reply(204)

    async def call(self, server: str, method: str, params: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        """Pass a call on and record it; the result as the client may see it. Raises Refusal and RpcError."""
        return (await self._passed_on(self._served(server), Call(None, method, dict(params)), caller, None))[0]

    async def aclose(self) -> None:
        for served in self.servers.values():
            await served.backend.aclose()

    def _served(self, server: str) -> Served:
        served = self.servers.get(server)
        if served is None:
            known = ", ".join(sorted(self.servers.keys() - {AGGREGATE}))
            asked = self._redact(server)[:80]
            text = f"There is no MCP server {asked!r}; there are: {known}." if known else "There is no MCP server."
            raise Refusal(404, NO_SUCH_SERVER, "unknown_server", text, data={"server_name": asked})
        return served

    async def _called(self, served: Served, call: Call, incoming: Incoming) -> Reply:
        modern = is_modern(call, incoming.headers)
        headers: dict[str, str] = {}
        try:
            if call.method == "ping":
                result: Mapping[str, Any] = {}
            elif call.method == "initialize":
                result = initialized(call.params, await served.backend.identity())
                headers["Mcp-Session-Id"] = self._sessions.begin(served.backend.name)
                self._noted(served, call, incoming.caller)
            elif call.method == "server/discover":
                result = discovered(await served.backend.identity())
                self._noted(served, call, incoming.caller)
            elif served.backend.name == AGGREGATE:  # the servers behind it are recorded
                result = await self._run(served, call, incoming.caller, incoming.scope)
            else:
                result, position = await self._passed_on(served, call, incoming.caller, incoming.scope)
                headers |= {"X-Event-Position": str(position)} if position is not None else {}
        except RpcError as error:
            return Reply(200, encode(answer_with(error, call.id)))
        shown = modern_result(call.method, result) if modern else handshake_result(result)
        return Reply(200, encode(result_body(shown, call.id)), headers)

    async def _notified(self, served: Served, message: Notification, incoming: Incoming) -> None:
        if message.method == "notifications/cancelled":
            number = message.params.get("requestId")
            if incoming.scope is not None and isinstance(number, (str, int, float)):
                task = self._running.get((served.backend.name, incoming.scope, number))
                if task is not None:
                    task.cancel()
        elif message.method != "notifications/initialized":  # that handshake was with us
            await served.backend.notify(message.method, plain_params(message.params), incoming.caller)

    def _noted(self, served: Served, call: Call, caller: Caller) -> None:
        """A call that was answered here."""
        if served.backend.name == AGGREGATE:
            return
        asked = self._recorder.asked(served.backend.name, call.method, call.params, caller)
        self._recorder.later(RecordMcpCall(asked=asked, outcome="ok", duration_ms=0.0), caller)

    async def _passed_on(
        self, served: Served, call: Call, caller: Caller, scope: str | None
    ) -> tuple[dict[str, Any], int | None]:
        """Result and position of the last event, None where nobody waits for it. Raises Refusal and RpcError."""
        asked = self._recorder.asked(served.backend.name, call.method, call.params, caller)
        self._check(served, asked, caller)
        began = time.perf_counter()
        try:
            result = await self._run(served, call, caller, scope)
        except asyncio.CancelledError:
            served.breaker.abandoned()
            self._failed(asked, "client_left", CANCELLED, began, caller)
            raise
        except _CancelledError:
            served.breaker.abandoned()
            self._failed(asked, "cancelled", CANCELLED, began, caller)
            raise RpcError(CANCELLED, "The call was cancelled by its client.", "cancelled") from None
        except RpcError as error:
            served.breaker.succeeded()
            raise await self._relayed(asked, error, began, caller) from None
        except (Down, Invalid) as error:
            raise self._down(served, asked, error, began, caller) from None
        served.breaker.succeeded()
        return await self._completed(served, asked, result, began, caller)

    def _check(self, served: Served, asked: Asked, caller: Caller) -> None:
        """Raises Refusal."""
        server = asked.server
        if asked.tool is not None and not served.settings.allows(asked.tool):
            self._recorder.later(RecordMcpCall(asked=asked, outcome="tool_not_allowed", code=INVALID_REQUEST), caller)
            tool = self._redact(asked.tool)[:80]
            text = f"The configuration does not allow the tool {tool!r} of {server}."
            raise Refusal(403, INVALID_REQUEST, "tool_not_allowed", text, data={"server_name": server})
        wait = served.breaker.refused_for()
        if wait is not None:
            self._recorder.later(RecordMcpCall(asked=asked, outcome="circuit_open", code=UPSTREAM_DOWN), caller)
            text = f"{server} has failed {served.breaker.failures} times in a row; it is left alone for {wait:.0f} s."
            raise Refusal(
                502,
                UPSTREAM_DOWN,
                "circuit_open",
                text,
                headers={"Retry-After": str(max(math.ceil(wait), 1))},
                data={"server_name": server, "url": served.backend.address},
            )

    async def _run(self, served: Served, call: Call, caller: Caller, scope: str | None) -> dict[str, Any]:
        """Raises what the backend raises, Silent after the server's time, _CancelledError where the client says so."""
        work = served.backend.request(call.method, plain_params(call.params), caller)
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(_looked_at)
        key = (served.backend.name, scope, call.id) if scope is not None else None
        if key is not None:
            self._running[key] = task
        try:
            done, _ = await asyncio.wait({task}, timeout=served.settings.timeout_s)
        finally:
            task.cancel()  # where it is not done: its time is over, or the client has left
            if key is not None and self._running.get(key) is task:
                del self._running[key]
        if not done:
            raise Silent(f"{served.backend.name} did not answer within {served.settings.timeout_s:g} s.", told=True)
        if task.cancelled():
            raise _CancelledError
        return task.result()

    async def _completed(
        self, served: Served, asked: Asked, result: dict[str, Any], began: float, caller: Caller
    ) -> tuple[dict[str, Any], int | None]:
        if asked.method == "tools/list" and isinstance(result.get("tools"), list):
            shown = [tool for tool in result["tools"] if served.settings.allows(_name(tool))]
            result = {**result, "tools": shown}
        short, originals = self._shortened(served, asked, result)
        size = len(encode(short)) + sum(len(each.text) - len(each.short) for each in originals)
        failed = asked.method == "tools/call" and result.get("isError") is True
        command = RecordMcpCall(
            asked=asked,
            outcome="tool_error" if failed else "ok",
            duration_ms=_since(began),
            bytes=size,
            masked=await self._recorder.masked(originals),
        )
        if asked.method != "tools/call":
            self._recorder.later(command, caller)
            return short, None
        position = await self._recorder.now(command, caller)
        return (short if position is not None else result), position

    def _shortened(self, served: Served, asked: Asked, result: dict[str, Any]) -> tuple[dict[str, Any], list[Original]]:
        if asked.method != "tools/call" or not self._masks or not served.backend.masks(asked.tool or ""):
            return result, []
        return mask_result(result, self._mask_chars)

    async def _relayed(self, asked: Asked, error: RpcError, began: float, caller: Caller) -> RpcError:
        """The server's own error, as the client may see it."""
        whole = error.raw.get("data") if isinstance(error, Relayed) else error.data
        data, originals = mask_data(whole, self._mask_chars) if self._masks else (whole, [])
        command = RecordMcpCall(
            asked=asked,
            outcome="rpc_error",
            code=error.code,
            duration_ms=_since(began),
            masked=await self._recorder.masked(originals),
            error_message=error.message[:_SHOWN],
        )
        if await self._recorder.now(command, caller) is None:
            return error
        return with_data(error, data) if originals else error

    def _down(self, served: Served, asked: Asked, error: Down | Invalid, began: float, caller: Caller) -> Refusal:
        code = (
            UPSTREAM_DOWN if isinstance(error, Down) else INTERNAL_ERROR if isinstance(error, Odd) else UPSTREAM_INVALID
        )
        text = str(error)[:_SHOWN]
        self._failed(asked, error.reason, code, began, caller, text)
        if served.breaker.failed():
            fact = BreakerOpened(
                server=asked.server,
                failures=served.breaker.failures,
                outcome=error.reason,
                open_ms=int(OPEN_S * 1_000),
            )
            self._recorder.later(RecordMcpServer(fact), caller)
        data = {"server_name": asked.server, "url": served.backend.address, "error": text}
        return Refusal(502, code, error.reason, text, data=data)

    def _failed(
        self, asked: Asked, outcome: str, code: int, began: float, caller: Caller, message: str | None = None
    ) -> None:
        command = RecordMcpCall(
            asked=asked, outcome=outcome, code=code, duration_ms=_since(began), error_message=message
        )
        self._recorder.later(command, caller)

    @property
    def running(self) -> tuple[_Running, ...]:
        """Server, client and id of the calls that clients can take back."""
        return tuple(self._running)

    @property
    def _masks(self) -> bool:
        return bool(self._mask_chars) and self._recorder.contents


def _name(tool: Any) -> str:
    name = tool.get("name") if isinstance(tool, dict) else None
    return name if isinstance(name, str) else ""


def _since(began: float) -> float:
    return round((time.perf_counter() - began) * 1_000, 3)


def _looked_at(task: "asyncio.Task[dict[str, Any]]") -> None:
    """Nobody may be left who asks how it ended."""
    if not task.cancelled():
        task.exception()
