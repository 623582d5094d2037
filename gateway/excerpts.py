"""Lines of an original, picked out for somebody who cannot take it whole. Pure.

What tools say is often JSON on one line, with the text that is wanted in it. Lines are then those of that text, or of
the JSON with a line for each value.
"""

import re
from typing import Any

import msgspec

MOST = 40_000  # characters of a text that an answer holds
_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_NEWLINE = re.compile(r"((?<!\\)(?:\\\\)*)\\n")


class RangeError(ValueError):
    """The message is for whoever asked."""


class Excerpt(msgspec.Struct, frozen=True):
    """`text` are `hits` lines of the `lines` that there are."""

    text: str
    hits: int
    lines: int


def span(lines: str) -> tuple[int, int]:
    """First and last line, from 1, of "10-40" or "5". Raises RangeError."""
    found = _RANGE.fullmatch(lines)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= first <= last:
        raise RangeError('lines must be a range such as "10-40", from 1, or one number')
    return first, last


def selected(text: str, lines: str | None, grep: str | None) -> Excerpt:
    """The lines of a range that hold `grep`, whatever the case. Raises RangeError."""
    first, last = span(lines) if lines is not None else (1, None)
    shown = readable(text)
    every = shown.split("\n")
    wanted = (grep or "").casefold()
    found = [line for line in every[first - 1 : last] if wanted in line.casefold()]
    return Excerpt("\n".join(found), len(found), len(every) - shown.endswith("\n"))


def readable(text: str) -> str:
    """The text that lines are counted in."""
    if not text.startswith(("{", "[")) or "\n" in text.rstrip("\n"):
        return text
    try:
        value, laid_out = msgspec.json.decode(text), msgspec.json.format(text, indent=1)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return text
    inner = _texts(value)
    if len(inner) == 1 and 2 * len(inner[0]) > len(text):
        return inner[0]
    return _NEWLINE.sub(r"\1\n", laid_out)


def part(text: str, offset: int) -> tuple[str, int | None]:
    """At most MOST characters from `offset`, whole lines where that leaves more than half; and where the next part
    begins, None at the end."""
    end = offset + MOST
    if end >= len(text):
        return text[offset:], None
    line_end = text.rfind("\n", offset + MOST // 2, end) + 1
    end = line_end or end
    return text[offset:end], end


def _texts(value: Any) -> list[str]:
    """The strings of more than one line, two at most."""
    found: list[str] = []
    left = [value]
    while left and len(found) < 2:
        inner = left.pop()
        if isinstance(inner, str) and "\n" in inner:
            found.append(inner)
        elif isinstance(inner, dict):
            left += inner.values()
        elif isinstance(inner, list):
            left += inner
    return found
