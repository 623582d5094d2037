"""The servers list the tools of their originals: names, parameters, which of them are required, and defaults."""

from typing import cast

import pytest

from gateway import context_compression, fast_filesystem, json_query, pruner, sequential_thinking
from gateway.in_process import InProcess
from gateway.retrieval import NotThere, Retrieved
from gateway.roots import Roots
from gateway.state import ServerState
from gateway.tools import Caller, InProcessServer
from tests.gateway.recorded_tools import (
    CONTEXT_COMPRESSION,
    FAST_FILESYSTEM,
    JSON_QUERY,
    PRUNER,
    SEQUENTIAL_THINKING,
    Recorded,
)

NO_STATE = cast(ServerState, None)  # nothing is called here


async def no_mask(caller: Caller, named: str, lines: str | None, grep: str | None) -> Retrieved:
    raise NotThere(named)


SERVERS: dict[str, tuple[InProcessServer, Recorded]] = {
    context_compression.NAME: (context_compression.server(NO_STATE, no_mask), CONTEXT_COMPRESSION),
    fast_filesystem.NAME: (fast_filesystem.server(Roots([])), FAST_FILESYSTEM),
    json_query.NAME: (json_query.server(Roots([])), JSON_QUERY),
    pruner.NAME: (pruner.server(NO_STATE, len), PRUNER),
    sequential_thinking.NAME: (sequential_thinking.server(NO_STATE), SEQUENTIAL_THINKING),
}


@pytest.mark.parametrize("name", SERVERS)
def test_tools_are_as_recorded(name: str) -> None:
    server, recorded = SERVERS[name]
    assert server.name == name
    listed = {}
    for tool in server.tools:
        required = tuple(tool.input_schema.get("required", ()))
        properties = tool.input_schema["properties"]
        optional = {key: schema.get("default") for key, schema in properties.items() if key not in required}
        listed[tool.name] = (required, optional)
    assert listed == recorded


@pytest.mark.parametrize("name", SERVERS)
def test_its_schemas_can_be_checked(name: str) -> None:
    assert InProcess(SERVERS[name][0]).name == name


@pytest.mark.parametrize("name", SERVERS)
def test_each_tool_says_what_it_does(name: str) -> None:
    for tool in SERVERS[name][0].tools:
        assert tool.input_schema["type"] == "object" and tool.description.endswith(".")
        assert tool.annotations is not None and tool.annotations["openWorldHint"] is False
