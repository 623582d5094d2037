"""The tables of docs/mcp-servers.md: what each server in this process lists."""

import json
from typing import Any, cast

from gateway import context_compression, fast_filesystem, json_query, pruner, sequential_thinking
from gateway.retrieval import Retrieve
from gateway.roots import Roots
from gateway.state import ServerState
from gateway.tools import Tool

_STATE = cast(ServerState, None)  # nothing is called here
_NO_ROOTS = Roots([])
SERVERS = (
    fast_filesystem.server(_NO_ROOTS),
    json_query.server(_NO_ROOTS),
    sequential_thinking.server(_STATE),
    pruner.server(_STATE, len),
    context_compression.server(_STATE, cast(Retrieve, None)),
)


def table(name: str) -> str:
    """The tools of a server, as Markdown."""
    (server,) = (server for server in SERVERS if server.name == name)
    return "\n".join(("| tool | arguments | does |", "|--|--|--|", *map(_row, server.tools)))


def _row(tool: Tool) -> str:
    required = tool.input_schema.get("required", ())
    names = [_argument(name, name in required, schema) for name, schema in tool.input_schema["properties"].items()]
    return f"| `{tool.name}` | {', '.join(names) or '-'} | {tool.description} |"


def _argument(name: str, required: bool, schema: dict[str, Any]) -> str:
    if required:
        return f"**{name}**"
    return f"{name}={json.dumps(schema['default'])}" if "default" in schema else name
