"""Changes of texts, exact to the character. Pure."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Literal

import msgspec

from gateway.arguments import ToolFailure

Mode = Literal["replace", "insert_before", "insert_after", "delete_line"]
_SHOWN = 5


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """A change at a line: the one with number `line_number`, or the one that holds `old_text`."""

    old_text: str | None = None
    new_text: str | None = None
    line_number: int | None = None
    mode: Mode = "replace"


def replaced(
    text: str, old: str, new: str, expected: int, *, word_boundary: bool = False, case_sensitive: bool = True
) -> str:
    """Every `old` in `text` by `new`, where there are as many as expected. Raises ToolFailure."""
    spans = occurrences(text, old, word_boundary=word_boundary, case_sensitive=case_sensitive)
    if len(spans) != expected:
        raise ToolFailure(_miscounted(text, spans, expected))
    parts, end = list[str](), 0
    for start, stop in spans:
        parts += (text[end:start], new)
        end = stop
    return "".join((*parts, text[end:]))


def occurrences(
    text: str, old: str, *, word_boundary: bool = False, case_sensitive: bool = True
) -> list[tuple[int, int]]:
    """From left to right, none within another. Raises ToolFailure for an empty text."""
    if not old:
        raise ToolFailure("old_text is empty.")
    pattern = re.escape(old)
    if word_boundary:
        pattern = rf"(?<!\w){pattern}(?!\w)"
    return [found.span() for found in re.finditer(pattern, text, 0 if case_sensitive else re.IGNORECASE)]


def edited_lines(text: str, edits: Sequence[Edit]) -> str:
    """All edits, whose line numbers (from 1) are those of the text as it is. Raises ToolFailure."""
    lines = text.split("\n")
    places = [(_line_of(lines, edit), edit) for edit in edits]
    for number, edit in sorted(places, key=lambda pair: -pair[0]):
        _apply(lines, number, edit)
    return "\n".join(lines)


def nearest(text: str, old: str) -> str | None:
    """The lines that are most like `old`, where some are: for saying what was probably meant."""
    lines, wanted = text.split("\n"), old.strip("\n").split("\n")
    first = wanted[0].strip()
    if not first or len(lines) > 5_000:
        return None
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(first[:500])
    best, at = 0.6, -1
    for number, line in enumerate(lines):
        matcher.set_seq1(line.strip()[:500])
        if matcher.real_quick_ratio() > best and matcher.quick_ratio() > best and (ratio := matcher.ratio()) > best:
            best, at = ratio, number
    if at < 0:
        return None
    return "\n".join(lines[at : at + min(len(wanted), 20)])


def loosely(text: str, old: str) -> list[tuple[int, int]]:
    """Where `old` stands in `text` when white space at the ends of lines, and its indentation, may differ."""
    lines, wanted = text.split("\n"), [line.strip() for line in old.strip("\n").split("\n")]
    if not any(wanted):
        return []
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    stripped, found, number = [line.strip() for line in lines], [], 0
    while number + len(wanted) <= len(lines):
        if stripped[number] == wanted[0] and stripped[number : number + len(wanted)] == wanted:
            found.append((starts[number], starts[number + len(wanted)] - 1))
            number += len(wanted)
        else:
            number += 1
    return found


def line_of(text: str, index: int) -> int:
    return text.count("\n", 0, index) + 1


def _miscounted(text: str, spans: list[tuple[int, int]], expected: int) -> str:
    if not spans:
        return f"old_text was not found; {expected} expected. Nothing was changed."
    lines = ", ".join(str(line_of(text, start)) for start, _ in spans[:_SHOWN])
    more = ", ..." if len(spans) > _SHOWN else ""
    return f"old_text was found {len(spans)} times (lines {lines}{more}); {expected} expected. Nothing was changed."


def _line_of(lines: Sequence[str], edit: Edit) -> int:
    """Its index in `lines`."""
    if edit.line_number is not None:
        if not 1 <= edit.line_number <= len(lines):
            raise ToolFailure(f"There is no line {edit.line_number}; the file has {len(lines)}. Nothing was changed.")
        if edit.old_text is not None and edit.old_text not in lines[edit.line_number - 1]:
            raise ToolFailure(f"Line {edit.line_number} does not hold old_text. Nothing was changed.")
        return edit.line_number - 1
    if not edit.old_text:
        raise ToolFailure("An edit needs line_number or old_text.")
    found = [number for number, line in enumerate(lines) if edit.old_text in line]
    if len(found) != 1:
        raise ToolFailure(
            f"{len(found)} lines hold {edit.old_text[:80]!r}; exactly one must, or give line_number."
            " Nothing was changed."
        )
    return found[0]


def _apply(lines: list[str], number: int, edit: Edit) -> None:
    new = edit.new_text
    if edit.mode != "delete_line" and new is None:
        raise ToolFailure(f"An edit of mode {edit.mode} needs new_text. Nothing was changed.")
    match edit.mode:
        case "delete_line":
            del lines[number]
        case "insert_before":
            lines.insert(number, new or "")
        case "insert_after":
            lines.insert(number + 1, new or "")
        case _ if edit.old_text is not None:
            lines[number] = lines[number].replace(edit.old_text, new or "", 1)
        case _:
            lines[number] = new or ""
