"""Server-sent events on their way through: bytes out as they came in, what they say noted on the way.

A chunk is passed on at once. Only where the upstream was asked for usage in the client's place (`withhold_usage`), an
unfinished event is held back for as long as it may be the usage-only frame that the client must not see.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from proxy.usage import usage_of_choices

_MAX_EVENT = 1 << 20  # bytes of one event that are looked into; a longer one is passed on unread
_NEEDLES = (b'"usage"', b"[DONE]", b'"error"')
_END = re.compile(rb"\n\r?\n")
_HAS_CHOICES = re.compile(rb'"choices"\s*:\s*\[\s*[^\]\s]')
_JUNK = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class SseStream:
    """Feed it the chunks, then `finish`. Lines end in LF or CRLF, an event ends with an empty line.

    `usage_raw` is the last usage that was not null, `done` says that [DONE] came, `error` is the message of an error
    frame.
    """

    def __init__(self, *, withhold_usage: bool = False) -> None:
        self._withhold = withhold_usage
        self._tail = b""  # the unfinished event
        self._shown = 0  # how much of it the client has
        self._oversized = False  # it is too long, and its beginning was let go
        self.usage_raw: dict[str, Any] | None = None
        self.done = False
        self.error: str | None = None

    @property
    def at_boundary(self) -> bool:
        """Whether the client has whole events only."""
        return not self._oversized and not self._tail[: self._shown].strip(b"\r\n")

    def feed(self, chunk: bytes) -> bytes:
        """The bytes to pass on now."""
        data = self._tail + chunk if self._tail else chunk
        end = _last_end(data)
        out = b""
        if end:
            out = self._complete(data[:end])
            data = data[end:]
            self._shown = 0
            self._oversized = False
        self._tail = data
        if not self._withhold:
            self._shown = len(data)
            self._bound()
            return chunk
        if data and (self._shown or len(data) > _MAX_EVENT or _HAS_CHOICES.search(data)):
            out += data[self._shown :]
            self._shown = len(data)
        self._bound()
        return out

    def finish(self) -> bytes:
        """What was held back, at the end of the stream; an event without its empty line counts as one."""
        rest = self._complete(self._tail) if self._tail else b""
        self._tail, self._shown = b"", 0
        return rest if self._withhold else b""

    def _complete(self, events: bytes) -> bytes:
        """Read finished events; what of them is still to be passed on."""
        if not any(needle in events for needle in _NEEDLES):
            return events[self._shown :]
        parts: list[bytes] = []
        skip, unread = self._shown, self._oversized
        for event in _events(events):
            usage_only = not unread and self._read(event)
            if not usage_only or skip:
                parts.append(event[skip:])
            skip, unread = 0, False
        return b"".join(parts)

    def _read(self, event: bytes) -> bool:
        """Note what an event says; True for the frame that holds nothing but usage."""
        data = b"\n".join(line[5:].removeprefix(b" ") for line in event.splitlines() if line.startswith(b"data:"))
        if data.strip() == b"[DONE]":
            self.done = True
            return False
        try:
            chunk = _decode(data) if data else {}
        except _JUNK:
            return False
        usage = usage_of_choices(chunk)
        if usage is not None:
            self.usage_raw = usage
        if isinstance(chunk.get("error"), dict):
            self.error = str(chunk["error"].get("message") or "the upstream reported an error")
        return isinstance(chunk.get("usage"), dict) and not chunk.get("choices")

    def _bound(self) -> None:
        if len(self._tail) > _MAX_EVENT:
            self._tail, self._shown, self._oversized = self._tail[-2:], 2, True


def _last_end(data: bytes) -> int:
    """Where the last finished event ends, 0 where none does."""
    if data.endswith(b"\n\n"):
        return len(data)
    plain, crlf = data.rfind(b"\n\n"), data.rfind(b"\n\r\n")
    return max(plain + 2 if plain >= 0 else 0, crlf + 3 if crlf >= 0 else 0)


def _events(data: bytes) -> Iterator[bytes]:
    """The events of `data`, each with its empty line; what follows the last end is one too."""
    start = 0
    for match in _END.finditer(data):
        yield data[start : match.end()]
        start = match.end()
    if start < len(data):
        yield data[start:]
