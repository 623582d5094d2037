"""The gateway's part of the composition root."""

from collections.abc import Callable, Iterable

from api.configuration import Configuration
from api.configuration_mcp import Mcp
from chronoproxy import __version__
from gateway.backend import Backend
from gateway.gateway import Gateway, ServerSettings
from gateway.in_process import InProcess
from gateway.recording import Recorder
from gateway.sessions import McpSessions
from gateway.tools import InProcessServer
from schema.appending import Appender
from schema.keys import KeyStore


def open_gateway(
    configuration: Configuration,
    appender: Appender,
    keys: KeyStore,
    count: Callable[[str], int],
    builtin: Iterable[InProcessServer] = (),
) -> Gateway:
    """The servers in process, and those of the configuration, which may take the place of one."""
    recorder = Recorder(appender, count, contents=configuration.recording.contents)
    mcp = configuration.mcp
    backends: dict[str, Backend] = {server.name: InProcess(server) for server in builtin}
    return Gateway(
        {name: (backend, _settings(mcp, name)) for name, backend in backends.items()},
        recorder,
        McpSessions(keys.secret("mcp sessions")),
        mask_chars=mcp.mask_chars,
        version=__version__,
    )


def _settings(mcp: Mcp, name: str) -> ServerSettings:
    entry = mcp.servers.get(name)
    tools = tuple(entry.tools) if entry is not None else ()
    return ServerSettings(timeout_s=mcp.timeout_s(name), tools=tools)
