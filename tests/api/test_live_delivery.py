"""/ws where there is much to tell: all that was missed, large writes, many clients, and those who do not read."""

import asyncio
import logging
import socket
import sqlite3
import threading
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Origin

from api.live_client import LiveClient
from api.live_frames import Batch
from api.live_source import LiveSource
from schema.registry import Event
from schema.sessions import SessionRenamed
from schema.workspace import AutoSessionDisabled, AutoSessionEnabled
from tests.api.house import House, open_house
from tests.api.sockets import served
from tests.api.test_live import WITHIN_S, Page, address, page, tuple_of
from tests.api.wires import FakeWire
from tests.projections.building import session

__all__ = ["address"]  # a fixture


def toggles(count: int) -> list[Event]:
    """Each is one message, and two with a feed of events."""
    return [AutoSessionEnabled() if number % 2 else AutoSessionDisabled() for number in range(count)]


def small_buffer(url: str) -> socket.socket:
    """Connected; the system keeps little for who does not read from it."""
    found = socket.create_connection(tuple_of(url))
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    return found


async def events_told(client: Page, last: int) -> list[int]:
    """The positions of all events up to event `last`; anything but the feed is passed over, a resync is not."""
    found: list[int] = []
    while not found or found[-1] < last:
        told = await client.next()
        assert told["type"] != "resync", told
        if told["type"] == "event":
            found.append(told["position"])
    return found


@pytest.mark.parametrize("feed", [False, True])
async def test_who_reads_gets_a_thousand_missed_events(house: House, address: str, feed: bool) -> None:
    await house.record(*toggles(1_000), stream="workspace")
    async with page(address, "?after=0&feed=events" if feed else "?after=0", max_queue=4) as client:
        told = [await client.next() for _ in range(2_000 if feed else 1_000)]
        assert [each["position"] for each in told] == [number // (1 + feed) + 1 for number in range(len(told))]
        await client.nothing_more()
        await house.record(*toggles(1), stream="workspace")
        assert (await client.next())["position"] == 1_001


async def test_what_is_written_meanwhile_comes_after_what_was_missed(house: House, address: str) -> None:
    await house.record(*toggles(1_000), stream="workspace")

    async def write() -> None:
        for _ in range(60):
            await house.record(*toggles(5), stream="workspace")

    writing = asyncio.get_running_loop().create_task(write())
    clients = [connect(f"{address}/ws?after={after}&feed=events", max_queue=4) for after in (500, 700)]
    async with clients[0] as first, clients[1] as second:
        told = await asyncio.gather(events_told(Page(first), 1_300), events_told(Page(second), 1_300))
        await Page(first).nothing_more()
    await writing
    assert list(told) == [list(range(501, 1_301)), list(range(701, 1_301))]


async def test_who_stops_reading_what_was_missed_is_let_go(tmp_path: Path) -> None:
    async with open_house(tmp_path, stalled_s=0.5) as house, served(house.front) as url:
        await house.record(session(1), stream="workspace")
        names = (SessionRenamed(session_id=1, from_="x", to=f"{number:0200}") for number in range(900))
        await house.record(*names, stream="session-1")
        address = url.replace("http", "ws")
        async with page(address, "?after=0&feed=events", sock=small_buffer(url), max_queue=1) as stalled:
            async with asyncio.timeout(WITHIN_S):
                while house.hub.clients == 0:
                    await asyncio.sleep(0.01)
                while house.hub.clients:  # nobody takes a message
                    await asyncio.sleep(0.05)
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    await stalled.next()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1013


async def test_one_large_write_is_told_whole(house: House, address: str) -> None:
    await asyncio.gather(*(house.client.post("/api/sessions", json={}) for _ in range(300)))
    (active,) = [each["id"] for each in (await house.client.get("/api/sessions")).json() if each["is_active"]]
    head = house.log.head()
    async with page(address, f"?after={head}") as client, page(address, f"?after={head}&feed=events") as feed:
        await client.nothing_more()
        await feed.nothing_more()
        numbers = [number for number in range(1, 301) if number != active]
        deleted = await house.client.request("DELETE", "/api/sessions", json={"session_ids": numbers})
        assert deleted.json()["deleted_count"] == 299
        told = [await client.next() for _ in range(300)]
        assert [each["type"] for each in told] == ["session_deleted"] * 299 + ["sessions_bulk_deleted"]
        assert [each["session_id"] for each in told[:-1]] == told[-1]["session_ids"] == numbers
        assert await events_told(feed, head + 299) == list(range(head + 1, head + 300))


async def test_thousands_of_events_at_once_are_told_whole(house: House, address: str) -> None:
    async with page(address, "?feed=events") as client:
        await client.nothing_more()
        await house.record(*toggles(2_500), stream="workspace")
        assert await events_told(client, 2_500) == list(range(1, 2_501))
        await client.nothing_more()


async def test_more_than_can_wait_is_read_anew(house: House, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.live_hub._MOST_WAITING", 100)
    async with page(address) as client:
        await client.nothing_more()
        await house.record(*toggles(101), stream="workspace")
        told = await client.next()
        assert (told["type"], told["reason"], told["position"]) == ("resync", "too_much_at_once", 101)
        await house.record(*toggles(1), stream="workspace")
        assert (await client.next())["position"] == 102


async def test_those_who_do_not_read_keep_nothing_from_those_who_do(tmp_path: Path) -> None:
    """Twenty have stopped; each is told once to read anew when it goes on, and then what comes."""
    async with (
        open_house(tmp_path, patience_s=0.05, max_messages=8) as house,
        served(house.front) as url,
    ):
        address = url.replace("http", "ws")
        await house.record(session(1), stream="workspace")
        stalled = [await connect(f"{address}/ws?feed=events", sock=small_buffer(url)) for _ in range(20)]
        for each in stalled:
            await Page(each).nothing_more()
            each.transport.pause_reading()
        async with page(address, "?feed=events") as prompt:
            await prompt.nothing_more()
            while house.hub.resyncs < 20:
                head = house.log.head()
                names = (SessionRenamed(session_id=1, from_="x", to=f"{number:0200}") for number in range(100))
                last = await house.record(*names, stream="session-1")
                assert last < 5_000
                assert await events_told(prompt, last) == list(range(head + 1, last + 1))

        async def go_on(told: Page) -> None:
            told.socket.transport.resume_reading()
            while (found := await told.next())["type"] != "resync":
                assert found["position"] <= last
            assert (found["reason"], found["position"]) == ("slow_client", last)

        pages = [Page(each) for each in stalled]
        await asyncio.gather(*(go_on(told) for told in pages))
        await house.record(*toggles(1), stream="workspace")
        for told in pages:
            assert (await told.next())["position"] == last + 1
        await asyncio.gather(*(told.socket.close() for told in pages))
        assert house.hub.resyncs == 20


async def test_what_it_begins_with_comes_before_any_answer(house: House, address: str) -> None:
    await house.client.post("/api/sessions", json={"name": "first"})
    held = threading.Event()
    holding = [asyncio.ensure_future(house.reads.run(lambda _, *, at: held.wait(WITHIN_S))) for _ in range(2)]
    async with page(address) as client:
        await client.socket.send('{"type":"ping"}')
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.socket.recv()
        held.set()
        assert await client.types(2) == ["init", "pong"]
    await asyncio.gather(*holding)


async def test_many_clients_share_what_is_written_and_requests_come_between(house: House) -> None:
    """One encoding for all of them, few writes for each, and the loop's other work after every few of them."""
    wires = [FakeWire() for _ in range(200)]
    for wire in wires:
        await house.hub.join(LiveClient(wire, session_id=None, feed=False), None)
    turns, done = [0], asyncio.Event()

    async def work() -> None:
        while not done.is_set():
            turns[0] += len({len(wire.written) for wire in wires}) > 1  # some have it, others not yet
            await asyncio.sleep(0)

    working = asyncio.ensure_future(work())
    await house.record(*toggles(100), stream="workspace")
    async with asyncio.timeout(WITHIN_S):
        while any(wire.positions()[-1:] != [100] for wire in wires):
            await asyncio.sleep(0.01)
    done.set()
    await working
    assert all(wire.positions() == list(range(1, 101)) for wire in wires)
    assert all(one is other for wire in wires for one, other in zip(wire.written, wires[0].written, strict=True))
    assert len(wires[0].written) < 10
    assert turns[0] >= 7


async def test_what_cannot_be_read_is_read_anew_and_what_follows_is_told(
    house: House, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: LiveSource, *__: object, **___: object) -> Batch:
        raise sqlite3.OperationalError("disk I/O error")

    async with page(address) as client:
        await client.nothing_more()
        with monkeypatch.context() as patched:
            patched.setattr(LiveSource, "batch", broken)
            await house.record(*toggles(3), stream="workspace")
            told = await client.next()
            assert (told["type"], told["reason"], told["position"]) == ("resync", "not_readable", 3)
        await house.record(*toggles(1), stream="workspace")
        assert (await client.next())["position"] == 4
    for method, query in (("first", ""), ("head", "?after=1"), ("batch", "?after=1")):
        with monkeypatch.context() as patched:
            patched.setattr(LiveSource, method, broken)
            async with page(address, query) as client:
                with pytest.raises(ConnectionClosed) as closed:
                    await client.next()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1011


async def test_a_handshake_that_is_refused_is_no_error_of_ours(address: str, caplog: pytest.LogCaptureFixture) -> None:
    for target, origin, status in (
        ("/elsewhere", None, 404),
        ("/ws?after=x", None, 422),
        ("/ws", Origin("https://evil.example"), 403),
    ):
        with pytest.raises(InvalidStatus) as refused:
            async with connect(address + target, origin=origin):
                pass
        assert refused.value.response.status_code == status
        assert refused.value.response.body
    with pytest.raises(InvalidHandshake):
        async with connect(f"{address}/ws", additional_headers={"Sec-WebSocket-Key": "no"}):
            pass
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
