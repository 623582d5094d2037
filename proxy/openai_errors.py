"""Errors in the shape of the OpenAI API: {"error": {message, type, param, code}}."""

import msgspec

from proxy.answers import decoded

_ERROR_TEXT = 16_384  # bytes
_TYPES = {401: "authentication_error", 429: "rate_limit_error"}


class Refusal(Exception):
    """A request that is answered by us, before anything is recorded or sent."""

    def __init__(self, status: int, message: str, code: str | None, param: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param

    def body(self) -> bytes:
        return error_body(self.status, self.message, self.code, self.param)


def error_body(status: int, message: str, code: str | None, param: str | None = None) -> bytes:
    """The JSON body for an answer with `status`."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    return msgspec.json.encode({"error": {"message": message, "type": kind, "param": param, "code": code}})


def error_event(message: str, code: str) -> bytes:
    """The same as a server-sent event, for a stream that cannot go on."""
    return b"data: " + error_body(502, message, code) + b"\n\n"


def upstream_error_text(body: bytes, encoding: str | None) -> str:
    """What an upstream's error answer says: its error's message, else the start of the body."""
    text = decoded(body, encoding)[:_ERROR_TEXT].decode("utf-8", "replace")
    try:
        fields = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return text
    error = fields.get("error") if isinstance(fields, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) else text
