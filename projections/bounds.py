"""What a table can hold: whole numbers up to 2^63 - 1. Counts come from providers, and their sums must fit too."""

from collections.abc import Iterable, Iterator

LARGEST = (1 << 63) - 1
_LOW_BITS = 32
_LOW = (1 << _LOW_BITS) - 1


def bounded(value: int) -> int:
    """The number itself where it fits, else the nearest one that does."""
    if -LARGEST <= value <= LARGEST:
        return value
    return LARGEST if value > 0 else -LARGEST


def exact_sums(columns: Iterable[str]) -> str:
    """What to select for sums of columns of whole numbers; `whole_sums` puts them together. SQLite's own sum() of whole
    numbers fails where it does not fit, so both halves of each number are added for themselves."""
    return ", ".join(f"sum(({name}) >> {_LOW_BITS}), sum(({name}) & {_LOW})" for name in columns)


def whole_sums(halves: Iterable[int | None]) -> list[int]:
    """The sums, bounded; 0 where there was nothing to add."""
    return list(_wholes(iter(halves)))


def _wholes(halves: Iterator[int | None]) -> Iterator[int]:
    for high, low in zip(halves, halves, strict=True):
        yield bounded(((high or 0) << _LOW_BITS) + (low or 0))
