"""Whether an answer that came to its end was one. What went to the client stays as it came; the record says what it
was."""

import re
from typing import Any, NamedTuple

import msgspec

from proxy.answers import Answer, is_readable
from proxy.sse import SseStream

_ODD = re.compile(r"[^a-z0-9_]+")
_MOST_CODE = 64
_UNKNOWN = "upstream_error"
_INVALID = "upstream_invalid"


class Fault(NamedTuple):
    """As it stands in the record of a failed exchange."""

    code: str
    message: str | None


def clean_code(code: object) -> str | None:
    """An upstream's own code of an error as a name: a-z, 0-9 and _; None where it is no text, or nothing is left."""
    return (_ODD.sub("_", code.lower()).strip("_")[:_MOST_CODE] or None) if isinstance(code, str) else None


def fault_of_stream(stream: SseStream, content_encoding: str | None, *, whole: bool) -> Fault | None:
    """Of a stream that was read to its end; `whole` says that `stream` has seen all of it."""
    if not (whole and is_readable(content_encoding)):
        return None
    error = stream.last_error()
    if error is not None:
        return _fault(_decoded(error))
    if stream.done or stream.ended:
        return None
    return Fault(_INVALID, "the stream ended without [DONE] and without saying why it ended")


def fault_of_body(data: bytes, answer: Answer, content_encoding: str | None, *, whole: bool) -> Fault | None:
    """Of a body that is no stream: `data` without its encoding, `answer` what was read of it."""
    if answer.message is not None or not (whole and is_readable(content_encoding)):
        return None
    if not data.strip():
        return Fault(_INVALID, "the answer has no body")
    fields = _decoded(data)
    if isinstance(fields, dict):
        if fields.get("error") is not None:
            return _fault(fields["error"])
        if isinstance(fields.get("choices"), list):
            return None
    return Fault(_INVALID, "the answer is no chat completion")


def _fault(error: object) -> Fault:
    if not isinstance(error, dict):
        return Fault(_UNKNOWN, error if isinstance(error, str) else None)
    message = error.get("message")
    code = clean_code(error.get("code")) or clean_code(error.get("type")) or _UNKNOWN
    return Fault(code, message if isinstance(message, str) else None)


def _decoded(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
