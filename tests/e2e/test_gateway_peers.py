"""Servers that others have written, behind the gateway, and a server of the SDK at an address."""

import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.processes import ROOT, ProxyProcess

pytestmark = pytest.mark.extra
BIN = ROOT / "tests" / "node" / "node_modules" / ".bin"
needs_node = pytest.mark.skipif(
    not (BIN / "mcp-server-filesystem").exists(), reason="the npm servers are not there: make setup-extra"
)
REMOTE = """
import sys, uvicorn
from mcp.server.mcpserver import MCPServer
server = MCPServer("remote")

@server.tool()
def add(a: int, b: int) -> int:
    "Add two numbers."
    return a + b

class Told(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print(self.servers[0].sockets[0].getsockname()[1], flush=True)

app = server.streamable_http_app(json_response=sys.argv[1] == "json", stateless_http=sys.argv[2] == "stateless")
Told(uvicorn.Config(app, port=0, log_level="error")).run()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("allowed")
    (found / "a.txt").write_text("line of a file\n" * 1_000)
    return found


@pytest.fixture(scope="module")
def proxy(folder: Path) -> Iterator[ProxyProcess]:
    config = f"""
[mcp.servers.files]
command = "{BIN / "mcp-server-filesystem"}"
args = ["{folder}"]

[mcp.servers.sequential-thinking]
command = "{BIN / "mcp-server-sequential-thinking"}"
stateful = true
"""
    with ProxyProcess(config) as running:
        yield running


def connected(proxy: ProxyProcess, path: str, mode: str) -> Any:
    return importlib.import_module("mcp.client.client").Client(proxy.url + path, mode=mode)


@needs_node
@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_files(proxy: ProxyProcess, folder: Path, mode: str) -> None:
    async with connected(proxy, "/api/mcp-gateway/files/rpc", mode) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert {"read_text_file", "write_file", "list_directory"} <= set(names)
        answer = await client.call_tool("read_text_file", {"path": str(folder / "a.txt")})
        assert "CHRONOPROXY_OBSERVATION_MASKED original_chars=15000" in answer.content[0].text
        refused = await client.call_tool("read_text_file", {"path": "/etc/passwd"})
        assert refused.is_error and "denied" in refused.content[0].text.lower()


@needs_node
async def test_thoughts_of_each_client_apart(proxy: ProxyProcess) -> None:
    """The server keeps one history in its process: each client has a process of its own."""
    thought = {"thought": "first", "nextThoughtNeeded": True, "thoughtNumber": 1, "totalThoughts": 2}
    for _ in range(2):
        async with connected(proxy, "/api/mcp-gateway/sequential-thinking/rpc", "legacy") as client:
            answer = await client.call_tool("sequentialthinking", thought)
            assert '"thoughtHistoryLength": 1' in answer.content[0].text


@needs_node
def test_killed_and_called_again(proxy: ProxyProcess, folder: Path) -> None:
    def call() -> httpx.Response:
        params = {"name": "list_directory", "arguments": {"path": str(folder)}}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        return httpx.post(f"{proxy.url}/api/mcp-gateway/files/rpc", json=message, timeout=60)

    assert call().status_code == 200
    started = list(proxy.get("/api/events", type="McpServerStarted", limit=50)["events"])
    pids = {proxy.get(f"/api/events/{event['position']}")["data"]["pid"] for event in started}
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert "a.txt" in call().json()["result"]["content"][0]["text"]


@pytest.mark.parametrize("answers", ["json", "stream"])
@pytest.mark.parametrize("sessions", ["stateful", "stateless"])
def test_a_server_of_the_sdk_at_an_address(answers: str, sessions: str) -> None:
    command = [sys.executable, "-c", REMOTE, answers, sessions]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            config = f'[mcp.servers.remote]\nurl = "http://127.0.0.1:{port}/mcp"\nprivate = true\n'
            with ProxyProcess(config) as proxy:
                params = {"name": "add", "arguments": {"a": 2, "b": 3}}
                message = {"jsonrpc": "2.0", "id": "x", "method": "tools/call", "params": params}
                answer = httpx.post(f"{proxy.url}/api/mcp-gateway/remote/rpc", json=message, timeout=60).json()
                assert (answer["id"], answer["result"]["content"][0]["text"]) == ("x", "5")
                tools = proxy.get("/api/mcp/tools", server="remote")["servers"][0]
                assert tools["answered"] and tools["tokens"] > 10
                every = httpx.get(f"{proxy.url}/api/memory/all-servers").json()
                assert {each["name"]: each["connected"] for each in every["phase4"]}["remote"]
        finally:
            server.kill()
