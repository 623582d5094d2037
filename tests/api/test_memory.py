"""What is remembered, over HTTP."""

import json
from typing import Any

import msgspec
import pytest

from schema.sessions import SessionDeleted
from tests.api.house import House
from tests.projections.building import session, started

TEXT = "The staging database listens on port 5433."


@pytest.fixture
async def two(house: House) -> House:
    """Two sessions."""
    await house.record(session(1), session(2))
    house.handler.dropped()  # they were recorded behind its back
    return house


async def store(house: House, text: str = TEXT, session_id: int = 1, **fields: Any) -> Any:
    answer = await house.client.post(f"/api/memory/store?session_id={session_id}", json={"content": text, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_same_text_is_one_memory_of_its_session(two: House) -> None:
    first, again, other = await store(two), await store(two, f"  {TEXT}\n"), await store(two, session_id=2)
    assert (first["deduplicated"], first["access_count"], first["memory_type"]) == (False, 1, "episodic")
    assert (again["memory_id"], again["deduplicated"], again["access_count"]) == (first["memory_id"], True, 2)
    assert other["memory_id"] != first["memory_id"]
    assert two.types(2) == ["MemoryStored", "MemoryRecalled", "MemoryStored"]


async def test_what_cannot_be_stored(two: House) -> None:
    async def code(query: str, **body: Any) -> tuple[int, str]:
        content = json.dumps({"content": TEXT, **body}).encode()
        headers = {"Content-Type": "application/json"}
        answer = await two.client.post(f"/api/memory/store{query}", content=content, headers=headers)
        if answer.status_code != 422:
            assert answer.json()["detail"] == answer.json()["error"]
        return answer.status_code, answer.json()["code"]

    assert await code("") == (422, "invalid_field")
    assert await code("?session_id=0") == (422, "invalid_field")
    assert await code("?session_id=9") == (404, "session_not_found")
    bodies: tuple[dict[str, Any], ...] = (
        {"content": " 123456789 "},
        {"content": "\ud800" * 20},
        {"memory_type": "other"},
        {"metadata": []},
        {"metadata": {"n": 2**53}},
        {"metadata": {"n": [{"m": 10**30}]}},
        {"metadata": {"\udc00": 1}},
    )
    for bad in bodies:
        assert await code("?session_id=1", **bad) == (422, "invalid_field"), bad
    assert two.types(2) == []


async def test_a_search_counts_and_says_how_good(two: House) -> None:
    await store(two, metadata={"title": "staging", "nested": {"a": [1, None]}})
    await store(two, "Something about cats and dogs", 2)
    body = {"query": "port of staging"}
    answer = await two.client.post("/api/memory/similarity", json=body)
    (result,) = answer.json()["results"]
    assert (result["id"], result["content_preview"]) == ("1", TEXT)
    assert result["score"] > 0.9
    assert result["metadata"] == {"title": "staging", "nested": {"a": [1, None]}}
    assert (answer.json()["method"], answer.json()["qdrant_available"]) == ("bm25", False)
    none = await two.client.post("/api/memory/similarity", json={**body, "session_id": 2})
    assert (none.json()["results"], none.headers["x-event-count"]) == ([], "0")
    (memory,) = (await two.client.get("/api/memory/frequent?min_access_count=2")).json()
    assert (memory["access_count"], memory["title"], memory["content"]) == (2, "staging", TEXT)


async def test_frequent_pages(two: House) -> None:
    for number in range(5):
        await store(two, f"memory number {number} of five", number % 2 + 1)
    await store(two, "memory number 3 of five", 2)
    answer = await two.client.get("/api/memory/frequent?min_access_count=0&limit=2&offset=1")
    assert [each["id"] for each in answer.json()] == ["5", "3"]
    assert answer.headers["x-total-count"] == "5"
    page = (await two.client.get("/api/memory/frequent?envelope=true&session_id=2&min_access_count=0")).json()
    assert ([each["id"] for each in page["memories"]], page["total"]) == (["4", "2"], 2)
    await two.record(SessionDeleted(session_id=2))
    answer = await two.client.get("/api/memory/frequent?min_access_count=0")
    assert [each["id"] for each in answer.json()] == ["5", "3", "1"]
    assert (await two.client.get("/api/memory/frequent?session_id=2")).status_code == 404


async def test_memories_count_where_a_position_is_expected(two: House) -> None:
    await store(two)  # event 3, after one of each session
    url = "/api/sessions/1"

    async def rename(name: str, expected: int) -> Any:
        return await two.client.patch(url, json={"name": name}, headers={"X-Expected-Position": str(expected)})

    stale = await rename("x", 1)
    assert (stale.status_code, stale.json()["actual"]) == (409, 3)
    assert (await rename("x", 3)).status_code == 200
    for expected, status in ((3, 409), (4, 200)):
        answer = await two.client.delete("/api/memory/1", headers={"X-Expected-Position": str(expected)})
        assert answer.status_code == status
    assert (await rename("y", 4)).json()["actual"] == 5
    unknown = await two.client.delete("/api/memory/9", headers={"X-Expected-Position": "1"})
    assert unknown.status_code == 404
    other = {"X-Expected-Position": "2"}
    assert (await two.client.patch("/api/sessions/2", json={"name": "z"}, headers=other)).status_code == 200


async def test_merged_sessions_have_a_text_once(two: House) -> None:
    for number in (1, 2, 2):
        await store(two, "The staging database listens on 5433.", number)
    await store(two, "Something about cats and dogs", 1)
    merged = await two.client.post("/api/sessions/1/merge", json={"source_ids": [2]})
    assert merged.status_code == 200
    page = (await two.client.get("/api/memory/frequent?min_access_count=0&session_id=1&envelope=true")).json()
    assert ([(each["id"], each["access_count"]) for each in page["memories"]], page["total"]) == (
        [("2", 2), ("4", 1)],
        2,
    )
    gone = (await two.client.get("/api/memory/1")).json()
    assert (gone["forgotten"], gone["superseded_by"]) == ("merged", 2)
    found = await two.client.post("/api/memory/similarity", json={"query": "staging database", "score_threshold": 0})
    assert [each["id"] for each in found.json()["results"]] == ["2"]


async def test_similar_to_what_was_asked_last(two: House) -> None:
    empty = (await two.client.get("/api/memory/similar/1")).json()
    assert (empty["results"], empty["query"], bool(empty["message"])) == ([], "", True)
    await store(two)
    await two.record(started(1, 1, preview="which port has staging?"), started(2, 1, preview="x" * 120))
    before = two.log.head()
    peeked = (await two.client.get("/api/memory/similar/1?peek=true")).json()
    assert (two.log.head(), peeked["results"][0]["id"]) == (before, 1)
    assert len(peeked["query"]) == 103 and peeked["query"].startswith("which port")
    assert (await two.client.get("/api/memory/similar/1?query=staging")).json()["results_count"] == 1
    assert two.types(before) == ["MemoryRecalled"]
    foreign = {"Sec-Fetch-Site": "cross-site"}
    await two.client.get("/api/memory/similar/1?query=staging", headers=foreign)
    assert (await two.client.head("/api/memory/similar/1?query=staging")).status_code == 200
    assert (await two.client.get(f"/api/memory/similar/1?query=staging&at={before}")).json()["results_count"] == 1
    assert two.types(before) == ["MemoryRecalled"]


async def test_cleanup_and_its_undoing(two: House) -> None:
    await store(two)
    for _ in range(3):
        await store(two, "used again and again")
    none = (await two.client.post("/api/memory/cleanup")).json()
    assert (none["deleted_count"], none["max_age_days"]) == (0, 30)
    later = two.events()[-1].timestamp + 1
    two.app.state.services = msgspec.structs.replace(two.app.state.services, clock=lambda: later)
    cleaned = (await two.client.post("/api/memory/cleanup?max_age_days=0")).json()
    assert (cleaned["deleted_count"], cleaned["memory_ids"]) == (1, [1])
    assert (await two.client.get("/api/memory/1")).json()["forgotten"] == "cleanup"
    searched = {"query": "staging database", "score_threshold": 0}
    assert (await two.client.post("/api/memory/similarity", json=searched)).json()["results"] == []
    restored = (await two.client.post("/api/memory/1/restore")).json()
    assert (restored["changed"], restored["forgotten"]) == (True, None)
    assert (await two.client.post("/api/memory/1/restore")).json()["changed"] is False
    assert (await two.client.post("/api/memory/similarity", json=searched)).json()["results_count"] == 1


async def test_promotion_and_its_undoing(two: House) -> None:
    for _ in range(3):
        await store(two)
    head = two.log.head()
    promoted = (await two.client.post("/api/memory/promote-patterns/1")).json()
    assert (promoted["promoted_count"], promoted["memory_ids"]) == (1, [1])
    assert (await two.client.post("/api/memory/promote-patterns/1")).json()["promoted_count"] == 0
    assert (await two.client.get("/api/memory/1")).json()["memory_type"] == "frequent"
    assert (await two.client.get(f"/api/memory/1?at={head}")).json()["memory_type"] == "episodic"
    assert (await two.client.post("/api/memory/1/demote")).json()["memory_type"] == "episodic"
    unknown = await two.client.post("/api/memory/9/demote")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "memory_not_found")
    assert (await two.client.get("/api/memory/9")).json()["memory_id"] == 9


async def test_a_secret_is_not_remembered(two: House) -> None:
    await store(two, "the key is sk-s3cret, keep it", metadata={"key": "sk-s3cret"})
    memory = (await two.client.get("/api/memory/1")).json()
    assert memory["content"] == "the key is [redacted], keep it"
    assert memory["metadata"] == {"key": "[redacted]"}
    assert memory["provenance"]["origin"] == "api"


async def test_an_event_of_a_memory_shows_what_it_changed(two: House) -> None:
    await store(two)
    (event,) = two.events(2)
    shown = (await two.client.get(f"/api/events/{event.position}")).json()
    assert shown["data"]["memory_id"] == 1
    assert {"entity": "memory:1", "field": "access_count", "before": None, "after": 1} in shown["changes"]
    (ref,) = shown["refs"]
    assert (ref["preview"], ref["role"]) == (TEXT, None)


async def test_a_text_is_made_shorter(two: House) -> None:
    text = "\n".join(f"Line {number}: nothing much happened on that day." for number in range(40))
    text += "\nThe function parse_header in src/parser.py fails with E1042."
    answers = {}
    for algorithm in ("context_aware", "extractive", "zlib"):
        body = {"content": text[:1_900], "algorithm": algorithm, "target_ratio": 0.3}
        answers[algorithm] = found = (await two.client.post("/api/memory/compress", json=body)).json()
        assert found["compressed_tokens"] == len(found["compressed_content"]) < found["original_tokens"]
        assert found["compression_ratio"] == round(1 - found["compressed_tokens"] / found["original_tokens"], 4)
    assert answers["zlib"]["quality_score"] == 1.0
    tiny = (await two.client.post("/api/memory/compress", json={"content": "x", "algorithm": "zlib"})).json()
    assert (tiny["compressed_content"], tiny["compression_ratio"], tiny["quality_score"]) == ("x", 0, 1)
    assert two.types(2) == []


async def test_clusters_of_a_session(two: House) -> None:
    for word, other in (("vacuum", "panel"), ("schema", "theme"), ("table", "font")):
        await store(two, f"the query uses a postgres index, replica {word}")
        await store(two, f"the button opens a dialog with colors, {other}")
    await store(two, "something else altogether")
    first = await two.client.post("/api/memory/cluster/1")
    found = first.json()
    assert (found["cluster_count"], [each["memory_ids"] for each in found["clusters"]]) == (2, [[1, 3, 5], [2, 4, 6]])
    assert found["clusters"][0]["center_id"] in ("1", "3", "5")
    assert (await two.client.post("/api/memory/cluster/1")).json() == found
    none = await two.client.post("/api/memory/cluster/2", json={"min_cluster_size": 2})
    assert (none.json()["cluster_count"], none.headers["x-event-count"]) == (0, "0")


async def test_nothing_is_invented(two: House) -> None:
    shown = (await two.client.get("/api/memory/stats/advanced")).json()
    assert set(shown["advanced_stats"].values()) == {0}
    assert set(shown["basic_stats"].values()) == {0}
    await store(two)
    await store(two)
    one = (await two.client.get("/api/memory/stats/advanced?session_id=1")).json()
    assert one["basic_stats"] is None
    assert (one["advanced_stats"]["total_memories"], one["advanced_stats"]["average_access_count"]) == (1, 2.0)
    assert (await two.client.get("/api/memory/stats/advanced?session_id=9")).status_code == 404
