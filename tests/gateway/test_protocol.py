"""The two eras, and the ids of the first."""

from typing import Any

import pytest

from gateway.jsonrpc import Call, Refusal
from gateway.protocol import (
    CAPABILITIES_KEY,
    VERSION_KEY,
    handshake_result,
    header_text,
    initialized,
    is_modern,
    modern_result,
    plain_params,
    wrapped,
)
from gateway.sessions import McpSessions

META = {VERSION_KEY: "2026-07-28", CAPABILITIES_KEY: {}}


def call(meta: Any, method: str = "tools/call") -> Call:
    return Call(1, method, {"name": "größe", **({"_meta": meta} if meta is not None else {})})


def test_which_era() -> None:
    assert not is_modern(call(None), {})
    assert not is_modern(call({"progressToken": 1}), {"mcp-protocol-version": "2025-06-18"})
    assert is_modern(call(META), {})
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": wrapped("größe")}
    assert is_modern(call(META), headers)


@pytest.mark.parametrize(
    ("meta", "headers", "reason"),
    [
        ({VERSION_KEY: "2026-07-28"}, {}, "envelope_incomplete"),
        ({VERSION_KEY: 7, CAPABILITIES_KEY: {}}, {}, "envelope_incomplete"),
        (None, {"mcp-protocol-version": "2026-07-28"}, "envelope_incomplete"),
        ({VERSION_KEY: "2030-01-01", CAPABILITIES_KEY: {}}, {}, "unsupported_version"),
        (META, {"mcp-protocol-version": "2025-06-18"}, "header_mismatch"),
        (META, {"mcp-method": "tools/list"}, "header_mismatch"),
        (META, {"mcp-name": "other"}, "header_mismatch"),
        (META, {"mcp-name": "=?base64?!?="}, "header_mismatch"),
    ],
)
def test_what_contradicts_itself(meta: Any, headers: dict[str, str], reason: str) -> None:
    with pytest.raises(Refusal) as caught:
        is_modern(call(meta), headers)
    assert (caught.value.status, caught.value.reason) == (400, reason)


def test_a_version_that_both_know() -> None:
    assert initialized({"protocolVersion": "2024-11-05"}, {})["protocolVersion"] == "2024-11-05"
    assert initialized({"protocolVersion": "1999-01-01"}, {})["protocolVersion"] == "2025-11-25"
    assert initialized({}, {})["protocolVersion"] == "2025-11-25"


def test_results_of_one_era_for_the_other() -> None:
    modern = modern_result("tools/list", {"tools": []})
    assert modern == {"resultType": "complete", "ttlMs": 0, "cacheScope": "private", "tools": []}
    assert handshake_result(modern) == {"tools": []}
    assert modern_result("tools/call", {"content": []}) == {"resultType": "complete", "content": []}


def test_parameters_without_the_envelope() -> None:
    assert plain_params({"a": 1, "_meta": {**META, "progressToken": 3}}) == {"a": 1, "_meta": {"progressToken": 3}}
    assert plain_params({"a": 1, "_meta": META}) == {"a": 1}
    assert plain_params({"a": 1}) == {"a": 1}


@pytest.mark.parametrize("text", ["plain", "größe", " edge ", "=?base64?eA==?=", "a\nb", ""])
def test_texts_in_headers(text: str) -> None:
    assert header_text(wrapped(text)) == text


def test_ids_of_clients() -> None:
    sessions, after_a_restart = McpSessions(b"s" * 32), McpSessions(b"s" * 32)
    number = sessions.begin("echo")
    assert sessions.alive("echo", number) and after_a_restart.alive("echo", number)
    assert not sessions.alive("other", number)
    assert not McpSessions(b"t" * 32).alive("echo", number)
    for bad in ("", "x", ".", "é.\udc80", number + "0"):
        assert not sessions.alive("echo", bad)
    sessions.end(number)
    assert not sessions.alive("echo", number)
