"""Calling tools of a server in process, as the gateway does: with arguments that fit their schema."""

from typing import Any

import msgspec

from gateway.tools import Caller, InProcessServer, ToolAnswer

CALLER = Caller(session_id=None, state_key="test", correlation_id="request-1")


async def call(server: InProcessServer, name: str, caller: Caller = CALLER, /, **arguments: Any) -> ToolAnswer:
    (tool,) = (tool for tool in server.tools if tool.name == name)
    return await tool.call(caller, arguments)


async def done(server: InProcessServer, name: str, caller: Caller = CALLER, /, **arguments: Any) -> Any:
    """The JSON that the tool answers."""
    answer = await call(server, name, caller, **arguments)
    assert not answer.is_error, answer.content
    value = msgspec.json.decode(answer.content[0]["text"])
    assert answer.structured is None or msgspec.to_builtins(answer.structured) == value
    return value


async def refused(server: InProcessServer, name: str, caller: Caller = CALLER, /, **arguments: Any) -> str:
    """The text of the tool's error."""
    answer = await call(server, name, caller, **arguments)
    assert answer.is_error, answer.content
    return str(answer.content[0]["text"])
