"""The writer as the event loop sees it."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from schema.appending import Appender
from schema.appends import Append, Committed, StoreUnavailableError, UnstorableError, VersionConflictError
from schema.log import EventLog
from schema.recorded import NewEvent, Recorded
from tests.schema.test_writer_trouble import UNSTORABLE
from tests.schema.writing import META, SOON_S, locked, session, started


@pytest.fixture
async def appender(log: EventLog) -> AsyncIterator[Appender]:
    opened = Appender(log, busy_timeout_s=0.05)
    opened.start()
    yield opened
    await opened.close()


def append(*events: NewEvent, **more: int) -> Append:
    return Append(events=events, metadata=META, expect=more)


async def test_an_append_is_in_the_log_when_its_future_is_done(log: EventLog, appender: Appender) -> None:
    assert await appender.append(append(session(1), started(1))) == Committed((1, 2), 2)
    assert log.head() == 2
    assert appender.trouble is None
    assert appender.idle


async def test_results_come_in_order_and_in_the_loop(appender: Appender) -> None:
    order, threads = [], set()

    def done(future: "asyncio.Future[Committed]") -> None:
        order.append(future.result().positions[0])
        threads.add(threading.current_thread())

    futures = [appender.append(append(started(number))) for number in range(1, 200)]
    for future in futures:
        future.add_done_callback(done)
    await asyncio.gather(*futures)
    assert order == list(range(1, 200))
    assert threads == {threading.current_thread()}


async def test_a_future_fails_with_the_reason(log: EventLog, appender: Appender) -> None:
    with pytest.raises(VersionConflictError):
        await appender.append(append(session(1), workspace=3))
    with pytest.raises(UnstorableError):
        await appender.append(append(UNSTORABLE["an unregistered type"]))
    with locked(log):
        with pytest.raises(StoreUnavailableError):
            await appender.append(append(session(1)))
        assert appender.trouble is not None
    assert await appender.append(append(session(1))) == Committed((1,), 1)


async def test_what_nobody_waits_for_rides_along_soon(log: EventLog) -> None:
    heard: list[Recorded] = []
    arrived = asyncio.Event()
    loop = asyncio.get_running_loop()

    def listen(recorded: list[Recorded]) -> None:
        heard.extend(recorded)
        loop.call_soon_threadsafe(arrived.set)

    appender = Appender(log)
    appender.start(listen)
    for first in (1, 4):  # a second time, so that the timer is set anew
        arrived.clear()
        for number in range(first, first + 3):
            appender.append_later(append(started(number)))
        while len(heard) < first + 2:
            await asyncio.wait_for(arrived.wait(), SOON_S)
            arrived.clear()
    await appender.close()
    assert [recorded.exchange_id for recorded in heard] == [1, 2, 3, 4, 5, 6]


async def test_an_awaited_append_takes_along_what_rides(log: EventLog, appender: Appender) -> None:
    appender.append_later(append(started(1)))
    assert await appender.append(append(started(2))) == Committed((2,), 2)


async def test_a_caller_who_left_is_not_told(log: EventLog, appender: Appender) -> None:
    future = appender.append(append(started(1)))
    future.cancel()
    assert await appender.append(append(started(2))) == Committed((2,), 2)
    assert log.head() == 2


async def test_closing_commits_what_waits(log: EventLog) -> None:
    appender = Appender(log)
    appender.start()
    appender.append_later(append(started(1)))
    futures = [appender.append(append(started(number))) for number in range(2, 100)]
    appender.append_later(append(started(100)))
    await appender.close()
    assert (await asyncio.gather(*futures))[-1] == Committed((99,), 99)
    assert log.head() == 100
    with pytest.raises(StoreUnavailableError):
        await appender.append(append(started(101)))


async def test_who_appends_is_told_of_a_refusal_and_of_nothing_else(appender: Appender) -> None:
    told: list[str] = []
    assert await appender.append(append(session(1)), lambda: told.append("stored")) == Committed((1,), 1)
    future = appender.append(append(session(2), workspace=3), lambda: told.append("refused"))
    with pytest.raises(VersionConflictError):
        await future
    assert told == ["refused"]


async def test_what_one_turn_of_the_loop_appends_is_one_commit(log: EventLog) -> None:
    groups: list[int] = []
    opened = Appender(log, busy_timeout_s=0.05)
    opened.start(lambda recorded: groups.append(len(recorded)))
    await asyncio.gather(*[opened.append(append(started(number))) for number in range(1, 9)])
    await opened.close()
    assert groups == [8]
