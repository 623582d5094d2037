"""One table over all routes: every refusal has the shape of its path, and every route takes `at` or refuses it."""

import importlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.admission import CHAT_PATHS
from api.errors import as_api_error
from api.gate import area_of, speaks_rpc
from api.operation_pages import pages
from commands.errors import InvalidCommandError
from tests.api.house import House

jsonschema: Any = importlib.import_module("jsonschema")  # comes with the MCP SDK, without types

_EXAMPLES = {
    "{session_id}": "1",
    "{exchange_id}": "1",
    "{id}": "1",
    "{memory_id}": "1",
    "{position}": "1",
    "{content_hash}": "0" * 16,
    "{server_name}": "pruner",
    "{model_id}": "none",
    "{model_id:path}": "none",
}
_COMPACTION = ("stats", "history", "history-chart", "preview", "auto-status")
_REF = "0" * 64
_BODY = {  # what any route asks for
    "name": "n",
    "session_ids": [1],
    "messages": [{"role": "user"}],
    "refs": [_REF],
    "confirm": True,
    "session_id": 1,
    "source_ids": [2],
    "jsonrpc": "2.0",
    "method": "ping",
    "content": "a text to remember",
    "query": "q",
}
_PAST = {
    "/api/sessions", "/api/sessions/active", "/api/sessions/auto-status", "/api/sessions/{session_id}",
    "/api/exchanges", "/api/exchanges/{exchange_id}", "/api/events", "/api/sessions/{session_id}/messages",
    "/api/export/csv", "/api/export/json", "/api/sessions/{session_id}/events", "/api/sessions/diagnostic",
    "/api/settings", "/api/sessions/{session_id}/timeline", "/api/mask", "/api/mask/{content_hash}",
    "/api/sanitizer/stats", "/api/compaction/stats", "/api/compress/stats", "/api/compress/{session_id}/stats",
    "/api/sessions/{session_id}/pins", "/api/log/sizes", "/api/mcp/calls", "/api/mcp/servers",
    "/api/cline/status", "/api/cline/usage", "/api/ledgers", "/api/ledgers/usage",
    "/api/usage", "/api/prices",
    *(f"/api/usage/sessions/{{session_id}}/{name}" for name in ("context", "cache", "forecast")),
    "/api/memory/frequent", "/api/memory/similar/{session_id}", "/api/memory/{memory_id}",
    "/api/sessions/{session_id}/memory", "/api/memory/stats", "/api/memory/stats/advanced",
    *(f"/api/compaction/{{session_id}}/{name}" for name in _COMPACTION),
}  # fmt: skip


def routes(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Method and path of every route that the OpenAPI description names, but for completions and pages, which are no
    routes."""
    for path, methods in app.openapi()["paths"].items():
        for method in methods:
            if path not in (*CHAT_PATHS, *pages([])):
                yield method.upper(), path


def filled(path: str) -> str:
    for name, value in _EXAMPLES.items():
        path = path.replace(name, value)
    return path


def check_shape(answer: httpx.Response, path: str, code: str | None = None) -> None:
    body = answer.json()
    assert answer.headers["content-type"] == "application/json"
    if area_of(path) == "openai":
        assert set(body) == {"error"} and set(body["error"]) == {"message", "type", "param", "code"}
        found = body["error"]["code"]
    elif speaks_rpc(path):
        assert set(body) == {"jsonrpc", "id", "error"} and set(body["error"]) == {"code", "message", "data"}
        found = body["error"]["data"]["code"]
    else:
        assert isinstance(body["error"], str) and body["error"]
        found = body["code"]
        if answer.status_code == 422:
            assert {"type", "loc", "msg", "input"} <= set(body["detail"][0])
    assert code is None or found == code


def test_a_command_that_is_refused_says_where_and_what_its_code_names() -> None:
    error = as_api_error(InvalidCommandError("reserved_too_large", "Too many.", max_context=5))
    place = {"type": "value_error", "loc": ["body", "reserved_tokens"], "msg": "Too many.", "input": None}
    assert (error.status, error.message, error.context) == (422, "Too many.", {"max_context": 5, "detail": [place]})


async def test_the_routes_of_this_part_exist(house: House) -> None:
    assert set(routes(house.app)) == {
        ("GET", "/api/sessions"), ("POST", "/api/sessions"), ("DELETE", "/api/sessions"),
        ("GET", "/api/sessions/active"), ("GET", "/api/sessions/auto-status"), ("POST", "/api/sessions/toggle-auto"),
        ("GET", "/api/sessions/{session_id}"), ("PATCH", "/api/sessions/{session_id}"),
        ("DELETE", "/api/sessions/{session_id}"), ("POST", "/api/sessions/{session_id}/activate"),
        ("POST", "/api/sessions/{session_id}/fork"),
        ("GET", "/api/exchanges"), ("GET", "/api/exchanges/{exchange_id}"), ("GET", "/api/events"),
        ("GET", "/api/events/{position}"), ("GET", "/api/providers"), ("GET", "/api/models"),
        ("GET", "/api/models/all"), ("GET", "/models/all"), ("GET", "/models"), ("GET", "/v1/models"),
        ("GET", "/models/{model_id}"), ("GET", "/v1/models/{model_id}"), ("GET", "/health"),
        ("GET", "/health/ready"), ("GET", "/api/rate-limit"), ("GET", "/api/projections"), ("GET", "/api/budgets"),
        ("GET", "/api/sessions/{session_id}/messages"), ("GET", "/api/export/csv"), ("GET", "/api/export/json"),
        ("GET", "/api/sessions/{session_id}/events"), ("GET", "/api/sessions/diagnostic"),
        ("GET", "/api/mask"), ("GET", "/api/mask/{content_hash}"), ("GET", "/api/sanitizer/stats"),
        ("POST", "/api/sanitizer/toggle"), ("GET", "/metrics"),
        ("POST", "/api/compaction/{session_id}"), ("GET", "/api/compaction/stats"),
        ("GET", "/api/compaction/config/ui"),
        *(("GET", f"/api/compaction/{{session_id}}/{name}") for name in _COMPACTION),
        *(
            ("POST", f"/api/compaction/{{session_id}}/{name}")
            for name in ("reserved", "simulate", "toggle-auto", "revert")
        ),
        ("POST", "/api/sessions/{session_id}/merge"), ("POST", "/api/exchanges/{id}/reassign"),
        ("POST", "/api/sessions/{session_id}/erase"), ("GET", "/api/sessions/{session_id}/diff"),
        ("POST", "/api/compress/{session_id}"), ("GET", "/api/compress/stats"),
        ("GET", "/api/compress/{session_id}/stats"),
        *((method, "/api/sessions/{session_id}/pins") for method in ("GET", "POST", "DELETE")),
        ("GET", "/api/settings"), ("GET", "/api/sessions/{session_id}/timeline"),
        ("POST", "/api/sessions/vacuum"), ("POST", "/api/projections/rebuild"), ("GET", "/api/log/verify"),
        ("GET", "/api/log/sizes"), ("GET", "/api/mcp/calls"),
        *(("POST", f"/api/memory/{name}") for name in ("store", "similarity", "cleanup", "compress")),
        ("POST", "/api/memory/cluster/{session_id}"), ("GET", "/api/sessions/{session_id}/memory"),
        ("GET", "/api/memory/stats"), ("GET", "/api/memory/stats/advanced"),
        ("POST", "/api/memory/promote-patterns/{session_id}"),
        *(("POST", f"/api/memory/{{memory_id}}/{name}") for name in ("restore", "demote")),
        ("GET", "/api/memory/frequent"), ("GET", "/api/memory/similar/{session_id}"),
        ("GET", "/api/memory/{memory_id}"), ("DELETE", "/api/memory/{memory_id}"),
        *(("GET", f"/api/mcp/{name}") for name in ("servers", "tools")),
        *(("GET", f"/api/memory/{name}") for name in ("servers", "all-servers")),
        *((method, path) for path in ("/mcp", "/api/mcp-gateway/{server_name}/rpc") for method in ("POST", "DELETE")),
        ("GET", "/api/cline/status"), ("GET", "/api/cline/usage"),
        ("POST", "/api/cline/import"), ("GET", "/api/ledgers"), ("GET", "/api/ledgers/usage"),
        ("POST", "/api/ledgers/import"),
        ("GET", "/api/usage"), ("GET", "/api/prices"), ("POST", "/api/prices/reprice"),
        *(("GET", f"/api/usage/sessions/{{session_id}}/{name}") for name in ("context", "cache", "forecast")),
    }  # fmt: skip


async def test_a_method_that_a_path_does_not_have(house: House) -> None:
    by_path: dict[str, set[str]] = {}
    for method, path in routes(house.app):
        by_path.setdefault(path, set()).add(method)
    for path, methods in by_path.items():
        answer = await house.client.put(filled(path))
        assert answer.status_code == 405, path
        check_shape(answer, path, "method_not_allowed")
        allowed = set(answer.headers["allow"].split(", "))
        assert methods <= allowed and ("HEAD" in allowed) == ("GET" in allowed), path


UNKNOWN = (
    "/nothing", "/api", "/api/nothing", "/api/sessions/", "/v1", "/v1/none", "/chat", "/health/x", "/docs", "/redoc",
    "/static/x", "/static/%2e%2e/pages.py", "/static/..%2fpages.py",
)  # fmt: skip


async def test_unknown_paths(house: House) -> None:
    for path in UNKNOWN:
        answer = await house.client.get(path)
        assert answer.status_code == 404, path
        check_shape(answer, path, "not_found")
        posted = await house.client.post(path)
        if path.startswith("/static"):
            assert (posted.status_code, posted.headers["allow"]) == (405, "GET, HEAD")
        else:
            assert posted.status_code == 404, path


async def test_every_route_takes_at_or_refuses_it(house: House) -> None:
    for method, path in routes(house.app):
        body = None if method == "GET" else _BODY
        answer = await house.client.request(method, f"{filled(path)}?at=yesterday", json=body)
        assert answer.status_code == 422, (method, path)
        taken = method == "GET" and path in _PAST
        check_shape(answer, path, "invalid_field" if taken else "at_not_supported")


async def test_a_body_of_a_read_is_not_looked_at(house: House) -> None:
    await house.client.post("/api/sessions", json={})
    for method, path in routes(house.app):
        if method != "GET":
            continue
        plain = await house.client.get(filled(path))
        for body in (b"{", b"[]", b"\xff", b"7"):
            answer = await house.client.request("GET", filled(path), content=body)
            assert answer.status_code == plain.status_code < 500, path


async def test_no_default_is_one_that_would_be_refused(house: House) -> None:
    for path, methods in house.app.openapi()["paths"].items():
        for operation in methods.values():
            content = operation.get("requestBody", {}).get("content", {})
            for name, field in content.get("application/json", {}).get("schema", {}).get("properties", {}).items():
                if "default" in field:
                    assert jsonschema.Draft202012Validator(field).is_valid(field["default"]), (path, name)


async def test_every_path_id_is_strict(house: House) -> None:
    for method, path in routes(house.app):
        name = next(
            (name for name in ("session_id", "exchange_id", "id", "memory_id", "position") if f"{{{name}}}" in path),
            None,
        )
        if name is None:
            continue
        for bad in ("0", "-1", "x", "1.0", "01", "%201", "9007199254740992", "9" * 30, "1_0", "%D9%A3"):
            body = {} if method == "GET" else _BODY
            answer = await house.client.request(method, path.replace(f"{{{name}}}", bad), json=body)
            assert answer.status_code == 422, (method, path, bad)
            assert answer.json()["detail"][0]["loc"] == ["path", name]


async def test_every_read_waits_for_the_tables_at_a_start(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(house.runner), "ready", property(lambda _: False))
    for method, path in routes(house.app):
        if method == "GET" and (path in _PAST or path == "/api/events/{position}"):
            answer = await house.client.get(filled(path))
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1"), path
            check_shape(answer, path, "not_ready")
    assert (await house.client.get("/health")).json()["status"] == "degraded"
    assert (await house.client.get("/health/ready")).json()["checks"]["projections"] == "being built"


async def test_the_description_names_bodies_and_answers(house: House) -> None:
    answer = await house.client.get("/openapi.json")
    paths = answer.json()["paths"]
    body = paths["/api/sessions"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["properties"]) == {"name", "provider", "model"}
    for path, methods in paths.items():
        for method, operation in methods.items():
            for described in operation["responses"]["200"]["content"].values():
                assert described["schema"], (method, path)
            assert operation["description"], (method, path)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/api/sessions/active", "GET, HEAD"),
        ("/api/sessions/diagnostic", "GET, HEAD"),
        ("/api/sessions/auto-status", "GET, HEAD"),
        ("/api/sessions/toggle-auto", "POST"),
    ],
)
async def test_static_segments_are_no_sessions(house: House, path: str, allowed: str) -> None:
    for method in ("GET", "POST", "PATCH", "DELETE", "PUT"):
        answer = await house.client.request(method, path, json={})
        if method in allowed:
            assert answer.status_code in (200, 404)
            continue
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
        check_shape(answer, path, "method_not_allowed")
    assert house.types() in ([], ["AutoSessionEnabled"])
