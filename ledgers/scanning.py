"""JSON of any size, cut or still being written: the elements of a list, the lines of a file, one document.

What is broken is one element, one line or the end of the file, and all else is read. Nothing is held but the piece at
hand, and no piece is longer than a limit; depth is counted, not recursed into.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO, TypeVar

import msgspec

from ledgers.tasks import Problem

T = TypeVar("T")
LONGEST = 32 << 20  # bytes of an element, a line or a document
_AT_ONCE = 8 << 20  # a file up to this size is parsed in one go
_CHUNK = 1 << 18
# What does not matter, in one step of the parser of patterns: whole strings, and all that is no bracket; at the top of
# the list a comma matters too. Possessive, so that nothing is ever tried twice.
_BELOW = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\(?s:.))*+")*+')
_ON_TOP = re.compile(rb'(?:[^"\[\]{},]++|"(?:[^"\\]++|\\(?s:.))*+")*+')
_STRING = re.compile(rb'["\\]')
_BOM = b"\xef\xbb\xbf"
_raw_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


class BrokenError(Exception):
    """No JSON of the kind that was expected; the text says what is wrong, and holds nothing of the file."""


def decoded(data: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Raises BrokenError."""
    try:
        return decoder.decode(data)
    except RecursionError:
        raise BrokenError("is nested too deep") from None
    except msgspec.ValidationError:
        raise BrokenError("has a field of another type than expected") from None
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
        raise BrokenError("is no JSON") from None


def document(file: BinaryIO, decoder: msgspec.json.Decoder[T]) -> T:
    """The file as one value. Raises BrokenError."""
    data = file.read(LONGEST + 1)
    if len(data) > LONGEST:
        raise BrokenError("is too long")
    return decoded(data.removeprefix(_BOM), decoder)


def lines(file: BinaryIO) -> Iterator[tuple[int, bytes] | Problem]:
    """The lines with their numbers, empty ones left out. A last line without its end is given too where it is whole
    JSON; else somebody is still writing it, and it is left for the next time."""
    number = 0
    while line := file.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            while line and not line.endswith(b"\n"):
                line = file.readline(_CHUNK)
            yield Problem(f"line {number} is too long")
        elif line.endswith(b"\n") or _whole(line):
            line = line.removeprefix(_BOM).strip() if number == 1 else line.strip()
            if line:
                yield number, line


def elements(file: BinaryIO) -> Iterator[bytes | Problem]:
    """The elements of the list that the file is, undecoded; then a problem where it does not end as a list."""
    data = file.read(_AT_ONCE).removeprefix(_BOM)
    if len(data) < _AT_ONCE - len(_BOM):
        try:
            found = _raw_list(data)
        except (msgspec.MsgspecError, RecursionError, ValueError):
            found = None
        if found is not None:
            yield from map(bytes, found)
            return
    scanner = _Scanner()
    while data:
        yield from scanner.feed(data)
        data = file.read(_CHUNK)
    yield from scanner.end()


def _whole(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        return False
    return True


class _Scanner:
    """Cuts a list at its top commas, whatever stands between them."""

    def __init__(self) -> None:
        self._depth, self._in_string, self._escaped = 0, False, False
        self._piece = bytearray()
        self._too_long = self._done = self._no_list = False
        self._count = 0
        self._last = b""  # the byte that mattered last

    def feed(self, data: bytes) -> Iterator[bytes | Problem]:
        at = start = 0
        if self._depth == 0 and not self._done and not self._no_list:
            stripped = data.lstrip()
            if not stripped:
                return
            self._no_list = not stripped.startswith(b"[")
            at = start = len(data) - len(stripped) + 1
            self._depth = 1
        while at < len(data) and not self._no_list:
            if self._done:
                self._piece += data[at:].strip()[:1]
                return
            at = self._step(data, at)
            if self._cut(data, at):
                yield from self._element(data[start : at - 1])
                start = at
        if not self._no_list and not self._done:
            self._keep(data[start:])

    def end(self) -> Iterator[Problem]:
        if self._no_list or (self._depth == 0 and not self._done):
            yield Problem("the file is no list")
        elif not self._done:
            yield Problem("the file ends in the middle: what was whole was read")
        elif self._piece:
            yield Problem("something follows the end of the list")

    def _step(self, data: bytes, at: int) -> int:
        """Behind the next byte that matters."""
        if self._escaped:
            self._escaped = False
            return at + 1
        at = self._skipped(data, at)
        self._last = byte = data[at : at + 1]
        if not byte:
            return len(data)
        if byte == b'"':
            self._in_string = not self._in_string
        elif byte == b"\\":
            self._escaped = True
        elif byte in b"[{":
            self._depth += 1
        elif byte in b"]}":
            self._depth -= 1
        return at + 1

    def _skipped(self, data: bytes, at: int) -> int:
        """Where the next byte is that matters, or the end."""
        if self._in_string:
            found = _STRING.search(data, at)
            return found.start() if found is not None else len(data)
        skipped = (_ON_TOP if self._depth == 1 else _BELOW).match(data, at)
        return skipped.end() if skipped is not None else at

    def _cut(self, data: bytes, at: int) -> bool:
        if self._in_string or self._escaped:
            return False
        self._done = self._depth == 0
        return self._done or (self._depth == 1 and self._last == b",")

    def _element(self, rest: bytes) -> Iterator[bytes | Problem]:
        self._keep(rest)
        piece, too_long = bytes(self._piece).strip(), self._too_long
        self._piece.clear()
        self._too_long = False
        if too_long:
            yield Problem(f"entry {self._count + 1} is too long")
        elif piece:
            yield piece
        self._count += bool(piece or too_long)

    def _keep(self, data: bytes) -> None:
        if len(self._piece) + len(data) > LONGEST:
            self._too_long = True
            self._piece.clear()
        if not self._too_long:
            self._piece += data
