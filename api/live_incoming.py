"""What clients of /ws send (contract 5): fields at top level or in `payload`, which wins."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from api.live_frames import frame_of

_log = logging.getLogger("chronoproxy.page")
_SHOWN = 200  # characters
Ask = Callable[[str, Mapping[str, object]], bool]


def nobody(_: str, __: Mapping[str, object]) -> bool:
    """Takes on nothing."""
    return False


def answer(text: str | None, position: int, ask: Ask = nobody) -> bytes | None:
    """The reply to a text message, or to a binary one (None); None where there is none, or where `ask` has taken it on
    and replies later."""
    if text is None:
        return _error(position, "binary_not_supported", "Messages are JSON texts.")
    try:
        message = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return _error(position, "malformed_json", "The message is not JSON.")
    if not isinstance(message, dict):
        return _error(position, "not_an_object", "A message is a JSON object.")
    payload = message.get("payload")
    fields = {**message, **(payload if isinstance(payload, dict) else {})}
    kind = message.get("type")
    if kind == "ping":
        return frame_of("pong", position, {})
    if kind == "memory_error_log":
        _note(fields)
        return None
    if isinstance(kind, str) and ask(kind, fields):
        return None
    request = fields.get("requestId")
    return _error(position, "unknown_type", "There is no such type of message.", request)


def _note(fields: dict[str, Any]) -> None:
    """An error of the page, into our own log: short, on one line, and marked as words of another."""
    context, error = (str(fields.get(name, ""))[:_SHOWN] for name in ("context", "error"))
    _log.warning("the page reports: %r in %r", error, context)


def _error(position: int, code: str, error: str, request: object = None) -> bytes:
    extra = {"requestId": request} if isinstance(request, str | int) else {}
    return frame_of("error", position, {"code": code, "error": error, **extra})
