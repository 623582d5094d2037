"""How the servers are, looked at anew: all at once, none for longer than a second, and not more often than needed."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from gateway.aggregate import AGGREGATE
from gateway.backend import Checked, Down, Invalid
from gateway.gateway import Gateway
from gateway.tools import Caller, RpcError

BUILTIN = "builtin"
LONGEST_S = 1.0
KEPT_S = 10.0
_LIST_S = 10.0
_PAGES = 20
Look = Callable[[], Awaitable[Checked]]


class Seen(msgspec.Struct, frozen=True):
    """What a look found: `at` in ms since the epoch."""

    name: str
    checked: Checked
    latency_ms: float
    at: int


class Looker:
    """`others` are back ends that are no MCP servers, by name; `clock` gives milliseconds since the epoch."""

    def __init__(self, gateway: Gateway, others: Mapping[str, Look], clock: Callable[[], int]) -> None:
        self._gateway, self._clock = gateway, clock
        self.others = dict(others)
        self._kept: tuple[float, dict[str, Seen]] = (-KEPT_S, {})
        self._lock = asyncio.Lock()

    async def all(self) -> dict[str, Seen]:
        """Every back end and every server, by name; of at most ten seconds ago."""
        async with self._lock:
            since, found = self._kept
            if time.monotonic() - since >= KEPT_S:
                servers = {name: served.backend.check for name, served in self._servers()}
                looks = [self._look(name, look) for name, look in {**self.others, **servers}.items()]
                found = {seen.name: seen for seen in await asyncio.gather(*looks)}
                self._kept = (time.monotonic(), found)
            return found

    async def back_ends(self) -> dict[str, Seen]:
        """What runs in the proxy: the back ends, and the servers within it. Nothing is started for that."""
        own = {name: served.backend.check for name, served in self._servers() if served.backend.transport == BUILTIN}
        looks = [self._look(name, look) for name, look in {**self.others, **own}.items()]
        return {seen.name: seen for seen in await asyncio.gather(*looks)}

    async def tools(self, name: str) -> list[dict[str, Any]] | None:
        """The tools of a server, all pages of them; None where it does not answer."""
        served = self._gateway.servers[name]
        found: list[dict[str, Any]] = []
        params: dict[str, Any] = {}
        try:
            async with asyncio.timeout(_LIST_S):
                for _ in range(_PAGES):
                    result = await served.backend.request("tools/list", params, Caller())
                    tools = [each for each in result.get("tools", ()) if isinstance(each, dict)]
                    found += [each for each in tools if served.settings.allows(str(each.get("name")))]
                    if not isinstance(result.get("nextCursor"), str):
                        break
                    params = {"cursor": result["nextCursor"]}
        except (Down, Invalid, RpcError, TimeoutError):
            return None
        return found

    def names(self) -> list[str]:
        return [name for name, _ in self._servers()]

    def _servers(self) -> list[tuple[str, Any]]:
        return [(name, served) for name, served in self._gateway.servers.items() if name != AGGREGATE]

    async def _look(self, name: str, look: Look) -> Seen:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(LONGEST_S):
                checked = await look()
        except TimeoutError:
            checked = Checked(connected=False, error=f"no answer within {LONGEST_S:g} s")
        return Seen(name, checked, round((time.perf_counter() - began) * 1_000, 3), self._clock())
