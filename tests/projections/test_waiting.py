"""Waiting for a position, from loops in several threads."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from projections.waiting import ProjectionLagError, Waiter


async def _waiting(waiter: Waiter, *positions: int) -> list[asyncio.Task[None]]:
    """Tasks that wait, once each of them has begun to."""
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(waiter.until(position, 30)) for position in positions]
    await asyncio.sleep(0)
    return tasks


async def test_a_position_that_was_reached_is_not_waited_for() -> None:
    waiter = Waiter()
    waiter.reached(3)
    await waiter.until(3, 0)
    await waiter.until(0, 0)
    assert not waiter.wanted.is_set()


async def test_only_those_whose_position_was_reached_go_on() -> None:
    waiter = Waiter()
    tasks = await _waiting(waiter, 3, 1, 2, 2, 9)
    assert waiter.wanted.is_set() and waiter.anybody()
    waiter.reached(2)
    await asyncio.gather(*tasks[1:4])
    assert not tasks[0].done() and not tasks[4].done()
    waiter.reached(9)
    await asyncio.gather(*tasks)
    assert not waiter.anybody()


async def test_who_waits_too_long_is_told_the_position() -> None:
    waiter = Waiter()
    with pytest.raises(ProjectionLagError) as raised:
        await waiter.until(5, 0.01)
    assert raised.value.position == 5
    assert not waiter.anybody()
    waiter.reached(5)


async def test_what_was_waited_for_in_vain_is_missed_until_it_is_reached() -> None:
    waiter = Waiter()
    assert waiter.missed is None
    for position in (9, 5, 7):
        with pytest.raises(ProjectionLagError):
            await waiter.until(position, 0.01)
    assert waiter.missed == 5
    waiter.reached(4)
    assert waiter.missed == 5
    waiter.reached(5)
    assert waiter.missed is None


async def test_who_gave_up_is_forgotten() -> None:
    waiter = Waiter()
    (task,) = await _waiting(waiter, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not waiter.anybody()


async def test_close_sends_everybody_home() -> None:
    waiter = Waiter()
    waiter.reached(1)
    (task,) = await _waiting(waiter, 2)
    waiter.close()
    with pytest.raises(ProjectionLagError):
        await task
    with pytest.raises(ProjectionLagError):
        await waiter.until(2)
    await waiter.until(1)


def test_loops_in_several_threads_wait_at_once() -> None:
    waiter, begun = Waiter(), threading.Barrier(5)

    async def wait(first: int) -> int:
        tasks = await _waiting(waiter, *range(first, 400, 4))
        begun.wait(30)
        await asyncio.gather(*tasks)
        return len(tasks)

    with ThreadPoolExecutor(4) as threads:
        counts = [threads.submit(asyncio.run, wait(first)) for first in range(1, 5)]
        begun.wait(30)
        for position in range(1, 401):
            waiter.reached(position)
        assert sum(count.result(30) for count in counts) == 399
    assert not waiter.anybody()


def test_a_loop_that_closed_meanwhile_is_passed_over() -> None:
    waiter = Waiter()
    loop = asyncio.new_event_loop()
    abandoned = waiter.until(1, 30)
    task = loop.create_task(abandoned)
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    waiter.reached(1)
    waiter.close()
    assert not task.done()
    abandoned.close()
