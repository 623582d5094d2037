"""Session routes: status, body and appended events (contract 3.1 rows 1-8, N1, N2)."""

import pytest

from schema.sessions import SessionStarted
from tests.api.house import House

SESSION_KEYS = {
    "id", "name", "provider", "model", "created_at", "is_active", "reserved_tokens", "compaction_count",
    "last_compaction_at", "auto_compaction_enabled", "auto_compaction_threshold", "consecutive_auto_compactions",
    "origin", "parent_id", "client_family", "position", "erased_at",
}  # fmt: skip


async def started(house: House, **body: object) -> int:
    answer = await house.client.post("/api/sessions", json=body)
    assert answer.status_code == 200, answer.text
    number: int = answer.json()["id"]
    return number


async def test_start_without_a_body_names_the_session_by_the_time(house: House) -> None:
    answer = await house.client.post("/api/sessions")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) == SESSION_KEYS | {"max_context", "provider_known"}
    assert body["name"] == "Session 23:33:51"
    assert (body["provider"], body["model"], body["origin"], body["is_active"]) == ("demo", None, "manual", True)
    assert (body["max_context"], body["provider_known"]) == (1_000, True)
    assert body["created_at"].endswith("Z") and len(body["created_at"]) == 24
    assert house.types() == ["SessionStarted", "SessionActivated"]
    assert (answer.headers["x-event-position"], answer.headers["x-event-count"]) == ("2", "2")
    assert body["position"] == 2


async def test_an_event_tells_who_caused_it(house: House) -> None:
    await house.client.post("/api/sessions", headers={"X-Request-Id": "my-request"})
    assert {(event.actor, event.correlation_id) for event in house.events()} == {("api", "my-request")}


async def test_unknown_provider_and_model_are_stored_as_labels(house: House) -> None:
    answer = await house.client.post("/api/sessions", json={"name": "n", "provider": "nobody", "model": "m"})
    body = answer.json()
    assert (body["provider"], body["model"], body["provider_known"], body["max_context"]) == (
        "nobody", "m", False, 262_144,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"name": ""}, ["body", "name"]),
        ({"name": "x" * 201}, ["body", "name"]),
        ({"name": None}, ["body", "name"]),
        ({"name": 5}, ["body", "name"]),
        ({"provider": "p" * 129}, ["body", "provider"]),
        ({"model": "m" * 257}, ["body", "model"]),
    ],
)
async def test_start_refuses_invalid_fields(house: House, body: dict[str, object], loc: list[str]) -> None:
    answer = await house.client.post("/api/sessions", json=body)
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_field"
    assert answer.json()["detail"][0]["loc"] == loc
    assert house.events() == []


async def test_list_newest_first_with_total_and_search(house: House) -> None:
    for name in ("alpha", "Beta", "gamma"):
        await started(house, name=name)
    answer = await house.client.get("/api/sessions", params={"limit": 2})
    assert [row["name"] for row in answer.json()] == ["gamma", "Beta"]
    assert set(answer.json()[0]) == SESSION_KEYS
    assert answer.headers["x-total-count"] == "3"
    assert answer.headers["x-read-position"] == "6"
    answer = await house.client.get("/api/sessions", params={"offset": 2})
    assert [row["name"] for row in answer.json()] == ["alpha"]
    answer = await house.client.get("/api/sessions", params={"q": "BET"})
    assert [row["name"] for row in answer.json()] == ["Beta"]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=1.0", "limit=%201", "limit=1_0", "limit=", "offset=-1"]
)
async def test_list_refuses_invalid_numbers(house: House, query: str) -> None:
    answer = await house.client.get(f"/api/sessions?{query}")
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", query.split("=")[0]]


async def test_active_is_404_before_the_first_session(house: House) -> None:
    answer = await house.client.get("/api/sessions/active")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_active_session")


async def test_active_and_detail_agree(house: House) -> None:
    number = await started(house, name="one")
    active = (await house.client.get("/api/sessions/active")).json()
    assert active == (await house.client.get(f"/api/sessions/{number}")).json()
    assert set(active) == {"session", "provider", "memory", "stats", "recent_metrics", "context"}
    assert active["provider"] == {
        "key": "demo", "name": "Demo", "icon": "d", "color": "#0b6e83", "info": {"type": "echo", "base_url": ""},
    }  # fmt: skip
    assert active["stats"]["total_requests"] == 0 and active["stats"]["max_tokens"] is None
    assert active["context"]["max_context"] == 1_000 and active["context"]["percentage"] == 0


async def test_a_base_url_is_shown_without_its_secrets(house: House) -> None:
    number = await started(house, provider="acme")
    answer = await house.client.get(f"/api/sessions/{number}")
    assert answer.json()["provider"]["info"] == {"type": "openai", "base_url": "https://acme.test/v1"}


async def test_activate_and_activate_again(house: House) -> None:
    first, second = await started(house), await started(house)
    answer = await house.client.post(f"/api/sessions/{first}/activate")
    assert answer.status_code == 200
    assert answer.json()["session_id"] == first and answer.json()["session"]["is_active"] is True
    assert house.types(4) == ["SessionActivated"]
    again = await house.client.post(f"/api/sessions/{first}/activate")
    assert (again.status_code, again.headers["x-event-count"], again.headers["x-event-position"]) == (200, "0", "5")
    assert house.types(5) == []
    missing = await house.client.post("/api/sessions/999/activate")
    assert (missing.status_code, missing.json()["code"], missing.json()["session_id"]) == (
        404, "session_not_found", 999,
    )  # fmt: skip
    assert (await house.client.get("/api/sessions/auto-status")).json()["session_id"] == first
    assert second != first


async def test_rename_shows_at_once_and_the_past_keeps_the_old_name(house: House) -> None:
    number = await started(house, name="before")
    answer = await house.client.patch(f"/api/sessions/{number}", json={"name": "after"})
    assert (answer.status_code, answer.json()["name"], answer.json()["position"]) == (200, "after", 3)
    assert house.types(2) == ["SessionRenamed"]
    past = await house.client.get(f"/api/sessions/{number}?at=2")
    assert (past.json()["session"]["name"], past.headers["x-as-of"]) == ("before", "2")
    assert "x-read-position" not in past.headers
    same = await house.client.patch(f"/api/sessions/{number}", json={"name": "after"})
    assert (same.status_code, same.headers["x-event-count"]) == (200, "0")
    assert (await house.client.patch("/api/sessions/77", json={"name": "x"})).status_code == 404


async def test_expected_position(house: House) -> None:
    number = await started(house)
    stale = await house.client.patch(
        f"/api/sessions/{number}", json={"name": "x"}, headers={"X-Expected-Position": "1"}
    )
    assert (stale.status_code, stale.json()["code"]) == (409, "version_conflict")
    assert (stale.json()["expected"], stale.json()["actual"]) == (1, 2)
    assert house.types(2) == []
    fresh = await house.client.patch(
        f"/api/sessions/{number}", json={"name": "x"}, headers={"X-Expected-Position": "2"}
    )
    assert fresh.status_code == 200
    bad = await house.client.patch(f"/api/sessions/{number}", json={"name": "y"}, headers={"X-Expected-Position": "-"})
    assert (bad.status_code, bad.json()["detail"][0]["loc"]) == (422, ["header", "x-expected-position"])
    for wanted, status in ((77, 404), (number, 409)):
        answer = await house.client.delete(f"/api/sessions/{wanted}", headers={"X-Expected-Position": "1"})
        assert answer.status_code == status


async def test_toggle_auto(house: House) -> None:
    assert (await house.client.get("/api/sessions/auto-status")).json() == {"enabled": True, "session_id": None}
    off = await house.client.post("/api/sessions/toggle-auto", json={"enabled": False})
    assert (off.json(), house.types()) == ({"enabled": False, "session_id": None}, ["AutoSessionDisabled"])
    again = await house.client.post("/api/sessions/toggle-auto", json={"enabled": False})
    assert (again.headers["x-event-count"], again.headers["x-event-position"]) == ("0", "1")
    on = await house.client.post("/api/sessions/toggle-auto")
    assert (on.json()["enabled"], house.types()) == (True, ["AutoSessionDisabled", "AutoSessionEnabled"])
    assert (await house.client.post("/api/sessions/toggle-auto", json={"enabled": "true"})).status_code == 422
    assert (await house.client.get("/api/sessions/auto-status?at=1")).json()["enabled"] is False


async def test_delete_one(house: House) -> None:
    first, second = await started(house), await started(house)
    active = await house.client.delete(f"/api/sessions/{second}")
    assert (active.status_code, active.json()["code"], active.json()["session_id"]) == (409, "active_session", second)
    house.running.add(first)
    busy = await house.client.delete(f"/api/sessions/{first}")
    assert (busy.status_code, busy.json()["code"]) == (409, "session_busy")
    house.running.clear()
    gone = await house.client.delete(f"/api/sessions/{first}")
    assert gone.json() == {
        "success": True, "deleted_count": 1, "failed_ids": [], "results": {"deleted_count": 1, "failed_ids": []},
    }  # fmt: skip
    assert house.types(4) == ["SessionDeleted"]
    assert (await house.client.get(f"/api/sessions/{first}")).status_code == 404
    assert (await house.client.get(f"/api/sessions/{first}?at=4")).status_code == 200
    assert [row["id"] for row in (await house.client.get("/api/sessions")).json()] == [second]
    missing = await house.client.delete(f"/api/sessions/{first}")
    assert (missing.status_code, missing.json()["code"]) == (404, "session_not_found")


async def test_delete_several_or_none(house: House) -> None:
    numbers = [await started(house) for _ in range(3)]
    unknown = await house.client.request("DELETE", "/api/sessions", json={"session_ids": [numbers[0], 99]})
    assert (unknown.status_code, unknown.json()["failed_ids"]) == (404, [99])
    for none in (0, -1, 2**53):
        answer = await house.client.request("DELETE", "/api/sessions", json={"session_ids": [numbers[0], none]})
        assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", "session_ids", 1])
    strings = await house.client.request("DELETE", "/api/sessions", json={"session_ids": ["1"]})
    assert strings.status_code == 422
    assert house.types(6) == []
    done = await house.client.request(
        "DELETE", "/api/sessions", json={"session_ids": [numbers[0], numbers[0], numbers[1]]}
    )
    assert (done.status_code, done.json()["results"]["deleted_count"]) == (200, 2)
    assert house.types(6) == ["SessionDeleted", "SessionDeleted"]
    assert len({event.correlation_id for event in house.events(6)}) == 1


async def test_hostile_names_come_back_as_they_are(house: House) -> None:
    name = "<script>alert(1)</script> \u202e \U0001f600 <|endoftext|>"
    number = await started(house, name=name)
    assert (await house.client.get(f"/api/sessions/{number}")).json()["session"]["name"] == name
    event = house.events()[0].event
    assert isinstance(event, SessionStarted) and event.name == name
