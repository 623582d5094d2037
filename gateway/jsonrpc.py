"""Messages of JSON-RPC 2.0 as they come in and go out, one at a time (contract 3.8). Pure.

Errors have a stable `data.code`, because the numbers of JSON-RPC mean different things to different programs.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from context.json_depth import has_more_values, within_depth
from context.surrogates import mended
from gateway.tools import RpcError

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
NO_SUCH_SERVER = -32001
UPSTREAM_DOWN = -32002
UPSTREAM_INVALID = -32003
CANCELLED = -32800
MAX_DEPTH = 128
MOST_VALUES = 1_000_000  # of a message

_decode = msgspec.json.Decoder().decode

Id = str | int | float | None


class Refusal(Exception):
    """A message that is answered by an error of the gateway itself: HTTP `status`, `code` of JSON-RPC, and `reason` as
    the stable `data.code`, with `data` beside it."""

    def __init__(
        self,
        status: int,
        code: int,
        reason: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.reason, self.message = status, code, reason, message
        self.headers, self.data = dict(headers or {}), dict(data or {})

    def body(self, request_id: Id = None) -> dict[str, Any]:
        return error_body(self.code, self.message, {"code": self.reason, **self.data}, request_id)


class Call(msgspec.Struct, frozen=True):
    """A request that waits for an answer."""

    id: Id
    method: str
    params: dict[str, Any]


class Notification(msgspec.Struct, frozen=True):
    """Nobody waits for an answer."""

    method: str
    params: dict[str, Any]


class Response(msgspec.Struct, frozen=True):
    """An answer of the client: the gateway asks clients nothing, so it belongs to nothing."""


Message = Call | Notification | Response


def parse(data: bytes) -> Message:
    """The one message in `data`. Raises Refusal (400)."""
    message = _object(decode(data))
    if message.get("jsonrpc") != "2.0":
        raise _invalid('The message is not JSON-RPC 2.0: "jsonrpc" must be "2.0".')
    if "method" not in message and ("result" in message or "error" in message) and "id" in message:
        return Response()
    return _request(message)


def decode(data: bytes) -> object:
    """A JSON value, nested at most 128 deep, of fewer than MOST_VALUES values. Raises Refusal (400, 413)."""
    if not data.strip():
        raise Refusal(400, PARSE_ERROR, "malformed_json", "There is no body: send one JSON-RPC 2.0 message.")
    if len(data) > MOST_VALUES and has_more_values(data, MOST_VALUES):
        text = f"The body holds {MOST_VALUES:,} values or more."
        raise Refusal(413, INVALID_REQUEST, "too_many_values", text, data={"limit": MOST_VALUES})
    try:
        value = _decoded(data)
    except (ValueError, RecursionError):
        raise Refusal(400, PARSE_ERROR, "malformed_json", "The body is not valid JSON in UTF-8.") from None
    if not within_depth(data.strip(), MAX_DEPTH):
        raise Refusal(400, PARSE_ERROR, "malformed_json", f"The body is nested more than {MAX_DEPTH} deep.")
    return value


def result_body(result: Mapping[str, Any], request_id: Id) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "result": result}


def error_body(code: int, message: str, data: object, request_id: Id) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message, "data": data}}


def relayed_body(error: RpcError, request_id: Id) -> dict[str, Any]:
    """An error that a server answered with."""
    return error_body(error.code, error.message, {"code": error.reason, **error.data}, request_id)


def encode(message: Mapping[str, Any]) -> bytes:
    """JSON, also of what is no Unicode: a server may send unpaired surrogates or integers of any length."""
    try:
        return msgspec.json.encode(message)
    except (OverflowError, ValueError, msgspec.MsgspecError):
        return json.dumps(message).encode()


def _decoded(data: bytes) -> object:
    """Raises ValueError and RecursionError."""
    try:
        return _decode(data)
    except msgspec.ValidationError:  # a number that is too large for the decoder
        pass
    except msgspec.DecodeError:
        if mended(data) is data:
            raise
    return json.loads(data.decode(), parse_constant=_refused, parse_float=_real)


def _object(value: object) -> dict[str, Any]:
    if isinstance(value, list):
        raise _invalid("Batches are not accepted: send one message in each request.")
    if not isinstance(value, dict):
        raise _invalid("The body must be one JSON-RPC 2.0 object.")
    return value


def _request(message: dict[str, Any]) -> Message:
    method, params = message.get("method"), message.get("params", {})
    if not isinstance(method, str) or not method:
        raise _invalid('The message is not JSON-RPC 2.0: "method" must be a text.')
    if not isinstance(params, (dict, list)):
        raise _invalid('The message is not JSON-RPC 2.0: "params" must be an object.')
    if "id" in message:
        number = message["id"]
        if isinstance(number, bool) or not isinstance(number, (str, int, float, type(None))):
            raise _invalid('The message is not JSON-RPC 2.0: "id" must be a text or a number.')
        return Call(number, method, _named(params))
    return Notification(method, _named(params))


def _named(params: dict[str, Any] | list[Any]) -> dict[str, Any]:
    if isinstance(params, list):
        if params:
            raise _invalid('MCP names its parameters: "params" must be an object.')
        return {}
    return params


def _invalid(message: str) -> Refusal:
    return Refusal(400, INVALID_REQUEST, "invalid_request", message)


def _refused(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _real(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number that no program can hold")
    return value
