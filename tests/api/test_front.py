"""The front: what goes where, and what every answer carries. Over real sockets where the connection matters."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from api.gate import GateSettings
from tests.api.house import House, open_house
from tests.api.sockets import served


@pytest.mark.parametrize("path", ["/chat/completions", "/v1/chat/completions"])
async def test_completions_go_to_their_handler(house: House, path: str) -> None:
    answer = await house.client.post(path, json={}, headers={"Authorization": "Bearer abc", "X-Request-Id": "r1"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (200, "r1")
    ((headers, request_id, credential),) = house.chat.calls
    assert (request_id, credential) == ("r1", "abc")
    assert (b"x-request-id", b"r1") in headers


async def test_an_unusable_request_id_is_replaced_and_goes_no_further(house: House) -> None:
    answer = await house.client.post("/v1/chat/completions", json={}, headers={"X-Request-Id": "a b"})
    ((headers, request_id, _),) = house.chat.calls
    assert answer.headers["x-request-id"] == request_id != "a b"
    assert not [pair for pair in headers if pair[0] == b"x-request-id"]


async def test_every_answer_carries_a_request_id_and_nosniff(house: House) -> None:
    for path in ("/", "/health", "/api/sessions", "/api/none", "/v1/models", "/v1/none", "/static/app.js"):
        answer = await house.client.get(path)
        assert len(answer.headers["x-request-id"]) == 32, path
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"], path
        assert "access-control-allow-origin" not in answer.headers


async def test_head_is_get_without_the_body(house: House) -> None:
    for path in ("/", "/health", "/api/sessions", "/v1/models", "/favicon.ico", "/api/none"):
        got, head = await house.client.get(path), await house.client.head(path)
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers["content-length"] == got.headers["content-length"], path


async def test_methods_that_a_completion_does_not_have(house: House) -> None:
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        answer = await house.client.request(method, "/v1/chat/completions")
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        assert answer.json()["error"]["code"] == "method_not_allowed"
    assert (await house.client.head("/v1/chat/completions")).status_code == 405


async def test_at_is_never_silently_ignored(house: House) -> None:
    async with served(house.front) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
        for path in ("/v1/chat/completions", "/chat/completions"):
            answer = await client.post(f"{path}?x=1&at=1", json={})
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, "at_not_supported")
            assert (await client.post(f"{path}?that=1", json={})).status_code == 200
            assert (await client.get(f"{path}?at=1")).status_code == 405
        for path in ("/", "/favicon.ico", "/openapi.json"):
            refused = (await client.get(f"{path}?at=")).json()
            assert (refused["code"], refused["detail"][0]["loc"]) == ("at_not_supported", ["query", "at"])
            assert (await client.head(f"{path}?at=1")).status_code == 422
            assert (await client.get(f"{path}?format=1")).status_code == 200
    assert len(house.chat.calls) == 2


async def test_a_foreign_host_gets_the_shape_of_the_path(house: House) -> None:
    foreign = {"Host": "evil.test"}
    plain = await house.client.get("/api/sessions", headers=foreign)
    assert (plain.status_code, plain.json()["code"]) == (403, "host_not_allowed")
    openai = await house.client.post("/v1/chat/completions", json={}, headers=foreign)
    assert (openai.status_code, openai.json()["error"]["code"]) == (403, "host_not_allowed")
    assert house.chat.calls == []


async def test_a_foreign_write_without_a_body_is_refused(house: House) -> None:
    await house.client.post("/api/sessions")
    answer = await house.client.post("/api/sessions/1/activate", headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, answer.json()["code"]) == (403, "origin_not_allowed")


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[House]:
    settings = GateSettings(token="t0ken", client_keys=("ck",), allowed_origins=("https://app.test",))
    async with open_house(tmp_path, settings) as house:
        yield house


async def test_refused_credentials(guarded: House) -> None:
    answer = await guarded.client.get("/api/sessions")
    assert (answer.status_code, answer.json()["code"]) == (401, "auth_required")
    assert answer.headers["www-authenticate"] == "Bearer"
    answer = await guarded.client.post("/v1/chat/completions", json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    assert answer.json()["error"]["type"] == "authentication_error"
    missing = await guarded.client.get("/api/none", headers={"Authorization": "Bearer t0ken"})
    assert missing.status_code == 404


async def test_health_hides_the_session_from_strangers(guarded: House) -> None:
    known = {"Authorization": "Bearer t0ken"}
    await guarded.client.post("/api/sessions", headers=known)
    assert (await guarded.client.get("/health")).json()["active_session"] is None
    assert (await guarded.client.get("/health", headers=known)).json()["active_session"]["id"] == 1


async def test_cors_only_for_a_configured_origin(guarded: House) -> None:
    ask = {"Origin": "https://app.test", "Access-Control-Request-Method": "PATCH",
           "Access-Control-Request-Headers": "authorization,content-type"}  # fmt: skip
    for path in ("/api/sessions/1", "/v1/chat/completions"):
        answer = await guarded.client.options(path, headers=ask)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "https://app.test"
        assert answer.headers["access-control-allow-headers"] == "authorization,content-type"
        assert "PATCH" in answer.headers["access-control-allow-methods"]
    refused = await guarded.client.options("/api/sessions/1", headers={**ask, "Origin": "https://evil.test"})
    assert refused.status_code == 403 and "access-control-allow-origin" not in refused.headers
    answer = await guarded.client.post(
        "/v1/chat/completions", json={}, headers={"Origin": "https://app.test", "Authorization": "Bearer ck"}
    )
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://app.test")
    assert answer.headers["vary"] == "Origin"
    denied = await guarded.client.get("/api/sessions", headers={"Origin": "https://app.test"})
    assert (denied.status_code, denied.headers["access-control-allow-origin"]) == (401, "https://app.test")


async def test_a_bug_is_json_logged_without_contents_and_leaves_the_connection_open(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.chat.error = RuntimeError("contents of a request")

    @house.app.get("/api/broken")
    async def broken() -> None:
        raise ValueError("contents of a body")

    async with (
        served(house.front) as url,
        httpx.AsyncClient(timeout=30, base_url=url, limits=httpx.Limits(max_connections=1)) as client,
    ):
        with caplog.at_level(logging.DEBUG):
            first = await client.post("/v1/chat/completions", json={"contents": "of a request"})
            second = await client.get("/api/broken")
            third = await client.get("/health")
        streams = {
            answer.extensions["network_stream"].get_extra_info("client_addr") for answer in (first, second, third)
        }
    assert (first.status_code, first.json()["error"]["code"]) == (500, "internal_error")
    assert (second.status_code, second.json()["code"], third.status_code) == (500, "internal_error", 200)
    assert len(streams) == 1
    ours = [record for record in caplog.records if record.name.startswith(("chronoproxy", "uvicorn"))]
    assert [record.name for record in ours if record.levelno >= logging.ERROR] == ["chronoproxy.http"] * 2
    assert "RuntimeError in POST" in caplog.text and "contents" not in "".join(record.getMessage() for record in ours)


async def test_a_connection_survives_every_refusal(house: House) -> None:
    async with (
        served(house.front) as url,
        httpx.AsyncClient(timeout=30, base_url=url, limits=httpx.Limits(max_connections=1)) as client,
    ):
        answers = [
            await client.get("/api/none"),
            await client.put("/api/sessions"),
            await client.post("/api/sessions", content=b"x" * 3_000),
            await client.post("/api/sessions", content=_chunks()),
            await client.post("/api/sessions", content=b"x"),
            await client.post("/api/sessions", json={"name": 1}),
            await client.get("/health", headers={"Host": "evil.test"}),
            await client.head("/health"),
            await client.get("/health"),
        ]
        streams = {answer.extensions["network_stream"].get_extra_info("client_addr") for answer in answers}
    assert [answer.status_code for answer in answers] == [404, 405, 413, 413, 415, 422, 403, 200, 200]
    assert len(streams) == 1


async def _chunks() -> AsyncIterator[bytes]:
    for _ in range(50):
        yield b"x" * 1_000
