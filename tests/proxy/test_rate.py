from proxy.rate import RequestRate


def test_requests_of_the_last_minute() -> None:
    now = [0.0]
    rate = RequestRate(lambda: now[0])
    for second in (0.0, 30.0, 59.0):
        now[0] = second
        rate.count()
    assert rate.current() == 3
    now[0] = 60.0
    assert rate.current() == 2
    now[0] = 500.0
    assert rate.current() == 0
