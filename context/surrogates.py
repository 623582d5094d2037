"""Unpaired surrogate escapes in JSON, such as "\\ud83d" alone.

Programs that cut texts at a number of UTF-16 units write them, and streams that escape all but ASCII cut a pair in two.
They are well-formed JSON that strict decoders refuse.
"""

import re
from collections.abc import Callable
from typing import TypeVar

import msgspec

T = TypeVar("T")

_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)")
_LONE = 6  # bytes
_REPLACEMENT = b"\\ufffd"


def mended(text: bytes) -> bytes:
    """`text` with each unpaired surrogate escape as that of U+FFFD, which is as long; `text` itself if it has none."""
    if b"\\ud" not in text and b"\\uD" not in text:
        return text
    fixed = _ESCAPE.sub(lambda match: _REPLACEMENT if len(match[0]) == _LONE else match[0], text)
    return text if fixed == text else fixed


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
