"""A client of /ws: what it takes at once, what waits for it, and when that is too much."""

import asyncio
import json
import struct

import pytest

from api.live_client import MAX_BYTES, GoneError, LiveClient, StalledError
from api.live_frames import BLOCK, Batch, Message, message
from tests.api.wires import FakeWire

SOON_S = 5


def batch(first: int, last: int, *, filling: int = 0) -> Batch:
    """A message for each event."""
    told = [message("told", each, None, {"filling": "x" * filling}) for each in range(first, last + 1)]
    return Batch(told, first, last)


def client(wire: FakeWire, *, patience_s: float = 0.0, stalled_s: float = 5.0) -> LiveClient:
    found = LiveClient(wire, session_id=None, feed=False, max_messages=8, patience_s=patience_s, stalled_s=stalled_s)
    found.begin(0)
    return found


async def drained(client: LiveClient, wire: FakeWire, frames: int) -> None:
    """Until so many frames were written."""
    draining = asyncio.ensure_future(client.drain())
    async with asyncio.timeout(SOON_S):
        while len(wire.frames()) < frames:
            await asyncio.sleep(0.001)
    draining.cancel()
    await asyncio.gather(draining, return_exceptions=True)


async def test_who_takes_it_gets_it_at_once_in_few_writes() -> None:
    wire = FakeWire()
    client(wire).offer(batch(1, 500))
    assert wire.positions() == list(range(1, 501))
    assert len(wire.written) == 1
    client(wire).offer(batch(1, 3, filling=BLOCK))
    assert len(wire.written) == 4


async def test_frames_of_all_lengths_are_frames() -> None:
    wire = FakeWire()
    for filling in (0, 60, 61, 62, 63, 64, 65, 66, 125, 126, 65_400, 65_500, 65_600, 70_000):
        client(wire).offer(batch(1, 1, filling=filling))
        assert len(wire.frames()[-1]["filling"]) == filling
    (head, length) = struct.unpack("!BB", wire.written[0][:2])
    assert (head, length) == (0x81, len(wire.written[0]) - 2)


async def test_who_goes_on_taking_may_be_behind() -> None:
    wire = FakeWire()
    wire.takes = False
    one = client(wire, patience_s=60)
    for first in range(1, 1_001, 100):
        one.offer(batch(first, first + 99))
    assert (wire.written, one.resyncs) == ([], 0)
    wire.takes = True
    await drained(one, wire, 1_000)
    assert wire.positions() == list(range(1, 1_001))


async def test_who_takes_nothing_is_told_once_to_read_anew_and_then_what_comes() -> None:
    wire = FakeWire()
    wire.takes = False
    one = client(wire)
    one.offer(batch(1, 8))
    assert one.resyncs == 0
    for position in range(9, 40):
        one.offer(batch(position, position))
    assert one.resyncs == 1
    wire.takes = True
    await drained(one, wire, 1)
    one.offer(batch(40, 41))
    assert [(each["type"], each["position"]) for each in wire.frames()] == [("resync", 39), ("told", 40), ("told", 41)]
    assert wire.frames()[0]["reason"] == "slow_client"


async def test_a_part_that_the_system_took_over_counts_as_taken() -> None:
    wire = FakeWire()
    one = client(wire, patience_s=0.2)
    wire.unsent = 1_000
    one.offer(batch(1, 1))
    wire.takes = False
    one.offer(batch(2, 9))
    await asyncio.sleep(0.25)
    wire.unsent = 900
    one.offer(batch(10, 10))
    assert one.resyncs == 0
    await asyncio.sleep(0.25)
    one.offer(batch(11, 11))
    assert one.resyncs == 1


async def test_four_mebibytes_are_too_much_for_anybody() -> None:
    wire = FakeWire()
    wire.takes = False
    one = client(wire, patience_s=60)
    one.offer(batch(1, MAX_BYTES // BLOCK - 1, filling=BLOCK - 200))
    assert one.resyncs == 0
    one.offer(batch(1_000, 1_001, filling=BLOCK))
    assert one.resyncs == 1


async def test_what_it_does_not_want_is_left_out() -> None:
    wire = FakeWire()
    one = LiveClient(wire, session_id=2, feed=False)
    one.begin(3)
    told = [message("told", position, about, {}) for position, about in enumerate((2, 2, 2, 1, 2, None, 2), 1)]
    told.append(Message(8, 2, told[0].frame, feed=True))
    one.offer(Batch(told, 1, 8))
    one.tell(message("said", 8, 1, {}))
    one.tell(message("said", 9, None, {}))
    assert (wire.positions(), one.position) == ([5, 6, 7, 9], 8)


async def test_who_takes_nothing_for_long_and_who_has_left_end_it() -> None:
    wire = FakeWire()
    wire.takes = False
    one = client(wire, patience_s=60, stalled_s=0.2)
    one.offer(batch(1, 1))
    with pytest.raises(StalledError):
        await one.drain()
    wire.open = False
    with pytest.raises(GoneError):
        await one.give(batch(2, 2))


def test_the_messages_of_a_batch_are_cut_one_time_for_all_that_want_the_same() -> None:
    told = batch(1, 100)
    whole = told.blocks(feed=False, session_id=None)
    assert told.blocks(feed=False, session_id=None) is whole
    assert told.blocks(feed=False, session_id=None, since=0) is whole
    assert told.blocks(feed=False, session_id=7) is told.blocks(feed=False, session_id=8)  # not in it
    (later,) = told.blocks(feed=False, session_id=None, since=99)
    assert json.loads(later.data[2:])["position"] == 100
