"""How alike two texts are: the Dice coefficient of their pairs of letters. Pure."""

from collections import Counter
from operator import add

_LONGEST = 2_000  # characters that are looked at


def pairs(text: str) -> Counter[str]:
    """Whatever the case, without white space."""
    return Counter(_pairs(text))


def likeness(wanted: Counter[str], text: str) -> float:
    """From 0 to 1."""
    found = _pairs(text)
    if wanted.keys().isdisjoint(found):
        return 0.0
    return similarity(wanted, Counter(found))


def similarity(one: Counter[str], other: Counter[str]) -> float:
    """From 0 to 1."""
    total = one.total() + other.total()
    shared = sum(min(count, other[pair]) for pair, count in one.items() if pair in other)
    return 2 * shared / total if total else 0.0


def _pairs(text: str) -> list[str]:
    folded = "".join(text[:_LONGEST].casefold().split())
    return [folded] if len(folded) == 1 else list(map(add, folded, folded[1:]))
