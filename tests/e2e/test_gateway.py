"""The gateway as it runs: the SDK's own client, programs as servers, and what becomes of them."""

import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.processes import ProxyProcess

SERVER = Path(__file__).parents[1] / "servers" / "mcp_stdio.py"
CONFIG = f"""
[mcp.servers.by-hand]
command = "{sys.executable}"
args = ["-S", "{SERVER}"]
env = {{ GIVEN = "to-it-alone" }}

[mcp.servers.dead]
command = "/no/such/program"

[mcp.servers.few]
command = "{sys.executable}"
args = ["-S", "{SERVER}"]
tools = ["echo", "count"]

[mcp.servers.wrapped]
command = "/bin/sh"
args = ["-c", "{sys.executable} -S {SERVER} --deaf; true"]
"""


@pytest.fixture(scope="module")
def proxy() -> Iterator[ProxyProcess]:
    with ProxyProcess(CONFIG) as running:
        yield running


def call(proxy: ProxyProcess, name: str, server: str = "by-hand", **arguments: Any) -> httpx.Response:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
    return httpx.post(f"{proxy.url}/api/mcp-gateway/{server}/rpc", json=message, timeout=60)


def text(answer: httpx.Response) -> str:
    return str(answer.json()["result"]["content"][0]["text"])


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28", "auto"])
@pytest.mark.parametrize("path", ["/api/mcp-gateway/by-hand/rpc", "/mcp"])
async def test_the_client_of_the_sdk(proxy: ProxyProcess, path: str, mode: str) -> None:
    client_of: Any = importlib.import_module("mcp.client.client").Client
    own = "" if "rpc" in path else "by-hand__"
    async with client_of(proxy.url + path, mode=mode) as client:
        listed = [tool.name for tool in (await client.list_tools()).tools]
        assert f"{own}echo" in listed
        answer = await client.call_tool(f"{own}echo", {"text": "grüße"})
        assert (answer.content[0].text, answer.is_error) == ("grüße", False)
        long = (await client.call_tool(f"{own}big", {"size": 9_000})).content[0].text
        assert "CHRONOPROXY_OBSERVATION_MASKED original_chars=9000" in long


@pytest.mark.parametrize(
    "server", ["context-compression", "fast-filesystem", "json-query", "pruner", "sequential-thinking"]
)
async def test_each_built_in_server(proxy: ProxyProcess, server: str) -> None:
    client_of: Any = importlib.import_module("mcp.client.client").Client
    names = []
    for mode in ("legacy", "2026-07-28"):
        async with client_of(f"{proxy.url}/api/mcp-gateway/{server}/rpc", mode=mode) as client:
            names.append([tool.name for tool in (await client.list_tools()).tools])
            assert mode != "legacy" or client.server_info.name == server
            odd = await client.call_tool(names[-1][-1], {"no_such_argument": {}})
            assert odd.content
    assert names[0] == names[1] and names[0]


def test_a_dead_server(proxy: ProxyProcess) -> None:
    answer = call(proxy, "echo", "dead")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["data"]["code"]) == (502, -32002, "upstream_unreachable")
    assert (error["data"]["server_name"], error["data"]["url"]) == ("dead", "stdio:/no/such/program")
    names = [tool["name"] for tool in list_all(proxy)]
    assert "by-hand__echo" in names and "few__count" in names and "few__wait" not in names
    assert not any(name.startswith("dead") for name in names)


def list_all(proxy: ProxyProcess) -> list[dict[str, Any]]:
    answer = httpx.post(f"{proxy.url}/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, timeout=60)
    found: list[dict[str, Any]] = answer.json()["result"]["tools"]
    return found


def test_a_large_result(proxy: ProxyProcess) -> None:
    answer = text(call(proxy, "big", size=20_000_000))
    assert "original_chars=20000000" in answer and len(answer) < 5_000
    digest = answer.partition("mask=")[2][:16]
    found = proxy.get(f"/api/mask/{digest}", peek=True)
    assert found["original_content"] == "x" * 20_000_000


def test_killed_while_it_works(proxy: ProxyProcess) -> None:
    pid = int(text(call(proxy, "count")).split()[0])
    with httpx.Client(timeout=60) as client:
        request = client.build_request(
            "POST", f"{proxy.url}/api/mcp-gateway/by-hand/rpc",
            json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "exit", "arguments": {}}},
        )  # fmt: skip
        answer = client.send(request)
    assert (answer.status_code, answer.json()["error"]["data"]["code"]) == (502, "upstream_unreachable")
    assert int(text(call(proxy, "count")).split()[0]) != pid
    types = [event["type"] for event in proxy.get("/api/events", limit=20)["events"]]
    assert {"McpServerCrashed", "McpServerStarted", "McpCallFailed"} <= set(types)


def test_a_client_that_leaves_takes_its_call_back(proxy: ProxyProcess) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "wait", "arguments": {}}}
    with pytest.raises(httpx.HTTPError):
        httpx.post(f"{proxy.url}/api/mcp-gateway/by-hand/rpc", json=message, timeout=0.5)
    deadline = time.monotonic() + 20
    while not (calls := proxy.get("/api/mcp/calls", tool="wait")["calls"]) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [(call["status"], call["outcome"]) for call in calls] == [("failed", "client_left")]


def test_nothing_of_ours_comes_to_it() -> None:
    os.environ["SOME_API_KEY"] = "sk-of-ours"
    try:
        with ProxyProcess(CONFIG) as own:
            found = json.loads(text(call(own, "environment")))
            assert found["GIVEN"] == "to-it-alone"
            assert "SOME_API_KEY" not in found and "PYTHONPATH" not in found
            shown = json.dumps(own.get("/api/settings"))
            assert "to-it-alone" not in shown and "by-hand" in shown
    finally:
        del os.environ["SOME_API_KEY"]


def gone(pid: int, within_s: float = 10.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not running(pid):
            return True
        time.sleep(0.02)
    return False


def running(pid: int) -> bool:
    """A zombie is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a program ends with its input")
def test_no_program_outlives_the_proxy() -> None:
    with ProxyProcess(CONFIG) as own:
        idle = int(text(call(own, "count")).split()[0])
        busy = int(text(call(own, "count", "few")).split()[0])
        with pytest.raises(httpx.HTTPError):
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "stuck", "arguments": {}}}
            httpx.post(f"{own.url}/api/mcp-gateway/by-hand/rpc", json=message, timeout=0.3)
        wrapped = int(text(call(own, "count", "wrapped")).split()[0])
        others = [int(text(call(own, "spawn", "wrapped", apart=apart))) for apart in (False, True)]
        own.stop(signal.SIGKILL)
        assert all(map(gone, (idle, busy, wrapped, *others)))


@pytest.mark.extra
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_hundred_kills() -> None:
    """Each time a clear error at once, or the answer of the next program; at the end nothing is left."""
    with ProxyProcess(CONFIG) as own:
        pids = set()
        for _ in range(100):
            pid = int(text(call(own, "count")).split()[0])
            pids.add(pid)
            os.kill(pid, signal.SIGKILL)
        last = int(text(call(own, "count")).split()[0])
        assert len(pids) == 100
        assert all(gone(pid) for pid in pids)
        calls = own.get("/api/mcp/calls", limit=500)
        assert calls["total"] >= 101
    assert gone(last)
