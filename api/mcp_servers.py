"""How the servers are: those of the gateway, and the back ends of memory and compression (contract 31, 32)."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel

from api.reading import LIVE, PAST, Reads
from api.services import Services, Use
from api.times import iso, iso_or_none
from gateway.discretion import cleaned
from gateway.looking import Seen
from projections.gateway import McpServerRow, mcp_servers

router = APIRouter(tags=["mcp"])
_SEARCH, _COMPRESSION = "memory-search", "context-compression"
_CAPABILITIES = {
    _SEARCH: ["store", "search", "cluster"],
    "memory-vectors": ["search"],
    _COMPRESSION: ["compress", "decompress", "retrieve"],
}


class Server(BaseModel):
    """`connected` was looked up, at most ten seconds ago; `url` is `builtin:` for what runs in the proxy."""

    name: str
    type: str
    url: str
    connected: bool
    last_check: str
    latency_ms: float
    error_count: int
    capabilities: list[str]
    phase: Literal["phase3", "phase4"]
    tool_count: int
    error: str | None = None


class MemoryServers(BaseModel):
    servers: list[Server]
    all_connected: bool
    timestamp: str


class AllServers(BaseModel):
    """`phase3` are the back ends of memory and compression, `phase4` the servers of the gateway."""

    all: list[Server]
    phase3: list[Server]
    phase4: list[Server]
    all_connected: bool
    connected_count: int
    total_count: int
    timestamp: str


class McpServerState(BaseModel):
    """What the log says of a server: `failures` are calls without an answer; times are null where it never was so."""

    name: str
    configured: bool
    transport: str | None
    url: str | None
    starts: int
    crashes: int
    breaks: int
    failures: int
    last_started_at: str | None
    last_crashed_at: str | None
    broken_until: str | None
    protocol: str | None


class McpServers(BaseModel):
    servers: list[McpServerState]


class McpTool(BaseModel):
    """`tokens` is what the tool costs in each request of a client that knows of it, counted offline."""

    name: str
    description: str
    tokens: int
    annotations: dict[str, object]


class McpServerTools(BaseModel):
    """`answered` false: the server does not say what tools it has."""

    server: str
    answered: bool
    tokens: int
    tools: list[McpTool]


class McpTools(BaseModel):
    servers: list[McpServerTools]
    total_tokens: int


@router.get("/api/memory/servers", dependencies=LIVE)
async def memory_servers(services: Use) -> MemoryServers:
    """The back ends of memory and compression. No program is started for that."""
    found = await _back_ends(services, await services.looker.back_ends())
    return MemoryServers(
        servers=found, all_connected=all(each.connected for each in found), timestamp=iso(services.clock())
    )


@router.get("/api/memory/all-servers", dependencies=LIVE)
async def all_servers(services: Use) -> AllServers:
    """Those and the servers of the gateway, looked at together, a second at most."""
    back_ends, servers = await _servers(services)
    every = [*back_ends, *servers]
    connected = sum(each.connected for each in every)
    return AllServers(
        all=every,
        phase3=back_ends,
        phase4=servers,
        all_connected=connected == len(every),
        connected_count=connected,
        total_count=len(every),
        timestamp=iso(services.clock()),
    )


@router.get("/api/mcp/servers", dependencies=PAST)
async def servers(reads: Reads, services: Use) -> McpServers:
    """What happened to each server: of the configuration, and of those that the log knows beside it."""
    rows = await reads.run(mcp_servers)
    names = [*services.looker.names(), *sorted(rows.keys() - set(services.looker.names()))]
    return McpServers(servers=[_state(services, name, rows.get(name, McpServerRow())) for name in names])


@router.get("/api/mcp/tools", dependencies=LIVE)
async def tools(services: Use, server: Annotated[str | None, Query(max_length=64)] = None) -> McpTools:
    """What tools there are, and what each costs a request in tokens."""
    names = [name for name in services.looker.names() if server in (None, name)]
    lists = await asyncio.gather(*(services.looker.tools(name) for name in names))
    found = await asyncio.to_thread(
        lambda: [_priced(services, name, listed) for name, listed in zip(names, lists, strict=True)]
    )
    return McpTools(servers=found, total_tokens=sum(each.tokens for each in found))


async def _servers(services: Services) -> tuple[list[Server], list[Server]]:
    """The back ends, and the servers of the gateway."""
    seen = await services.looker.all()
    failures = (await services.reads.run(mcp_servers)).value
    servers = [_gateway_server(services, seen[name], failures.get(name)) for name in services.looker.names()]
    return await _back_ends(services, seen), servers


async def _back_ends(services: Services, seen: Mapping[str, Seen]) -> list[Server]:
    found = [_back_end(seen[name]) for name in services.looker.others]
    if _COMPRESSION in seen:
        row = (await services.reads.run(mcp_servers)).value.get(_COMPRESSION)
        found.append(_gateway_server(services, seen[_COMPRESSION], row).model_copy(update={"phase": "phase3"}))
    return found


def _gateway_server(services: Services, seen: Seen, row: McpServerRow | None) -> Server:
    served = services.gateway.servers[seen.name]
    backend = served.backend
    return _server(
        seen,
        kind=backend.transport,
        url=services.redact(backend.address),
        error_count=row.failures if row is not None else 0,
        capabilities=_CAPABILITIES.get(seen.name, ["tools"]),
        phase="phase4",
        tools=sum(map(served.settings.allows, seen.checked.tools or ())),
    )


def _back_end(seen: Seen) -> Server:
    return _server(
        seen,
        kind="builtin",
        url="builtin:",
        error_count=0,
        capabilities=_CAPABILITIES.get(seen.name, []),
        phase="phase3",
    )


def _server(
    seen: Seen,
    *,
    kind: str,
    url: str,
    error_count: int,
    capabilities: list[str],
    phase: Literal["phase3", "phase4"],
    tools: int = 0,
) -> Server:
    return Server(
        name=seen.name,
        type=kind,
        url=url,
        connected=seen.checked.connected,
        last_check=iso(seen.at),
        latency_ms=seen.latency_ms,
        error_count=error_count,
        capabilities=capabilities,
        phase=phase,
        tool_count=tools,
        error=seen.checked.error,
    )


def _state(services: Services, name: str, row: McpServerRow) -> McpServerState:
    served = services.gateway.servers.get(name)
    own = {
        "name": name,
        "configured": served is not None,
        "transport": served.backend.transport if served is not None else None,
        "url": services.redact(served.backend.address) if served is not None else None,
        "last_started_at": iso_or_none(row.last_started_at),
        "last_crashed_at": iso_or_none(row.last_crashed_at),
        "broken_until": iso_or_none(row.broken_until),
    }
    return McpServerState.model_validate(msgspec.structs.asdict(row) | own)


def _priced(services: Services, name: str, listed: list[dict[str, object]] | None) -> McpServerTools:
    found = [_tool(services, tool) for tool in listed or ()]
    return McpServerTools(
        server=name, answered=listed is not None, tokens=sum(each.tokens for each in found), tools=found
    )


def _tool(services: Services, tool: dict[str, object]) -> McpTool:
    """As a client puts it into the requests of a model: name, description and schema of what it takes."""
    function = {"name": tool.get("name"), "description": tool.get("description"), "parameters": tool.get("inputSchema")}
    text = msgspec.json.encode({"type": "function", "function": function}).decode()
    annotations = tool.get("annotations")
    return McpTool(
        name=services.redact(str(tool.get("name"))),
        description=services.redact(str(tool.get("description") or ""))[:1_000],
        tokens=services.count(text),
        annotations=cleaned(annotations, services.redact) if isinstance(annotations, dict) else {},
    )
