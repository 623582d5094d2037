"""Waiting for the log, but not for ever."""

import asyncio

from proxy.running import Running
from schema.appends import Committed

_COMMIT_WAIT_S = 0.25


async def committed(running: Running) -> None:
    """Wait until ExchangeStarted is in the log, but no longer than 250 ms: then the log is in trouble, says so
    elsewhere, and the traffic goes on."""
    if not running.committed.done():
        await _done_within(running.committed, _COMMIT_WAIT_S)


async def _done_within(future: "asyncio.Future[Committed]", seconds: float) -> None:
    """As asyncio.wait with one future, at a fifth of its cost."""
    loop = asyncio.get_running_loop()
    over = loop.create_future()

    def end(_: object = None) -> None:
        if not over.done():
            over.set_result(None)

    future.add_done_callback(end)
    timer = loop.call_later(seconds, end)
    try:
        await over
    finally:
        timer.cancel()
        future.remove_done_callback(end)
