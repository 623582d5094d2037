"""A session's events as columns."""

from projections.session_timeline import TimelineColumns, sampled
from schema.exchanges import Usage
from schema.sessions import SessionRenamed
from tests.api.house import House
from tests.projections.building import completed, started

FIELDS = {"position", "dt_ms", "type", "used", "max", "reserved", "saved", "ratio", "cost_usd"}


async def test_columns_of_one_length(house: House) -> None:
    await house.client.post("/api/sessions", json={"name": "a"})
    await house.record(started(1, 1), stream="exchange-1")
    await house.record(
        completed(1, 1, Usage(source="measured", prompt_tokens=700, completion_tokens=50)), stream="exchange-1"
    )
    await house.record(SessionRenamed(session_id=1, from_="a", to="b"), stream="session-1")
    answer = await house.client.get("/api/sessions/1/timeline")
    body = answer.json()
    assert set(body) == {"session_id", "position", "total", "downsampled", "t0", "types", "columns"}
    assert (body["session_id"], body["position"], body["total"], body["downsampled"]) == (1, 5, 5, False)
    columns = body["columns"]
    assert set(columns) == FIELDS
    assert {len(column) for column in columns.values()} == {5}
    assert columns["position"] == [1, 2, 3, 4, 5]
    assert [body["types"][index] for index in columns["type"]] == [
        "SessionStarted", "SessionActivated", "ExchangeStarted", "ExchangeCompleted", "SessionRenamed",
    ]  # fmt: skip
    assert columns["used"] == [0, 0, 0, 750, 750]
    assert columns["max"] == [1_000] * 5
    assert columns["dt_ms"][0] == 0
    assert columns["dt_ms"] == sorted(columns["dt_ms"])
    assert columns["ratio"] == columns["cost_usd"] == [None] * 5


async def test_nothing_is_sent_twice(house: House) -> None:
    await house.client.post("/api/sessions", json={})
    path = "/api/sessions/1/timeline"
    first = await house.client.get(path)
    assert first.headers["etag"] == '"2"'
    for tag in ('"2"', 'W/"2"', '"1", "2"', "*"):
        again = await house.client.get(path, headers={"If-None-Match": tag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", '"2"')
    await house.client.patch("/api/sessions/1", json={"name": "new"})
    changed = await house.client.get(path, headers={"If-None-Match": '"2"'})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"3"')
    assert changed.headers["x-read-position"] == "3"


async def test_an_earlier_moment(house: House) -> None:
    await house.client.post("/api/sessions", json={})
    await house.client.patch("/api/sessions/1", json={"name": "new"})
    earlier = await house.client.get("/api/sessions/1/timeline?at=2")
    assert (earlier.json()["total"], earlier.headers["x-as-of"], earlier.headers["etag"]) == (2, "2", '"2"')
    assert (await house.client.get("/api/sessions/1/timeline?at=0")).status_code == 404


async def test_what_is_not_answered(house: House) -> None:
    await house.client.post("/api/sessions", json={})
    for query in ("points=9", "points=20001", "points=x"):
        assert (await house.client.get(f"/api/sessions/1/timeline?{query}")).status_code == 422
    assert (await house.client.get("/api/sessions/9/timeline")).json()["code"] == "session_not_found"


def _columns(used: list[int], types: dict[int, str] | None = None) -> TimelineColumns:
    count = len(used)
    names = [(types or {}).get(index, "ExchangeCompleted") for index in range(count)]
    return TimelineColumns(
        list(range(1, count + 1)), [0] * count, names, used, [0] * count, [None] * count, [None] * count, [None] * count
    )


def test_sampling_keeps_peaks_and_valleys_and_every_compaction() -> None:
    used = [100] * 1_000
    used[333], used[777] = 9_000, 1
    compactions = dict.fromkeys(range(10, 1_000, 100), "CompactionPerformed")
    few = sampled(_columns(used, compactions), 50)
    assert len(few.position) <= 50
    assert {1, 334, 778, 1_000} <= set(few.position)
    assert {index + 1 for index in compactions} <= set(few.position)
    assert few.position == sorted(few.position)
    assert {len(column) for column in (few.timestamp, few.type, few.used, few.saved, few.ratio)} == {len(few.position)}


def test_more_compactions_than_points_stay_all() -> None:
    whole = _columns([5] * 100, dict.fromkeys(range(100), "CompactionReverted"))
    assert len(sampled(whole, 10).position) == 100


def test_few_events_are_not_sampled() -> None:
    whole = _columns([1, 2, 3])
    assert sampled(whole, 10) is whole
