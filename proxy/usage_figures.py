"""One figure of a usage object: read, not there, or there and of no use."""

from typing import Any, Literal

MOST_TOKENS = 10**9  # of one answer: more is a mistake of the upstream's, whatever its model

Path = tuple[str, ...]
Figure = int | Literal["absent", "unreadable"]


def figure(raw: dict[str, Any], paths: tuple[Path, ...]) -> Figure:
    """The first that can be read of several names; one that is null is not there."""
    found: Figure = "absent"
    for path in paths:
        value: Any = raw.get(path[0])
        for key in path[1:] if value is not None else ():
            value = value.get(key) if isinstance(value, dict) else None
        if value is None:
            continue
        count = value if type(value) is int and 0 <= value <= MOST_TOKENS else _count(value)
        if count is not None:
            return count
        found = "unreadable"
    return found


def count_of(raw: dict[str, Any], paths: tuple[Path, ...]) -> int | None:
    """The same, where it does not matter why there is none."""
    found = figure(raw, paths)
    return found if isinstance(found, int) else None


def _count(value: object) -> int | None:
    """Some upstreams write 100.0 or "100"."""
    match value:
        case bool():  # which is an int too
            return None
        case str() if value.isascii() and value.isdigit() and len(value) <= len(str(MOST_TOKENS)):
            count = int(value)
        case int():
            count = value
        case float() if value.is_integer():
            count = int(value)
        case _:
            return None
    return count if 0 <= count <= MOST_TOKENS else None
