"""Who broke the beginning that the provider's cache held, and by what."""

from typing import Any

import pytest

from context.cache_breaks import KEPT_MS, Asked, Break, cache_break, came_from

LIST = ("s", "a", "b")


def _asked(**fields: Any) -> Asked:
    given: dict[str, Any] = {
        "model": "p/m",
        "tools": "t",
        "received": LIST,
        "sent": LIST,
        "prompt": 2_000,
        "cached": 0,
        "at": 10_000,
        "ended": 11_000,
        **fields,
    }
    return Asked(**given)


BEFORE = _asked()
LONGER = (*LIST, "c")


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (_asked(model="p/n"), Break("model", "client", None, 2_000)),
        (_asked(tools="u", cached=500), Break("tools", "client", None, 1_500)),
        (_asked(received=("s", "x"), sent=("s", "x")), Break("history", "client", 1, 2_000)),
        (_asked(received=LIST[:2], sent=LIST[:2]), Break("history", "client", 2, 2_000)),
        (_asked(received=LONGER, sent=("s", "mask", "b", "c")), Break("reduction", "proxy", 1, 2_000)),
        (_asked(received=("s", "a", "x"), sent=("s", "mask", "x")), Break("reduction", "proxy", 1, 2_000)),
        (_asked(received=LONGER, sent=LONGER, at=11_001 + KEPT_MS), Break("idle", "client", None, 2_000)),
        (_asked(received=LONGER, sent=LONGER), Break("provider", "provider", None, 2_000)),
        (_asked(received=LONGER, sent=LONGER, cached=1_000), None),
        (_asked(model="p/n", cached=1_500), None),
        (_asked(received=LONGER, sent=LONGER, cached=None), None),
        (_asked(received=("s", "x"), sent=("s", "x"), cached=None), Break("history", "client", 1, 2_000)),
        (_asked(tools=None, received=LONGER, sent=LONGER, cached=None), None),
    ],
)
def test_the_first_thing_that_was_not_as_before(now: Asked, expected: Break | None) -> None:
    assert cache_break(BEFORE, now) == expected


def test_what_is_short_is_in_no_cache() -> None:
    assert cache_break(_asked(prompt=1_023), _asked(model="p/n")) is None


@pytest.mark.parametrize(
    ("now", "goes_on"),
    [
        (("s", "a", "x", "c"), True),  # one was edited
        (("y", "a", "b", "c"), True),  # the first
        (("s", "x", "y"), False),  # another conversation with the same system prompt
        (("s", "a"), True),  # the end is gone
        ((), False),
    ],
)
def test_an_edited_history_goes_on_from_the_line_before(now: tuple[str, ...], goes_on: bool) -> None:
    other = _asked(received=("s", "q", "r"))
    assert came_from([other, BEFORE], _asked(received=now)) == (BEFORE if goes_on else None)
    assert came_from([], _asked(received=now)) is None
