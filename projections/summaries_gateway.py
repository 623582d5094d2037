"""What events of MCP servers say, those in the proxy included."""

from collections.abc import Mapping

from projections.saying import Summary, Words, says
from schema.gateway import (
    BreakerOpened,
    McpCall,
    McpCallCompleted,
    McpCallFailed,
    McpCallRefused,
    McpServerCrashed,
    McpServerStarted,
)
from schema.registry import Event
from schema.server_state import ContextDeleted, ContextStored, ContextUpdated, TextPruned, ThoughtRecorded


def _mcp_completed(event: McpCallCompleted, _: str) -> tuple[str, Words]:
    failed = "" if event.outcome == "ok" else ", which failed"
    return f"{_mcp_call(event)}{failed}: {event.bytes:,} bytes", (event.tool,)


def _mcp_failed(event: McpCallFailed, _: str) -> tuple[str, Words]:
    return f"{_mcp_call(event)} failed ({event.outcome})", (event.tool, event.error_message)


def _mcp_refused(event: McpCallRefused, _: str) -> tuple[str, Words]:
    return f"{_mcp_call(event)} refused ({event.outcome})", (event.tool,)


def _mcp_call(event: McpCall) -> str:
    what = f"tool {event.tool}" if event.tool is not None else event.method
    session = f" in session {event.session_id}" if event.session_id else ""
    return f"{what} of {event.server}{session}"


def _mcp_started(event: McpServerStarted, _: str) -> tuple[str, Words]:
    return f"MCP server {event.server} started ({event.transport})", (event.protocol,)


def _mcp_crashed(event: McpServerCrashed, _: str) -> tuple[str, Words]:
    code = f" with {event.exit_code}" if event.exit_code is not None else ""
    return f"MCP server {event.server} ended by itself{code}, {event.calls:,} calls under way", ()


def _breaker_opened(event: BreakerOpened, _: str) -> tuple[str, Words]:
    text = f"calls of {event.server} refused for {event.open_ms // 1000:,} s: {event.failures:,} failures in a row"
    return f"{text} ({event.outcome})", (event.outcome,)


def _thought(event: ThoughtRecorded, _: str) -> tuple[str, Words]:
    revised = f", revising {event.revises}" if event.revises is not None else ""
    branched = f", branching from {event.branch_from}" if event.branch_from is not None else ""
    return f"thought {event.number} of {event.total}{revised}{branched}", (event.branch,)


def _context_stored(event: ContextStored, _: str) -> tuple[str, Words]:
    return f"context {event.context_id} stored: {event.original_size:,} bytes", (event.title, event.tags)


def _context_updated(event: ContextUpdated, _: str) -> tuple[str, Words]:
    return f"context {event.context_id} changed", (event.title, event.tags)


def _context_deleted(event: ContextDeleted, _: str) -> tuple[str, Words]:
    return f"context {event.context_id} deleted", (event.context_id,)


def _text_pruned(event: TextPruned, _: str) -> tuple[str, Words]:
    gone = sum(last - first + 1 for first, last in event.removed)
    text = f"{gone:,} of {event.original_lines:,} lines pruned ({event.source_type})"
    return text, (event.prune_id,)


GATEWAY: Mapping[type[Event], Summary] = dict(
    (
        says(McpCallCompleted, _mcp_completed),
        says(McpCallFailed, _mcp_failed),
        says(McpCallRefused, _mcp_refused),
        says(McpServerStarted, _mcp_started),
        says(McpServerCrashed, _mcp_crashed),
        says(ThoughtRecorded, _thought),
        says(ContextStored, _context_stored),
        says(ContextUpdated, _context_updated),
        says(ContextDeleted, _context_deleted),
        says(TextPruned, _text_pruned),
        says(BreakerOpened, _breaker_opened),
    )
)
