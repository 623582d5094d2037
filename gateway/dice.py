"""How alike two texts are: the Dice coefficient of their pairs of letters. Pure."""

from collections import Counter

_LONGEST = 2_000  # characters that are looked at


def pairs(text: str) -> Counter[str]:
    """Whatever the case, without white space."""
    folded = "".join(text[:_LONGEST].casefold().split())
    if len(folded) == 1:
        return Counter([folded])
    return Counter(folded[at : at + 2] for at in range(len(folded) - 1))


def similarity(one: Counter[str], other: Counter[str]) -> float:
    """From 0 to 1."""
    total = one.total() + other.total()
    return 2 * sum((one & other).values()) / total if total else 0.0
