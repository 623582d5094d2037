"""Time travel and read-your-writes (contract 1.5)."""

import pytest

from api.errors import ApiError
from api.reading import Moment, moment_of
from api.times import iso
from tests.api.house import House


async def two_sessions(house: House) -> list[str]:
    """Start sessions until the log holds two different times; the times of all events."""
    while True:
        await house.client.post("/api/sessions")
        events = house.events()
        if events[-1].timestamp > events[1].timestamp:
            return [iso(event.timestamp) for event in events]


async def test_at_zero_is_an_empty_log(house: House) -> None:
    await two_sessions(house)
    answer = await house.client.get("/api/sessions?at=0")
    assert (answer.json(), answer.headers["x-as-of"], answer.headers["x-total-count"]) == ([], "0", "0")
    assert (await house.client.get("/api/sessions/1?at=0")).status_code == 404
    assert (await house.client.get("/api/sessions/active?at=0")).json()["code"] == "no_active_session"


async def test_a_time_means_the_last_event_not_later(house: House) -> None:
    times = await two_sessions(house)
    answer = await house.client.get("/api/sessions", params={"at": times[1]})
    expected = max(index for index, time in enumerate(times, 1) if time <= times[1])
    assert answer.headers["x-as-of"] == str(expected)
    assert len(answer.json()) < len((await house.client.get("/api/sessions")).json())
    future = await house.client.get("/api/sessions?at=2999-01-01T00:00:00Z")
    assert future.headers["x-as-of"] == str(len(times))
    past = await house.client.get("/api/sessions", params={"at": "1999-01-01T00:00:00+02:00"})
    assert past.headers["x-as-of"] == "0"


async def test_beyond_the_head(house: House) -> None:
    await house.client.post("/api/sessions")
    for at in ("3", "9" * 30):
        answer = await house.client.get(f"/api/sessions?at={at}")
        assert (answer.status_code, answer.json()["code"], answer.json()["head"]) == (422, "at_out_of_range", 2)
        assert answer.json()["detail"][0]["loc"] == ["query", "at"]


@pytest.mark.parametrize("text", ["", "-1", "1.0", "x", "2026-01-01", "2026-01-01T00:00:00", "\u0663"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ApiError) as caught:
        moment_of(text, "at")
    assert (caught.value.status, caught.value.code) == (422, "invalid_field")


def test_moments() -> None:
    assert moment_of("12", "at") == Moment(position=12)
    assert moment_of("1970-01-01T00:00:01.5Z", "at") == Moment(ms=1_500)
    assert moment_of("1970-01-01T01:00:00+01:00", "at") == Moment(ms=0)
    before_any_year = moment_of("0001-01-01T00:00:00+23:59", "at").ms
    assert before_any_year is not None and before_any_year < 0


async def test_min_position_waits_for_what_was_written(house: House) -> None:
    await house.client.post("/api/sessions")
    for path in ("/api/sessions", "/health", "/v1/models", "/api/events/1"):
        assert (await house.client.get(path, headers={"X-Min-Position": "2"})).status_code == 200, path
        for bad in ("x", "-1", "1.5"):
            assert (await house.client.get(path, headers={"X-Min-Position": bad})).status_code == 422, path
    late = await house.client.get("/api/sessions", headers={"X-Min-Position": "3"})
    assert (late.status_code, late.json()["code"]) == (503, "projection_lag")


async def test_a_write_that_is_not_visible_in_time_says_where_it_is(house: House) -> None:
    house.runner.stop()
    answer = await house.client.post("/api/sessions")
    assert (answer.status_code, answer.json()["code"]) == (503, "projection_lag")
    assert (answer.headers["x-event-position"], answer.headers["x-event-count"]) == ("2", "2")
    assert house.types() == ["SessionStarted", "SessionActivated"]


async def test_a_get_writes_nothing(house: House) -> None:
    await house.client.post("/api/sessions")
    for path in (
        "/api/sessions",
        "/api/sessions/1",
        "/api/sessions/active",
        "/api/events",
        "/api/exchanges",
        "/health",
    ):
        assert (await house.client.get(path)).status_code == 200
    assert len(house.events()) == 2
