"""All servers as one: their tools under the names `server__tool`. It passes on and records nothing itself."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from gateway.backend import Checked
from gateway.jsonrpc import INVALID_PARAMS, METHOD_NOT_FOUND, Refusal
from gateway.tools import Caller, RpcError

AGGREGATE = "(all)"  # no name of the configuration
SEPARATOR = "__"
_INSTRUCTIONS = "The tools of several servers; the name before the two underscores says which."
Pass = Callable[[str, str, Mapping[str, Any], Caller], Awaitable[dict[str, Any]]]


class Aggregate:
    """`names` are the servers, `call` passes a call on to one of them; `resting` says whether that would wait for a
    server that keeps failing."""

    name = AGGREGATE
    transport = "builtin"
    address = "/mcp"
    resting = False

    def __init__(self, names: Sequence[str], call: Pass, resting: Callable[[str], bool], version: str) -> None:
        self._names = tuple(names)
        self._call, self._resting = call, resting
        self._identity = {
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "chronoproxy", "version": version},
            "instructions": _INSTRUCTIONS,
        }

    async def identity(self) -> Mapping[str, Any]:
        return self._identity

    def masks(self, tool: str) -> bool:
        return False  # what comes from a server is short already

    async def request(self, method: str, params: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        if method == "tools/list":
            lists = await asyncio.gather(*(self._tools(name, caller) for name in self._names))
            return {"tools": [tool for tools in lists for tool in tools]}
        if method != "tools/call":
            raise RpcError(METHOD_NOT_FOUND, f"There is no method {method[:80]} here.", "method_not_found")
        name = params.get("name")
        server, _, tool = name.partition(SEPARATOR) if isinstance(name, str) else ("", "", "")
        if server not in self._names or not tool:
            text = f"Unknown tool {str(name)[:80]!r}: names are server{SEPARATOR}tool, of {', '.join(self._names)}."
            raise RpcError(INVALID_PARAMS, text, "unknown_tool")
        return await self._call(server, method, {**params, "name": tool}, caller)

    async def notify(self, method: str, params: Mapping[str, Any], caller: Caller) -> None:
        """Notifications are of a connection to one server."""

    async def check(self) -> Checked:
        return Checked(connected=True)

    async def aclose(self) -> None:
        """Nothing is open."""

    async def _tools(self, server: str, caller: Caller) -> list[dict[str, Any]]:
        """Of one server, with its name in front; none of one that does not answer, or would not soon, so that the
        others can be used."""
        if self._resting(server):
            return []
        try:
            result = await self._call(server, "tools/list", {}, caller)
        except (Refusal, RpcError):
            return []
        return [{**tool, "name": f"{server}{SEPARATOR}{tool['name']}"} for tool in result.get("tools", ())]
