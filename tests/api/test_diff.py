"""What became of a session between two moments."""

from typing import Any

from schema.compaction import TokensReserved
from tests.api.house import House
from tests.projections.building import completed, measured, refs, started


async def diff(house: House, query: str, status: int = 200) -> Any:
    answer = await house.client.get(f"/api/sessions/1/diff?{query}")
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_fields_tokens_and_events(house: House) -> None:
    await house.client.post("/api/sessions", json={"name": "before"})  # events 1 and 2
    await house.record(started(1, received=refs(tokens=10)), completed(1, usage=measured(100, 20)))
    await house.record(TokensReserved(session_id=1, from_=0, to=50), stream="session-1")
    await house.client.patch("/api/sessions/1", json={"name": "after"})
    found = await diff(house, "from=2&to=6")
    assert (found["session_id"], found["from"], found["to"], found["events"]) == (1, 2, 6, 4)
    changes = {each["field"]: (each["before"], each["after"]) for each in found["changes"]}
    assert changes["name"] == ("before", "after")
    assert changes["reserved_tokens"] == (0, 50)
    assert changes["total_requests"] == (0, 1)
    assert found["tokens"] == {"before": 0, "after": 120}
    assert found["messages"] == {"added": [], "removed": [], "rewritten": []}
    same = await diff(house, "from=6&to=6")
    assert (same["events"], same["changes"]) == (0, [])
    whole = await diff(house, "from=0&to=2100-01-01T00:00:00Z")
    assert (whole["from"], whole["to"]) == (0, 6)
    assert {"field": "name", "before": None, "after": "after"} in whole["changes"]


async def test_what_is_asked_wrongly(house: House) -> None:
    await house.client.post("/api/sessions", json={"name": "n"})
    for query in ("", "from=1", "to=1", "from=x&to=1", "from=2&to=1", "from=-1&to=1"):
        assert (await diff(house, query, 422))["code"] == "invalid_field", query
    beyond = await diff(house, "from=0&to=99", 422)
    assert (beyond["code"], beyond["detail"][0]["loc"], beyond["detail"][0]["input"]) == (
        "at_out_of_range",
        ["query", "to"],
        99,
    )
    assert (await diff(house, "from=0&to=1&at=1", 422))["code"] == "at_not_supported"
    missing = await house.client.get("/api/sessions/9/diff?from=0&to=1")
    assert (missing.status_code, missing.json()["code"]) == (404, "session_not_found")
