"""Unpaired surrogate escapes in JSON, such as "\\ud83d" alone.

Programs that cut texts at a number of UTF-16 units write them, and streams that escape all but ASCII cut a pair in two.
They are well-formed JSON that strict decoders refuse.
"""

import re
from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec

T = TypeVar("T")

_LONE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_PAIR = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F]")
_ESCAPE = 6  # bytes of a surrogate
_PIECE = 256 << 10
_REPLACEMENT = b"\\ufffd"
_BACKSLASH, _NO_ESCAPE = b"\\\\", b"\0\0"


def mended(text: bytes, replacement: bytes = _REPLACEMENT) -> bytes:
    """`text` with each unpaired surrogate escape as that of U+FFFD, or another `replacement` of six bytes.

    `text` itself if it has none.
    """
    if (b"\\ud" not in text and b"\\uD" not in text) or b"\0" in text:  # the latter is no JSON anyway
        return text
    plain = text.replace(_BACKSLASH, _NO_ESCAPE)  # in the order in which they are read: what is left begins an escape
    template = replacement.replace(b"\\", _BACKSLASH)
    fixed = b"".join([_LONE.sub(template, piece) for piece in _pieces(plain)])
    return text if fixed == plain else fixed.replace(_NO_ESCAPE, _BACKSLASH)


def _pieces(plain: bytes) -> Iterator[bytes]:
    """No piece ends within an escape or a pair: other threads run in between."""
    start = 0
    while len(plain) - start > _PIECE:
        end = plain.find(b"\\", start + _PIECE)
        if end < 0:
            break
        if _PAIR.match(plain, end - _ESCAPE):
            end += _ESCAPE
        yield plain[start:end]
        start = end
    yield plain[start:]


def decode_mended(decode: Callable[[bytes], T], text: bytes) -> T:
    """`decode(text)`, of the mended text if that is what it needs. Raises what `decode` raises."""
    try:
        return decode(text)
    except msgspec.DecodeError:
        fixed = mended(text)
        if fixed is text:
            raise
    return decode(fixed)


def as_received(text: bytes, fixed: bytes, values: list[msgspec.Raw]) -> list[msgspec.Raw]:
    """`values`, decoded in this order from `fixed`, as they stand in the `text` that was mended to `fixed`."""
    found: list[msgspec.Raw] = []
    end = 0
    for value in values:
        start = fixed.find(value, end)
        if start < 0:  # out of order: a key stands twice
            start = fixed.find(value)
        end = start + memoryview(value).nbytes
        found.append(msgspec.Raw(text[start:end]))
    return found
