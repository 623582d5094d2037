"""Messages of a session as they were received and sent, and the difference between the two."""

from typing import Any

import pytest

from schema.appends import Append
from schema.recorded import Body, Metadata, NewEvent
from schema.sessions import SessionStarted
from tests.api.house import House
from tests.api.one_exchange import ANSWER, ASKED, CALL, CALLED, LONG, MASK, RECEIVED, SYSTEM, exchange_events


async def exchange(house: House, *, sent: tuple[Body, ...] = (), bodies: bool = True) -> None:
    """Session 1 with one exchange of four messages and an answer."""
    begun = NewEvent("workspace", SessionStarted(session_id=1, name="s", provider="demo", origin="auto"))
    events = [begun, *exchange_events(sent=sent, bodies=bodies)]
    committed = await house.appender.append(Append(events=events, metadata=Metadata(actor="proxy")))
    await house.waiter.until(committed.head)


async def got(house: House, query: str = "") -> Any:
    answer = await house.client.get(f"/api/sessions/1/messages{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_what_was_received_and_answered(house: House) -> None:
    await exchange(house)
    found = await got(house)
    assert (found["exchange_id"], found["view"], found["total"]) == (1, "received", 5)
    assert [each["role"] for each in found["messages"]] == ["system", "user", "assistant", "tool", "assistant"]
    assert [each["origin"] for each in found["messages"]] == ["client"] * 4 + ["assistant"]
    assert [each["index"] for each in found["messages"]] == list(range(5))
    assert [each["ref"] for each in found["messages"]] == [each.ref for each in (*RECEIVED, ANSWER)]
    assert found["tokens"] == sum(each["tokens"] for each in found["messages"]) > 3_000
    called, result = found["messages"][2:4]
    assert (called["content"], called["tool_calls"], "tool_call_id" in called) == (None, [CALL], False)
    assert (result["content"], result["tool_call_id"], "tool_calls" in result) == ("a result", "c1", False)


async def test_contents_short_full_and_none(house: House) -> None:
    await exchange(house)
    for content, shown, truncated in (("preview", "x" * 2_000, True), ("full", LONG, False), ("none", None, True)):
        message = (await got(house, f"?content={content}"))["messages"][1]
        assert (message["content"], message["truncated"]) == (shown, truncated)


async def test_what_was_sent(house: House) -> None:
    await exchange(house, sent=(SYSTEM, ASKED, CALLED, MASK))
    found = await got(house, "?view=sent")
    assert [each["origin"] for each in found["messages"]] == ["client", "client", "client", "proxy"]
    assert found["messages"][3]["content"] == "[masked]"
    diff = (await house.client.get("/api/exchanges/1")).json()["diff"]
    assert [each["content"] for each in diff["added"]] == ["[masked]"]
    assert [each["content"] for each in diff["removed"]] == ["a result"]
    assert diff["added"][0]["origin"] == "proxy"


async def test_without_a_change_nothing_differs(house: House) -> None:
    await exchange(house)
    diff = (await house.client.get("/api/exchanges/1")).json()["diff"]
    assert diff == {"added": [], "removed": [], "rewritten": []}


async def test_pages(house: House) -> None:
    await exchange(house)
    found = await got(house, "?limit=2&offset=3")
    assert ([each["index"] for each in found["messages"]], found["total"]) == ([3, 4], 5)
    assert (await got(house, "?offset=9"))["messages"] == []


async def test_as_of_earlier_events(house: House) -> None:
    await exchange(house)
    assert (await got(house, "?at=2"))["total"] == 4  # not answered yet
    before = await got(house, "?at=1")
    assert (before["exchange_id"], before["messages"], before["total"], before["tokens"]) == (None, [], 0, 0)


async def test_contents_that_were_not_recorded(house: House) -> None:
    await exchange(house, bodies=False)
    answer = await house.client.get("/api/sessions/1/messages")
    assert (answer.status_code, answer.json()["code"]) == (410, "content_not_recorded")


async def test_without_contents_they_are_named_all_the_same(house: House) -> None:
    await exchange(house, bodies=False)
    found = await got(house, "?content=none")
    assert [each["ref"] for each in found["messages"]] == [*(each.ref for each in RECEIVED), ANSWER.ref]
    assert [each["origin"] for each in found["messages"]] == ["client"] * 4 + ["assistant"]
    assert (found["total"], found["tokens"]) == (5, 9)  # as counted when they came; of the answer nothing is known
    told = {tuple(each[name] for name in ("role", "content", "tokens")) for each in found["messages"]}
    assert told == {("", None, 0)}
    assert not any("erased" in each for each in found["messages"])


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("1/messages?view=other", 422, "invalid_field"),
        ("1/messages?content=all", 422, "invalid_field"),
        ("1/messages?limit=0", 422, "invalid_field"),
        ("1/messages?exchange_id=0", 422, "invalid_field"),
        ("1/messages?exchange_id=7", 404, "exchange_not_found"),
        ("9/messages", 404, "session_not_found"),
        ("x/messages", 422, "invalid_field"),
    ],
)
async def test_bad_requests(house: House, query: str, status: int, code: str) -> None:
    await exchange(house)
    answer = await house.client.get(f"/api/sessions/{query}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
