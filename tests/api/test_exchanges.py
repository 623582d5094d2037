"""Exchanges as read (contract N18, N19), and what they do to a session's figures (rows 4, 7)."""

import json

import pytest

from schema.exchanges import (
    ExchangeCompleted,
    ExchangeFailed,
    ExchangeRefused,
    ExchangeStarted,
    MessageRefs,
    ReductionStep,
    Resolution,
    Timings,
    Usage,
)
from tests.api.house import House

EXCHANGE_KEYS = {
    "id", "session_id", "started_at", "finished_at", "outcome", "stream", "model_requested", "model_sent", "provider",
    "resolution", "client_family", "received", "sent", "reduction", "usage", "cost_usd", "timings", "http_status",
    "finish_reason", "error", "attempts", "tries", "moved_from", "positions",
}  # fmt: skip


def begun(number: int, session_id: int, **changes: object) -> ExchangeStarted:
    fields: dict[str, object] = {
        "model_sent": "echo", "provider": "demo", "resolution": Resolution(rule="auto_new"), "envelope_ref": "e" * 64,
        "received": MessageRefs(added=("a" * 64, "b" * 64), count=2, tokens=30), "preview": "p" * 150,
    }  # fmt: skip
    return ExchangeStarted(session_id=session_id, exchange_id=number, **{**fields, **changes})  # type: ignore[arg-type]


def completed(number: int, session_id: int) -> ExchangeCompleted:
    usage = Usage(source="measured", prompt_tokens=40, completion_tokens=10, total_tokens=50, cached_tokens=7)
    return ExchangeCompleted(
        session_id=session_id,
        exchange_id=number,
        usage=usage,
        timings=Timings(overhead_ms=0.5, ttft_ms=2.0, duration_ms=9.0),
        http_status=200,
        finish_reason="stop",
    )


async def filled(house: House) -> int:
    """Session 1 with a completed, a failed and a running exchange; the position of the last event."""
    await house.client.post("/api/sessions", json={"name": "s"})
    failed = ExchangeFailed(
        session_id=1, exchange_id=2, usage=Usage(), timings=Timings(), error_code="upstream_timeout",
        error_message="acme.test: no byte", http_status=504,
    )  # fmt: skip
    return await house.record(
        begun(1, 1), completed(1, 1), begun(2, 1, provider="acme", model_sent="acme-big"), failed, begun(3, 1)
    )


async def test_list_without_refs(house: House) -> None:
    await filled(house)
    answer = await house.client.get("/api/exchanges")
    body = answer.json()
    assert ([row["id"] for row in body["exchanges"]], body["total"]) == ([3, 2, 1], 3)
    assert set(body["exchanges"][0]) == EXCHANGE_KEYS
    assert body["exchanges"][0]["received"] == {"count": 2, "tokens": 30}
    assert [row["outcome"] for row in body["exchanges"]] == ["running", "failed", "completed"]


async def test_only_one_exchange_names_the_messages_that_each_step_reduced(house: House) -> None:
    step = ReductionStep("mask", 1, 12)
    sent = MessageRefs(added=("a" * 64, "c" * 64), count=2, tokens=18)
    await house.client.post("/api/sessions", json={"name": "s"})
    await house.record(begun(1, 1, sent=sent, steps=(step,)), completed(1, 1))
    (listed,) = (await house.client.get("/api/exchanges")).json()["exchanges"]
    assert listed["reduction"]["steps"] == [{"stage": "mask", "count": 1, "tokens_saved": 12}]
    one = (await house.client.get("/api/exchanges/1")).json()
    assert one["reduction"]["steps"] == [{"stage": "mask", "count": 1, "tokens_saved": 12, "refs": []}]


@pytest.mark.parametrize("given", [-1, 2**53, True, 1.5, [], {}, "", "x" * 65, "\ud800"])
@pytest.mark.parametrize(("path", "name"), [("/api/sessions/1/fork", "at"), ("/api/prices/reprice", "from")])
async def test_a_moment_that_is_none_is_one_mistake_in_one_place(
    house: House, path: str, name: str, given: object
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await house.client.post(path, content=json.dumps({name: given}), headers=headers)
    (entry,) = answer.json()["detail"]
    assert (answer.status_code, entry["loc"]) == (422, ["body", name])


async def test_list_filters(house: House) -> None:
    await filled(house)
    for query, ids in (
        ("outcome=failed", [2]), ("outcome=running", [3]), ("model=acme-big", [2]), ("session_id=1&limit=1", [3]),
        ("session_id=2", []), ("offset=2", [1]),
    ):  # fmt: skip
        body = (await house.client.get(f"/api/exchanges?{query}")).json()
        assert [row["id"] for row in body["exchanges"]] == ids, query
    for query in ("outcome=fine", "limit=501", "session_id=0", "session_id=x"):
        assert (await house.client.get(f"/api/exchanges?{query}")).status_code == 422, query
    (detail,) = (await house.client.get("/api/exchanges?outcome=fine")).json()["detail"]
    assert detail["loc"] == ["query", "outcome"]
    assert "'running'" in detail["msg"] and "'refused'" in detail["msg"]


async def test_one_with_refs_and_error(house: House) -> None:
    await filled(house)
    body = (await house.client.get("/api/exchanges/1")).json()
    assert set(body) == {*EXCHANGE_KEYS, "diff", "answer_ref", "other_refs"}
    refs = ["a" * 64, "b" * 64]
    assert body["received"] == {"count": 2, "tokens": 30, "refs": refs}
    assert body["sent"] == {"count": 2, "tokens": 30, "refs": refs, "identical": True}
    assert body["usage"]["cached_tokens"] == 7 and body["usage"]["reasoning_tokens"] is None
    assert body["timings"] == {"overhead_ms": 0.5, "ttft_ms": 2.0, "duration_ms": 9.0}
    assert body["positions"] == {"started": 3, "finished": 4} and body["error"] is None
    failed = (await house.client.get("/api/exchanges/2")).json()
    assert failed["error"] == {"code": "upstream_timeout", "message": "acme.test: no byte"}
    missing = await house.client.get("/api/exchanges/9")
    assert (missing.status_code, missing.json()["code"]) == (404, "exchange_not_found")


async def test_before_its_end_an_exchange_was_running(house: House) -> None:
    await filled(house)
    answer = await house.client.get("/api/exchanges/1?at=3")
    assert (answer.json()["outcome"], answer.json()["finished_at"], answer.headers["x-as-of"]) == ("running", None, "3")
    assert (await house.client.get("/api/exchanges/1?at=2")).status_code == 404


async def test_metrics_and_stats_of_the_session(house: House) -> None:
    await filled(house)
    body = (await house.client.get("/api/sessions/1")).json()
    assert body["stats"] == {
        "total_requests": 3, "max_tokens": 50, "avg_tokens": 50.0, "current_input_tokens": 40,
        "current_output_tokens": 10, "current_total_tokens": 50, "cumulative_input_tokens": 40,
        "cumulative_output_tokens": 10, "cumulative_total_tokens": 50,
    }  # fmt: skip
    assert body["context"]["current_tokens"] == 50 and body["context"]["percentage"] == 5.0
    assert body["memory"] == {"memory_tokens": 0, "chat_tokens": 30, "memory_ratio": 0.0}
    running, failed, done = body["recent_metrics"]
    assert (running["estimated_tokens"], running["is_estimated"], running["prompt_tokens"]) == (30, True, 30)
    assert (failed["outcome"], failed["percentage"]) == ("failed", 0.01)  # 30 of 200,000, rounded
    assert (done["estimated_tokens"], done["is_estimated"], done["cost_usd"]) == (50, False, None)
    assert done["content_preview"] == "p" * 100
    none = (await house.client.get("/api/sessions/1?metrics_limit=0")).json()
    assert none["recent_metrics"] == [] and none["memory"]["chat_tokens"] == 30


async def test_refused_requests_are_told_with_their_count(house: House) -> None:
    await house.client.post("/api/sessions", json={"name": "s"})
    shared = {"code": "rate_limit_exceeded", "tokens": 12, "limit": 40, "provider": "demo", "unit": "requests"}
    for count, session_id, model in ((1, 1, "echo"), (7, 1, "echo"), (3, None, "other")):
        await house.record(ExchangeRefused(count=count, session_id=session_id, model_sent=model, **shared))  # type: ignore[arg-type]

    async def told(query: str) -> tuple[int, list[int]]:
        body = (await house.client.get(f"/api/exchanges?outcome=refused{query}")).json()
        assert body["exchanges"] == []
        return body["total"], [row["count"] for row in body["refusals"]]

    assert await told("") == (3, [3, 7, 1])
    assert await told("&session_id=1") == (2, [7, 1])
    assert await told("&model=other") == (1, [3])
    assert await told("&limit=1&offset=1") == (3, [7])
    assert await told("&at=3") == (1, [1])
    (row,) = (await house.client.get("/api/exchanges?outcome=refused&model=other")).json()["refusals"]
    assert row == {
        **shared, "model_sent": "other", "count": 3, "session_id": None, "scope": None, "by": None, "position": 5,
        "timestamp": row["timestamp"],
    }  # fmt: skip
    assert (await house.client.get("/api/exchanges")).json() == {"exchanges": [], "total": 0, "refusals": None}
