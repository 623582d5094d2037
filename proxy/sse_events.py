"""The parts of a server-sent event stream (WHATWG HTML, 9.2): events, their data, and what a chat chunk says.

Lines end in LF, CRLF or CR.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from context.surrogates import decode_mended
from proxy.usage import usage_of

DONE = b"[DONE]"
_END = re.compile(rb"\n\n")  # of an event; found much faster than one of any kind
_ANY_END = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_BLANK = b"\r\n"
_ABSENT = msgspec.Raw(b"")


class ChunkHead(msgspec.Struct):
    """A chat.completion.chunk as far as it matters while it passes: texts of the values, empty where absent."""

    choices: msgspec.Raw = _ABSENT
    usage: msgspec.Raw = _ABSENT
    model: msgspec.Raw = _ABSENT
    error: msgspec.Raw = _ABSENT

    def usage_raw(self) -> dict[str, Any] | None:
        return usage_of(self.usage, self.choices)

    def usage_only(self) -> bool:
        """No choice, but a usage object: the frame that stream_options.include_usage asks for."""
        if bytes(self.error) not in (b"", b"null") or not bytes(self.usage).startswith(b"{"):
            return False
        choices = bytes(self.choices)
        return choices in (b"", b"null") or (choices[:1] == b"[" and not choices[1:-1].strip())

    def model_name(self) -> str | None:
        try:
            return _decode_text(self.model) or None
        except msgspec.MsgspecError:
            return None

    def finish_reason(self) -> str | None:
        """That of choice 0, where this chunk gives it."""
        try:
            choices = _decode_choices(self.choices)
            return next((reason for choice in choices if (reason := choice.reason_of_first())), None)
        except (msgspec.MsgspecError, RecursionError):
            return None


class _Choice(msgspec.Struct):
    index: msgspec.Raw = _ABSENT
    finish_reason: msgspec.Raw = _ABSENT

    def reason_of_first(self) -> str | None:
        if bytes(self.index) not in (b"", b"0"):
            return None
        reason = bytes(self.finish_reason)
        return _decode_text(reason) if reason.startswith(b'"') else None


_decode_head = msgspec.json.Decoder(ChunkHead).decode
_decode_choices = msgspec.json.Decoder(list[_Choice]).decode
_decode_text = msgspec.json.Decoder(str).decode


def chunk_head(payload: bytes) -> ChunkHead | None:
    """None where the data is not a JSON object."""
    try:
        return decode_mended(_decode_head, payload)
    except (msgspec.MsgspecError, RecursionError):
        return None


def end_of_last_event(data: bytes) -> int:
    """The length of `data` up to the end of the last blank line in it, 0 without one. A blank line that ends in CR
    behind a line that did not is left out: an LF may follow that belongs to it."""
    if b"\r" not in data:
        return _end_of_last(b"\n\n", data)
    if data.endswith(b"\n\r\n"):
        return len(data)
    return max(_end_of_last(b"\n\n", data), _end_of_last(b"\n\r\n", data), _end_of_last(b"\r\r", data))


def spans(data: bytes) -> Iterator[tuple[int, int]]:
    """Where the events stand in `data`, each with the blank line that ends it, which the last may lack. Further blank
    lines belong to no event."""
    start = 0
    for match in (_ANY_END if b"\r" in data else _END).finditer(data):
        first = _skip_blank(data, start, match.start())
        if first < match.start():
            yield first, match.end()
        start = match.end()
    first = _skip_blank(data, start, len(data))
    if first < len(data):
        yield first, len(data)


def payload_of(event: bytes) -> bytes:
    """The data of an event: its data lines, joined by newlines; empty without any."""
    if event.startswith(b"data: ") and event.endswith(b"\n\n") and event.count(b"\n") == 2 and b"\r" not in event:
        return event[6:-2]  # the common case
    found = [line[5:].removeprefix(b" ") for line in event.splitlines() if line[:5] == b"data:"]
    return found[0] if len(found) == 1 else b"\n".join(found)


def payloads(data: bytes) -> Iterator[bytes]:
    """The data of each event of a whole stream that has any, up to [DONE]."""
    for start, end in spans(data):
        payload = payload_of(data[start:end])
        if payload.strip() == DONE:
            return
        if payload:
            yield payload


def _end_of_last(blank: bytes, data: bytes) -> int:
    found = data.rfind(blank)
    return found + len(blank) if found >= 0 else 0


def _skip_blank(data: bytes, start: int, end: int) -> int:
    while start < end and data[start] in _BLANK:
        start += 1
    return start
