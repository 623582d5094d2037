"""Reading files: whole, in parts, several, and by lines."""

import os
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec

from gateway.arguments import ToolFailure
from gateway.bounds import ANSWER_BYTES, EDITED_BYTES, Allowance, offset_of, token_of
from gateway.linear_search import Matcher, matcher
from gateway.roots import Place, Roots, failure
from gateway.walking import kind_of

_ENCODINGS = {"utf-8": "utf-8", "utf8": "utf-8", "utf-16le": "utf-16-le", "utf16le": "utf-16-le", "ascii": "ascii",
              "latin1": "latin-1", "latin-1": "latin-1", "iso-8859-1": "latin-1"}  # fmt: skip
_MOST_FILES = 100
_MOST_LINES = 50_000
Path = Annotated[str, msgspec.Meta(description="Absolute path beneath an open directory.")]
Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]
Size = Annotated[int, msgspec.Meta(ge=1, le=1 << 40)]
Line = Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]
Continue = Annotated[str | None, msgspec.Meta(description="From an earlier answer: go on from there.")]


class ListAllowed(msgspec.Struct, frozen=True):
    pass


class ReadFile(msgspec.Struct, frozen=True, kw_only=True):
    path: Path
    start_offset: Annotated[Count | None, msgspec.Meta(description="Byte to begin at.")] = None
    max_size: Annotated[Size | None, msgspec.Meta(description="At most so many bytes.")] = None
    line_start: Annotated[Line | None, msgspec.Meta(description="Line to begin at, from 0.")] = None
    line_count: Size | None = None
    encoding: str = "utf-8"
    continuation_token: Continue = None
    auto_chunk: Annotated[bool, msgspec.Meta(description="A long file in parts; false: refuse it.")] = True


class ReadMultipleFiles(msgspec.Struct, frozen=True, kw_only=True):
    paths: Annotated[list[str], msgspec.Meta(min_length=1, max_length=_MOST_FILES)]
    continuation_tokens: Annotated[dict[str, str], msgspec.Meta(description="Tokens by path.")] = {}
    auto_continue: Annotated[bool, msgspec.Meta(description="Whole files where they fit in the answer.")] = True
    chunk_size: Size = ANSWER_BYTES


class GetFileInfo(msgspec.Struct, frozen=True, kw_only=True):
    path: Path


class ExtractLines(msgspec.Struct, frozen=True, kw_only=True):
    path: Path
    line_numbers: list[Size] | None = None
    start_line: Size | None = None
    end_line: Size | None = None
    pattern: Annotated[str | None, msgspec.Meta(description="Lines that match this regular expression.")] = None
    context_lines: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0


def list_allowed(roots: Roots, _: ListAllowed) -> Mapping[str, Any]:
    return {"allowed_directories": [str(path) for path in roots.paths], "writable": roots.writable}


def read_file(roots: Roots, asked: ReadFile) -> Mapping[str, Any]:
    place, encoding = roots.place(asked.path), codec(asked.encoding)
    with roots.file(place) as descriptor:
        if asked.line_start is not None or asked.line_count is not None:
            return _lines(descriptor, place, asked, encoding)
        return _bytes(descriptor, place, asked, encoding)


def read_multiple(roots: Roots, asked: ReadMultipleFiles) -> Mapping[str, Any]:
    """What cannot be read is said in its place; all parts together have the size of one answer."""
    room, found = ANSWER_BYTES, []
    for path in asked.paths:
        size = min(asked.chunk_size, max(room, 1)) if not asked.auto_continue else max(room, 1)
        one = ReadFile(path=path, max_size=size, continuation_token=asked.continuation_tokens.get(path))
        try:
            part: Mapping[str, Any] = read_file(roots, one) if room > 0 else _full(path)
        except ToolFailure as error:
            part = {"path": path, "error": str(error)}
        room -= int(part.get("bytes", 0))
        found.append(part)
    return {"files": found, "read": sum("error" not in part for part in found), "total": len(found)}


def _fitting(lines: list[str], numbers: list[int]) -> list[int]:
    """The first of them, as far as an answer goes."""
    room = ANSWER_BYTES
    for at, number in enumerate(numbers):
        room -= len(lines[number - 1])
        if room < 0:
            return numbers[:at]
    return numbers


def _full(path: str) -> Mapping[str, Any]:
    return {"path": path, "error": "The answer is full: ask for this one again."}


def get_file_info(roots: Roots, asked: GetFileInfo) -> Mapping[str, Any]:
    place = roots.place(asked.path)
    with roots.directory(place.parent if place.parts else place) as parent:
        status = roots.look(parent, place.name) if place.parts else os.fstat(parent)
    if status is None:
        raise ToolFailure(f"{place.shown} does not exist.")
    return {"path": place.shown, "name": place.root.joinpath(*place.parts).name, **facts(status)}


def extract_lines(roots: Roots, asked: ExtractLines) -> Mapping[str, Any]:
    place = roots.place(asked.path)
    lines = text_of(roots, place).split("\n")
    total = len(lines) - (lines[-1] == "")  # the end of the last line begins no other one
    lines = lines[:total] or lines
    wanted = _wanted(asked, lines)
    shown = sorted(
        {
            number
            for each in wanted
            for number in range(each - asked.context_lines, each + asked.context_lines + 1)
            if 1 <= number <= len(lines)
        }
    )
    cut = _fitting(lines, shown[:_MOST_LINES])
    return {
        "path": place.shown,
        "total_lines": total,
        "lines": [{"line": number, "text": lines[number - 1], "match": number in wanted} for number in cut],
        "truncated": len(cut) < len(shown),
    }


def facts(status: os.stat_result) -> dict[str, Any]:
    """Times in seconds since the epoch."""
    return {
        "type": kind_of(status),
        "size": status.st_size,
        "modified": round(status.st_mtime, 3),
        "permissions": f"{status.st_mode & 0o777:03o}",
    }


def text_of(roots: Roots, place: Place) -> str:
    """A file that is handled as a whole. Raises ToolFailure, also for one that is no UTF-8."""
    with roots.file(place) as descriptor:
        return whole(descriptor, place).decode()


def whole(descriptor: int, place: Place) -> bytes:
    """Raises ToolFailure for a file that is too long or no UTF-8 text."""
    data = read_up_to(descriptor, EDITED_BYTES + 1, place)
    if len(data) > EDITED_BYTES:
        raise ToolFailure(f"{place.shown} has more than {EDITED_BYTES:,} bytes: too many for this tool.")
    try:
        data.decode()
    except UnicodeDecodeError:
        raise ToolFailure(f"{place.shown} is not UTF-8 text.") from None
    return data


def read_up_to(descriptor: int, most: int, place: Place) -> bytes:
    parts, left = [], most
    try:
        while left > 0 and (part := os.read(descriptor, min(left, 1 << 20))):
            parts.append(part)
            left -= len(part)
    except OSError as error:
        raise failure(error, place) from None
    return b"".join(parts)


def codec(name: str) -> str:
    """Raises ToolFailure."""
    found = _ENCODINGS.get(name.lower())
    if found is None:
        raise ToolFailure(f"Unknown encoding {name[:40]!r}; known are {', '.join(_ENCODINGS)}.")
    return found


def _bytes(descriptor: int, place: Place, asked: ReadFile, encoding: str) -> Mapping[str, Any]:
    size, about = os.fstat(descriptor).st_size, _about(descriptor, place)
    start = max(offset_of(asked.continuation_token, about), asked.start_offset or 0)
    most = min(asked.max_size or ANSWER_BYTES, ANSWER_BYTES)
    if not asked.auto_chunk and asked.max_size is None and size - start > most:
        raise ToolFailure(f"{place.shown} has {size:,} bytes, more than one answer takes: allow auto_chunk.")
    os.lseek(descriptor, start, os.SEEK_SET)
    data = read_up_to(descriptor, most, place)
    if start + len(data) < size:
        data = _at_a_boundary(data, encoding)
    end = start + len(data)
    more = end < size
    return {
        "path": place.shown,
        "content": _decoded(data, encoding, place),
        "size": size,
        "offset": start,
        "bytes": len(data),
        "has_more": more,
        **({"continuation_token": token_of(about, end)} if more else {}),
    }


def _lines(descriptor: int, place: Place, asked: ReadFile, encoding: str) -> Mapping[str, Any]:
    about = _about(descriptor, place)
    first = max(offset_of(asked.continuation_token, about), asked.line_start or 0)
    most = min(asked.max_size or ANSWER_BYTES, ANSWER_BYTES)
    wanted = min(asked.line_count or _MOST_LINES, _MOST_LINES)
    kept: list[bytes] = []
    total, more, used = 0, False, 0
    with os.fdopen(os.dup(descriptor), "rb") as file:
        for total, line in enumerate(_bounded(file, Allowance()), 1):
            if total <= first:
                continue
            if len(kept) == wanted or (kept and used + len(line) > most):
                more = True
                break
            kept.append(line[:most])
            used += len(line)
    end = first + len(kept)
    return {
        "path": place.shown,
        "content": _decoded(b"".join(kept), encoding, place),
        "line_start": first,
        "line_count": len(kept),
        "bytes": used,
        "has_more": more,
        **({"continuation_token": token_of(about, end)} if more else {}),
    }


def _bounded(file: Any, allowance: Allowance) -> Iterator[bytes]:
    """Lines, none longer than an answer in memory. Raises ExhaustedError."""
    while line := file.readline(ANSWER_BYTES):
        allowance.bytes(len(line))
        yield line


def _about(descriptor: int, place: Place) -> str:
    """A token is of one state of one file."""
    status = os.fstat(descriptor)
    return f"{place.shown}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"


def _at_a_boundary(data: bytes, encoding: str) -> bytes:
    """Without the beginning of a character that does not end in it."""
    if encoding == "utf-16-le":
        return data[: len(data) & ~1] or data
    if encoding != "utf-8":
        return data
    for back in range(1, min(4, len(data))):
        byte = data[-back]
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data[:-back] if needed > back else data
        if byte < 0x80:
            return data
    return data


def _decoded(data: bytes, encoding: str, place: Place) -> str:
    if encoding != "utf-16-le" and b"\0" in data[:8_192]:
        raise ToolFailure(f"{place.shown} is not text.")
    return data.decode(encoding, "replace")


def _wanted(asked: ExtractLines, lines: list[str]) -> set[int]:
    if asked.line_numbers is not None:
        return {number for number in asked.line_numbers if number <= len(lines)}
    first, last = asked.start_line or 1, min(asked.end_line or len(lines), len(lines))
    if first > last and (asked.start_line or asked.end_line):
        raise ToolFailure(f"There are no lines {first} to {last}; the file has {len(lines)}.")
    if asked.pattern is None:
        if asked.start_line is None and asked.end_line is None:
            raise ToolFailure("Say which lines: line_numbers, start_line and end_line, or pattern.")
        return set(range(first, last + 1))
    found: Matcher = matcher(asked.pattern, case=True)
    return {number for number in range(first, last + 1) if found(lines[number - 1])}
