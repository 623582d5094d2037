"""Places of a minute, shared between clients. Times are seconds that the test names."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.rate_window import Window, level


def test_what_all_want_is_given_while_it_is_there() -> None:
    assert level(10, [3, 3]) == 10


def test_what_one_does_not_want_goes_to_the_others() -> None:
    assert level(10, [2, 50, 50]) == 4


@given(st.integers(1, 100), st.lists(st.integers(1, 100), min_size=1, max_size=8))
def test_nothing_is_wasted_and_nothing_given_twice(limit: int, demands: list[int]) -> None:
    found = level(limit, demands)
    assert abs(sum(min(asked, found) for asked in demands) - min(limit, sum(demands))) < 1e-6


def ask(window: Window, client: str, now: float) -> bool:
    window.ask(client, now)
    admitted = window.admits(client, now)
    if admitted:
        window.take(client, now)
    return admitted


def test_no_more_than_the_limit_in_any_minute() -> None:
    window = Window("w", 2)
    assert [ask(window, "a", now) for now in (0.0, 30.0, 59.9)] == [True, True, False]
    assert window.opens_in("a", 59.9) < 0.11
    assert [ask(window, "a", now) for now in (60.0, 60.1, 90.0)] == [True, False, True]


def test_a_client_that_floods_leaves_room_for_one_that_came_once() -> None:
    window = Window("w", 4)
    assert [ask(window, "flood", 0.0) for _ in range(20)].count(True) == 4
    assert not ask(window, "rare", 10.0)
    assert 49.9 < window.opens_in("rare", 10.0) <= 50
    assert [ask(window, "flood", 60.0) for _ in range(20)].count(True) == 3  # one place is kept
    assert ask(window, "rare", 60.5)
    assert window.opens_in("flood", 60.5) == 59.5


def test_what_was_kept_for_a_client_that_never_came_back_is_free_again() -> None:
    window = Window("w", 2)
    assert [ask(window, "a", 0.0) for _ in range(2)] == [True, True]
    assert not ask(window, "b", 1.0)
    assert [ask(window, "a", 60.5), ask(window, "a", 60.6)] == [True, False]
    assert ask(window, "a", 61.0)
    assert window.used(61.0) == 2


def test_a_place_that_is_given_back() -> None:
    window = Window("w", 1)
    assert ask(window, "a", 0.0)
    window.give_back("b")
    assert not ask(window, "a", 1.0)
    window.give_back("a")
    assert ask(window, "a", 1.0)


@given(st.lists(st.tuples(st.floats(0, 5), st.sampled_from("abc")), max_size=60), st.integers(1, 6))
def test_what_it_counts_is_what_the_last_seconds_held(requests: list[tuple[float, str]], limit: int) -> None:
    window, now, taken = Window("w", limit, span_s=10), 0.0, []
    for pause, client in requests:
        now += pause
        if ask(window, client, now):
            taken.append(now)
        recent = [at for at in taken if at > now - 10]
        assert window.used(now) == len(recent) <= limit
