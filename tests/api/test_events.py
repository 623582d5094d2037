"""The log over HTTP (contract N11, N12)."""

import csv
import io
import json
from typing import Any

import pytest

from schema.appends import Append
from schema.blobs import content_ref
from schema.recorded import Body, Metadata, NewEvent
from schema.workspace import ConfigurationLoaded
from tests.api.house import House
from tests.api.test_exchanges import filled
from tests.projections.building import completed, measured, refs, started

SUMMARY_KEYS = {
    "position", "type", "session_id", "timestamp", "actor", "by", "correlation_id", "causation_position", "summary",
}  # fmt: skip


async def positions(house: House, query: str) -> list[int]:
    answer = await house.client.get(f"/api/events?{query}")
    assert answer.status_code == 200, answer.text
    return [event["position"] for event in answer.json()["events"]]


async def test_newest_first_with_head_and_total(house: House) -> None:
    await filled(house)
    answer = await house.client.get("/api/events?limit=2")
    body = answer.json()
    assert ([event["position"] for event in body["events"]], body["head"], body["total"]) == ([7, 6], 7, 7)
    assert set(body["events"][0]) == SUMMARY_KEYS
    assert answer.headers["x-read-position"] == "7"


async def test_cursor_walks_the_whole_log_while_it_grows(house: House) -> None:
    await filled(house)
    seen, cursor = await positions(house, "limit=3"), "d5"
    await house.client.post("/api/sessions/toggle-auto", json={"enabled": False})
    while cursor is not None:
        body = (await house.client.get(f"/api/events?limit=3&cursor={cursor}")).json()
        seen += [event["position"] for event in body["events"]]
        cursor = body["next_cursor"]
    assert seen == [7, 6, 5, 4, 3, 2, 1]


async def test_filters(house: House) -> None:
    await filled(house)
    assert await positions(house, "order=asc&from=3&to=4") == [3, 4]
    assert await positions(house, "type=ExchangeStarted&type=SessionStarted&order=asc") == [1, 3, 5, 7]
    assert await positions(house, "session_id=1&limit=1") == [7]
    assert await positions(house, "session_id=2") == []
    assert await positions(house, "q=UPSTREAM_TIMEOUT") == [6]
    assert await positions(house, "at=2") == [2, 1]
    assert (await house.client.get("/api/events?at=2")).json()["head"] == 2


async def test_all_that_a_request_caused(house: House) -> None:
    await filled(house)
    name = "one-request"
    await house.client.post("/api/sessions", json={"name": "n"}, headers={"X-Request-Id": name})
    await house.client.post("/api/sessions", json={"name": "m"}, headers={"X-Request-Id": "another"})
    assert await positions(house, f"correlation_id={name}") == [9, 8]
    assert await positions(house, f"correlation_id={name}&type=SessionStarted") == [8]
    assert await positions(house, f"correlation_id={name}&session_id=1") == []
    assert await positions(house, f"correlation_id={name}&limit=1&order=asc") == [8]
    assert (await house.client.get(f"/api/events?correlation_id={name}&limit=1")).json()["total"] == 2
    assert (await house.client.get("/api/events?correlation_id=")).status_code == 422


async def test_as_csv_that_no_spreadsheet_runs(house: House) -> None:
    await filled(house)
    await house.client.post("/api/sessions", json={"name": "n"}, headers={"X-Request-Id": '=HYPERLINK("x")'})
    answer = await house.client.get("/api/events?format=csv&limit=2")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert (answer.headers["x-total-count"], answer.headers["x-next-cursor"]) == ("9", "d8")
    head, *rows = list(csv.reader(io.StringIO(answer.text)))
    assert head[:3] == ["position", "timestamp", "type"]
    assert [row[0] for row in rows] == ["9", "8"]
    assert {row[6] for row in rows} == {'\'=HYPERLINK("x")'}
    whole = await house.client.get("/api/sessions/1/events?format=csv")
    assert whole.text.splitlines()[0] == ",".join(head)


async def test_times_as_ends(house: House) -> None:
    await filled(house)
    first = (await house.client.get("/api/events/1")).json()["timestamp"]
    last = (await house.client.get("/api/events/7")).json()["timestamp"]
    assert await positions(house, f"from={first}&to={last}&order=asc") == [1, 2, 3, 4, 5, 6, 7]
    assert await positions(house, "to=2001-01-01T00:00:00Z") == []
    assert await positions(house, "from=2999-01-01T00:00:00.000Z") == []


@pytest.mark.parametrize("query", ["cursor=x", "cursor=a5", "order=up", "from=yesterday", "format=xml", "limit=0"])
async def test_invalid_queries(house: House, query: str) -> None:
    answer = await house.client.get(f"/api/events?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_field")
    name, _, given = query.partition("=")
    assert (answer.json()["detail"][0]["loc"], str(answer.json()["detail"][0]["input"])) == (["query", name], given)


async def test_what_was_sent_is_said_in_short_and_without_keys(house: House) -> None:
    answer = await house.client.get("/api/events", params={"cursor": "sk-s3cret" + "x" * 450})
    shown = answer.json()["detail"][0]["input"]
    assert (answer.status_code, shown[:11], len(shown) < 250) == (422, "[redacted]x", True)


async def test_lines(house: House) -> None:
    await filled(house)
    answer = await house.client.get("/api/events?format=jsonl&limit=2&order=asc")
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert [json.loads(line)["position"] for line in answer.text.splitlines()] == [1, 2]
    assert (answer.headers["x-total-count"], answer.headers["x-next-cursor"]) == ("7", "a2")
    assert answer.headers["x-read-position"] == "7"


async def test_one_event_with_its_data(house: House) -> None:
    await filled(house)
    body = (await house.client.get("/api/events/1")).json()
    assert set(body) == SUMMARY_KEYS | {"version", "data", "hash", "prev_hash", "changes", "refs"}
    assert (body["type"], body["version"], body["data"]["name"]) == ("SessionStarted", 1, "s")
    assert body["summary"] == "session 1 started (manual)"
    assert (await house.client.get("/api/events/2")).json()["prev_hash"] == body["hash"]
    missing = await house.client.get("/api/events/8")
    assert (missing.status_code, missing.json()["code"]) == (404, "event_not_found")
    assert (await house.client.get("/api/events/0")).status_code == 422
    assert (await house.client.get("/api/events/1?at=1")).json()["code"] == "at_not_supported"


async def test_the_events_of_a_session(house: House) -> None:
    for name in ("a", "b"):
        await house.client.post("/api/sessions", json={"name": name})
    await house.client.patch("/api/sessions/1", json={"name": "c"})
    body = (await house.client.get("/api/sessions/1/events?order=asc")).json()
    assert [event["type"] for event in body["events"]] == ["SessionStarted", "SessionActivated", "SessionRenamed"]
    assert {event["session_id"] for event in body["events"]} == {1}
    assert (body["total"], body["head"], body["next_cursor"]) == (3, 5, None)
    first = (await house.client.get("/api/sessions/1/events?limit=1&type=SessionRenamed")).json()
    assert [event["position"] for event in first["events"]] == [5]
    assert (await house.client.get("/api/sessions/1/events?at=2")).json()["total"] == 2
    for path in ("/api/sessions/9/events", "/api/sessions/2/events?at=2"):
        answer = await house.client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")
    assert (await house.client.get("/api/sessions/1/events?cursor=x")).status_code == 422


async def test_the_diagnostic(house: House) -> None:
    for provider in ("acme", "demo", "acme"):
        await house.client.post("/api/sessions", json={"provider": provider})
    await house.client.delete("/api/sessions/1")
    body = (await house.client.get("/api/sessions/diagnostic")).json()
    assert set(body) == {"database", "sessions", "note", "events"}
    assert body["sessions"] == {
        "total_count": 2,
        "active_count": 1,
        "inactive_count": 1,
        "by_provider": {"acme": 1, "demo": 1},
    }
    assert body["events"] == {
        "head": 7,
        "by_type": {"SessionActivated": 3, "SessionDeleted": 1, "SessionStarted": 3},
    }
    assert body["database"]["file_size_bytes"] > 0
    assert body["database"]["path"].endswith("events.sqlite")
    earlier = (await house.client.get("/api/sessions/diagnostic?at=2")).json()
    assert (earlier["sessions"]["total_count"], earlier["events"]["head"]) == (1, 2)
    empty = (await house.client.get("/api/sessions/diagnostic?at=0")).json()
    assert (empty["sessions"]["by_provider"], empty["events"]["by_type"]) == ({}, {})


def _changed(body: dict[str, Any]) -> dict[tuple[str, str], tuple[object, object]]:
    return {(each["entity"], each["field"]): (each["before"], each["after"]) for each in body["changes"]}


async def test_what_an_event_changed(house: House) -> None:
    for name in ("a", "b"):
        await house.client.post("/api/sessions", json={"name": name})
    await house.client.patch("/api/sessions/2", json={"name": "c"})
    await house.client.post("/api/sessions/toggle-auto", json={"enabled": False})
    await house.client.delete("/api/sessions/1")
    begun = _changed((await house.client.get("/api/events/1")).json())
    assert begun["session:1", "name"] == (None, "a")
    assert begun["session:1", "is_active"] == (None, False)
    activated = _changed((await house.client.get("/api/events/4")).json())
    assert activated == {
        ("workspace", "active_session"): (1, 2),
        ("session:2", "is_active"): (False, True),
        ("session:1", "is_active"): (True, False),
    }
    renamed = (await house.client.get("/api/events/5")).json()
    assert (_changed(renamed), renamed["refs"]) == ({("session:2", "name"): ("b", "c")}, [])
    assert _changed((await house.client.get("/api/events/6")).json()) == {("workspace", "auto_session"): (True, False)}
    assert _changed((await house.client.get("/api/events/7")).json()) == {("session:1", "deleted"): (False, True)}


async def test_what_an_exchange_changed_and_the_messages_it_names(house: House) -> None:
    await house.client.post("/api/sessions", json={"name": "s"})
    body = Body(content_ref(b'{"role":"user","content":"Hi?"}'), b'{"role":"user","content":"Hi?"}')
    begin = started(1, 1, received=refs(body.ref, tokens=7))
    new = NewEvent("exchange-1", begin, (body,))
    await house.appender.append(Append(events=[new], metadata=Metadata(actor="proxy"), durable=False))
    await house.record(completed(1, 1, measured(10, 5), answer_ref="a" * 64), stream="exchange-1")
    start = (await house.client.get("/api/events/3")).json()
    assert _changed(start)["exchange:1", "outcome"] == (None, "running")
    assert _changed(start)["session:1", "total_requests"] == (0, 1)
    assert start["refs"] == [{"ref": body.ref, "role": "user", "preview": "Hi?", "tokens": start["refs"][0]["tokens"]}]
    assert start["refs"][0]["tokens"] > 0
    end = (await house.client.get("/api/events/4")).json()
    assert _changed(end)["exchange:1", "outcome"] == ("running", "completed")
    assert _changed(end)["exchange:1", "usage.prompt_tokens"] == (0, 10)
    assert _changed(end)["session:1", "context_tokens"] == (0, 15)
    assert end["refs"] == [{"ref": "a" * 64, "role": None, "preview": None, "tokens": 0}]


async def test_what_a_new_configuration_changed(house: House) -> None:
    for port in (1, 2):
        await house.record(ConfigurationLoaded(values={"server": {"port": port}}, hash=str(port)), stream="workspace")
    changed = _changed((await house.client.get("/api/events/2")).json())
    assert changed == {("configuration", "server.port"): (1, 2)}
