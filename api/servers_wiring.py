"""The MCP servers in this process, as the composition root makes them."""

from collections.abc import Callable
from pathlib import Path

from api.configuration import Configuration
from api.originals import Originals
from commands.handling import CommandHandler
from gateway import context_compression, fast_filesystem, json_query, pruner, sequential_thinking
from gateway.roots import Roots
from gateway.state import ServerState
from gateway.tools import InProcessServer
from projections.store import ReadPool
from projections.waiting import Waiter
from schema.log import EventLog


def servers_in_process(
    configuration: Configuration,
    directory: Path,
    handler: CommandHandler,
    reads: ReadPool,
    waiter: Waiter,
    log: EventLog,
    count: Callable[[str], int],
) -> tuple[InProcessServer, ...]:
    """The five. What they may read of the disk is told by the configuration; the proxy's own `directory` and its
    configuration file are never shown."""
    state = ServerState(handler, reads, waiter, log, contents=configuration.recording.contents)
    files = configuration.mcp.fast_filesystem
    own = (directory, *((configuration.file,) if configuration.file is not None else ()))
    roots = Roots([Path(root) for root in files.roots], writable=files.writable, hidden=own)
    return (
        context_compression.server(state, Originals(reads, waiter, log, handler).retrieve),
        sequential_thinking.server(state),
        fast_filesystem.server(roots),
        json_query.server(roots),
        pruner.server(state, count),
    )
