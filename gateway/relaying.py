"""Errors that servers answer with, on their way to the client."""

from typing import Any

from gateway.backend import Relayed
from gateway.jsonrpc import Id, relayed_body
from gateway.tools import RpcError


def with_data(error: RpcError, data: Any) -> RpcError:
    """The same error with other `data`."""
    if isinstance(error, Relayed):
        return Relayed({**error.raw, "data": data})
    changed = RpcError(error.code, error.message, error.reason)
    changed.data = data
    return changed


def answer_with(error: RpcError, number: Id) -> dict[str, Any]:
    """What a server outside says of an error stays as it is."""
    if isinstance(error, Relayed):
        return {"jsonrpc": "2.0", "id": number, "error": error.raw}
    return relayed_body(error, number)
