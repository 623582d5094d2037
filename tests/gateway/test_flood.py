"""What programs say unasked is bounded in each span of time, not over their life."""

import pytest

from gateway.flood import LINES, SIZE, WINDOW_S, Flood


@pytest.mark.parametrize(("times", "size", "over"), [(LINES, 1, 1), (2, SIZE // 2, 1), (1, SIZE, 1)])
def test_what_is_too_much(times: int, size: int, over: int) -> None:
    flood = Flood(lambda: 5.0)
    assert not any(flood.heard(size) for _ in range(times))
    assert flood.heard(over)


def test_slowly_it_may_go_on_for_ever() -> None:
    now = [0.0]
    flood = Flood(lambda: now[0])
    for _ in range(5):
        assert not any(flood.heard(1) for _ in range(LINES))
        now[0] += WINDOW_S
