"""The five servers in process over a real socket: what they do, what they remember over a kill, and what an erasure
leaves of it."""

import importlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.processes import ProxyProcess

PLANTED = "xylophone-planted-2217"
OPTIONS = {
    "max_prune_ratio": 0.9, "min_keep_lines": 1, "timeout_ms": 5_000, "annotate_lines": False, "include_markers": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("of-tools")
    files = directory / "files"
    files.mkdir()
    (files / "data.json").write_text(json.dumps({"items": [{"name": "one", "price": 5}, {"name": "two", "price": 20}]}))
    (files / "long.txt").write_text("a line of the file\n" * 400)
    (directory / "files-not").mkdir()
    (directory / "files-not" / "secret").write_text(PLANTED)
    (files / "link").symlink_to(directory / "files-not")
    return files


@pytest.fixture(scope="module")
def proxy(files: Path) -> Iterator[ProxyProcess]:
    with ProxyProcess(f'[mcp.fast_filesystem]\nroots = ["{files}"]\nwritable = true\n') as process:
        yield process


def call(proxy: ProxyProcess, server: str, tool: str, arguments: dict[str, Any], **headers: str) -> dict[str, Any]:
    """The whole answer."""
    params = {"name": tool, "arguments": arguments}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    response = httpx.post(f"{proxy.url}/api/mcp-gateway/{server}/rpc", json=message, headers=headers, timeout=30)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def text(answer: dict[str, Any], *, error: bool = False) -> str:
    assert answer["result"]["isError"] is error, answer
    return str(answer["result"]["content"][0]["text"])


def think(proxy: ProxyProcess, number: int, session: int) -> Any:
    thought = {"thought": PLANTED, "nextThoughtNeeded": True, "thoughtNumber": number, "totalThoughts": 5}
    branch = {"branchFromThought": 1, "branchId": f"branch {PLANTED}"} if number > 1 else {}
    answer = call(
        proxy, "sequential-thinking", "sequentialthinking", thought | branch, **{"X-Session-Id": str(session)}
    )
    assert json.loads(text(answer)) == answer["result"]["structuredContent"]
    return answer["result"]["structuredContent"]


def session(proxy: ProxyProcess) -> int:
    made = httpx.post(f"{proxy.url}/api/sessions", json={"name": "of tools"}).json()
    return int(made["id"] if "id" in made else made["session"]["id"])


def test_files(proxy: ProxyProcess, files: Path) -> None:
    server = "fast-filesystem"
    made = call(proxy, server, "fast_write_file", {"path": str(files / "new.txt"), "content": "hello"})
    assert json.loads(text(made))["created"] and (files / "new.txt").read_text() == "hello"
    refused = text(call(proxy, server, "fast_read_file", {"path": str(files / "link" / "secret")}), error=True)
    assert "symbolic link" in refused and PLANTED not in refused
    assert "Invalid arguments" in text(call(proxy, server, "fast_read_file", {"path": 7}), error=True)
    long = text(call(proxy, server, "fast_read_file", {"path": "long.txt"}))
    mask = long.partition("mask=")[2][:16]
    assert len(long) < 4_200 and len(mask) == 16
    whole = text(call(proxy, "context-compression", "retrieve", {"hash": mask}))
    assert json.loads(whole)["content"] == "a line of the file\n" * 400
    retrieved = proxy.get("/api/events", type="ContentRetrieved")["events"]
    assert len(retrieved) == 1
    select = {"hash": mask, "lines": "399-400", "grep": "FILE"}
    assert text(call(proxy, "context-compression", "retrieve", select)) == "a line of the file\na line of the file"
    assert proxy.get(f"/api/mask/{mask}", peek=True, lines="7-7")["selection"] == "a line of the file"
    for lines in ("3-1", "0-3"):
        assert "10-40" in text(
            call(proxy, "context-compression", "retrieve", {"hash": mask, "lines": lines}), error=True
        )
        odd = httpx.get(f"{proxy.url}/api/mask/{mask}", params={"lines": lines})
        assert (odd.status_code, odd.json()["detail"][0]["loc"]) == (422, ["query", "lines"])
    found = text(
        call(proxy, "json-query", "json_query_jsonpath", {"file_path": "data.json", "jsonpath": "$..[?@.price>9].name"})
    )
    assert json.loads(found) == [{"path": "$.items[1].name", "value": "two"}]
    own = call(proxy, server, "fast_list_directory", {"path": str(proxy.data)})
    assert "outside" in text(own, error=True)


CALLS: dict[str, tuple[int, str, dict[str, Any]]] = {
    "context-compression": (9, "list_contexts", {}),
    "sequential-thinking": (
        2, "sequentialthinking", {"thought": "a", "nextThoughtNeeded": False, "thoughtNumber": 1, "totalThoughts": 1},
    ),
    "fast-filesystem": (25, "fast_read_file", {"path": "data.json"}),
    "json-query": (3, "json_query_search_keys", {"file_path": "data.json", "query": "nam"}),
    "pruner": (4, "prune_text", {"text": "a\nb", "goal_hint": "b", "source_type": "docs", "options": OPTIONS}),
}  # fmt: skip


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_the_client_of_the_sdk_gets_on_with_each(mode: Any, proxy: ProxyProcess) -> None:
    client_of: Any = importlib.import_module("mcp.client.client").Client  # it takes a second to import
    for server, (tools, name, arguments) in CALLS.items():
        async with client_of(f"{proxy.url}/api/mcp-gateway/{server}/rpc", mode=mode) as client:
            listed = await client.list_tools()
            assert len(listed.tools) == tools
            result = await client.call_tool(name, arguments)
            assert not result.is_error, result


def test_what_two_sessions_keep_goes_with_each_alone(proxy: ProxyProcess, files: Path) -> None:
    (files / "both.txt").write_text("a line of both\n" * 400)
    lines = [f"INFO served {each}" for each in range(50)] + ["ERROR disk full"]
    prune = {"text": "\n".join(lines), "goal_hint": "disk", "source_type": "logs", "options": OPTIONS}
    one, other = ({"X-Session-Id": str(session(proxy))} for _ in range(2))
    for header in (one, other):  # the later one is erased
        long = text(call(proxy, "fast-filesystem", "fast_read_file", {"path": "both.txt"}, **header))
        pruned = call(proxy, "pruner", "prune_text", prune, **header)["result"]["structuredContent"]["prune_id"]
    mask = long.partition("mask=")[2][:16]
    url = f"{proxy.url}/api/sessions/{other['X-Session-Id']}/erase"
    assert httpx.post(url, json={"confirm": True, "reason": "test"}, timeout=30).status_code == 200
    shown = httpx.get(f"{proxy.url}/api/mask/{mask}")
    assert shown.status_code == 200 and shown.json()["session_id"] == int(one["X-Session-Id"])
    recover = {
        "prune_id": pruned,
        "ranges": [{"start_line": 1, "end_line": 51}],
        "include_line_numbers": False,
    }
    for header in (one, {}):
        whole = text(call(proxy, "context-compression", "retrieve", {"hash": mask}, **header))
        assert whole.count("a line of both") == 400
        again = call(proxy, "pruner", "recover_text", recover, **header)["result"]["structuredContent"]
        assert again["raw_text"] == "\n".join(lines)
    retrieved = proxy.get("/api/events", type="ContentRetrieved", session_id=one["X-Session-Id"])["events"]
    assert len(retrieved) == 3


def test_what_is_remembered_outlives_a_kill_and_not_an_erasure(proxy: ProxyProcess) -> None:
    number = session(proxy)
    header = {"X-Session-Id": str(number)}
    think(proxy, 1, number)
    think(proxy, 2, number)
    lines = [f"INFO {PLANTED} served {each}" for each in range(50)] + ["ERROR disk full"]
    prune = {"text": "\n".join(lines), "goal_hint": "disk", "source_type": "logs", "options": OPTIONS}
    pruned = call(proxy, "pruner", "prune_text", prune, **header)["result"]["structuredContent"]
    assert "ERROR disk full" in pruned["pruned_text"] and pruned["stats"]["pruned_lines"] > 20
    stored = json.loads(
        text(
            call(proxy, "context-compression", "store_context", {"data": {"plan": PLANTED}, "title": PLANTED}, **header)
        )
    )
    proxy.stop(signal.SIGKILL)
    for path in proxy.data.glob("read.sqlite*"):
        path.unlink()
    proxy.start()
    proxy.until_ready()
    history = think(proxy, 3, number)
    assert (history["thoughtHistoryLength"], history["branches"]) == (3, [f"branch {PLANTED}"])
    recover = {
        "prune_id": pruned["prune_id"],
        "ranges": [{"start_line": 1, "end_line": 51}],
        "include_line_numbers": False,
    }
    again = call(proxy, "pruner", "recover_range", recover)["result"]["structuredContent"]
    assert again["raw_text"] == "\n".join(lines)
    found = json.loads(text(call(proxy, "context-compression", "retrieve_context", {"context_id": stored["id"]})))
    assert found["data"] == {"plan": PLANTED}
    other = session(proxy)
    httpx.post(f"{proxy.url}/api/sessions/{other}/activate")
    erased = httpx.post(
        f"{proxy.url}/api/sessions/{number}/erase", json={"confirm": True, "reason": "test"}, timeout=30
    )
    assert erased.status_code == 200, erased.text
    error = call(proxy, "pruner", "recover_range", recover)["error"]
    assert (error["code"], error["data"]["code"]) == (-32004, "prune_id_not_found")
    assert "erased" in text(
        call(proxy, "context-compression", "retrieve_context", {"context_id": stored["id"]}), error=True
    )
    proxy.stop()
    for path in proxy.data.rglob("*"):
        assert not path.is_file() or PLANTED.encode() not in path.read_bytes(), path
