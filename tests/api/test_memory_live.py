"""What pages ask about memories over /ws."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api import memory_live
from schema.exchanges import MessageRefs
from tests.api.house import House
from tests.api.sockets import served
from tests.api.test_live import Frame, Page, page
from tests.projections.building import session, started

LONG = "\n".join(
    f"Line {number} says that handler_{number} in src/part_{number}.py was changed." for number in range(9)
)
NEAR = "The staging database of the billing service and its replica listen behind port number"


@pytest.fixture
async def client(house: House) -> AsyncIterator[Page]:
    await house.record(session(1), session(2))
    house.handler.dropped()
    async with served(house.front) as url, page(url.replace("http", "ws")) as opened:
        await opened.nothing_more()  # it has joined: what happens from now on is told
        yield opened


async def ask(client: Page, kind: str, *, nested: bool = False, **fields: Any) -> Frame:
    """The reply, past what else is told."""
    body = {"payload": fields} if nested else fields
    await client.socket.send(json.dumps({"type": kind, **body}))
    while True:
        frame = await client.next()
        if frame["type"] == "error" or frame["type"].endswith("_response"):
            return frame


async def store(house: House, text: str, session_id: int = 1) -> None:
    answer = await house.client.post(f"/api/memory/store?session_id={session_id}", json={"content": text})
    assert answer.status_code == 200


@pytest.mark.parametrize("nested", [False, True])
async def test_what_a_compression_would_do(house: House, client: Page, nested: bool) -> None:
    await store(house, LONG)
    await store(house, "short enough")
    head = house.log.head()
    frame = await ask(client, "memory_compress_preview", nested=nested, requestId="r1", threshold=0.5)
    assert (frame["type"], frame["requestId"]) == ("memory_compress_preview_response", "r1")
    result = frame["result"]
    assert (result["success"], result["current_count"], result["projected_count"]) == (True, 2, 2)
    (step,) = result["preview"]
    assert (step["action"], step["items"]) == ("shorten", 1)
    assert step["tokens"] <= len(LONG) / 2 and result["space_saved"].endswith(" tokens")
    dry = await ask(client, "memory_compress_execute", nested=nested, requestId=2, threshold=0.5, dryRun=True)
    assert (dry["type"], dry["result"], dry["requestId"]) == ("memory_compress_result_response", result, 2)
    assert house.log.head() == head


async def test_a_compression_is_done_and_told_and_can_be_undone(house: House, client: Page) -> None:
    await store(house, f"{NEAR} 5433")
    await store(house, f"{NEAR} 5433.\nand more")
    await store(house, f"{NEAR} 5433", 2)
    head = house.log.head()
    await client.socket.send(json.dumps({
        "type": "memory_compress_execute", "requestId": "r", "strategy": "semantic", "session_id": 1,
    }))  # fmt: skip
    told = {frame["type"]: frame for frame in [await client.next() for _ in range(2)]}
    done, reply = told["memory_compression_completed"], told["memory_compress_result_response"]
    assert (done["strategy"], done["threshold"], done["memories_processed"]) == ("semantic", 0.3, 2)
    assert (reply["result"]["current_count"], reply["result"]["projected_count"]) == (2, 1)
    assert house.types(head) == ["MemoryStored", "MemoryForgotten", "MemoryForgotten"]
    assert {recorded.actor for recorded in house.events(head)} == {"ws"}
    (left,) = (await house.client.get("/api/memory/frequent?session_id=1&min_access_count=0")).json()
    assert left["content"] == f"{NEAR} 5433.\nand more"
    memory = (await house.client.get(f"/api/memory/{left['id']}")).json()
    assert (memory["provenance"]["origin"], memory["provenance"]["supersedes"]) == ("compressed", [1, 2])
    assert (await house.client.get("/api/memory/1")).json()["superseded_by"] == int(left["id"])
    assert (await house.client.post("/api/memory/1/restore")).json()["changed"]
    there = (await house.client.get("/api/memory/frequent?session_id=1&min_access_count=0")).json()
    assert sorted(each["id"] for each in there) == ["1", "2"]
    assert (await house.client.get(f"/api/memory/{left['id']}")).json()["forgotten"] == "undone"
    again = await ask(client, "memory_compress_execute", requestId="s", strategy="token")
    assert (again["result"]["space_saved"], again["result"]["preview"]) == ("0 tokens", []) or again["result"][
        "success"
    ]


async def test_what_contradicts_is_not_merged_away(house: House, client: Page) -> None:
    texts = (f"{NEAR} 5433", f"{NEAR} 6000", "Always push release tags to main", "Never push release tags to main")
    for text in texts:
        await store(house, text)
    frame = await ask(client, "memory_compress_execute", requestId="r", strategy="semantic", threshold=0.9)
    assert frame["result"]["projected_count"] == 4
    both = "They run on the same machine, in the rack next to the window of the office."
    await store(house, f"{NEAR} 7000. {both}", 2)
    await store(house, f"{NEAR} 8000. {both}", 2)
    await ask(client, "memory_compress_execute", requestId="r", strategy="semantic", session_id=2)
    (left,) = (await house.client.get("/api/memory/frequent?session_id=2&min_access_count=0")).json()
    assert left["content"] == f"{NEAR} 7000. {both}\n{NEAR} 8000."


async def test_a_compression_says_how_many_it_looked_at(
    house: House, client: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_live, "_MOST", 2)
    for number in range(3):
        await store(house, f"memory number {number}")
    of_one: dict[str, Any] = {"session_id": 1}
    for fields in ({}, of_one):
        result = (await ask(client, "memory_compress_preview", requestId="r", **fields))["result"]
        assert [result[name] for name in ("current_count", "projected_count", "total", "looked_at")] == [3, 3, 3, 2]


@pytest.mark.parametrize("method", ["cosine", "jaccard", "levenshtein"])
async def test_what_is_like_another(house: House, client: Page, method: str) -> None:
    await store(house, f"{NEAR} 5433")
    await store(house, f"{NEAR} 5434", 2)
    await store(house, "Cats sleep behind the staging house")
    frame = await ask(client, "memory_similarity_search", requestId="r", reference_id=1, method=method)
    result = frame["result"]
    assert [each["id"] for each in result["results"]] == ["2"]
    assert (result["method_used"], result["threshold_used"], result["total_found"]) == (method, 0.75, 1)
    text = await ask(client, "memory_similarity_search", requestId="r", reference_text=f"{NEAR} 5433", method=method)
    assert [each["id"] for each in text["result"]["results"]] == ["1", "2"]
    assert text["result"]["results"][0]["similarity_score"] == 1


async def test_what_cannot_be_answered(house: House, client: Page) -> None:
    for kind, fields, code in (
        ("memory_compress_preview", {"requestId": "r", "threshold": 2}, "invalid_field"),
        ("memory_compress_preview", {"requestId": "r", "strategy": "magic"}, "invalid_field"),
        ("memory_compress_preview", {"requestId": "r", "session_id": 9}, "session_not_found"),
        ("memory_compress_execute", {"requestId": "r", "dryRun": "yes"}, "invalid_field"),
        ("memory_similarity_search", {"requestId": "r"}, "invalid_field"),
        ("memory_similarity_search", {"requestId": "r", "reference_id": 9}, "memory_not_found"),
        ("memory_similarity_search", {"requestId": "r", "reference_text": "a", "limit": 4}, "invalid_field"),
    ):
        frame = await ask(client, kind, **fields)
        assert (frame["type"], frame["code"], frame["requestId"]) == ("error", code, "r"), fields
    assert "requestId" not in await ask(client, "memory_compress_preview")
    for number in range(60):
        await client.socket.send(json.dumps({"type": "memory_compress_preview", "requestId": number}))
    replies = [await client.next() for _ in range(60)]
    assert sorted(frame["requestId"] for frame in replies) == list(range(60))


@pytest.mark.parametrize("name", ["dryRun", "threshold", "strategy", "session_id"])
async def test_null_is_no_value_and_overrides_nothing(house: House, client: Page, name: str) -> None:
    await store(house, LONG)
    head = house.log.head()
    fields: dict[str, Any] = {"requestId": "r", "threshold": 0.5, "strategy": "token", "dryRun": True, "session_id": 1}
    nulls: dict[str, Any] = {"requestId": "r", name: None}
    for asked in ({**fields, "payload": {name: None}}, nulls):
        frame = await ask(client, "memory_compress_execute", **asked)
        assert (frame["type"], frame["code"], frame["requestId"]) == ("error", "invalid_field", "r")
        assert frame["error"].startswith(f"{name}: ")
    assert house.log.head() == head


async def test_of_two_ways_to_say_what_is_compared_with_one_may_be_null(house: House, client: Page) -> None:
    await store(house, f"{NEAR} 5433")
    fields: dict[str, Any] = {"requestId": "r", "reference_id": None, "reference_text": f"{NEAR} 5433"}
    assert (await ask(client, "memory_similarity_search", **fields))["result"]["total_found"] == 1
    assert (await ask(client, "memory_similarity_search", requestId="r", reference_id=None))["code"] == "invalid_field"


async def test_the_part_of_memories_in_a_context(house: House, client: Page) -> None:
    def refs(memory: int) -> MessageRefs:
        return MessageRefs(added=("a" * 64,), count=1, tokens=200, memory_tokens=memory)

    await house.record(
        started(1, 1, received=refs(0)), started(2, 1, received=refs(50)), started(3, 1, received=refs(50))
    )
    told = [await client.next() for _ in range(4)]
    assert [each["type"] for each in told] == ["metric", "metric", "memory_metrics_update", "metric"]
    assert "mcp_memory" not in told[0]
    part = {"memory_tokens": 50, "chat_tokens": 150, "memory_ratio": 25.0}
    assert told[1]["mcp_memory"] == part
    assert told[2]["memory"] == {**part, "total_tokens": 200}
    shown = (await house.client.get("/api/sessions/1/memory?limit=2")).json()
    assert (shown["current"], shown["total"], len(shown["history"])) == (part, 3, 2)
    assert (await house.client.get("/api/sessions/1")).json()["memory"] == part
    await house.record(started(4, 2, received=refs(0)))
    stats = (await house.client.get("/api/memory/stats")).json()
    assert stats == {
        "total_memory_tokens": 50, "total_chat_tokens": 350, "total_tokens": 400, "global_memory_ratio": 12.5,
        "average_session_ratio": 12.5, "sessions_with_memory": 1,
    }  # fmt: skip
