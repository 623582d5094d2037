"""A client that leaves cancels what answers it, and only that."""

import asyncio
from collections.abc import Callable

import pytest

from proxy.intake import Message, Receive, WhenGone
from proxy.leaving import Departure

Told = Callable[[], None]


class Client:
    """Tells of its leaving in either way."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.told: Told | None = None

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    def when_gone(self, told: Told | None) -> None:
        self.told = told

    def leave(self) -> None:
        self.gone.set()
        if self.told is not None:
            self.told()


async def _answer(receive: Receive, when_gone: WhenGone | None, *, stopped: bool = False) -> str:
    departure = Departure(receive, when_gone)
    if stopped:
        departure.stop()
    try:
        await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        if not departure.happened:
            raise
        departure.take_back()
        await asyncio.sleep(0)  # goes on as if nothing had been
        return "left"
    finally:
        departure.stop()
    return "answered"


@pytest.mark.parametrize("by_server", [True, False])
async def test_leaving_cancels_the_answer(by_server: bool) -> None:
    client = Client()
    task = asyncio.ensure_future(_answer(client.receive, client.when_gone if by_server else None))
    await asyncio.sleep(0.01)
    client.leave()
    assert await task == "left"
    assert client.told is None


@pytest.mark.parametrize("by_server", [True, False])
async def test_leaving_after_the_end_cancels_nothing(by_server: bool) -> None:
    client = Client()
    task = asyncio.ensure_future(_answer(client.receive, client.when_gone if by_server else None, stopped=True))
    await asyncio.sleep(0.01)
    client.leave()
    assert await task == "answered"


async def test_another_cancellation_is_not_a_departure() -> None:
    client = Client()
    task = asyncio.ensure_future(_answer(client.receive, client.when_gone))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
