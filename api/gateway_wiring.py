"""The gateway's part of the composition root."""

import sqlite3
from collections.abc import Callable, Iterable

from api.configuration import Configuration
from api.configuration_mcp import Mcp, McpServer
from api.memory_vectors import Vectors
from api.places import with_tilde
from chronoproxy import __version__
from commands.gateway import RecordMcpServer
from gateway.backend import Backend, Checked
from gateway.child import Program
from gateway.discretion import Redact
from gateway.gateway import Gateway
from gateway.http_server import HttpServer
from gateway.in_process import InProcess
from gateway.looking import Looker
from gateway.messages import ServerSettings
from gateway.recording import Recorder
from gateway.sessions import McpSessions
from gateway.stdio_server import StdioServer
from gateway.tools import Caller, InProcessServer
from projections.store import ReadPool
from projections.waiting import Waiter
from schema.appending import Appender
from schema.gateway import McpServerCrashed, McpServerStarted
from schema.keys import KeyStore

_CLIENT = {"name": "chronoproxy", "version": __version__}


def open_gateway(
    configuration: Configuration,
    appender: Appender,
    keys: KeyStore,
    count: Callable[[str], int],
    waiter: Waiter,
    redact: Redact,
    builtin: Iterable[InProcessServer] = (),
) -> Gateway:
    """The servers in process, and those of the configuration, which may take the place of one."""
    recorder = Recorder(appender, count, contents=configuration.recording.contents, redact=redact, waiter=waiter)
    mcp = configuration.mcp
    backends: dict[str, Backend] = {server.name: InProcess(server) for server in builtin}
    for name, entry in mcp.servers.items():
        if entry.kind != "builtin":
            backends[name] = _outside(name, entry, recorder)
    return Gateway(
        {name: (backend, _settings(mcp, name)) for name, backend in backends.items()},
        recorder,
        McpSessions(keys.secret("mcp sessions")),
        redact=redact,
        mask_chars=mcp.mask_chars,
        version=__version__,
    )


def open_looker(gateway: Gateway, vectors: Vectors | None, reads: ReadPool, clock: Callable[[], int]) -> Looker:
    """What looks at the servers, and at what memory is searched in: tables, and vectors where there are any."""

    async def search() -> Checked:
        return (await reads.run(_searched)).value

    async def meaning() -> Checked:
        failing = vectors.failing if vectors is not None else None
        return Checked(connected=failing is None, error=failing)

    by_meaning = {"memory-vectors": meaning} if vectors is not None else {}
    return Looker(gateway, {"memory-search": search, **by_meaning}, clock)


def _searched(db: sqlite3.Connection, *, at: int) -> Checked:
    """Whether the tables answer, and full text can be searched. Raises sqlite3.Error."""
    options = {row[0] for row in db.execute("PRAGMA compile_options")}
    return Checked(connected="ENABLE_FTS5" in options, error=None if "ENABLE_FTS5" in options else "SQLite has no FTS5")


def _outside(name: str, entry: McpServer, recorder: Recorder) -> Backend:
    def told(fact: McpServerStarted | McpServerCrashed) -> None:
        recorder.later(RecordMcpServer(fact), Caller())

    if entry.kind == "http":
        return HttpServer(name, entry.url, told, _CLIENT, headers=entry.headers, private=entry.private)
    program = Program(entry.command, tuple(entry.args), entry.env, shown=with_tilde(entry.command))
    return StdioServer(name, program, told, _CLIENT, idle_s=entry.idle_seconds, stateful=entry.stateful)


def _settings(mcp: Mcp, name: str) -> ServerSettings:
    entry = mcp.servers.get(name)
    tools = tuple(entry.tools) if entry is not None else ()
    return ServerSettings(timeout_s=mcp.timeout_s(name), tools=tools)
