"""Searching: names of files, and lines in them."""

import os
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec

from gateway.arguments import ToolFailure, text_of
from gateway.bounds import ANSWER_BYTES, Allowance, ExhaustedError, offset_of, token_of
from gateway.fs_read import Continue, Path, read_up_to
from gateway.linear_search import Matcher, matcher
from gateway.roots import Roots
from gateway.walking import Found, matches, walk

_LINE = 500  # characters of a line in an answer
_FILE_MIB = 10
_PATTERN = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
_Context = Annotated[int, msgspec.Meta(ge=0, le=20)]
_Most = Annotated[int, msgspec.Meta(ge=1, le=1_000)]


class SearchFiles(msgspec.Struct, frozen=True, kw_only=True):
    path: Path
    pattern: Annotated[_PATTERN, msgspec.Meta(description="Part of a name, a name with * and ?, or a text to find.")]
    content_search: Annotated[bool, msgspec.Meta(description="Search in files, not in their names.")] = False
    case_sensitive: bool = False
    max_results: _Most = 100
    context_lines: _Context = 0
    file_pattern: str | None = None
    include_binary: bool = False
    continuation_token: Continue = None
    auto_chunk: Annotated[bool, msgspec.Meta(description="In parts; false: up to 1,000 results at once.")] = True


class SearchCode(msgspec.Struct, frozen=True, kw_only=True):
    path: Path
    pattern: Annotated[_PATTERN, msgspec.Meta(description="A text, or a regular expression.")]
    file_pattern: str | None = None
    context_lines: _Context = 2
    max_results: _Most = 50
    case_sensitive: bool = False
    include_hidden: bool = False
    max_file_size: Annotated[int, msgspec.Meta(ge=1, le=100, description="Of a file, in MiB.")] = _FILE_MIB
    continuation_token: Continue = None
    auto_chunk: Annotated[bool, msgspec.Meta(description="In parts; false: up to 1,000 results at once.")] = True


class _Lines(msgspec.Struct, frozen=True):
    """What lines are looked for, and in which files."""

    found: Matcher
    context: int
    file_pattern: str | None
    largest: int
    binary: bool


def search_files(roots: Roots, asked: SearchFiles) -> Mapping[str, Any]:
    allowance = Allowance()
    if asked.content_search:
        wanted = _Lines(
            matcher(asked.pattern, case=asked.case_sensitive),
            asked.context_lines,
            asked.file_pattern,
            _FILE_MIB << 20,
            asked.include_binary,
        )
        return _page(roots, asked, _hits(roots, walk(roots, roots.place(asked.path), allowance), wanted, allowance))
    return _page(roots, asked, _named(roots, asked, allowance))


def search_code(roots: Roots, asked: SearchCode) -> Mapping[str, Any]:
    allowance = Allowance()
    wanted = _Lines(
        matcher(asked.pattern, case=asked.case_sensitive),
        asked.context_lines,
        asked.file_pattern,
        asked.max_file_size << 20,
        False,
    )
    files = walk(roots, roots.place(asked.path), allowance, hidden=asked.include_hidden)
    return _page(roots, asked, _hits(roots, files, wanted, allowance))


def _page(roots: Roots, asked: SearchFiles | SearchCode, results: Iterator[Any]) -> Mapping[str, Any]:
    """The results after those that were given before, and a token where there are more."""
    about = msgspec.json.encode(msgspec.structs.replace(asked, continuation_token=None)).decode()
    start, shown, more, note = offset_of(asked.continuation_token, about), list[Any](), False, None
    most, room = asked.max_results if asked.auto_chunk else 1_000, ANSWER_BYTES
    try:
        for number, result in enumerate(results):
            if number < start:
                continue
            if len(shown) == most or room < 0:
                more = True
                break
            shown.append(result)
            room -= len(text_of(result))
    except ExhaustedError as error:
        note = str(error)
    return {
        "path": roots.place(asked.path).shown,
        "pattern": asked.pattern,
        "results": shown,
        "count": len(shown),
        "has_more": more,
        **({"continuation_token": token_of(about, start + len(shown))} if more else {}),
        **({"truncated": note} if note else {}),
    }


def _named(roots: Roots, asked: SearchFiles, allowance: Allowance) -> Iterator[Mapping[str, Any]]:
    for found in walk(roots, roots.place(asked.path), allowance):
        fits = matches(found.name, asked.pattern, case=asked.case_sensitive)
        if fits and matches(found.name, asked.file_pattern):
            kind = "directory" if found.is_directory else "file"
            yield {"path": found.place.shown, "type": kind, "size": found.status.st_size}


def _hits(roots: Roots, files: Iterator[Found], wanted: _Lines, allowance: Allowance) -> Iterator[Mapping[str, Any]]:
    for found in files:
        if not found.is_file or found.status.st_size > wanted.largest:
            continue
        if matches(found.name, wanted.file_pattern):
            yield from _lines_in(roots, found, wanted, allowance)


def _lines_in(roots: Roots, found: Found, wanted: _Lines, allowance: Allowance) -> Iterator[Mapping[str, Any]]:
    try:
        descriptor = roots.open_at(found.parent, found.name, found.place)
    except ToolFailure:
        return
    try:
        data = read_up_to(descriptor, wanted.largest, found.place)
    finally:
        os.close(descriptor)
    allowance.bytes(len(data))
    if b"\0" in data[:8_192] and not wanted.binary:
        return
    lines = data.decode("utf-8", "replace").split("\n")
    for number, line in enumerate(lines):
        if number % 256 == 0:
            allowance.time()
        if wanted.found(line):
            yield _hit(found, lines, number, wanted.context)


def _hit(found: Found, lines: list[str], number: int, context: int) -> Mapping[str, Any]:
    hit = {"path": found.place.shown, "line": number + 1, "text": lines[number].rstrip("\r")[:_LINE]}
    if not context:
        return hit
    before, after = lines[max(number - context, 0) : number], lines[number + 1 : number + 1 + context]
    return hit | {"before": [line[:_LINE] for line in before], "after": [line[:_LINE] for line in after]}
