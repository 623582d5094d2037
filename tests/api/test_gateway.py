"""Row 56 and /mcp over servers in process: statuses and codes to the letter, what is recorded, what is shortened."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.gate import GateSettings
from gateway.backend import Checked
from schema.gateway import McpCallCompleted, McpCallFailed, McpServerCrashed
from tests.api.house import House, open_house
from tests.gateway.echo_server import echo_server

RPC = "/api/mcp-gateway/echo/rpc"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path, servers=(echo_server(),)) as opened:
        yield opened


async def rpc(
    house: House, method: str, params: Any = None, number: Any = 1, path: str = RPC, **headers: str
) -> httpx.Response:
    message = {"jsonrpc": "2.0", "id": number, "method": method, **({"params": params} if params is not None else {})}
    return await house.client.post(path, json=message, headers=headers)


async def tool(house: House, name: str, arguments: Any = None, path: str = RPC, **headers: str) -> httpx.Response:
    return await rpc(house, "tools/call", {"name": name, "arguments": arguments or {}}, path=path, **headers)


async def until_types(house: House, *types: str) -> None:
    """Wait for what nobody waited for."""
    while house.types() != list(types):
        await asyncio.sleep(0.005)


async def caught_up(house: House) -> int:
    head = await house.handler.flushed()
    await house.waiter.until(head)
    return head


async def test_tools_are_listed_and_called(house: House) -> None:
    listed = (await rpc(house, "tools/list", number="a")).json()
    assert (listed["jsonrpc"], listed["id"]) == ("2.0", "a")
    assert [each["name"] for each in listed["result"]["tools"]][:2] == ["echo", "who"]
    answer = await tool(house, "echo", {"text": "hi"})
    assert answer.json()["result"] == {
        "content": [{"type": "text", "text": "hi"}], "structuredContent": {"text": "hi"}, "isError": False,
    }  # fmt: skip
    await until_types(house, "McpCallCompleted", "McpCallCompleted")
    last = house.events()[-1]
    assert (answer.headers["x-event-position"], last.actor) == (str(last.position), "mcp")
    assert last.correlation_id == answer.headers["x-request-id"]
    assert isinstance(last.event, McpCallCompleted)
    assert (last.event.tool, last.event.outcome, last.event.arguments) == ("echo", "ok", '{"text": "hi"}')


@pytest.mark.parametrize("number", ["a", "", 0, 1.5, None])
async def test_ids_come_back_as_they_are(house: House, number: Any) -> None:
    assert (await rpc(house, "ping", number=number)).json() == {"jsonrpc": "2.0", "id": number, "result": {}}
    unknown = await rpc(house, "tools/list", number=number, path="/api/mcp-gateway/none/rpc")
    assert unknown.json()["id"] == number


async def test_refusals(house: House) -> None:
    async def code(content: bytes, path: str = RPC, **headers: str) -> tuple[int, int, str]:
        kind = {"content-type": "application/json", **headers}
        answer = await house.client.post(path, content=content, headers=kind)
        error = answer.json()["error"]
        return answer.status_code, error["code"], error["data"]["code"]

    call = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
    assert await code(b"") == (400, -32700, "malformed_json")
    assert await code(b"{") == (400, -32700, "malformed_json")
    assert await code(b"[%s]" % call) == (400, -32600, "invalid_request")
    assert await code(call, "/api/mcp-gateway/none/rpc") == (404, -32001, "unknown_server")
    assert await code(b"{", "/api/mcp-gateway/none/rpc") == (400, -32700, "malformed_json")
    assert await code(call, **{"content-type": "text/plain"}) == (415, -32600, "unsupported_media_type")
    assert await code(call, **{"mcp-session-id": "dead"}) == (404, -32001, "session_not_found")
    assert await code(b'{"a":"%s"}' % (b"x" * 3_000)) == (413, -32600, "body_too_large")
    assert await code(call, host="evil.example") == (403, -32600, "host_not_allowed")
    got = await house.client.get(RPC)
    assert (got.status_code, got.json()["error"]["data"]["code"]) == (405, "method_not_allowed")
    assert house.types() == []


async def test_a_configured_key_is_not_echoed(house: House) -> None:
    key = "sk-s3cret"
    other = await rpc(house, "tools/list", number=key, path=f"/api/mcp-gateway/{key}/rpc")
    assert (other.status_code, other.json()["id"]) == (404, key)  # the id is the client's own
    assert other.json()["error"]["data"] == {"code": "unknown_server", "server_name": "[redacted]"}
    answers = [
        await tool(house, key),
        await tool(house, key, path="/mcp"),
        await rpc(house, key),
        await rpc(house, "tools/list", {"_meta": {"io.modelcontextprotocol/protocolVersion": key}}),
    ]
    assert [key in json.dumps(answer.json()["error"]) for answer in [other, *answers]] == [False] * 5
    assert "[redacted]" in answers[0].json()["error"]["message"]


async def test_a_token_is_asked_for(tmp_path: Path) -> None:
    async with open_house(tmp_path, GateSettings(token="t0ken"), servers=(echo_server(),)) as house:
        for path in (RPC, "/mcp"):
            for method in ("POST", "DELETE", "GET"):
                answer = await house.client.request(method, path, json={})
                assert (answer.status_code, answer.json()["error"]["code"]) == (401, -32600)
            answer = await rpc(house, "ping", path=path, authorization="Bearer t0ken")
            assert answer.status_code == 200


async def test_notifications_have_no_answer(house: House) -> None:
    for method in ("notifications/initialized", "notifications/cancelled", "anything"):
        answer = await house.client.post(RPC, json={"jsonrpc": "2.0", "method": method})
        assert (answer.status_code, answer.content) == (202, b"")
    assert (await house.client.post(RPC, json={"jsonrpc": "2.0", "id": 1, "result": {}})).status_code == 202


async def test_a_handshake_with_its_session(house: House) -> None:
    hello = await rpc(house, "initialize", {"protocolVersion": "2025-06-18", "capabilities": {}})
    assert hello.json()["result"]["protocolVersion"] == "2025-06-18"
    assert hello.json()["result"]["serverInfo"] == {"name": "echo", "version": "1.0"}
    session = {"mcp-session-id": hello.headers["mcp-session-id"]}
    assert (await tool(house, "who", **session)).json()["result"]["content"][0]["text"].startswith("None mcp:")
    other = await rpc(house, "ping", path="/mcp", **session)
    assert other.status_code == 404  # it is of another server
    assert (await house.client.delete(RPC, headers=session)).json() == {"ended": True}
    assert (await house.client.delete(RPC, headers=session)).status_code == 404
    assert (await tool(house, "who", **session)).json()["error"]["data"]["code"] == "session_not_found"


async def test_a_request_that_stands_alone(house: House) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    found = (await rpc(house, "server/discover", {"_meta": meta})).json()["result"]
    assert "2026-07-28" in found["supportedVersions"] and found["resultType"] == "complete"
    listed = (await rpc(house, "tools/list", {"_meta": meta})).json()["result"]
    assert (listed["resultType"], listed["cacheScope"]) == ("complete", "private")
    old = (await rpc(house, "tools/list")).json()["result"]
    assert "resultType" not in old
    wrong = await rpc(house, "tools/list", {"_meta": {**meta, "io.modelcontextprotocol/protocolVersion": "x"}})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, -32022)


async def test_whose_call_it_is(house: House) -> None:
    async def who(**headers: str) -> str:
        return str((await tool(house, "who", **headers)).json()["result"]["content"][0]["text"])

    assert await who() == "None nobody"
    first = (await house.client.post("/api/sessions", json={})).json()["id"]
    second = (await house.client.post("/api/sessions", json={})).json()["id"]
    assert await who() == f"{second} session:{second}"
    assert await who(**{"x-session-id": str(first)}) == f"{first} session:{first}"
    assert (await who(**{"x-session-id": "my-agent"})).startswith(f"{second} client:")
    assert await who(**{"x-session-id": "999"}) == await who(**{"x-session-id": "999"})


async def test_long_texts_are_shortened_and_kept(house: House) -> None:
    session = (await house.client.post("/api/sessions", json={})).json()["id"]
    answer = (await tool(house, "long", {"text": "line é\n", "times": 1_000})).json()["result"]
    whole = "line é\n" * 1_000
    text = answer["content"][0]["text"]
    assert text[:2_000] == whole[:2_000] and text[-2_000:] == whole[-2_000:]
    assert answer["content"][1]["data"] == whole and answer["structuredContent"] == {"text": whole}
    mark = text[2_000:-2_000]
    assert mark.startswith("\n... [CHRONOPROXY_OBSERVATION_MASKED original_chars=7000 head=2000 tail=2000 mask=")
    digest = mark.partition("mask=")[2][:16]
    found = (await house.client.get(f"/api/mask/{digest}?peek=true")).json()
    assert (found["original_content"], found["session_id"], found["tags"]) == (whole, session, ["echo/long"])
    assert house.types()[-2:] == ["McpCallCompleted", "ContentMasked"]
    (call,) = (await house.client.get("/api/mcp/calls?tool=long")).json()["calls"]
    assert (call["masks"], call["session_id"], call["status"]) == ([digest], session, "completed")
    assert (await tool(house, "whole", {"text": "x", "times": 9_000})).json()["result"]["content"][0][
        "text"
    ] == "x" * 9_000


async def test_what_was_answered_can_be_read_at_once(house: House) -> None:
    for number in range(10):
        answer = (await tool(house, "long", {"text": f"{number} ", "times": 3_000})).json()["result"]
        digest = answer["content"][0]["text"].partition("mask=")[2][:16]
        assert (await house.client.get(f"/api/mask/{digest}?peek=true")).status_code == 200
        await rpc(house, "ping")
        failed = number % 2 == 1
        await tool(house, "raise" if failed else "echo", {"rpc": True} if failed else {"text": "x"})
        listed = (await house.client.get("/api/mcp/calls")).json()
        assert (listed["total"], listed["calls"][0]["status"]) == (
            2 * number + 2, "failed" if failed else "completed"
        )  # fmt: skip


async def test_without_a_session_originals_are_kept_too(house: House) -> None:
    answer = (await tool(house, "long", {"text": "abc", "times": 3_000})).json()["result"]
    digest = answer["content"][0]["text"].partition("mask=")[2][:16]
    found = (await house.client.get(f"/api/mask/{digest}?lines=1-1")).json()
    assert (found["original_content"], found["session_id"]) == ("abc" * 3_000, 0)
    sizes = (await house.client.get("/api/log/sizes")).json()["sessions"]
    assert [each["name"] for each in sizes] == ["[no session]"]
    assert (await house.client.get("/api/sessions")).json() == []


async def test_what_tools_do_wrong(house: House) -> None:
    failed = (await tool(house, "raise")).json()["result"]
    assert failed["isError"] and "ZeroDivisionError" in failed["content"][0]["text"]
    assert "secret" not in failed["content"][0]["text"]
    error = (await tool(house, "raise", {"rpc": True})).json()["error"]
    assert (error["code"], error["message"], error["data"]["code"]) == (-32004, "no such thing", "not_there")
    assert "CHRONOPROXY_OBSERVATION_MASKED" in error["data"]["long"]
    wrong = (await tool(house, "echo", {"text": 1})).json()["result"]
    assert (
        wrong["isError"] and wrong["content"][0]["text"] == "Invalid arguments for echo: text: must be string, not 1."
    )
    unknown = (await tool(house, "nothing")).json()["error"]
    assert (unknown["code"], unknown["data"]["code"]) == (-32602, "unknown_tool")
    odd = (await rpc(house, "tools/call", {"name": 7})).json()["error"]
    assert (odd["code"], odd["data"]["code"]) == (-32602, "invalid_params")
    none = (await rpc(house, "no/method")).json()["error"]
    assert (none["code"], none["data"]["code"]) == (-32601, "method_not_found")
    await until_types(
        house, "McpCallCompleted", "McpCallFailed", "ContentMasked", "McpCallCompleted", *["McpCallFailed"] * 3
    )
    assert [each.event.outcome for each in house.events() if isinstance(each.event, McpCallCompleted)] == [
        "tool_error"
    ] * 2


async def test_a_call_is_taken_back_by_its_client(house: House) -> None:
    hello = await rpc(house, "initialize")
    session = {"mcp-session-id": hello.headers["mcp-session-id"]}
    call = asyncio.get_running_loop().create_task(tool(house, "wait", **session))
    gone = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    other = await rpc(house, "initialize")
    while not call.done():
        stranger = {"mcp-session-id": other.headers["mcp-session-id"]}
        assert (await house.client.post(RPC, json=gone, headers=stranger)).status_code == 202
        assert (await house.client.post(RPC, json=gone)).status_code == 202
        await asyncio.sleep(0.01)
        if any(key[1] == session["mcp-session-id"] for key in house.running_calls()):
            assert (await house.client.post(RPC, json=gone, headers=session)).status_code == 202
    assert (await call).json()["error"]["data"]["code"] == "cancelled"
    await caught_up(house)
    assert isinstance(house.events()[-1].event, McpCallFailed)


async def test_all_servers_at_one_address(house: House) -> None:
    listed = (await rpc(house, "tools/list", path="/mcp")).json()["result"]["tools"]
    assert [each["name"] for each in listed][:2] == ["echo__echo", "echo__who"]
    answer = await tool(house, "echo__echo", {"text": "hi"}, "/mcp")
    assert answer.json()["result"]["content"][0]["text"] == "hi"
    for name in ("echo", "none__x", "echo__", 7):
        error = (await rpc(house, "tools/call", {"name": name}, path="/mcp")).json()["error"]
        assert error["data"]["code"] == "unknown_tool"
    assert (await rpc(house, "prompts/list", path="/mcp")).json()["error"]["code"] == -32601
    await caught_up(house)
    assert {getattr(each.event, "server", None) for each in house.events()} == {"echo"}


async def test_calls_are_listed_as_of_any_event(house: House) -> None:
    for text in ("a", "b"):
        await tool(house, "echo", {"text": text})
    await tool(house, "nothing")
    await caught_up(house)
    calls = (await house.client.get("/api/mcp/calls")).json()
    assert (calls["total"], [each["status"] for each in calls["calls"]]) == (3, ["failed", "completed", "completed"])
    assert calls["calls"][0]["code"] == -32602
    assert (await house.client.get("/api/mcp/calls?at=1")).json()["total"] == 1
    assert (await house.client.get("/api/mcp/calls?status=failed&server=echo")).json()["total"] == 1
    assert (await house.client.get("/api/mcp/calls?server=other")).json()["total"] == 0


async def test_what_tools_cost(house: House) -> None:
    found = (await house.client.get("/api/mcp/tools")).json()
    (server,) = found["servers"]
    assert (server["server"], server["answered"], len(server["tools"])) == ("echo", True, 6)
    assert found["total_tokens"] == sum(tool["tokens"] for tool in server["tools"]) > 0
    assert (await house.client.get("/api/mcp/tools?server=none")).json() == {"servers": [], "total_tokens": 0}
    assert house.types() == []


async def test_tools_that_are_not_allowed_are_not_counted(tmp_path: Path) -> None:
    async with open_house(tmp_path, servers=(echo_server(),), allowed=("wh*", "none")) as house:
        (server,) = (await house.client.get("/api/memory/all-servers")).json()["phase4"]
        assert server["tool_count"] == 2


async def test_how_the_servers_are(house: House) -> None:
    found = (await house.client.get("/api/memory/all-servers")).json()
    assert [(each["name"], each["phase"], each["connected"], each["url"]) for each in found["all"]] == [
        ("memory-search", "phase3", True, "builtin:"), ("echo", "phase4", True, "builtin:"),
    ]  # fmt: skip
    assert (found["all_connected"], found["connected_count"], found["total_count"]) == (True, 2, 2)
    assert found["phase4"][0]["tool_count"] == 6
    assert [each["name"] for each in (await house.client.get("/api/memory/servers")).json()["servers"]] == [
        "memory-search"
    ]
    (server,) = (await house.client.get("/api/mcp/servers")).json()["servers"]
    assert (server["name"], server["configured"], server["failures"]) == ("echo", True, 0)
    await tool(house, "nothing")
    await caught_up(house)
    assert (await house.client.get("/api/mcp/servers")).json()["servers"][0]["failures"] == 0  # it did answer
    await house.record(McpServerCrashed(server="gone", calls=1), stream="gateway")
    states = (await house.client.get("/api/mcp/servers")).json()["servers"]
    shown = [(each["name"], each["configured"], each["crashes"]) for each in states]
    assert shown == [("echo", True, 0), ("gone", False, 1)]
    assert len((await house.client.get("/api/mcp/servers?at=1")).json()["servers"]) == 1


async def test_only_who_asks_for_all_servers_starts_programs(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    async def check() -> Checked:
        looked.append("started")
        return Checked(connected=True)

    program = house.gateway.servers["echo"].backend
    monkeypatch.setattr(program, "transport", "stdio")
    monkeypatch.setattr(program, "check", check)
    for path in ("/api/memory/servers", "/api/memory/stats/advanced", "/api/memory/stats/advanced?at=0"):
        servers = (await house.client.get(path)).json()["servers"]
        assert ([each["name"] for each in servers], looked) == (["memory-search"], [])
    await house.client.get("/api/memory/all-servers")
    assert looked == ["started"]


async def test_calls_are_counted(house: House) -> None:
    await tool(house, "echo", {"text": "a"})
    await tool(house, "nothing")
    await caught_up(house)
    lines = (await house.client.get("/metrics")).text
    assert 'chronoproxy_mcp_calls_total{outcome="ok",server="echo"} 1.0' in lines
    assert 'chronoproxy_mcp_calls_total{outcome="rpc_error",server="echo"} 1.0' in lines


async def test_what_tools_were_told_and_said_goes_with_the_session(house: House, tmp_path: Path) -> None:
    session = (await house.client.post("/api/sessions", json={})).json()["id"]
    answer = (await tool(house, "long", {"text": "sehr-geheim ", "times": 1_000})).json()["result"]
    digest = answer["content"][0]["text"].partition("mask=")[2][:16]
    await caught_up(house)
    assert "sehr-geheim" in (await house.client.get("/api/mcp/calls")).json()["calls"][0]["arguments"]
    erased = await house.client.post(f"/api/sessions/{session}/erase", json={"confirm": True})
    assert erased.status_code == 200
    gone = await house.client.get(f"/api/mask/{digest}")
    assert (gone.status_code, gone.json()["code"]) == (410, "content_erased")
    (call,) = (await house.client.get("/api/mcp/calls?tool=long")).json()["calls"]
    assert (call["arguments"], call["error"], call["erased"]) == (None, None, True)
    for path in tmp_path.iterdir():
        assert b"sehr-geheim" not in path.read_bytes(), path.name
