"""A text made shorter without a model: the lines that say most, in their order.

`context_aware` keeps lines by the names that they hold (identifiers, paths, numbers), by errors and headings, and where
they stand; `extractive` by how many of the text's own frequent words they hold.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence

from context.words import naming_words

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"'(`])")
_LONG_LINE = 400  # characters: longer ones are taken apart
_WORD = re.compile(r"[^\W\d_]{4,}")
_MARKED = re.compile(
    r"error|exception|fail|warn|todo|important|must|never|always|decid|because|^\s*(#|def |class )", re.I
)
_CUT = "..."

Count = Callable[[str], int]
Score = Callable[[Sequence[str]], list[float]]


def shorter(text: str, ratio: float, count: Count, *, aware: bool) -> str:
    """About `ratio` of the text's tokens; the text itself where it has no more than one piece."""
    pieces = _pieces(text)
    budget = max(int(count(text) * ratio), 1)
    scores = (_by_names if aware else _by_words)([piece for piece, _ in pieces])
    tokens = [count(piece) + 1 for piece, _ in pieces]
    order = sorted(range(len(pieces)), key=lambda index: (-scores[index] / tokens[index], index))
    kept: set[int] = set()
    for index in order:
        if tokens[index] <= budget:
            kept.add(index)
            budget -= tokens[index]
    if not kept:  # one endless piece
        return _beginning(pieces[order[0]][0], budget, count)
    return "".join(piece + end for index, (piece, end) in enumerate(pieces) if index in kept).rstrip()


def names_kept(before: str, after: str) -> float:
    """The share of a text's identifiers that are still in a shorter one; 1 where it has none."""
    names = naming_words(before)
    return sum(name in after for name in names) / len(names) if names else 1.0


def _pieces(text: str) -> list[tuple[str, str]]:
    """Lines, long ones as sentences, each with what stands behind it."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        parts = _SENTENCE.split(line) if len(line) > _LONG_LINE else [line]
        found += [(part, " ") for part in parts[:-1]]
        found.append((parts[-1], "\n"))
    return [pair for pair in found if pair[0].strip()] or [(text, "")]


def _by_names(pieces: Sequence[str]) -> list[float]:
    """A name counts where it stands first."""
    seen: set[str] = set()
    scores: list[float] = []
    for index, piece in enumerate(pieces):
        new = [name for name in naming_words(piece) if name not in seen]
        seen.update(new)
        edge = index in (0, len(pieces) - 1)
        scores.append(1.0 + 2.0 * len(new) + (3.0 if _MARKED.search(piece) else 0.0) + (2.0 if edge else 0.0))
    return scores


def _by_words(pieces: Sequence[str]) -> list[float]:
    words = [Counter(word.casefold() for word in _WORD.findall(piece)) for piece in pieces]
    every = Counter(word for each in words for word in each)
    return [sum(every[word] for word in each) + 0.1 for each in words]


def _beginning(piece: str, budget: int, count: Count) -> str:
    """As much of one piece as fits, found by halving."""
    low, high = 0, len(piece)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count(piece[:middle] + _CUT) <= budget else (low, middle - 1)
    return piece[:low] + _CUT if low else piece[:1]
