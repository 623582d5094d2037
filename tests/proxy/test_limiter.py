"""Who may go on now, and who waits. The clock is the test's; what is waited for is a fact, never a time."""

import asyncio
from typing import Any

import pytest

from proxy.intake import ClientGoneError, Message
from proxy.limiter import Limiter, Mode, Used
from proxy.openai_errors import LimitRefusal
from proxy.rate_window import Window


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def stays() -> Message:
    await asyncio.Event().wait()
    return {"type": "http.disconnect"}


def limiter(mode: Mode, clock: Clock, *, everyone: int = 1, max_wait_s: float = 600.0, **more: Any) -> Limiter:
    window = Window("all requests", everyone) if everyone else None
    return Limiter(mode, window, more.get("providers", {}), more.get("keys", {}), max_wait_s=max_wait_s, clock=clock)


async def test_observing_counts_and_lets_everybody_in() -> None:
    limits = limiter("observe", Clock())
    for _ in range(3):
        await limits.enter("a", "p", None, stays)
    assert limits.used() == [Used("all requests", 3, 1)]


async def test_enforcing_refuses_and_says_when_to_come_back() -> None:
    clock = Clock()
    limits = limiter("enforce", clock)
    await limits.enter("a", "p", None, stays)
    clock.now = 12.5
    with pytest.raises(LimitRefusal) as refused:
        await limits.enter("a", "p", None, stays)
    assert (refused.value.status, refused.value.code) == (429, "rate_limit_exceeded")
    assert dict(refused.value.headers) == {
        b"retry-after": b"48",
        b"x-ratelimit-limit-requests": b"1",
        b"x-ratelimit-remaining-requests": b"0",
        b"x-ratelimit-reset-requests": b"48s",
    }
    clock.now = 60.0
    await limits.enter("a", "p", None, stays)


async def test_a_provider_and_a_key_have_limits_of_their_own() -> None:
    limits = limiter(
        "enforce", Clock(), everyone=0, providers={"p": Window("provider p", 1)}, keys={"k": Window("key k", 1)}
    )
    await limits.enter("a", "p", None, stays)
    with pytest.raises(LimitRefusal, match="provider p"):
        await limits.enter("a", "p", "k", stays)
    await limits.enter("a", "q", "k", stays)
    with pytest.raises(LimitRefusal, match="key k") as refused:
        await limits.enter("a", "q", "k", stays)
    assert refused.value.scope == "key k"
    await limits.enter("a", "q", None, stays)


async def test_a_limit_keeps_no_place_for_what_another_one_refused() -> None:
    limits = limiter("enforce", Clock(), everyone=3, keys={"k": Window("key k", 1)})
    await limits.enter("a", "p", "k", stays)
    for _ in range(5):
        with pytest.raises(LimitRefusal, match="key k"):
            await limits.enter("a", "p", "k", stays)
    for _ in range(2):
        await limits.enter("b", "p", None, stays)


async def test_what_did_not_go_on_gives_its_place_back() -> None:
    limits = limiter("enforce", Clock())
    await limits.enter("a", "p", None, stays)
    limits.leave("a", "p", None)
    await limits.enter("b", "p", None, stays)


async def test_another_try_at_a_provider_takes_a_place_there() -> None:
    limits = limiter("enforce", Clock(), everyone=0, providers={"p": Window("provider p", 2)})
    await limits.enter("a", "p", None, stays)
    assert [limits.again("a", "p"), limits.again("a", "p"), limits.again("a", "q")] == [True, False, True]


async def queued(limits: Limiter, *clients: str) -> "list[asyncio.Task[None]]":
    """One request of each, waiting, in this order."""
    loop, found = asyncio.get_running_loop(), []
    for client in clients:
        before = limits.waiting
        found.append(loop.create_task(limits.enter(client, "p", None, stays)))
        while limits.waiting == before:
            await asyncio.sleep(0)
    return found


async def served(limits: Limiter, clock: Clock, tasks: "list[asyncio.Task[None]]") -> list[int]:
    """Which of the requests get in, one minute after the other."""
    order: list[int] = []
    while len(order) < len(tasks):
        clock.now += 60.0
        limits.leave("nobody", "p", None)  # looks who may come in
        await asyncio.wait(tasks, timeout=0)
        await asyncio.sleep(0)
        order += [index for index, task in enumerate(tasks) if task.done() and index not in order]
    return order


async def test_those_who_wait_come_in_one_after_the_other() -> None:
    clock = Clock()
    limits = limiter("wait", clock)
    await limits.enter("a", "p", None, stays)
    assert await served(limits, clock, await queued(limits, "a", "a", "a")) == [0, 1, 2]
    assert limits.waiting == 0


async def test_a_client_with_many_requests_does_not_starve_another() -> None:
    clock = Clock()
    limits = limiter("wait", clock, everyone=2)
    for _ in range(2):
        await limits.enter("flood", "p", None, stays)
    clock.now = 30.0
    tasks = await queued(limits, *["flood"] * 6, "rare")
    clock.now = 60.0
    limits.leave("nobody", "p", None)
    await asyncio.wait(tasks, timeout=1, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(0)
    assert [index for index, task in enumerate(tasks) if task.done()] == [0, 6]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_waiting_has_an_end() -> None:
    limits = limiter("wait", Clock(), max_wait_s=0.01)
    await limits.enter("a", "p", None, stays)
    with pytest.raises(LimitRefusal):
        await limits.enter("a", "p", None, stays)
    assert limits.waiting == 0


async def test_a_client_that_leaves_frees_its_place_in_the_queue() -> None:
    clock, left = Clock(), asyncio.Event()
    limits = limiter("wait", clock)
    await limits.enter("a", "p", None, stays)

    async def leaves() -> Message:
        await left.wait()
        return {"type": "http.disconnect"}

    gone = asyncio.get_running_loop().create_task(limits.enter("a", "p", None, leaves))
    while not limits.waiting:
        await asyncio.sleep(0)
    (other,) = await queued(limits, "a")
    left.set()
    with pytest.raises(ClientGoneError):
        await gone
    assert await served(limits, clock, [other]) == [0]


async def test_the_queue_is_served_without_being_asked() -> None:
    loop = asyncio.get_running_loop()
    limits = Limiter("wait", Window("w", 1, span_s=0.02), {}, {}, max_wait_s=5.0, clock=loop.time)
    for _ in range(3):
        await limits.enter("a", "p", None, stays)
    assert limits.waiting == 0
