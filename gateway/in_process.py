"""A server in process behind the protocol: its tools listed and called. Without the SDK, which takes a second and
63 MiB to import (docs/decisions/0013-gateway.md)."""

import asyncio
import logging
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.backend import Checked
from gateway.jsonrpc import INVALID_PARAMS, METHOD_NOT_FOUND
from gateway.protocol import identity_of
from gateway.schemas import UnknownSchemaError, complaints, require_known
from gateway.tools import Caller, InProcessServer, RpcError, Tool, ToolAnswer, text_answer

_log = logging.getLogger("chronoproxy.gateway")


class InProcess:
    """Raises ValueError for a server with a schema that cannot be checked, or with two tools of one name."""

    transport = "builtin"
    address = "builtin:"
    resting = False

    def __init__(self, server: InProcessServer) -> None:
        self.name = server.name
        self._identity = identity_of(server)
        self._tools = {tool.name: tool for tool in server.tools}
        if len(self._tools) != len(server.tools):
            raise ValueError(f"{server.name}: two tools have one name")
        for tool in server.tools:
            try:
                require_known(tool.input_schema)
            except UnknownSchemaError as error:
                raise ValueError(f"{server.name}: {tool.name}: {error}") from None
        self._listed = [_shown(tool) for tool in server.tools]

    async def identity(self) -> Mapping[str, Any]:
        return self._identity

    def masks(self, tool: str) -> bool:
        """Whether long texts of the tool are shortened."""
        return tool not in self._tools or self._tools[tool].masked

    async def request(self, method: str, params: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        match method:
            case "tools/list":
                return {"tools": self._listed}
            case "tools/call":
                return await self._call(params, caller)
            case "prompts/list":
                return {"prompts": []}
            case "resources/list":
                return {"resources": []}
            case "resources/templates/list":
                return {"resourceTemplates": []}
            case _:
                raise RpcError(METHOD_NOT_FOUND, f"{self.name} has no method {method[:80]}.", "method_not_found")

    async def notify(self, method: str, params: Mapping[str, Any], caller: Caller) -> None:
        """Nothing here waits for a notification."""

    async def check(self) -> Checked:
        return Checked(connected=True, tools=tuple(self._tools))

    async def aclose(self) -> None:
        """Nothing is open."""

    async def _call(self, params: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        name, arguments = params.get("name"), params.get("arguments", {})
        if not isinstance(name, str) or not isinstance(arguments, dict | None):
            text = 'tools/call needs "name", a text, and "arguments", an object.'
            raise RpcError(INVALID_PARAMS, text, "invalid_params")
        tool = self._tools.get(name)
        if tool is None:
            known = ", ".join(self._tools)
            raise RpcError(INVALID_PARAMS, f"Unknown tool {name[:80]!r}; known are: {known}.", "unknown_tool")
        wrong = complaints(tool.input_schema, arguments or {})
        if wrong:  # as an answer of the tool: a model reads that and mends its call
            return _result(text_answer(f"Invalid arguments for {name}: {'; '.join(wrong)}.", is_error=True))
        return _result(await self._run(tool, caller, arguments or {}))

    async def _run(self, tool: Tool, caller: Caller, arguments: Mapping[str, Any]) -> ToolAnswer:
        """Whatever a tool raises is an answer, never the end of the request."""
        task = asyncio.get_running_loop().create_task(_awaited(tool, caller, arguments))
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()  # where the caller left
        if task.cancelled():
            return text_answer(f"{tool.name} gave up.", is_error=True)
        error = task.exception()
        if error is None:
            return task.result()
        if isinstance(error, RpcError):
            raise error
        frames = traceback.extract_tb(error.__traceback__)[-4:]  # its message may hold contents
        places = " > ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)
        _log.error("%s in tool %s of %s at %s", type(error).__name__, tool.name, self.name, places)
        return text_answer(f"{tool.name} failed inside ({type(error).__name__}); the log says where.", is_error=True)


async def _awaited(tool: Tool, caller: Caller, arguments: Mapping[str, Any]) -> ToolAnswer:
    return await tool.call(caller, arguments)


def _result(answer: ToolAnswer) -> dict[str, Any]:
    found: dict[str, Any] = {"content": list(answer.content), "isError": answer.is_error}
    return found if answer.structured is None else found | {"structuredContent": answer.structured}


def _shown(tool: Tool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": tool.name,
        "description": tool.description,
        "inputSchema": tool.input_schema,
    }
    more = {"title": tool.title, "outputSchema": tool.output_schema, "annotations": tool.annotations}
    return shown | {key: value for key, value in more.items() if value is not None}
