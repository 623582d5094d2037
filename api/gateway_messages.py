"""JSON-RPC over HTTP: a request into the gateway, its answer out of it (contract 3.8, row 56)."""

import asyncio
import hashlib
from collections.abc import Awaitable

from fastapi import Request, Response

from api.bodies import check_kind, collected
from api.reading import live_only
from api.request_context import RequestContext
from api.services import Services
from commands.workspace import Workspace, whole
from gateway.discretion import cleaned
from gateway.jsonrpc import Call, Message, Refusal, encode, parse
from gateway.messages import SESSION_HEADER, Incoming, Reply
from gateway.tools import Caller

_PROXY_SESSION = "x-session-id"
_AT_ONCE_S = 0.02  # most calls are over by then: whether the client is still there is asked of others only
_THREAD_FROM = 65_536  # bytes; smaller messages are decoded on the loop
_ID_DIGITS = 16
_TOKEN = 32


async def answer(request: Request, services: Services, context: RequestContext, server: str) -> Response:
    """The answer to a POST. Raises ApiError for what is wrong before the message is read."""
    data = await collected(request.stream(), services.max_body_bytes, request.headers.get("content-length"))
    if data:
        check_kind(request.headers.get("content-type"), request.headers.get("content-encoding"))
    live_only(request)
    message: Message | None = None
    try:
        message = parse(data) if len(data) < _THREAD_FROM else await asyncio.to_thread(parse, data)
        headers = dict(request.headers)
        caller = caller_of(headers, services.handler.state, context.request_id)
        incoming = Incoming(message, caller, headers, _scope(headers))
        reply = await _unless_left(request, services.gateway.answer(server, incoming))
    except Refusal as refusal:
        return refused(services, refusal, message)
    return _response(reply)


def ended(request: Request, services: Services, server: str) -> Response:
    """The answer to a DELETE. Raises ApiError."""
    live_only(request)
    try:
        services.gateway.end(server, request.headers.get(SESSION_HEADER))
    except Refusal as refusal:
        return refused(services, refusal, None)
    return _response(Reply(200, b'{"ended":true}'))


def caller_of(headers: dict[str, str], state: Workspace, request_id: str) -> Caller:
    """Whose call it is: the session that X-Session-Id names, else the active one. What servers remember is kept by the
    Mcp-Session-Id, else by the session, else by what the client calls itself."""
    named = headers.get(_PROXY_SESSION, "").strip()
    session_id = _session(named, state)
    mcp = headers.get(SESSION_HEADER)
    if mcp is not None:
        key = f"mcp:{mcp[:_TOKEN]}"
    elif named and session_id is None:
        key = f"client:{hashlib.sha256(named.encode()).hexdigest()[:_TOKEN]}"
    else:
        owner = session_id if session_id is not None else state.active_id
        key = f"session:{owner}" if owner is not None else "nobody"
    return Caller(
        session_id=session_id if session_id is not None else state.active_id, state_key=key, correlation_id=request_id
    )


def refused(services: Services, refusal: Refusal, message: Message | None) -> Response:
    """What it echoes of the message is without configured secrets; the id has to come back as it is."""
    number = message.id if isinstance(message, Call) else None
    body = cleaned(refusal.body(), services.redact) | {"id": number}
    return _response(Reply(refusal.status, encode(body), refusal.headers))


def _session(named: str, state: Workspace) -> int | None:
    """A living session by its number, or by that of one that has become a part of it."""
    if not (named.isascii() and named.isdigit() and len(named) <= _ID_DIGITS):
        return None
    number = whole(state, int(named))
    return number if number in state.sessions else None


def _scope(headers: dict[str, str]) -> str | None:
    """Whose calls a client may take back."""
    return headers.get(SESSION_HEADER) or headers.get(_PROXY_SESSION) or None


def _response(reply: Reply) -> Response:
    return Response(reply.body, reply.status, dict(reply.headers), "application/json" if reply.body else None)


async def _unless_left(request: Request, work: Awaitable[Reply]) -> Reply:
    """A client that leaves takes its call back."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=_AT_ONCE_S)
        if done:
            return task.result()
        leaving = loop.create_task(_left(request))
        try:
            await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
        if task.done():
            return task.result()
        task.cancel()
        await asyncio.wait({task})
        return Reply(202)  # nobody reads it
    finally:
        task.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
