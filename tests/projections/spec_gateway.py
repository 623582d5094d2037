"""Calls of MCP servers, and how the servers are."""

from projections.gateway import GATEWAY
from projections.masks import MASKS
from projections.timeline import TIMELINE
from schema.context import ContentMasked, ReplacedOutput
from schema.erasure import ErasedCounts, SessionErased
from schema.gateway import (
    BreakerOpened,
    McpCallCompleted,
    McpCallFailed,
    McpCallRefused,
    McpServerCrashed,
    McpServerStarted,
)
from tests.projections.building import START_MS
from tests.projections.spec import Spec

DONE = McpCallCompleted(
    session_id=5, server="echo", method="tools/call", tool="long", outcome="ok", duration_ms=2.5, bytes=9,
    masks=("b" * 64,), arguments="{}" + "x" * 300,
)  # fmt: skip
FAILED = McpCallFailed(
    server="echo", method="tools/list", outcome="upstream_timeout", code=-32002, duration_ms=30.0, error_message="gone"
)
REFUSED = McpCallRefused(session_id=5, server="echo", method="tools/call", outcome="circuit_open", code=-32002)
ERASED = SessionErased(session_id=5, erased_at=1, counts=ErasedCounts())
OPENED = BreakerOpened(server="echo", failures=5, outcome="upstream_timeout", open_ms=30_000)

SPECS = (
    Spec(
        title="every call is a row",
        projection=GATEWAY,
        given=(DONE, FAILED, REFUSED, DONE),
        select="SELECT position, session_id, tool, status, outcome, code, bytes, masks, error, rank, length(arguments)"
        " FROM mcp_calls ORDER BY 1",
        rows=[
            (1, 5, "long", "completed", "ok", None, 9, f'["{"b" * 64}"]', None, 1, 200),
            (2, 0, None, "failed", "upstream_timeout", -32002, 0, "[]", "gone", 1, None),
            (3, 5, None, "refused", "circuit_open", -32002, 0, "[]", None, 1, None),
            (4, 5, "long", "completed", "ok", None, 9, f'["{"b" * 64}"]', None, 2, 200),
        ],
    ),
    Spec(
        title="what tools were told goes with the session",
        projection=GATEWAY,
        given=(DONE, FAILED, ERASED),
        select="SELECT tool, arguments, error FROM mcp_calls ORDER BY position",
        rows=[("long", None, None), (None, None, "gone")],
    ),
    Spec(
        title="servers are versions",
        projection=GATEWAY,
        given=(
            McpServerStarted(server="echo", transport="stdio", pid=7, protocol="2025-11-25", duration_ms=1.0),
            McpServerCrashed(server="echo", pid=7, exit_code=-9, calls=1, retry_ms=500),
            FAILED,
            OPENED,
        ),
        select="SELECT from_position, to_position, starts, crashes, breaks, failures, broken_until FROM mcp_servers"
        " ORDER BY 1",
        rows=[
            (1, 2, 1, 0, 0, 0, None),
            (2, 3, 1, 1, 0, 0, None),
            (3, 4, 1, 1, 0, 1, None),
            (4, None, 1, 1, 1, 1, START_MS + 4_000 + 30_000),
        ],
    ),
    Spec(
        title="lines say what was called, and never what tools were told",
        projection=TIMELINE,
        given=(
            McpServerStarted(server="echo", transport="stdio", duration_ms=1.0),
            DONE,
            FAILED,
            REFUSED,
            McpServerCrashed(server="echo", exit_code=-9, calls=1),
            OPENED,
        ),
        select="SELECT summary, sealed, instr(search, 'xxx') FROM timeline ORDER BY position",
        rows=[
            ("MCP server echo started (stdio)", None, 0),
            ("tool long of echo in session 5: 9 bytes", None, 0),
            ("tools/list of echo failed (upstream_timeout)", "gone", 0),
            ("tools/call of echo in session 5 refused (circuit_open)", None, 0),
            ("MCP server echo ended by itself with -9, 1 calls under way", None, 0),
            ("calls of echo refused for 30 s: 5 failures in a row (upstream_timeout)", None, 0),
        ],
    ),
    Spec(
        title="a text of the gateway is a mask like any other",
        projection=MASKS,
        given=(
            ContentMasked(
                session_id=0, stage="truncate", preview="p",
                output=ReplacedOutput("", "h" * 64, "ref", "short", 0, "", "echo/long", 100, 40),
            ),
        ),
        select="SELECT session_id, hash, tool, tokens, preview FROM masks",
        rows=[(0, "h" * 64, "echo/long", 100, "p")],
    ),
)  # fmt: skip
