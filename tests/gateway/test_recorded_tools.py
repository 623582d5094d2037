"""The servers list the tools of their originals: names, parameters, which of them are required, and defaults."""

import pytest

from gateway import fast_filesystem
from gateway.roots import Roots
from gateway.tools import InProcessServer
from tests.gateway.recorded_tools import FAST_FILESYSTEM, Recorded

SERVERS: dict[str, tuple[InProcessServer, Recorded]] = {
    fast_filesystem.NAME: (fast_filesystem.server(Roots([])), FAST_FILESYSTEM),
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
def test_each_tool_says_what_it_does(name: str) -> None:
    for tool in SERVERS[name][0].tools:
        assert tool.input_schema["type"] == "object" and tool.description.endswith(".")
        assert tool.annotations is not None and tool.annotations["openWorldHint"] is False
