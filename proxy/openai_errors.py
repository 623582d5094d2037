"""Errors in the shape of the OpenAI API: {"error": {message, type, param, code}}."""

from collections.abc import Sequence

import msgspec

from proxy.answers import decoded
from proxy.outcomes import clean_code
from schema.exchanges import LimitUnit, RefusedByLimit

_ERROR_TEXT = 16_384  # bytes
_MESSAGE = 1_900  # characters: the code behind it must not be cut off where it is recorded
_TYPES = {401: "authentication_error", 429: "rate_limit_error"}


class Refusal(Exception):
    """A request that is answered by us, before anything is recorded or sent. `headers` go into the answer."""

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None,
        param: str | None = None,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param, self.headers = status, message, code, param, headers

    def body(self) -> bytes:
        return error_body(self.status, self.message, self.code, self.param)


class LimitRefusal(Refusal):
    """More than a limit allows now (429). `scope` says whose limit, `limit` how much, in `unit`: both are recorded."""

    def __init__(
        self,
        message: str,
        code: RefusedByLimit,
        *,
        scope: str,
        limit: int,
        unit: LimitUnit = "requests",
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(429, message, code, headers=headers)
        self.reason: RefusedByLimit = code
        self.scope, self.limit = scope, limit
        self.unit: LimitUnit = unit


def error_body(status: int, message: str, code: str | None, param: str | None = None) -> bytes:
    """The JSON body for an answer with `status`."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    return msgspec.json.encode({"error": {"message": message, "type": kind, "param": param, "code": code}})


def error_event(message: str, code: str) -> bytes:
    """The same as a server-sent event, for a stream that cannot go on."""
    return b"data: " + error_body(502, message, code) + b"\n\n"


def upstream_error_text(body: bytes, encoding: str | None) -> str:
    """What an upstream's error answer says: its error's message with its code, else the start of the body."""
    text = decoded(body, encoding)[:_ERROR_TEXT].decode("utf-8", "replace")
    try:
        fields = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return text
    error = fields.get("error") if isinstance(fields, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    if not isinstance(message, str):
        return text
    code = clean_code(error.get("code")) if isinstance(error, dict) else None
    return message if code is None or code in message else f"{message[:_MESSAGE]} ({code})"
