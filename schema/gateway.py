"""Events of the MCP gateway. Stream `gateway`.

`session_id` is the session that a call was made for, 0 where there was none: what such calls seal has a key of its own.
What tools are told is sealed; servers, methods, tools, sizes and times are clear.
"""

from schema.registry import Event, SealedText

STREAM = "gateway"
NO_SESSION = 0


class McpCallCompleted(Event, frozen=True, kw_only=True):
    """A server answered. `outcome` is `ok`, or `tool_error` where the tool says that it failed; `bytes` is the answer's
    length as the server sent it, `masks` are the sha256 (64 hex) of the texts in it that were shortened for the client.
    `arguments` is JSON, in part where it is long, `arguments_hash` the sha256 of all of it."""

    session_id: int = NO_SESSION
    server: str
    method: str
    tool: str | None = None
    outcome: str
    duration_ms: float
    bytes: int = 0
    masks: tuple[str, ...] = ()
    arguments_hash: str | None = None
    arguments: SealedText = None


class McpCallFailed(Event, frozen=True, kw_only=True):
    """There was no answer, or it was an error: `outcome` is the stable code of the reason, `code` the number that
    JSON-RPC has for it."""

    session_id: int = NO_SESSION
    server: str
    method: str
    tool: str | None = None
    outcome: str
    code: int
    duration_ms: float
    bytes: int = 0
    masks: tuple[str, ...] = ()
    arguments_hash: str | None = None
    arguments: SealedText = None
    error_message: SealedText = None


class McpCallRefused(Event, frozen=True, kw_only=True):
    """The gateway did not pass the call on; `outcome` says why."""

    session_id: int = NO_SESSION
    server: str
    method: str
    tool: str | None = None
    outcome: str
    code: int
    arguments_hash: str | None = None
    arguments: SealedText = None


class McpServerStarted(Event, frozen=True, kw_only=True):
    """A server outside was started, or reached for the first time: `pid` where it is a process, `protocol` the version
    that was agreed on, `duration_ms` until it was ready."""

    server: str
    transport: str
    pid: int | None = None
    protocol: str | None = None
    duration_ms: float


class McpServerCrashed(Event, frozen=True, kw_only=True):
    """A server outside went away by itself, with `calls` under way. `exit_code` is negative for a signal; `retry_ms` is
    how long it is left alone before it is started again."""

    server: str
    pid: int | None = None
    exit_code: int | None = None
    calls: int = 0
    retry_ms: int = 0


class BreakerOpened(Event, frozen=True, kw_only=True):
    """After `failures` failures in a row, the last one of `outcome`, calls of the server are refused for `open_ms`."""

    server: str
    failures: int
    outcome: str
    open_ms: int


McpCall = McpCallCompleted | McpCallFailed | McpCallRefused
EVENTS = (McpCallCompleted, McpCallFailed, McpCallRefused, McpServerStarted, McpServerCrashed, BreakerOpened)
