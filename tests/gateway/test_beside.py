"""Work beside the loop keeps its place until it ends."""

import asyncio
import threading

import pytest

from gateway.beside import Beside


async def test_a_caller_who_leaves_does_not_make_room() -> None:
    beside, begun, end = Beside(1), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        end.wait(10)
        raise ValueError("nobody hears this")

    task = asyncio.get_running_loop().create_task(beside.run(work))
    await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    following = asyncio.get_running_loop().create_task(beside.run(lambda: "done"))
    await asyncio.sleep(0)
    assert not following.done()
    end.set()
    assert await following == "done"


async def test_what_the_work_raises() -> None:
    with pytest.raises(ZeroDivisionError):
        await Beside(1).run(lambda: 1 / 0)
