"""Calls of MCP servers, and what happens to the servers: facts, which depend on no state."""

from typing import assert_never

import msgspec

from schema.context import ContentMasked, ReplacedOutput
from schema.gateway import (
    NO_SESSION,
    STREAM,
    BreakerOpened,
    McpCallCompleted,
    McpCallFailed,
    McpCallRefused,
    McpServerCrashed,
    McpServerStarted,
)
from schema.recorded import Body, NewEvent
from schema.registry import Event

_NAME = 200  # characters of methods and tools, which clients choose


class Masked(msgspec.Struct, frozen=True):
    """A text that was shortened on its way to the client: `hash` is its sha256, `original` the text as a message."""

    hash: str
    original: Body
    short_ref: str
    tokens_before: int
    tokens_after: int
    preview: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked of a server; `arguments` is JSON and None where contents are not recorded."""

    session_id: int | None
    server: str
    method: str
    tool: str | None = None
    arguments: str | None = None
    arguments_hash: str | None = None


class RecordMcpCall(msgspec.Struct, frozen=True, kw_only=True):
    """How a call ended: with an answer where `code` is None, else without one; refused by the gateway where
    `duration_ms` is None. `outcome` as in the events."""

    asked: Asked
    outcome: str
    code: int | None = None
    duration_ms: float | None = None
    bytes: int = 0
    masked: tuple[Masked, ...] = ()
    error_message: str | None = None


class RecordMcpServer(msgspec.Struct, frozen=True):
    """Something happened to a server."""

    fact: McpServerStarted | McpServerCrashed | BreakerOpened


Command = RecordMcpCall | RecordMcpServer


def decide(command: Command) -> list[NewEvent]:
    """What is to be recorded: the call, then each text that was shortened."""
    match command:
        case RecordMcpCall():
            masked = [NewEvent(STREAM, _masked(command, each), (each.original,)) for each in command.masked]
            return [NewEvent(STREAM, _call(command)), *masked]
        case RecordMcpServer(fact):
            return [NewEvent(STREAM, fact)]
        case _:
            assert_never(command)


def _call(command: RecordMcpCall) -> Event:
    asked = command.asked
    session_id = NO_SESSION if asked.session_id is None else asked.session_id
    method, tool = asked.method[:_NAME], asked.tool[:_NAME] if asked.tool is not None else None
    masks = tuple(each.hash for each in command.masked)
    if command.duration_ms is None:
        return McpCallRefused(
            session_id=session_id,
            server=asked.server,
            method=method,
            tool=tool,
            outcome=command.outcome,
            code=command.code or 0,
            arguments_hash=asked.arguments_hash,
            arguments=asked.arguments,
        )
    if command.code is None:
        return McpCallCompleted(
            session_id=session_id,
            server=asked.server,
            method=method,
            tool=tool,
            outcome=command.outcome,
            duration_ms=command.duration_ms,
            bytes=command.bytes,
            masks=masks,
            arguments_hash=asked.arguments_hash,
            arguments=asked.arguments,
        )
    return McpCallFailed(
        session_id=session_id,
        server=asked.server,
        method=method,
        tool=tool,
        outcome=command.outcome,
        code=command.code,
        duration_ms=command.duration_ms,
        bytes=command.bytes,
        masks=masks,
        arguments_hash=asked.arguments_hash,
        arguments=asked.arguments,
        error_message=command.error_message,
    )


def _masked(command: RecordMcpCall, masked: Masked) -> ContentMasked:
    asked = command.asked
    output = ReplacedOutput(
        key="",
        hash=masked.hash,
        ref=masked.original.ref,
        replacement_ref=masked.short_ref,
        at=0,
        within="",
        tool=f"{asked.server}/{asked.tool or asked.method}"[:_NAME],
        tokens_before=masked.tokens_before,
        tokens_after=masked.tokens_after,
    )
    session_id = NO_SESSION if asked.session_id is None else asked.session_id
    return ContentMasked(session_id=session_id, stage="truncate", output=output, preview=masked.preview)
