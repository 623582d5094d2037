"""What can still be read of a JSON answer of which only the beginning and the end were kept: model, usage and why it
ended, wherever they stand around the text that was too long.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from proxy.sse_events import ChunkHead, chunk_head

KEPT_END = 64 << 10  # bytes
_LOOKED_AT = 64 << 10  # of the beginning
_KEY = re.compile(r'[ \t\r\n]*[{,][ \t\r\n]*("(?:[^"\\]|\\.)*+")[ \t\r\n]*:[ \t\r\n]*')
_CHOICES = re.compile(r"\[[ \t\r\n]*")
_NAMES = (b"finish_reason", b"usage", b"model", b"service_tier", b"id", b"created", b"object")
_value = json.JSONDecoder().raw_decode


class End:
    """The last bytes of what is added."""

    def __init__(self, room: int = KEPT_END) -> None:
        self._room = room
        self._pieces: list[bytes] = []
        self._held = 0
        self.size = 0

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        self._held += len(piece)
        self._pieces.append(piece)
        if self._held > 2 * self._room:
            self._pieces = [self.data]
            self._held = len(self._pieces[0])

    @property
    def data(self) -> bytes:
        return b"".join(self._pieces)[-self._room :]


def head_of(beginning: bytes, end: bytes) -> ChunkHead:
    """The members of a completion, or of a chunk of one, that can be read around what is missing between the two."""
    found: dict[str, Any] = {**_leading(beginning[:_LOOKED_AT].decode("utf-8", "replace")), **_trailing(end)}
    return chunk_head(msgspec.json.encode(found)) or ChunkHead()


def _leading(text: str) -> dict[str, Any]:
    """Members before the long one, which may be a part of the first choice."""
    found, rest = _members(text, 0)
    key = _KEY.match(text, rest)
    inside = _CHOICES.match(text, key.end()) if key is not None and key[1] == '"choices"' else None
    if inside is not None:
        found["choices"] = [_members(text, inside.end())[0]]
    return found


def _members(text: str, position: int) -> tuple[dict[str, Any], int]:
    """Those of an object that are whole, and where the first begins that is not."""
    found: dict[str, Any] = {}
    while (key := _KEY.match(text, position)) is not None:
        try:
            found[str(json.loads(key[1]))], position = _value(text, key.end())
        except (ValueError, RecursionError):
            break
    return found, position


def _trailing(end: bytes) -> dict[str, Any]:
    """Members behind the long one. Put behind an opening that fits them they are an object again, and only then: what
    stands inside a text or deeper down does not close like that."""
    return next(_objects(end), {})


def _objects(end: bytes) -> Iterator[dict[str, Any]]:
    for opening in (b'{"choices":[{', b"{"):
        for place in sorted(place for name in _NAMES if (place := end.rfind(b'"%b"' % name)) >= 0):
            try:
                yield msgspec.json.decode(opening + end[place:], type=dict[str, Any])
            except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
                continue
