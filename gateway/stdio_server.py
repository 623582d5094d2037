"""A server that is a program: kept running while it is used, started anew when it has ended, stopped when idle."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import msgspec

from gateway.backend import Checked, Down, Invalid, names_of
from gateway.child import Child, Program
from gateway.negotiation import NOBODY, Agreed
from gateway.tools import Caller, RpcError
from schema.gateway import McpServerCrashed, McpServerStarted

_FIRST_S, _LONGEST_S = 0.5, 30.0
_WORTH_WAITING_S = 2.0
_START_S = 20.0
_MOST = 16  # programs of one server
Told = Callable[[McpServerStarted | McpServerCrashed], None]


class _Place(msgspec.Struct):
    """Where one program of the server runs. `delay_s` grows while it ends by itself without having answered."""

    child: Child | None = None
    starting: "asyncio.Task[Child] | None" = None
    delay_s: float = 0.0
    not_before: float = 0.0
    used: float = 0.0


class StdioServer:
    """`told` hears of starts and crashes. With `stateful` each client has a program of its own."""

    transport = "stdio"

    def __init__(
        self,
        name: str,
        program: Program,
        told: Told,
        client: Mapping[str, str],
        *,
        idle_s: float = 600.0,
        stateful: bool = False,
        first_delay_s: float = _FIRST_S,
    ) -> None:
        self.name = name
        self.address = f"stdio:{program.shown or program.command}"
        self._program, self._told, self._client = program, told, client
        self._idle_s, self._stateful, self._first_s = idle_s, stateful, first_delay_s
        self._places: dict[str, _Place] = {}
        self._read_only: frozenset[str] | None = None
        self._tools: int | None = None
        self._agreed: Agreed | None = None
        self._sweeping: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def identity(self) -> Mapping[str, Any]:
        if self._agreed is None:
            with contextlib.suppress(Down, Invalid, RpcError):  # what a client asks for next will say why
                await self._child("")
        return self._agreed.identity if self._agreed is not None else NOBODY

    def masks(self, tool: str) -> bool:
        return True

    async def request(self, method: str, params: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        key = caller.state_key
        try:
            return await self._once(key, method, params)
        except Down as error:
            if error.told and not await self._repeatable(key, method, params):
                raise
        return await self._once(key, method, params)

    async def notify(self, method: str, params: Mapping[str, Any], caller: Caller) -> None:
        place = self._places.get(self._key(caller.state_key))
        if place is not None and place.child is not None and place.child.alive:
            try:
                await place.child.notify(method, params)
            except Down:
                return

    async def check(self) -> Checked:
        try:
            result = await self._once("", "tools/list", {})
        except (Down, Invalid, RpcError) as error:
            return Checked(connected=False, error=str(error))
        return Checked(connected=True, tools=names_of(result))

    @property
    def resting(self) -> bool:
        """Not while one of its programs is there, or is being started."""
        places = self._places.values()
        there = any(place.starting is not None or (place.child is not None and place.child.alive) for place in places)
        return not there and any(place.not_before > time.monotonic() for place in places)

    async def aclose(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
        starting = [place.starting for place in self._places.values() if place.starting is not None]
        for task in starting:
            task.cancel()
        if starting:
            await asyncio.wait(starting)
        children = [place.child for place in self._places.values() if place.child is not None]
        await asyncio.gather(*(child.stop(grace_s=1.0) for child in children), *self._tasks)

    async def _once(self, state_key: str, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        place = self._place(state_key)
        child = await self._child(state_key)
        place.used = time.monotonic()
        result = await child.request(method, params)
        place.delay_s, place.used = 0.0, time.monotonic()
        if method == "tools/list" and "cursor" not in params:
            self._learn(result)
        return result

    async def _repeatable(self, state_key: str, method: str, params: Mapping[str, Any]) -> bool:
        """Whether a call that the server may have begun with can be made once more without harm."""
        if method != "tools/call":
            return True
        if self._read_only is None:
            try:
                await self._once(state_key, "tools/list", {})
            except (Down, Invalid, RpcError):
                return False
        return params.get("name") in (self._read_only or ())

    def _learn(self, result: Mapping[str, Any]) -> None:
        tools = [each for each in result.get("tools", ()) if isinstance(each, dict)]
        self._tools = len(tools)
        self._read_only = frozenset(
            str(each.get("name"))
            for each in tools
            if isinstance(each.get("annotations"), dict) and each["annotations"].get("readOnlyHint") is True
        )

    def _key(self, state_key: str) -> str:
        return state_key if self._stateful else ""

    def _place(self, state_key: str) -> _Place:
        key = self._key(state_key)
        place = self._places.get(key)
        if place is None:
            self._make_room()
            place = self._places[key] = _Place()
        return place

    def _make_room(self) -> None:
        """The one that was used longest ago goes. Raises Down where all are at work."""
        if len(self._places) < _MOST:
            return
        free = [key for key, place in self._places.items() if place.starting is None and not _busy(place)]
        if not free:
            raise Down(f"{self.name} runs {_MOST} times already, and all are at work.")
        self._retire(self._places.pop(min(free, key=lambda key: self._places[key].used)))

    async def _child(self, state_key: str) -> Child:
        """A running program, started where there is none. Raises Down, Invalid and RpcError."""
        place = self._place(state_key)
        if place.child is not None and not place.child.alive:
            await place.child.over()  # its end says when the next one may start
        if place.child is not None and place.child.alive:
            return place.child
        if place.starting is None:
            left = place.not_before - time.monotonic()
            if left > _WORTH_WAITING_S:
                raise Down(f"{self.name} keeps ending; it is started again in {left:.0f} s.")
            place.starting = asyncio.get_running_loop().create_task(self._start(place, max(left, 0.0)))
            place.starting.add_done_callback(_looked_at)
        return await asyncio.shield(place.starting)  # others wait for it, too

    async def _start(self, place: _Place, wait_s: float) -> Child:
        await asyncio.sleep(wait_s)
        began = time.monotonic()
        child = Child(self.name, self._program, lambda child, code, calls: self._crashed(place, child, code, calls))
        try:
            async with asyncio.timeout(_START_S):
                agreed = await child.start(self._client)
        except TimeoutError:
            await self._failed(place, child)
            raise Down(f"{self.name} did not shake hands within {_START_S:g} s.") from None
        except (Down, Invalid, RpcError):
            await self._failed(place, child)
            raise
        except asyncio.CancelledError:
            await child.stop(grace_s=0.1)
            raise
        finally:
            place.starting = None
        place.child, self._agreed, place.used = child, agreed, time.monotonic()
        ms = round((time.monotonic() - began) * 1_000, 1)
        self._told(
            McpServerStarted(
                server=self.name, transport="stdio", pid=child.pid, protocol=agreed.version, duration_ms=ms
            )
        )
        self._sweep_later()
        if self._read_only is None:
            self._keep(self._look(child))
        return child

    async def _look(self, child: Child) -> None:
        """Which tools only read: those are called once more when the program ends under them."""
        with contextlib.suppress(Down, Invalid, RpcError):
            self._learn(await child.request("tools/list", {}))

    async def _failed(self, place: _Place, child: Child) -> None:
        crashed = not child.alive
        await child.stop(grace_s=0.1)
        if not crashed:
            self._later(place)

    def _crashed(self, place: _Place, child: Child, code: int | None, calls: int) -> None:
        if place.child is child:
            place.child = None
        self._later(place)
        retry = int(place.delay_s * 1_000)
        self._told(McpServerCrashed(server=self.name, pid=child.pid, exit_code=code, calls=calls, retry_ms=retry))

    def _later(self, place: _Place) -> None:
        place.delay_s = min(place.delay_s * 2 or self._first_s, _LONGEST_S)
        place.not_before = time.monotonic() + place.delay_s

    def _sweep_later(self) -> None:
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(self._idle_s / 4, self._sweep)

    def _sweep(self) -> None:
        """Stop the programs that nobody has used for long."""
        self._sweeping = None
        since = time.monotonic() - self._idle_s
        for key, place in list(self._places.items()):
            if place.child is not None and not _busy(place) and place.used < since:
                self._retire(self._places.pop(key))
        if any(place.child is not None for place in self._places.values()):
            self._sweep_later()

    def _retire(self, place: _Place) -> None:
        if place.child is not None:
            self._keep(place.child.stop())

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _busy(place: _Place) -> bool:
    return place.child is not None and place.child.busy


def _looked_at(task: "asyncio.Task[Child]") -> None:
    """Nobody may be left who asks how it ended."""
    if not task.cancelled():
        task.exception()
