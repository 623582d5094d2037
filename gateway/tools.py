"""What a server in process is made of, without the protocol around it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Whose call it is. `session_id` is the proxy's session (None: none is known), `state_key` names what a server that
    remembers something between calls keeps it under; `correlation_id` goes into the events."""

    session_id: int | None = None
    state_key: str = ""
    correlation_id: str | None = None


class ToolAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Result of `tools/call`: `content` are MCP content blocks, `structured` fits the output schema."""

    content: tuple[Mapping[str, Any], ...]
    structured: Mapping[str, Any] | None = None
    is_error: bool = False


class RpcError(Exception):
    """A call that is answered by a JSON-RPC error. `reason` is the stable `data.code`."""

    def __init__(self, code: int, message: str, reason: str, **data: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason
        self.data = data


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool as `tools/list` shows it, and what it does. `call` gets arguments that match `input_schema`; with `masked`
    False its text is never shortened, because it is what was shortened before."""

    name: str
    description: str
    input_schema: Mapping[str, Any]
    call: Callable[[Caller, Mapping[str, Any]], Awaitable[ToolAnswer]]
    title: str | None = None
    output_schema: Mapping[str, Any] | None = None
    annotations: Mapping[str, bool] | None = None
    masked: bool = True


class InProcessServer(msgspec.Struct, frozen=True, kw_only=True):
    """One of the servers that run in this process."""

    name: str
    version: str
    tools: tuple[Tool, ...]
    instructions: str | None = None


def text_answer(text: str, structured: Mapping[str, Any] | None = None, *, is_error: bool = False) -> ToolAnswer:
    """An answer of one block of text."""
    return ToolAnswer(content=({"type": "text", "text": text},), structured=structured, is_error=is_error)
