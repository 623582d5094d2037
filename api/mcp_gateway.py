"""MCP servers behind one door: each at an address of its own, and all of them at /mcp (contract 3.8)."""

from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from api.gateway_messages import answer, ended
from api.request_context import Context
from api.services import Use
from gateway.aggregate import AGGREGATE

router = APIRouter(tags=["mcp"])


class RpcMessage(BaseModel):
    """A request of JSON-RPC 2.0; without `id` a notification."""

    jsonrpc: Literal["2.0"]
    method: str
    params: dict[str, Any] = Field(default_factory=dict)
    id: int | float | str | None = None


class RpcError(BaseModel):
    """`data.code` is a stable name of the reason."""

    code: int
    message: str
    data: Any = None


class RpcAnswer(BaseModel):
    """`result`, or `error` as the server sent it."""

    jsonrpc: Literal["2.0"]
    id: int | float | str | None
    result: dict[str, Any] | None = None
    error: RpcError | None = None


class Ended(BaseModel):
    ended: Literal[True]


_EXAMPLE = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {**RpcMessage.model_json_schema(), "examples": [_EXAMPLE]}}},
    }
}
_REFUSED: dict[int | str, dict[str, Any]] = {
    status: {"model": RpcAnswer, "description": "Refused by the gateway: `error.data.code` says why"}
    for status in (422, "default")
}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"model": RpcAnswer, "description": "The server's result or error"},
    202: {"description": "A notification was taken"},
    **_REFUSED,
}
_ENDED: dict[int | str, dict[str, Any]] = {200: {"model": Ended, "description": "It is ended"}, **_REFUSED}


@router.post("/api/mcp-gateway/{server_name}/rpc", openapi_extra=_BODY, responses=_RESPONSES)
async def rpc(server_name: str, request: Request, services: Use, context: Context) -> Response:
    """One JSON-RPC message to a server. Works with and without `initialize` and `Mcp-Session-Id`, in both eras of the
    protocol; X-Session-Id names the session that the call is recorded for."""
    return await answer(request, services, context, server_name)


@router.delete("/api/mcp-gateway/{server_name}/rpc", responses=_ENDED)
async def end(server_name: str, request: Request, services: Use) -> Response:
    """End an Mcp-Session-Id."""
    return ended(request, services, server_name)


@router.post("/mcp", openapi_extra=_BODY, responses=_RESPONSES)
async def rpc_of_all(request: Request, services: Use, context: Context) -> Response:
    """One JSON-RPC message to all servers together: a Streamable HTTP endpoint whose tools are called
    `server__tool`."""
    return await answer(request, services, context, AGGREGATE)


@router.delete("/mcp", responses=_ENDED)
async def end_of_all(request: Request, services: Use) -> Response:
    """End an Mcp-Session-Id."""
    return ended(request, services, AGGREGATE)
