"""Which lines of a text can be left out for a goal: those that share no words with it and do not carry the text. Pure,
and the same for the same text.

Words and the shape of lines decide, no model does: what a goal means but does not name is not found.
"""

import re
from collections.abc import Callable, Sequence
from fractions import Fraction

import msgspec

from gateway.bm25 import scores
from schema.server_state import SourceType

BEGIN, END = "⟦NO_PRUNE_BEGIN⟧", "⟦NO_PRUNE_END⟧"
_KEEP = 0.35  # of the score, from which on a line stays
_NEAR = ((1, 0.5), (2, 0.25))  # lines beside a good one are worth this part of it
_CODE = re.compile(
    r"\s*(?:(?:export|public|private|protected|static|abstract|async|pub|final|default)\s+)*"
    r"(?:def|class|function|fn|func|interface|struct|enum|trait|impl|type|import|from|package|module|namespace|#include"
    r"|use|@\w+|raise|throw|return)\b"
)
_TROUBLE = re.compile(
    r"\b(?:error|exception|fail(?:ed|ure)?|fatal|panic|traceback|critical|warn(?:ing)?|denied|timeout|refused|assert\w*"
    r"|caused by|exit(?:ed)? (?:code|status))\b",
    re.IGNORECASE,
)
_HEADING = re.compile(r"\s{0,3}(?:#{1,6}\s|={3,}|-{3,}\s*$|\d+(?:\.\d+)*[.)]\s+\S|[A-Z][^.]{2,60}:\s*$)")
_CHANGING = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8,}|\d+", re.IGNORECASE)


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At most `max_prune_ratio` of the lines go, at least `min_keep_lines` stay."""

    max_prune_ratio: float
    min_keep_lines: int


class Block(msgspec.Struct, frozen=True):
    """Lines `first` to `last`, from 1, both inclusive."""

    first: int
    last: int
    reason: str

    @property
    def count(self) -> int:
        return self.last - self.first + 1


class OutOfTimeError(Exception):
    """It took longer than it may."""


def blocks(
    lines: Sequence[str],
    goal: str,
    source: SourceType,
    options: Options,
    cost: Callable[[Block], int],
    check: Callable[[], None],
) -> list[Block]:
    """What is left out. `cost` is what stands for a block, in characters: a block that saves no more stays. `check`
    raises when time is up."""
    room = budget(len(lines), options)
    free = [not kept for kept in protected(lines)]
    check()
    values = worth(lines, goal, source, check)
    low = [number for number in range(len(lines)) if free[number] and values[number] < _KEEP]
    gone = set(sorted(low, key=lambda number: (values[number], -number))[:room])
    check()
    return [block for block in _runs(lines, gone) if _length(lines, block) > cost(block)]


def budget(count: int, options: Options) -> int:
    """How many lines may go, exactly."""
    share = int(Fraction(repr(options.max_prune_ratio)) * count)
    return max(min(share, count - options.min_keep_lines), 0)


def protected(lines: Sequence[str]) -> list[bool]:
    """Whether a line stands between the marks that keep it, or is one; a block without an end goes on to the last."""
    inside, found = False, []
    for line in lines:
        begins, ends = BEGIN in line, END in line
        found.append(inside or begins or ends)
        inside = (inside or begins) and not ends
    return found


def worth(lines: Sequence[str], goal: str, source: SourceType, check: Callable[[], None]) -> list[float]:
    """Of each line, from 0 to 1: the better of what it says about the goal, and what it is."""
    raw = scores(lines, goal, check)
    best = max(raw, default=0.0)
    relevant = [score / best for score in raw] if best else raw
    around = list(relevant)
    for number, score in enumerate(relevant):
        for distance, part in _NEAR if score else ():
            for near in (number - distance, number + distance):
                if 0 <= near < len(lines):
                    around[near] = max(around[near], score * part)
    own = _LOOKS[source](lines)
    return [max(pair) for pair in zip(around, own, strict=True)]


def _code(lines: Sequence[str]) -> list[float]:
    return [0.3 if _CODE.match(line) else 0.1 if line.strip() else 0.0 for line in lines]


def _logs(lines: Sequence[str]) -> list[float]:
    """What went wrong, and the first of each kind of line."""
    seen, found = set[str](), list[float]()
    for number, line in enumerate(lines):
        kind = _CHANGING.sub("#", line.strip())[:200]
        edge = number in (0, len(lines) - 1)
        value = 0.6 if _TROUBLE.search(line) and kind not in seen else 0.4 if edge else 0.2 if kind not in seen else 0.0
        found.append(value if line.strip() else 0.0)
        seen.add(kind)
    return found


def _docs(lines: Sequence[str]) -> list[float]:
    """Headings stay, and the first line of a paragraph goes after the others."""
    found, before = list[float](), ""
    for line in lines:
        first = bool(line.strip()) and not before.strip()
        found.append(0.5 if _HEADING.match(line) else 0.2 if first else 0.1 if line.strip() else 0.0)
        before = line
    return found


_LOOKS: dict[SourceType, Callable[[Sequence[str]], list[float]]] = {"code": _code, "logs": _logs, "docs": _docs}


def _runs(lines: Sequence[str], gone: set[int]) -> list[Block]:
    found: list[Block] = []
    for number in sorted(gone):
        if found and found[-1].last == number:
            found[-1] = Block(found[-1].first, number + 1, "")
        else:
            found.append(Block(number + 1, number + 1, ""))
    return [Block(each.first, each.last, _reason(lines, each)) for each in found]


def _length(lines: Sequence[str], block: Block) -> int:
    return sum(len(line) + 1 for line in lines[block.first - 1 : block.last])


def _reason(lines: Sequence[str], block: Block) -> str:
    inside = [line.strip() for line in lines[block.first - 1 : block.last]]
    if not any(inside):
        return "blank"
    kinds = {_CHANGING.sub("#", line)[:200] for line in inside}
    return "repeated" if len(inside) > 2 and len(kinds) == 1 else "low_relevance"
