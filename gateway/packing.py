"""Texts made smaller: packed without loss as base64, or by keeping the lines that say most. Pure."""

import base64
import binascii
import bz2
import lzma
import zlib
from collections import Counter
from typing import Any

from gateway.arguments import ToolFailure
from gateway.bm25 import scores, words

METHODS = ("zlib", "bz2", "lzma")
MOST_BYTES = 16 << 20  # of what comes out of a packed text
_MEMORY = 64 << 20
_NAMED = 40  # words that stand for a whole text


def packed(text: str, algorithm: str) -> str:
    """Raises ToolFailure."""
    data = text.encode("utf-8", "surrogatepass")
    match algorithm:
        case "zlib":
            small = zlib.compress(data, 9)
        case "bz2":
            small = bz2.compress(data)
        case _:
            small = lzma.compress(data)
    return base64.b64encode(small).decode()


def unpacked(text: str, algorithm: str) -> str:
    """Raises ToolFailure for what is no such text, and for one that swells."""
    try:
        data = base64.b64decode(text, validate=True)
        unpacker = _unpacker(algorithm)
        whole = unpacker.decompress(data, MOST_BYTES + 1)
        if len(whole) > MOST_BYTES:
            raise ToolFailure(f"The text swells to more than {MOST_BYTES:,} bytes: it is refused.")
        if not unpacker.eof:
            raise ToolFailure("The text is not whole.")
        return str(whole.decode("utf-8", "surrogatepass"))
    except (binascii.Error, zlib.error, lzma.LZMAError, OSError, EOFError, UnicodeError, ValueError):
        raise ToolFailure(f"This was not compressed with {algorithm}.") from None


def extracted(text: str, ratio: float) -> str:
    """The lines that have most of the text's own words, in their order, at most `ratio` of its characters."""
    lines = text.split("\n")
    frequent = Counter(words(text)).most_common(_NAMED)
    values = scores(lines, " ".join(word for word, _ in frequent))
    room, kept = int(len(text) * ratio), set[int]()
    for number in sorted(range(len(lines)), key=lambda n: (-values[n], n)):
        if lines[number].strip() and len(lines[number]) + 1 <= room:
            room -= len(lines[number]) + 1
            kept.add(number)
    return "\n".join(lines[number] for number in sorted(kept))


def _unpacker(algorithm: str) -> Any:
    match algorithm:
        case "zlib":
            return zlib.decompressobj()
        case "bz2":
            return bz2.BZ2Decompressor()
        case _:
            return lzma.LZMADecompressor(memlimit=_MEMORY)
