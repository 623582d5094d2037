"""Long output of a command: its beginning, its end, what looks like an error, and what it defines."""

import re
from collections.abc import Callable

_ERROR = re.compile(
    r"error|exception|traceback|fatal|fail(?:ed|ure)?\b|panic|denied|not found|undefined|warning|assert", re.IGNORECASE
)
_STRUCTURE = re.compile(
    r"^\s*(?:def |class |fn |func |function |struct |interface |impl |type |export |public |#{1,4} )"
)
_HEAD, _TAIL, _ERRORS, _SHAPE = 0.35, 0.25, 0.25, 0.15  # of what is kept

Count = Callable[[str], int]


def shortened(text: str, keep_chars: int) -> tuple[str, str]:
    """What is kept, with a note for each gap, and what is left out."""
    lines = text.split("\n")
    chosen = _ends(lines, keep_chars)
    for pattern, share in ((_ERROR, _ERRORS), (_STRUCTURE, _SHAPE)):
        room = int(keep_chars * share)
        for number, line in enumerate(lines):
            if number not in chosen and pattern.search(line[:400]):
                room -= len(line) + 1
                if room < 0:
                    break
                chosen.add(number)
    return _with_notes(lines, chosen), "\n".join(line for number, line in enumerate(lines) if number not in chosen)


def _ends(lines: list[str], keep_chars: int) -> set[int]:
    chosen: set[int] = set()
    for numbers, share in ((range(len(lines)), _HEAD), (range(len(lines) - 1, -1, -1), _TAIL)):
        room = int(keep_chars * share)
        for number in numbers:
            room -= len(lines[number]) + 1
            if room < 0:
                break
            chosen.add(number)
    return chosen


def _with_notes(lines: list[str], chosen: set[int]) -> str:
    kept: list[str] = []
    missing = 0
    for number, line in enumerate(lines):
        if number in chosen:
            if missing:
                kept.append(f"[... {missing} lines left out ...]")
            missing = 0
            kept.append(line)
        else:
            missing += 1
    if missing:
        kept.append(f"[... {missing} lines left out ...]")
    return "\n".join(kept)
