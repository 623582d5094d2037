"""/ws over real sockets: what is told, from where, to whom, and what happens to those who do not listen."""

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from api.gate import GateSettings
from schema.exchanges import Usage
from schema.sessions import SessionDeleted, SessionRenamed
from schema.workspace import AutoSessionDisabled
from tests.api.house import House, open_house
from tests.api.sockets import served
from tests.projections.building import cancelled, completed, failed, measured, refs, session, started

WITHIN_S = 10
Frame = dict[str, Any]


class Page:
    """A client of /ws."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def next(self) -> Frame:
        async with asyncio.timeout(WITHIN_S):
            found = json.loads(await self.socket.recv())
        assert isinstance(found, dict)
        assert isinstance(found["type"], str)
        assert isinstance(found["position"], int)
        return found

    async def types(self, count: int) -> list[str]:
        return [(await self.next())["type"] for _ in range(count)]

    async def nothing_more(self) -> None:
        """A pong is all that comes: what happened before has been told."""
        await self.socket.send('{"type":"ping"}')
        assert (await self.next())["type"] == "pong"


@pytest.fixture
async def address(house: House) -> AsyncIterator[str]:
    async with served(house.front) as url:
        yield url.replace("http", "ws")


@asynccontextmanager
async def page(address: str, query: str = "", **options: Any) -> AsyncIterator[Page]:
    async with connect(f"{address}/ws{query}", **options) as socket:
        yield Page(socket)


async def test_it_begins_with_the_active_session(house: House, address: str) -> None:
    async with page(address) as client:
        await client.nothing_more()  # no session is active
    await house.client.post("/api/sessions", json={"name": "first"})
    async with page(address) as client:
        init = await client.next()
    assert (init["type"], init["position"], set(init)) == (
        "init", 2, {"type", "position", "session", "stats", "recent_metrics"},
    )  # fmt: skip
    assert init["session"]["name"] == "first"
    assert init["session"]["max_context"] == 1_000
    assert (init["stats"]["total_requests"], init["recent_metrics"]) == (0, [])


async def test_sessions(house: House, address: str) -> None:
    async with page(address) as client:
        await client.nothing_more()
        await house.client.post("/api/sessions", json={"name": "one"})
        created, activated = await client.next(), await client.next()
        assert (created["type"], created["position"], created["session"]["name"]) == ("new_session", 1, "one")
        assert (activated["type"], activated["session_id"], activated["session"]["is_active"]) == (
            "session_activated", 1, True,
        )  # fmt: skip
        await house.client.patch("/api/sessions/1", json={"name": "uno"})
        renamed = await client.next()
        assert (renamed["type"], renamed["session_id"], renamed["session_name"], renamed["session"]["name"]) == (
            "session_updated", 1, "uno", "uno",
        )  # fmt: skip
        await house.client.post("/api/sessions/toggle-auto", json={"enabled": False})
        toggled = await client.next()
        assert (toggled["type"], toggled["session_id"], toggled["enabled"]) == ("auto_session_toggled", 1, False)


async def test_deleted_sessions_are_told_one_by_one_and_then_together(house: House, address: str) -> None:
    for _ in range(4):
        await house.client.post("/api/sessions", json={})
    async with page(address) as client:
        await client.next()
        await house.client.request("DELETE", "/api/sessions", json={"session_ids": [1, 3, 2]})
        told = [await client.next() for _ in range(4)]
        assert [each.get("session_id") for each in told[:3]] == [1, 3, 2]
        assert [each["type"] for each in told] == ["session_deleted"] * 3 + ["sessions_bulk_deleted"]
        assert (told[3]["session_ids"], told[3]["deleted_count"], told[3]["position"]) == ([1, 3, 2], 3, 11)
        await client.nothing_more()
    async with page(address, "?after=9") as client:  # the same, also for who comes back in the midst of them
        assert await client.types(3) == ["session_deleted", "session_deleted", "sessions_bulk_deleted"]


async def test_only_what_is_deleted_together_is_told_together(house: House, address: str) -> None:
    for _ in range(5):
        await house.client.post("/api/sessions", json={})
    async with page(address) as client:
        await client.next()
        for number in (1, 2):  # not even where one that asks gives all its requests the same id
            await house.client.delete(f"/api/sessions/{number}", headers={"X-Request-Id": "one"})
        assert await client.types(2) == ["session_deleted"] * 2
        await client.nothing_more()
        for numbers in ([3], [4]):
            await house.client.request(
                "DELETE", "/api/sessions", json={"session_ids": numbers}, headers={"X-Request-Id": "one"}
            )
            assert (await client.next())["session_id"] == numbers[0]
            assert (await client.next())["session_ids"] == numbers


async def test_of_older_logs_what_was_deleted_at_one_time_is_told_together(house: House, address: str) -> None:
    await house.record(*(session(number) for number in range(1, 6)), stream="workspace")
    async with page(address, "?after=5") as client:
        await house.record(SessionDeleted(session_id=3), stream="workspace")
        assert await client.types(1) == ["session_deleted"]
        await house.record(
            AutoSessionDisabled(), SessionDeleted(session_id=4), SessionDeleted(session_id=2), stream="workspace"
        )
        assert await client.types(3) == ["auto_session_toggled", "session_deleted", "session_deleted"]
        assert (await client.next())["session_ids"] == [4, 2]
        await client.nothing_more()


async def test_an_exchange(house: House, address: str) -> None:
    await house.client.post("/api/sessions", json={"name": "s"})
    async with page(address) as client:
        await client.next()
        received = refs("a", tokens=850)
        await house.record(started(1, 1, received=received), stream="exchange-1")
        metric = await client.next()
        assert set(metric) == {"type", "position", "session_id", "metric", "session_updated", "alert"}
        assert (metric["type"], metric["session_id"], metric["session_updated"]) == ("metric", 1, True)
        assert metric["metric"]["id"] == 1
        assert {"cumulative_tokens", "delta_tokens", "system_tokens", "history_tokens"} <= set(metric["metric"])
        assert (metric["metric"]["cumulative_tokens"], metric["metric"]["delta_tokens"]) == (850, 850)
        assert (metric["metric"]["outcome"], metric["alert"]["level"]) == ("running", "caution")
        await house.record(completed(1, 1, measured(900, 60)), stream="exchange-1")
        updated, risen = await client.next(), await client.next()
        assert (updated["type"], updated["metric_id"], updated["outcome"]) == ("metric_updated", 1, "completed")
        assert updated["real_tokens"] == {"total": 960, "prompt": 900, "completion": 60, "percentage": 96.0}
        assert (updated["cumulative_tokens"], updated["cumulative_percentage"]) == (960, 96.0)
        assert (updated["alert"]["level"], updated["is_estimated"], updated["source"]) == ("critical", False, "proxy")
        assert (risen["type"], risen["alert"]["level"], risen["alert"]["action_recommended"]) == (
            "compaction_alert", "critical", "compact_now",
        )  # fmt: skip
        await house.record(started(2, 1, received=refs("a", tokens=960)), stream="exchange-2")
        second = await client.next()
        assert (second["session_updated"], second["metric"]["delta_tokens"]) == (False, 0)
        usage = Usage(source="estimated", prompt_tokens=960, total_tokens=960)
        await house.record(cancelled(2, 1, usage), stream="exchange-2")
        ended = await client.next()
        assert (ended["type"], ended["outcome"], ended["is_estimated"]) == ("metric_updated", "cancelled", True)
        await client.nothing_more()  # the level has not risen again


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("upstream_timeout", "timeout_error"),
        ("upstream_unreachable", "connect_error"),
        ("upstream_invalid", "read_error"),
        ("http_500", "unknown"),
    ],
)
async def test_a_failure(house: House, address: str, code: str, kind: str) -> None:
    await house.client.post("/api/sessions", json={})
    async with page(address) as client:
        await client.next()
        await house.record(started(1, 1), stream="exchange-1")
        await house.record(failed(1, 1, error_code=code, error_message="why"), stream="exchange-1")
        assert await client.types(2) == ["metric", "metric_updated"]
        error = await client.next()
        assert (error["type"], error["metric_id"], error["error_type"], error["error_message"]) == (
            "streaming_error", 1, kind, "why",
        )  # fmt: skip
        await client.nothing_more()


@pytest.mark.parametrize(
    "text",
    [
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
        '{"error":{"code":"context_length_exceeded"}}',
        "prompt is too long: 210000 tokens > 200000 maximum",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    ],
)
async def test_a_context_that_the_provider_refuses_as_too_long(house: House, address: str, text: str) -> None:
    await house.client.post("/api/sessions", json={})
    async with page(address) as client:
        await client.next()
        await house.record(started(1, 1), stream="exchange-1")
        end = failed(1, 1, error_code="http_400", error_message=text, http_status=400)
        await house.record(end, stream="exchange-1")
        assert await client.types(2) == ["metric", "metric_updated"]
        refused = await client.next()
        assert (refused["type"], refused["error"], refused["provider"]) == (
            "provider_context_limit_error", text, "demo",
        )  # fmt: skip
        assert {"session_id", "model", "estimated_tokens", "max_context", "message"} <= set(refused)


async def test_who_comes_back_gets_what_was_missed_once(house: House, address: str) -> None:
    for name in "abc":
        await house.client.post("/api/sessions", json={"name": name})
    async with page(address, "?after=1") as client:
        told = [await client.next() for _ in range(5)]
        assert [each["position"] for each in told] == [2, 3, 4, 5, 6]
        await house.client.post("/api/sessions", json={"name": "d"})
        assert [(await client.next())["position"] for _ in range(2)] == [7, 8]
    async with page(address, "?after=8") as client:
        await client.nothing_more()
    async with page(address, "?after=9") as client:
        unknown = await client.next()
        assert (unknown["type"], unknown["reason"], unknown["position"]) == ("resync", "unknown_position", 8)


async def test_nothing_is_missed_or_told_twice_while_events_come_in(house: House, address: str) -> None:
    """Clients join all the time; what each of them gets has no gap."""
    stop = asyncio.Event()

    async def write() -> None:
        while not stop.is_set():
            await house.client.post("/api/sessions/toggle-auto", json={"enabled": house.log.head() % 2 == 1})

    writing = asyncio.get_running_loop().create_task(write())
    try:
        for _ in range(15):
            after = house.log.head() // 2
            async with page(address, f"?after={after}&feed=events") as client:
                positions: list[int] = []
                while len(positions) < house.log.head() - after:
                    told = await client.next()
                    if told["type"] == "event":
                        positions.append(told["position"])
                assert positions == list(range(after + 1, after + 1 + len(positions)))
    finally:
        stop.set()
        await writing


async def test_who_missed_too_much_reads_anew(house: House, address: str) -> None:
    await house.record(*[AutoSessionDisabled()] * 1_001, stream="workspace")
    async with page(address, "?after=0") as client:
        told = await client.next()
        assert (told["type"], told["reason"]) == ("resync", "too_much_missed")
        await house.client.post("/api/sessions", json={})
        while (told := await client.next())["type"] == "resync":
            assert told["reason"] == "too_much_at_once"  # the same events, where they are told only now
        assert told["type"] == "new_session"
    async with page(address, f"?after={house.log.head() - 2}") as client:
        assert await client.types(2) == ["new_session", "session_activated"]


async def test_one_session_only(house: House, address: str) -> None:
    for _ in range(2):
        await house.client.post("/api/sessions", json={})
    async with page(address, "?session_id=1&after=4") as client:
        await house.client.patch("/api/sessions/2", json={"name": "two"})
        await house.client.patch("/api/sessions/1", json={"name": "one"})
        await house.client.post("/api/sessions/toggle-auto", json={"enabled": False})  # concerns all
        assert [(await client.next())["type"] for _ in range(2)] == ["session_updated", "auto_session_toggled"]
        await client.nothing_more()


async def test_who_wants_one_session_begins_with_that(house: House, address: str) -> None:
    for name in ("one", "two", "three"):
        await house.client.post("/api/sessions", json={"name": name})
    await house.client.delete("/api/sessions/2")
    for number in (1, 3):  # whichever is active
        async with page(address, f"?session_id={number}") as client:
            init = await client.next()
            assert (init["type"], init["session"]["id"], init["session"]["is_active"]) == ("init", number, number == 3)
            assert init["position"] == 7
            await client.nothing_more()
    for number in (2, 4):  # deleted, and never there
        async with page(address, f"?session_id={number}") as client:
            await client.nothing_more()


async def test_a_deletion_of_several_is_told_to_whom_it_concerns(house: House, address: str) -> None:
    for _ in range(4):
        await house.client.post("/api/sessions", json={})
    async with page(address, "?session_id=1&after=8") as one, page(address, "?session_id=3&after=8") as three:
        await one.nothing_more()
        await three.nothing_more()
        await house.client.request("DELETE", "/api/sessions", json={"session_ids": [2, 3]})
        assert await three.types(1) == ["session_deleted"]
        assert (await three.next())["session_ids"] == [2, 3]
        await house.client.patch("/api/sessions/1", json={"name": "one"})
        assert await one.types(1) == ["session_updated"]
        await one.nothing_more()


async def test_a_feed_gets_every_event(house: House, address: str) -> None:
    async with page(address, "?feed=events") as client, page(address) as plain:
        await client.nothing_more()
        await plain.nothing_more()
        await house.client.post("/api/sessions", json={"name": "n"})
        told = [await client.next() for _ in range(4)]
        assert [each["type"] for each in told] == ["new_session", "event", "session_activated", "event"]
        event = told[1]["event"]
        assert (event["type"], event["position"], event["session_id"], event["actor"]) == (
            "SessionStarted",
            1,
            1,
            "api",
        )
        assert told[3]["state"] == {"session_id": 1, "context_tokens": 0, "max_context": 1_000, "percentage": 0.0}
        assert await plain.types(2) == ["new_session", "session_activated"]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("{", "malformed_json"),
        ("[]", "not_an_object"),
        ("[" * 100_000, "malformed_json"),
        (b"{}", "binary_not_supported"),
        ("{}", "unknown_type"),
        ('{"type":["ping"]}', "unknown_type"),
        ('{"type":"nonsense","payload":{"requestId":"r"}}', "unknown_type"),
    ],
)
async def test_what_is_no_message_is_answered_and_the_connection_kept(
    address: str, sent: str | bytes, code: str
) -> None:
    async with page(address) as client:
        await client.socket.send(sent)
        error = await client.next()
        assert (error["type"], error["code"], bool(error["error"])) == ("error", code, True)
        assert error.get("requestId") == ("r" if b"requestId" in str(sent).encode() else None)
        await client.nothing_more()


async def test_a_page_may_report_its_errors(address: str, caplog: pytest.LogCaptureFixture) -> None:
    async with page(address) as client:
        report = {"context": "chart", "error": "x\ny" * 500, "timestamp": "t", "recoverable": True}
        await client.socket.send(json.dumps({"type": "memory_error_log", "payload": report}))
        await client.nothing_more()
    (line,) = [record.getMessage() for record in caplog.records if record.name == "chronoproxy.page"]
    assert "\n" not in line
    assert len(line) < 600


async def test_a_message_of_more_than_a_mebibyte_ends_the_connection(address: str) -> None:
    async with page(address) as client:
        await client.socket.send(" " * ((1 << 20) + 1))
        with pytest.raises(ConnectionClosed) as closed:
            await client.next()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


async def test_a_text_that_is_none_ends_the_connection_and_is_no_error_of_ours(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    for sent in (b"\xff\xfe", [b'{"type":"', b"\xff", b'"}']):
        async with page(address) as client:
            await client.socket.send(sent, text=True)
            with pytest.raises(ConnectionClosed) as closed:
                await client.next()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1007
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("query", ["after=x", "after=-1", "after=", "session_id=0", "session_id=1.5", "feed=all"])
async def test_what_is_asked_wrongly_is_refused(address: str, query: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with page(address, f"?{query}"):
            pass
    assert refused.value.response.status_code == 422
    body = json.loads(refused.value.response.body or b"")
    assert (body["code"], len(body["detail"])) == ("invalid_field", 1)


async def test_what_happens_has_no_past(address: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with page(address, "?at=1"):
            pass
    assert refused.value.response.status_code == 422
    body = json.loads(refused.value.response.body or b"")
    assert (body["code"], body["detail"][0]["loc"]) == ("at_not_supported", ["query", "at"])


async def test_there_is_one_address(address: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"{address}/api/ws"):
            pass
    assert refused.value.response.status_code == 404
    assert json.loads(refused.value.response.body or b"")["code"] == "not_found"


@pytest.mark.parametrize(
    ("headers", "code"),
    [({"Origin": "https://evil.example"}, "origin_not_allowed"), ({"Host": "evil.example"}, "host_not_allowed")],
)
async def test_pages_of_others_get_nowhere(address: str, headers: dict[str, str], code: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with page(address, additional_headers=headers):
            pass
    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body or b"")["code"] == code


async def test_our_own_page_may_come(address: str) -> None:
    own = address.replace("ws", "http")
    async with page(address, additional_headers={"Origin": own}) as client:
        await client.nothing_more()


async def test_with_a_token(tmp_path: Path) -> None:
    async with open_house(tmp_path, GateSettings(token="t0ken")) as house, served(house.front) as url:
        address = url.replace("http", "ws")
        for options in ({}, {"additional_headers": {"Authorization": "Bearer wrong"}}, {"subprotocols": ["bearer.no"]}):
            with pytest.raises(InvalidStatus) as refused:
                async with page(address, **options):
                    pass
            assert refused.value.response.status_code == 401
        async with page(address, additional_headers={"Authorization": "Bearer t0ken"}) as client:
            await client.nothing_more()
        async with page(address, subprotocols=["chronoproxy", "bearer.t0ken"]) as client:
            assert client.socket.subprotocol == "chronoproxy"
            await client.nothing_more()


async def test_who_does_not_listen_slows_nobody_and_is_let_go(tmp_path: Path) -> None:
    """The stalled client's queue is dropped for one resync; after a while its connection is closed.

    A short queue: on a busy machine it must be full before the client is let go.
    """
    async with open_house(tmp_path, stalled_s=2.0, patience_s=0.1, max_messages=8) as house, served(house.front) as url:
        address, small = url.replace("http", "ws"), socket.create_connection(tuple_of(url))
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        async with page(address, "?feed=events") as quick, page(address, "?feed=events", sock=small) as stalled:
            await quick.nothing_more()
            await stalled.nothing_more()
            stalled.socket.transport.pause_reading()
            await house.client.post("/api/sessions", json={})
            assert await quick.types(4) == ["new_session", "event", "session_activated", "event"]
            renamed = SessionRenamed(session_id=1, from_="x", to="y" * 200)
            for _ in range(200):
                if house.hub.resyncs:
                    break
                await house.record(*[renamed] * 20, stream="session-1")
                assert await quick.types(40) == ["session_updated", "event"] * 20
            assert house.hub.resyncs == 1
            async with asyncio.timeout(WITHIN_S):
                while house.hub.clients > 1:
                    await asyncio.sleep(0.05)
            await quick.nothing_more()
            stalled.socket.transport.resume_reading()
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    await stalled.next()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1013


def tuple_of(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 0)


async def test_numbers_of_clients(house: House, address: str) -> None:
    async with page(address) as client:
        await client.nothing_more()
        assert house.hub.clients == 1
    async with asyncio.timeout(WITHIN_S):
        while house.hub.clients:
            await asyncio.sleep(0.01)
