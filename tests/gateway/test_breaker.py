"""When a server is left alone."""

from gateway.breaker import Breaker


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def failing(breaker: Breaker, times: int) -> list[bool]:
    return [breaker.failed() for _ in range(times)]


def test_five_failures_in_a_row_open_it() -> None:
    breaker = Breaker(Clock())
    assert failing(breaker, 4) == [False] * 4
    breaker.succeeded()
    assert failing(breaker, 5) == [False] * 4 + [True]
    assert breaker.refused_for() == 30.0


def test_one_probe_after_the_time() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    failing(breaker, 5)
    clock.now = 30.0
    assert breaker.refused_for() is None
    assert breaker.refused_for() == 1.0  # the others wait for the probe
    breaker.succeeded()
    assert (breaker.refused_for(), breaker.is_open, breaker.failures) == (None, False, 0)


def test_a_failed_probe_opens_it_again() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    failing(breaker, 5)
    clock.now = 31.0
    assert breaker.refused_for() is None
    assert breaker.failed()
    assert breaker.refused_for() == 30.0


def test_a_probe_that_nobody_waited_for_lets_another_through() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    failing(breaker, 5)
    clock.now = 40.0
    assert breaker.refused_for() is None
    breaker.abandoned()
    assert breaker.refused_for() is None
