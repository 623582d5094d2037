"""Usage and cost over HTTP: grouped, at any moment, priced anew."""

from typing import Any

import pytest

from api.session_usage import hours
from commands.prices import AdoptPriceBook
from projections.catalogue import PROJECTIONS
from projections.session_requests import pace
from schema.exchanges import Usage
from schema.prices import PriceRow
from schema.recorded import Metadata
from schema.sessions import SessionStarted
from tests.api.house import House
from tests.projections.building import apply, completed, failed, measured, memory, record, refs, session, started

BOOK = AdoptPriceBook((PriceRow(model="echo", input=1_000_000, output=2_000_000),), "a" * 64)
_ESTIMATED = Usage(source="estimated", prompt_tokens=7, completion_tokens=1, total_tokens=8)
_CACHED = measured(100, 20, cached_tokens=60, cache_write_tokens=30, reasoning_tokens=5)


async def _usage(house: House, query: str = "") -> dict[str, Any]:
    answer = await house.client.get(f"/api/usage{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def _adopt(house: House) -> int:
    outcome = await house.handler.execute(BOOK, Metadata(actor="system"))
    await house.waiter.until(outcome.position)
    return outcome.position


async def _some(house: House) -> None:
    """Sessions 1 and its child 2; at position 9 there is a book."""
    child = SessionStarted(session_id=2, name="=child", provider="demo", origin="auto", parent_id=1)
    await house.record(session(1), child)
    await house.record(started(1, 1), completed(1, 1, _CACHED), started(2, 1), failed(2, 1), started(3, 2))
    await house.record(completed(3, 2, _ESTIMATED))
    assert await _adopt(house) == 9
    await house.record(started(4, 2, model_sent="big", provider="acme"), completed(4, 2, measured(1, 1)))
    await house.record(started(5, 2, client_family="cline"), completed(5, 2, measured(10, 5)))


async def test_an_empty_log(house: House) -> None:
    found = await _usage(house)
    assert (found["groups"], found["total"], found["totals"]["exchanges"]) == ([], 0, 0)
    assert found["totals"]["cost_usd"] is None


async def test_totals_say_what_is_measured_and_what_has_no_price(house: House) -> None:
    await _some(house)
    totals = (await _usage(house))["totals"]
    sources = totals.pop("sources")
    assert totals == {
        "exchanges": 5,
        "completed": 4,
        "failed": 1,
        "cancelled": 0,
        "interrupted": 0,
        "unknown": 1,
        "input_tokens": 118,
        "output_tokens": 27,
        "cache_read_tokens": 60,
        "cache_write_5m_tokens": 30,
        "cache_write_1h_tokens": 0,
        "reasoning_tokens": 5,
        "attempts": 5,
        "retries": 0,
        "cost_usd": 0.00002,
        "priced": 1,
        "unpriced": 3,
        "client_cost_usd": None,
        "client_priced": 0,
    }
    assert (sources["measured"]["input_tokens"], sources["measured"]["exchanges"]) == (111, 3)
    assert (sources["estimated"]["input_tokens"], sources["estimated"]["exchanges"]) == (7, 1)
    assert sources["imported"]["exchanges"] == 0


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("model", {"demo/echo": 117, "acme/big": 1}),
        ("provider", {"demo": 117, "acme": 1}),
        ("session", {"1": 100, "2": 18}),
        ("client_family", {"": 108, "cline": 10}),
    ],
)
async def test_groups(house: House, group: str, expected: dict[str, int]) -> None:
    await _some(house)
    found = await _usage(house, f"?group_by={group}")
    assert {each["key"]: each["input_tokens"] for each in found["groups"]} == expected
    assert found["total"] == len(expected)
    costs = [each["cost_usd"] or 0 for each in found["groups"]]
    assert costs == sorted(costs, reverse=True)
    (one,) = (await _usage(house, f"?group_by={group}&limit=1&offset=1"))["groups"]
    assert one == found["groups"][1]


async def test_days_and_hours(house: House) -> None:
    await _some(house)
    (day,) = (await _usage(house, "?group_by=day"))["groups"]
    assert len(day["key"]) == len("2026-11-22")
    within = await _usage(house, f"?from={day['key']}&to={day['key']}")
    assert (within["totals"]["exchanges"], within["since"]) == (5, f"{day['key']}T00:00:00.000Z")
    assert within["until"] == f"{day['key']}T23:59:59.999Z"
    assert (await _usage(house, "?to=2020-01-01T00:00:00Z"))["totals"]["exchanges"] == 0
    assert (await _usage(house, "?from=2999-01-01"))["totals"]["exchanges"] == 0


async def test_children_are_counted_with_their_parent_and_once(house: House) -> None:
    await _some(house)
    (parent,) = (await _usage(house, "?group_by=session&rollup=true"))["groups"]
    assert (parent["key"], parent["name"], parent["exchanges"]) == ("1", "Session 1", 5)
    assert (await _usage(house, "?session_id=1&rollup=true"))["totals"]["exchanges"] == 5
    assert (await _usage(house, "?session_id=1"))["totals"]["exchanges"] == 2
    assert (await _usage(house, "?session_id=1&rollup=true&model=big"))["totals"]["exchanges"] == 1
    assert (await _usage(house, "?provider=acme&client_family=x"))["totals"]["exchanges"] == 0


async def test_a_family_is_counted_with_the_session_that_was_asked_for(house: House) -> None:
    await _some(house)
    grandchild = SessionStarted(session_id=3, name="grandchild", provider="demo", origin="auto", parent_id=2)
    await house.record(grandchild, started(6, 3), completed(6, 3, measured(1_000, 0)))
    (group,) = (await _usage(house, "?group_by=session&rollup=true&session_id=2"))["groups"]
    assert (group["key"], group["name"], group["exchanges"]) == ("2", "=child", 4)
    (group,) = (await _usage(house, "?group_by=session&rollup=true&session_id=3"))["groups"]
    assert (group["key"], group["exchanges"]) == ("3", 1)
    (group,) = (await _usage(house, "?group_by=session&rollup=true"))["groups"]
    assert (group["key"], group["exchanges"]) == ("1", 6)


@pytest.mark.parametrize(
    ("model", "exchanges"),
    [
        ("echo", 4),
        ("demo/echo", 4),  # a key of the configuration, and the key of a group
        ("acme-big", 1),
        ("acme/acme-big", 1),
        ("big", 2),  # a key of the configuration, and the name of another model at its provider
        ("acme/big", 1),
        ("acme/echo", 0),
        ("x", 0),
    ],
)
async def test_a_model_by_any_of_its_names(house: House, model: str, exchanges: int) -> None:
    await _some(house)
    await house.record(started(6, 1, model_sent="acme-big", provider="acme"), completed(6, 1, measured(1, 1)))
    assert (await _usage(house, f"?model={model}"))["totals"]["exchanges"] == exchanges


async def test_an_earlier_moment(house: House) -> None:
    await _some(house)
    assert (await _usage(house, "?at=4"))["totals"]["exchanges"] == 1
    assert (await _usage(house, "?at=0"))["totals"]["exchanges"] == 0


async def test_a_table_for_spreadsheets(house: House) -> None:
    await _some(house)
    answer = await house.client.get("/api/usage?group_by=session&format=csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    lines = answer.text.split("\r\n")
    assert lines[0].startswith("key,name,source,exchanges,input_tokens,")
    assert lines[1] == "2,'=child,measured,2,11,6,0,0,0,0,0.000020,1,1,,0"
    assert lines[2] == "2,'=child,estimated,1,7,1,0,0,0,0,,0,1,,0"
    assert lines[3] == "1,Session 1,measured,1,100,20,60,30,0,5,,0,1,,0"


@pytest.mark.parametrize("query", ["from=x", "from=2026-13-01", "to=1", "rollup=yes", "limit=0", "format=xml", "at=99"])
async def test_what_it_does_not_take(house: House, query: str) -> None:
    assert (await house.client.get(f"/api/usage?{query}")).status_code == 422


async def test_a_session_that_is_not_there(house: House) -> None:
    assert (await house.client.get("/api/usage?session_id=9")).json()["code"] == "session_not_found"


async def test_history_is_priced_anew_and_the_past_stays(house: House) -> None:
    await _some(house)
    before = house.log.head()
    answer = await house.client.post("/api/prices/reprice", json={})
    assert answer.json() == {
        "success": True,
        "changed": True,
        "book": "a" * 64,
        "from_position": 1,
        "cost_before_usd": 0.00002,
        "cost_after_usd": 0.000169,
        "unpriced_before": 3,
        "unpriced_after": 1,
    }
    assert (await _usage(house))["totals"]["cost_usd"] == 0.000169
    assert (await _usage(house, f"?at={before}"))["totals"]["cost_usd"] == 0.00002
    listed = (await house.client.get("/api/exchanges")).json()["exchanges"]
    assert [each["cost_usd"] for each in listed] == [0.00002, None, 0.000009, None, 0.00014]
    listed = (await house.client.get(f"/api/exchanges?at={before}")).json()["exchanges"]
    assert [each["cost_usd"] for each in listed] == [0.00002, None, None, None, None]
    again = await house.client.post("/api/prices/reprice", json={})
    assert (again.json()["changed"], again.headers["x-event-count"]) == (False, "0")
    prices = (await house.client.get("/api/prices")).json()
    assert (prices["book"], len(prices["books"]), len(prices["repricings"])) == ("a" * 64, 1, 1)
    assert (await house.client.get(f"/api/prices?at={before}")).json()["repricings"] == []


async def test_from_a_moment_on(house: House) -> None:
    await _some(house)
    head = house.log.head()
    answer = await house.client.post("/api/prices/reprice", json={"from": "2999-01-01T00:00:00Z"})
    assert (answer.json()["changed"], answer.headers["x-event-count"]) == (False, "0")
    assert (answer.json()["from_position"], house.log.head()) == (head + 1, head)
    assert answer.json()["cost_after_usd"] == answer.json()["cost_before_usd"]
    for beyond in (head + 1, str(head + 1), 2**53 - 1, "9" * 60):
        answer = await house.client.post("/api/prices/reprice", json={"from": beyond})
        assert (answer.status_code, answer.json()["code"], answer.json()["head"]) == (422, "at_out_of_range", head)
        assert answer.json()["detail"][0]["loc"] == ["body", "from"]
    for odd in ("[]", "1.5", "null"):
        body, head_of = f'{{"from": {odd}}}', {"Content-Type": "application/json"}
        (detail,) = (await house.client.post("/api/prices/reprice", content=body, headers=head_of)).json()["detail"]
        assert detail["loc"] == ["body", "from"]
    assert house.log.head() == head
    answer = await house.client.post("/api/prices/reprice", json={"from": head})
    assert (answer.status_code, answer.json()["changed"]) == (200, True)


async def test_prices_that_are_not_there(house: House) -> None:
    assert (await house.client.post("/api/prices/reprice")).json()["code"] == "no_price_book"
    await _adopt(house)
    answer = await house.client.post("/api/prices/reprice", json={"book": "b"})
    assert (answer.status_code, answer.json()["book"]) == (404, "b")


async def test_the_timeline_and_the_metrics_of_a_session(house: House) -> None:
    await _some(house)
    path = "/api/sessions/2/timeline"
    first = await house.client.get(path)
    assert first.json()["columns"]["cost_usd"] == [None] * 6 + [0.00002]
    await house.client.post("/api/prices/reprice", json={})
    later = await house.client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert later.json()["columns"]["cost_usd"] == [None, None, *[0.000009] * 4, 0.000029]
    metrics = (await house.client.get("/api/sessions/2")).json()["recent_metrics"]
    assert [each["cost_usd"] for each in metrics] == [0.00002, None, 0.000009]


async def test_how_long_the_window_lasts(house: House) -> None:
    await house.record(session(1))
    path = "/api/usage/sessions/1/forecast"
    empty = (await house.client.get(path)).json()
    assert (empty["requests_left"], empty["exchanges"], empty["requests_per_hour"]) == (None, 0, None)
    await _adopt(house)
    for number, tokens in enumerate((100, 200, 300, 400), 1):
        refs_now = refs("m", base=number - 1 if number > 1 else None, keep=number - 1, tokens=tokens)
        await house.record(started(number, 1, received=refs_now), completed(number, 1, measured(tokens, 0)))
    found = (await house.client.get(path)).json()
    assert (found["current_tokens"], found["remaining_tokens"], found["max_context"]) == (400, 600, 1_000)
    assert (found["tokens_per_request"], found["requests_left"], found["exchanges"]) == (100.0, 6, 4)
    assert (found["cost_per_request_usd"], found["unpriced"]) == (0.00025, 0)
    one = (await house.client.get(f"{path}?at=4")).json()
    assert (one["exchanges"], one["tokens_per_request"]) == (1, None)
    assert (one["requests_per_hour"], one["tokens_per_hour"], one["cost_per_hour_usd"]) == (None, None, None)
    assert (await house.client.get(f"{path}?at=1")).json()["exchanges"] == 0
    assert (await house.client.get("/api/usage/sessions/9/forecast")).json()["code"] == "session_not_found"


def test_one_exchange_has_no_rate() -> None:
    db = memory()
    apply(db, PROJECTIONS, record([session(1), *(each for n in (1, 2) for each in (started(n), completed(n)))]))
    assert hours(pace(db, 1, at=3, limit=20)) == 0  # though it took a second
    assert hours(pace(db, 1, at=5, limit=20)) == 3 / 3_600
    db.close()


async def test_who_broke_the_cache(house: House) -> None:
    await house.record(session(1))
    lists = (refs("s", "a"), refs("b", base=1, keep=2), refs("x", base=2, keep=1))
    for number, (received, cached) in enumerate(zip(lists, (0, 1_990, 10), strict=True), 1):
        usage = measured(2_000, 1, cached_tokens=cached, cache_write_tokens=5)
        await house.record(started(number, 1, received=received), completed(number, 1, usage))
    found = (await house.client.get("/api/usage/sessions/1/cache")).json()
    assert (found["exchanges"], found["reported"], found["input_tokens"]) == (3, 3, 6_000)
    assert (found["cache_read_tokens"], found["cache_write_tokens"], found["hit_percentage"]) == (2_000, 15, 33.33)
    assert found["lost_tokens"] == sum(each["lost_tokens"] for each in found["breaks"])
    assert (await house.client.get("/api/usage/sessions/9/cache")).status_code == 404
    early = (await house.client.get("/api/usage/sessions/1/cache?at=1")).json()
    assert (early["hit_percentage"], early["breaks"]) == (None, [])


async def test_who_edits_an_earlier_message_breaks_the_cache(house: House) -> None:
    """The proxy sees a new line of conversation there; the provider sees a beginning that is not the same any more."""
    await house.record(session(1))
    lists = (refs("s", "a"), refs("b", "c", base=1, keep=2), refs("s", "x", "b", "c", "d"), refs("s", "q"))
    for number, (received, cached) in enumerate(zip(lists, (0, 1_990, 10, 0), strict=True), 1):
        usage = measured(2_000, 1, cached_tokens=cached)
        await house.record(started(number, 1, received=received), completed(number, 1, usage))
    (found,) = (await house.client.get("/api/usage/sessions/1/cache")).json()["breaks"]
    assert (found["exchange_id"], found["after_exchange_id"], found["cause"], found["by"]) == (
        3,
        2,
        "history",
        "client",
    )
    assert (found["first_changed"], found["lost_tokens"]) == (1, 1_990)


async def test_the_context_of_a_session_without_contents(house: House) -> None:
    await house.record(session(1))
    path = "/api/usage/sessions/1/context"
    empty = (await house.client.get(path)).json()
    assert (empty["exchange_id"], empty["parts"], empty["max_context"]) == (None, None, 1_000)
    await house.record(started(1, 1), completed(1, 1))
    gone = await house.client.get(path)
    assert (gone.status_code, gone.json()["code"]) == (410, "content_not_recorded")
    assert (await house.client.get(f"{path}?exchange_id=7")).json()["code"] == "exchange_not_found"
