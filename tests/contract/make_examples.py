"""Record real requests and answers for the OpenAPI document: `python -m tests.contract.make_examples`.

One request of each pair of the table, and its bad input, against the program with the demo provider. Long lists and
texts are cut; what is of this machine is replaced.
"""

import json
from typing import Any

import httpx

from api import operation_examples
from tests.contract.conftest import PRICED, Running
from tests.contract.pair import Pair
from tests.contract.sending import filled, send
from tests.contract.table import PAIRS
from tests.e2e.processes import ProxyProcess

_MOST_ITEMS, _MOST_CHARACTERS = 2, 300
_CHAT = {"model": "demo/echo", "messages": [{"role": "user", "content": "hi"}]}
_HANDSHAKE = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "client", "version": "1"}}
_INITIALIZE = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": _HANDSHAKE}
_LINES = (
    ("GET /api/events", "?format=jsonl&limit=1"),
    ("GET /api/events", "?format=csv&limit=1"),
    ("GET /api/sessions/{session_id}/events", "?format=jsonl&limit=1"),
    ("GET /api/sessions/{session_id}/events", "?format=csv&limit=1"),
    ("GET /api/export/json", "?format=jsonl"),
    ("GET /api/usage", "?format=csv"),
)


class Recording:
    """What was answered so far."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._own = (
            (str(running.proxy.data), "/home/me/.local/share/chronoproxy"),
            (running.proxy.url, "http://127.0.0.1:8000"),
        )
        self.found: dict[str, dict[str, Any]] = {}

    def pair(self, pair: Pair) -> None:
        path, body = filled(pair, self._running)
        key = f"{pair.method} {pair.described}"
        headers = {"X-Min-Position": str(self._running.head())} if pair.method == "GET" else {}
        if key not in self.found and pair.status < 400:
            self.answer(key, send(self._running.client, pair, path + pair.query, body, **headers), body)
        query, bad, status, code = pair.bad
        refused = send(self._running.client, pair, path + (query.replace("?", "&") if "?" in path else query), bad)
        if status >= 400 and code:
            self.found.setdefault(key, {}).setdefault("refusals", {})[code] = self._cut(refused.json())

    def answer(self, key: str, answer: httpx.Response, request: Any = None) -> None:
        """Of a success; the first request of an operation is the one that is shown."""
        assert answer.is_success, (key, answer.text)
        found = self.found.setdefault(key, {})
        if request is not None:
            found.setdefault("request", self._cut(request))
        media = answer.headers.get("content-type", "").partition(";")[0]
        if media:
            value = answer.json() if media == "application/json" else answer.text
            found.setdefault("answers", {}).setdefault(str(answer.status_code), {})[media] = self._cut(value)

    def _cut(self, value: Any) -> Any:
        match value:
            case dict():
                return {key: self._cut(each) for key, each in value.items()}
            case list():
                return [self._cut(each) for each in value[:_MOST_ITEMS]]
            case str():
                for own, shown in self._own:
                    value = value.replace(own, shown)
                return value[:_MOST_CHARACTERS]
        return value


def recorded() -> dict[str, dict[str, Any]]:
    with ProxyProcess(PRICED) as proxy:
        running = Running(proxy)
        recording = Recording(running)
        client, number = running.client, running.idle()
        for pair in PAIRS:
            if pair.path not in ("/", "/favicon.ico"):
                recording.pair(pair)
        for key, query in _LINES:
            path = key.partition(" ")[2].replace("{session_id}", str(number))
            recording.answer(key, client.get(path + query))
        for path in ("/chat/completions", "/v1/chat/completions"):
            recording.answer(f"POST {path}", client.post(path, json={**_CHAT, "stream": True}))
        recording.answer("POST /api/projections/rebuild", client.post("/api/projections/rebuild", json={}))
        for path, described in (
            ("/mcp", "/mcp"),
            ("/api/mcp-gateway/pruner/rpc", "/api/mcp-gateway/{server_name}/rpc"),
        ):
            begun = client.post(path, json=_INITIALIZE).headers["mcp-session-id"]
            recording.answer(f"DELETE {described}", client.delete(path, headers={"Mcp-Session-Id": begun}))
        client.close()
    return recording.found


if __name__ == "__main__":
    operation_examples.FILE.write_text(
        json.dumps(recorded(), indent=1, ensure_ascii=False, sort_keys=True) + "\n", "utf-8"
    )
