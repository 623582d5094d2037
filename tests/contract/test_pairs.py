"""Each pair of the table: a success, a refusal, and the conventions that hold for all (contract 1)."""

import json
import re
import time
from typing import Any

import httpx
import pytest

from tests.contract.conftest import CLIENT_KEY, TOKEN, Running
from tests.contract.pair import Pair
from tests.contract.sending import JSON, filled, send
from tests.contract.table import PAIRS
from tests.contract.types import NOTATION

each = pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair.row} {pair.method} {pair.path}")
reads = pytest.mark.parametrize(
    "pair", [pair for pair in PAIRS if pair.method == "GET"], ids=lambda pair: f"{pair.row} {pair.path}"
)
writes = pytest.mark.parametrize(
    "pair",
    [pair for pair in PAIRS if pair.method != "GET" and pair.auth == "api"],
    ids=lambda pair: f"{pair.row} {pair.method} {pair.path}",
)


def error_code(answer: httpx.Response, pair: Pair) -> str | None:
    """The code, of an error in the shape that belongs to the path."""
    body = answer.json()
    if pair.auth == "openai":
        assert set(body) == {"error"}
        assert {"message", "type", "param", "code"} == set(body["error"])
        return str(body["error"]["code"])
    if pair.auth == "rpc":
        assert (body["jsonrpc"], body["id"]) == ("2.0", None)
        assert body["error"]["message"]
        return str(body["error"]["data"]["code"])
    assert isinstance(body["error"], str)
    if answer.status_code == 422:
        assert body["detail"]
        assert all({"type", "loc", "msg"} <= set(entry) for entry in body["detail"])
    return str(body["code"])


@each
def test_success(pair: Pair, running: Running) -> None:
    if pair.row in ("6", "15"):
        running.client.post("/api/sessions/toggle-auto", json={"enabled": True})
    if pair.row == "25":
        running.client.post("/api/sanitizer/toggle", json={"enabled": True})
    path, body = filled(pair, running)
    before = running.head()
    answer = send(running.client, pair, path + pair.query, body, **{"X-Min-Position": str(before)})
    assert answer.status_code == pair.status, answer.text
    assert answer.headers["content-type"].startswith(pair.kind)
    assert answer.headers["x-request-id"]
    if pair.answer is not None:
        wrong = NOTATION.check(pair.answer)(answer.json())
        assert wrong is None, f"{wrong} in {answer.text}"
    if pair.events:
        deadline = time.monotonic() + 5
        while tuple(running.types(before)) != pair.events and time.monotonic() < deadline:
            time.sleep(0.02)  # an exchange ends after its answer
        assert tuple(running.types(before)) == pair.events
    else:
        assert running.head() == before
    if pair.method != "GET" and pair.auth == "api":
        assert int(answer.headers["x-event-count"]) == len(pair.events)
        assert int(answer.headers["x-event-position"]) == before + len(pair.events)


@each
def test_bad_input(pair: Pair, running: Running) -> None:
    query, body, status, code = pair.bad
    path, _ = filled(pair, running)
    before = running.head()
    answer = send(running.client, pair, path + (query.replace("?", "&") if "?" in path else query), body)
    assert answer.status_code == status, answer.text
    if code:
        assert error_code(answer, pair) == code
    assert running.head() == before
    declared = running.description["paths"].get(pair.described, {}).get(pair.method.lower())
    assert declared is None or str(status) in declared["responses"]


def _remembered(answer: Any) -> Any:
    """Without what no event tells: the room on the disk is of today."""
    return {key: value for key, value in answer.items() if key != "disk"} if isinstance(answer, dict) else answer


@reads
def test_a_moment(pair: Pair, running: Running) -> None:
    path, _ = filled(pair, running)
    running.types(0)  # the tables are at the head
    head = running.head()
    join = "&" if "?" in path else "?"
    if not pair.at:
        assert error_code(running.client.get(f"{path}{join}at={head}"), pair) == "at_not_supported"
        return
    now = running.client.get(path)
    then = running.client.get(f"{path}{join}at={head}")
    assert (then.status_code, then.headers["x-as-of"]) == (200, str(head))
    if pair.answer is not None and pair.row not in (
        "10",
        "21",
        "23",
        "39",
    ):  # sizes and the time of the export are of today
        assert _remembered(then.json()) == _remembered(now.json())
    beyond = running.client.get(f"{path}{join}at={head + 1000}")
    assert (beyond.status_code, beyond.json()["code"], beyond.json()["head"]) == (422, "at_out_of_range", head)
    assert beyond.json()["detail"][0]["loc"] == ["query", "at"]
    assert running.client.get(f"{path}{join}at=0").status_code in (200, 404)


@reads
def test_waiting_for_a_position(pair: Pair, running: Running) -> None:
    path, _ = filled(pair, running)
    if pair.kind.startswith(("text/html", "image/")):
        pytest.skip("no answer of the tables")
    for bad in ("x", "-1", "1.5"):
        assert running.client.get(path, headers={"X-Min-Position": bad}).status_code == 422
    head = running.client.get(path, headers={"X-Min-Position": str(running.head())})
    assert head.status_code == 200
    assert running.client.head(path).headers["content-type"] == head.headers["content-type"]


@writes
def test_the_same_key_writes_once(pair: Pair, running: Running) -> None:
    path, body = filled(pair, running)
    key = {"Idempotency-Key": f"{pair.row}-{time.monotonic_ns()}"}
    first = send(running.client, pair, path, body, **key)
    head = running.head()
    again = send(running.client, pair, path, body, **key)
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.json() == first.json()
    assert again.headers["x-event-position"] == first.headers["x-event-position"]
    other = send(running.client, pair, path, {"other": 1, **(body or {})}, **key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reuse")
    for bad in ("", "a b", "x" * 256):
        assert send(running.client, pair, path, body, **{"Idempotency-Key": bad}).status_code == 422
    assert running.head() == head


@writes
def test_bodies(pair: Pair, running: Running) -> None:
    path, body = filled(pair, running)
    before = running.head()

    def code(content: bytes, kind: str = "application/json") -> tuple[int, str]:
        answer = running.client.request(pair.method, path, content=content, headers={"Content-Type": kind})
        return answer.status_code, answer.json()["code"]

    valid = json.dumps(body or {}).encode()
    assert code(valid, "text/plain") == (415, "unsupported_media_type")
    assert code(b"{") == (400, "malformed_json")
    assert code(b'{"a": NaN}') == (400, "malformed_json")
    assert code(b'{"a": "\xff"}') == (400, "malformed_json")
    assert code(b'{"a":' * 200 + b"1" + b"}" * 200) == (400, "malformed_json")
    assert code(b"[]") == (400, "body_not_object")
    assert running.head() == before


@writes
def test_an_expected_position(pair: Pair, running: Running) -> None:
    path, body = filled(pair, running)
    before = running.head()
    for bad in ("x", "-1"):
        assert send(running.client, pair, path, body, **{"X-Expected-Position": bad}).status_code == 422
    if "{session_id}" in pair.path or pair.row in ("6", "25"):
        answer = send(running.client, pair, path, body, **{"X-Expected-Position": "1000000"})
        assert (answer.status_code, answer.json()["code"]) == (409, "version_conflict")
        assert {"expected", "actual"} <= set(answer.json())
    assert running.head() == before


@each
def test_who_may_come_in(pair: Pair, guarded: httpx.Client) -> None:
    path = pair.path.replace("{session_id}", "1").replace("{exchange_id}", "1").replace("{mask}", "0" * 16)
    path = path.replace("{moving_id}", "1").replace("{memory_id}", "1")
    path = path.replace("{forgotten_id}", "1").replace("{promoted_id}", "1")
    body = None if pair.method == "GET" else pair.body
    foreign = send(guarded, pair, path, body, Host="evil.example", Authorization=f"Bearer {TOKEN}")
    assert (foreign.status_code, error_code(foreign, pair)) == (403, "host_not_allowed")
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
        answer = send(guarded, pair, path, body, **headers)
        if pair.auth == "open":
            assert answer.status_code == 200
            assert answer.headers["content-type"] != "application/json" or not answer.json().get("active_session")
        else:
            assert answer.status_code == 401
            expected = "invalid_api_key" if pair.auth == "openai" else ("auth_required", "invalid_token")[bool(headers)]
            assert error_code(answer, pair) == expected
    known = {"Authorization": f"Bearer {CLIENT_KEY if pair.auth == 'openai' else TOKEN}"}
    assert send(guarded, pair, path, body, **known).status_code not in (401, 403)


@each
def test_pages_of_others(pair: Pair, running: Running) -> None:
    """What a browser sends for another page: the answer to a read cannot be seen by it, a write is refused."""
    path, body = filled(pair, running)
    before = running.head()
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = send(running.client, pair, path, body, **headers)
        assert "access-control-allow-origin" not in answer.headers
        if pair.method == "GET":
            assert answer.status_code == 200
        else:
            assert (answer.status_code, error_code(answer, pair)) == (403, "origin_not_allowed")
    assert running.head() == before


@writes
def test_a_large_body(pair: Pair, guarded: httpx.Client) -> None:
    path = re.sub(r"\{\w+\}", "1", pair.path)
    content = b'{"name":"%b"}' % (b"x" * 3_000)
    headers = {**JSON, "Authorization": f"Bearer {TOKEN}"}
    answer = guarded.request(pair.method, path, content=content, headers=headers)
    assert (answer.status_code, answer.json()["code"], answer.json()["limit"]) == (413, "body_too_large", 2_000)


def test_every_route_stands_in_the_table(running: Running) -> None:
    described = running.description["paths"]
    found = {(method.upper(), path) for path, methods in described.items() for method in methods}
    table = {(pair.method, pair.described) for pair in PAIRS}
    assert found == table
