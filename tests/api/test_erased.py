"""What answers say of contents that were erased since: null, `erased: true`, and what is still known beside it."""

import json
from typing import Any

from schema.appends import Append
from schema.compaction import MessagePinned
from schema.exchanges import ExchangeCompleted, ExchangeFailed, ExchangeStarted, MessageRefs, Resolution, Timings, Usage
from schema.memory import MemoryStored
from schema.recorded import Body, Metadata, NewEvent
from schema.sessions import SessionRenamed
from tests.api.house import House
from tests.api.one_exchange import ANSWER, ASKED, CALLED, MASK, RECEIVED, RESULT, SYSTEM, body, exchange_events

REMEMBERED = body(role="x", content="a memory")


async def record(house: House, *events: tuple[str, Any, tuple[Body, ...]]) -> int:
    """Events with what lies beside them; the last one's position."""
    new = [NewEvent(stream, event, bodies) for stream, event, bodies in events]
    committed = await house.appender.append(Append(events=new, metadata=Metadata(actor="proxy")))
    await house.waiter.until(committed.head)
    return committed.head


async def exchange(house: House, *, sent: tuple[Body, ...] = (), bodies: bool = True) -> None:
    """Session 1 with one exchange of four messages and an answer, events 3 and 4."""
    await house.client.post("/api/sessions", json={"name": "s"})
    for each in exchange_events(sent=sent, bodies=bodies):
        await record(house, (each.stream, each.event, each.bodies))


async def erase(house: House) -> None:
    answer = await house.client.post("/api/sessions/1/erase", json={"confirm": True})
    assert answer.status_code == 200, answer.text


async def got(house: House, path: str) -> Any:
    answer = await house.client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def second(**changes: Any) -> ExchangeStarted:
    """An exchange of one message."""
    return ExchangeStarted(
        session_id=1,
        exchange_id=2,
        model_sent="echo",
        provider="demo",
        resolution=Resolution(rule="auto_new"),
        received=MessageRefs(added=(ASKED.ref,), count=1, tokens=7),
        envelope_ref="e" * 64,
        preview="a question",
        **changes,
    )


def failed() -> ExchangeFailed:
    return ExchangeFailed(
        session_id=1, exchange_id=2, usage=Usage(), timings=Timings(), error_code="upstream_error", error_message="no"
    )


async def test_a_reduced_exchange_still_says_which_messages_were_left_out(house: House) -> None:
    await exchange(house, sent=(SYSTEM, ASKED, CALLED, MASK))
    await erase(house)
    diff = (await got(house, "/api/exchanges/1"))["diff"]
    (removed,), (added,) = diff["removed"], diff["added"]
    assert (removed["ref"], added["ref"]) == (RESULT.ref, MASK.ref)
    for each in (removed, added):
        assert [each[name] for name in ("role", "content", "tokens", "erased")] == [None, None, None, True]


async def test_one_that_was_never_recorded_is_not_said_to_be_erased(house: House) -> None:
    await exchange(house, sent=(SYSTEM, ASKED, CALLED, MASK), bodies=False)
    (removed,) = (await got(house, "/api/exchanges/1"))["diff"]["removed"]
    assert [removed[name] for name in ("ref", "role", "content", "tokens")] == [RESULT.ref, "", None, 0]
    assert "erased" not in removed
    (ref,) = (await got(house, "/api/events/4"))["refs"]
    assert ref == {"ref": ANSWER.ref, "role": None, "preview": None, "tokens": 0}


async def test_its_messages_are_named_where_nothing_of_them_is_asked_for(house: House) -> None:
    await exchange(house, sent=(SYSTEM, ASKED, CALLED, MASK))
    await erase(house)
    for content in ("preview", "full"):
        answer = await house.client.get(f"/api/sessions/1/messages?content={content}")
        assert (answer.status_code, answer.json()["code"]) == (410, "content_erased")
    for view, refs, tokens in (
        ("received", [*(each.ref for each in RECEIVED), ANSWER.ref], 9),
        ("sent", [SYSTEM.ref, ASKED.ref, CALLED.ref, MASK.ref], 5),
    ):
        found = await got(house, f"/api/sessions/1/messages?content=none&view={view}")
        assert ([each["ref"] for each in found["messages"]], found["tokens"]) == (refs, tokens)
        told = {tuple(each[name] for name in ("role", "content", "tokens", "erased")) for each in found["messages"]}
        assert told == {(None, None, None, True)}


async def test_changes_between_two_moments_name_messages_without_their_contents(house: House) -> None:
    await exchange(house)
    await erase(house)
    found = await got(house, "/api/sessions/1/diff?from=2&to=4")
    assert [each["ref"] for each in found["messages"]["added"]] == [each.ref for each in RECEIVED]
    assert {each["erased"] for each in found["messages"]["added"]} == {True}


async def test_what_the_upstream_said_is_null(house: House) -> None:
    await exchange(house)
    await record(house, ("exchange-2", second(), (ASKED,)), ("exchange-2", failed(), ()))
    assert (await got(house, "/api/exchanges/2"))["error"] == {"code": "upstream_error", "message": "no"}
    await erase(house)
    for each in (await got(house, "/api/exchanges/2"), (await got(house, "/api/exchanges"))["exchanges"][0]):
        assert (each["error"], each["erased"]) == ({"code": "upstream_error", "message": None}, True)


async def test_an_exchange_that_was_moved_goes_with_the_session_that_it_belongs_to(house: House) -> None:
    await exchange(house)
    await record(house, ("exchange-2", second(), (ASKED,)), ("exchange-2", failed(), ()))
    other = (await house.client.post("/api/sessions", json={"name": "other"})).json()["id"]
    moved = await house.client.post("/api/exchanges/2/reassign", json={"session_id": other})
    assert moved.status_code == 200, moved.text
    await erase(house)
    for at in ("", "?at=6"):  # there it belonged to the session that is erased, but its texts went on with it
        found = await got(house, f"/api/exchanges/2{at}")
        assert ("erased" in found, found["error"]["message"]) == (False, "no")
    metric = (await got(house, f"/api/sessions/{other}"))["recent_metrics"][0]
    assert (metric["content_preview"], "erased" in metric) == ("a question", False)


async def test_events_say_so_and_tell_the_tokens_that_they_know(house: House) -> None:
    await exchange(house)
    usage = Usage(source="measured", prompt_tokens=7, completion_tokens=5, total_tokens=12, reasoning_tokens=2)
    ended = ExchangeCompleted(
        session_id=1, exchange_id=2, usage=usage, timings=Timings(), answer_ref=ANSWER.ref, http_status=200
    )
    remembered = MemoryStored(
        session_id=1,
        memory_id=1,
        memory_type="episodic",
        content_ref=REMEMBERED.ref,
        hash=REMEMBERED.ref[:16],
        tokens=3,
        preview="a memory",
    )
    last = await record(
        house,
        ("exchange-2", second(), (ASKED,)),
        ("exchange-2", ended, (ANSWER,)),
        ("session-1", MessagePinned(session_id=1, ref=ASKED.ref, reason="because"), ()),
        ("memory", remembered, (REMEMBERED,)),
        ("session-1", SessionRenamed(session_id=1, from_="s", to="t"), ()),
    )
    await house.client.post("/api/sessions", json={"name": "another"})
    before = [await got(house, f"/api/events/{position}") for position in range(1, last + 3)]
    assert not [each["type"] for each in before if "erased" in each or any("erased" in ref for ref in each["refs"])]
    await erase(house)
    events = [await got(house, f"/api/events/{position}") for position in range(1, house.log.head() + 1)]
    assert [each["type"] for each in events if each.get("erased")] == [
        *("SessionStarted", "ExchangeStarted", "ExchangeCompleted", "ExchangeStarted", "ExchangeCompleted"),
        *("MessagePinned", "MemoryStored", "SessionRenamed"),
    ]
    refs = [ref for each in events for ref in each["refs"]]
    assert {(ref["role"], ref["preview"], ref["erased"]) for ref in refs} == {(None, None, True)}
    assert [ref["tokens"] for ref in refs] == [None, None, None, None, None, 7, 3, None, 3]
    answer = await house.client.get("/api/export/json?session_id=1&format=jsonl")
    exported = [json.loads(line) for line in answer.text.splitlines()]
    assert [each["type"] for each in exported if each.get("erased")] == [
        each["type"] for each in events if each.get("erased")
    ]


async def test_it_is_found_by_the_name_that_it_is_listed_with(house: House) -> None:
    await exchange(house)
    await house.client.post("/api/sessions", json={"name": "erases nothing"})
    await erase(house)
    for query, ids in (("erased", [1]), ("%5BERASED%5D", [1]), ("erase", [2, 1]), ("s", [2, 1]), ("gone", [])):
        answer = await house.client.get(f"/api/sessions?q={query}")
        assert [each["id"] for each in answer.json()] == ids, query
        assert answer.headers["x-total-count"] == str(len(ids)), query


async def test_times_of_what_changed_are_told_like_all_others(house: House) -> None:
    await exchange(house)
    await erase(house)
    (event,) = (await got(house, "/api/events?type=SessionErased"))["events"]
    detail, at = await got(house, f"/api/events/{event['position']}"), event["position"]
    erased_at = (await got(house, "/api/sessions/1"))["session"]["erased_at"]
    change = {"field": "erased_at", "before": None, "after": erased_at}
    assert {"entity": "session:1", **change} in detail["changes"]
    changes = (await got(house, f"/api/sessions/1/diff?from=0&to={at}"))["changes"]
    assert change in changes
    times = [each["after"] for each in changes if each["field"].endswith("_at") and each["after"] is not None]
    assert times and all(isinstance(each, str) for each in times)
