"""Lines that stand in the context already: six or more in a row are said once, with a note in the place of the
others."""

import re
from collections.abc import Callable

import msgspec

RUN = 6  # lines
_MIN_CHARS = 200
_NUMBER = re.compile(r"^\s*\d+(?:\t|→|[:|] ?| {1,2})")  # as tools number the lines of a file
_MOST_LINES = 20_000


class Source(msgspec.Struct, eq=False):
    """A text that may be referred to: output number `output`, or what the assistant wrote (None)."""

    output: int | None
    lines: list[str]


class Repetition(msgspec.Struct, frozen=True):
    """`text` with notes; `saved` characters; the outputs that the notes refer to."""

    text: str
    saved: int
    referred: frozenset[int]


def comparable(line: str) -> str:
    """Without a line number in front and white space behind."""
    return _NUMBER.sub("", line, count=1).rstrip()


class LineIndex:
    """Where each run of six lines stood first."""

    def __init__(self) -> None:
        self._places: dict[int, tuple[Source, int]] = {}

    def add(self, source: Source) -> None:
        lines = source.lines
        for at in range(min(len(lines), _MOST_LINES) - RUN + 1):
            self._places.setdefault(hash(tuple(lines[at : at + RUN])), (source, at))

    def shortened(self, text: str, alive: Callable[[int], bool]) -> Repetition | None:
        """`text` without what stands elsewhere; None where nothing does. `alive` says whether an output is still
        shown as it was."""
        raw = text.split("\n")
        if len(raw) < RUN or len(raw) > _MOST_LINES:
            return None
        lines = [comparable(line) for line in raw]
        kept: list[str] = []
        saved, at, referred = 0, 0, set[int]()
        while at < len(lines):
            found = self._run(lines, at, alive)
            if found is None:
                kept.append(raw[at])
                at += 1
                continue
            length, output = found
            chars = sum(map(len, raw[at : at + length])) + length
            note = _note(length, lines[at : at + length], output is None)
            kept.append(note)
            saved += chars - len(note) - 1
            if output is not None:
                referred.add(output)
            at += length
        return Repetition("\n".join(kept), saved, frozenset(referred)) if saved > 0 else None

    def _run(self, lines: list[str], at: int, alive: Callable[[int], bool]) -> tuple[int, int | None] | None:
        """How many lines from `at` on stand elsewhere, and in which output."""
        if at + RUN > len(lines):
            return None
        place = self._places.get(hash(tuple(lines[at : at + RUN])))
        if place is None or (place[0].output is not None and not alive(place[0].output)):
            return None
        source, start = place
        length = 0
        while (
            at + length < len(lines)
            and start + length < len(source.lines)
            and lines[at + length] == source.lines[start + length]
        ):
            length += 1
        if length < RUN or sum(map(len, lines[at : at + length])) < _MIN_CHARS:
            return None
        return length, source.output


def _note(count: int, lines: list[str], written: bool) -> str:
    first = next((line.strip() for line in lines if line.strip()), "")[:60]
    where = "as written above" if written else "as in an output above"
    return f"[{count} lines {where}, from: {first}]"
