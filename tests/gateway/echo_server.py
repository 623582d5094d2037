"""A server in process with tools that show what the gateway makes of them."""

import asyncio
from collections.abc import Mapping
from typing import Any

from gateway.tools import Caller, InProcessServer, RpcError, Tool, ToolAnswer, text_answer

_TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


async def _echo(caller: Caller, arguments: Mapping[str, Any]) -> ToolAnswer:
    return text_answer(arguments["text"], {"text": arguments["text"]})


async def _who(caller: Caller, arguments: Mapping[str, Any]) -> ToolAnswer:
    return text_answer(f"{caller.session_id} {caller.state_key}")


async def _long(caller: Caller, arguments: Mapping[str, Any]) -> ToolAnswer:
    text = arguments["text"] * arguments["times"]
    image = {"type": "image", "data": text, "mimeType": "image/png"}
    return ToolAnswer(content=({"type": "text", "text": text}, image), structured={"text": text})


async def _raise(caller: Caller, arguments: Mapping[str, Any]) -> ToolAnswer:
    if arguments.get("rpc"):
        raise RpcError(-32004, "no such thing", "not_there", long="x" * 5_000)
    raise ZeroDivisionError("secret contents")


async def _wait(caller: Caller, arguments: Mapping[str, Any]) -> ToolAnswer:
    await asyncio.Event().wait()
    return text_answer("never")


def echo_server() -> InProcessServer:
    def tool(name: str, call: Any, schema: Mapping[str, Any] | None = None, *, masked: bool = True) -> Tool:
        schema = schema or {"type": "object", "properties": {}}
        return Tool(name=name, description=f"The tool {name}.", input_schema=schema, call=call, masked=masked)

    texts: dict[str, Any] = {"text": {"type": "string"}, "times": {"type": "integer", "minimum": 1}}
    times = {"type": "object", "properties": texts, "required": ["text", "times"]}
    return InProcessServer(
        name="echo",
        version="1.0",
        tools=(
            tool("echo", _echo, _TEXT),
            tool("who", _who),
            tool("long", _long, times),
            tool("whole", _long, times, masked=False),
            tool("raise", _raise),
            tool("wait", _wait),
        ),
        instructions="Say something.",
    )
