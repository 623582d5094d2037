"""Messages as they come in: which are taken, and what is said of the others."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.jsonrpc import Call, Notification, Refusal, Response, decode, deeper, encode, parse

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("number", ["a", "", 0, 7, -1, 1.5, 2**60, None])
def test_ids_of_every_kind(number: Any) -> None:
    found = parse(json.dumps({"jsonrpc": "2.0", "id": number, "method": "tools/list"}).encode())
    assert found == Call(number, "tools/list", {})


def test_what_has_no_id_is_a_notification() -> None:
    assert parse(b'{"jsonrpc":"2.0","method":"x","params":{"a":1}}') == Notification("x", {"a": 1})
    assert parse(b'{"jsonrpc":"2.0","method":"x","params":[]}') == Notification("x", {})
    assert parse(b'{"jsonrpc":"2.0","id":1,"result":{}}') == Response()


@pytest.mark.parametrize(
    ("data", "code", "reason"),
    [
        (b"", -32700, "malformed_json"),
        (b"  ", -32700, "malformed_json"),
        (b"{", -32700, "malformed_json"),
        (b'{"a": "\xff"}', -32700, "malformed_json"),
        (b'{"a": NaN}', -32700, "malformed_json"),
        (b'{"a": 1e999}', -32700, "malformed_json"),
        (b'{"a":' * 129 + b"1" + b"}" * 129, -32700, "malformed_json"),
        (b"[" * 100_000, -32700, "malformed_json"),
        (b'{"a":' + b"9" * 5_000 + b"}", -32700, "malformed_json"),
        (b"1", -32600, "invalid_request"),
        (b"null", -32600, "invalid_request"),
        (b"[]", -32600, "invalid_request"),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600, "invalid_request"),
        (b"{}", -32600, "invalid_request"),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600, "invalid_request"),
        (b'{"jsonrpc":"2.0","id":1}', -32600, "invalid_request"),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', -32600, "invalid_request"),
        (b'{"jsonrpc":"2.0","id":1,"method":""}', -32600, "invalid_request"),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600, "invalid_request"),
        (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600, "invalid_request"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":3}', -32600, "invalid_request"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}', -32600, "invalid_request"),
    ],
)
def test_what_is_refused(data: bytes, code: int, reason: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse(data)
    assert (caught.value.status, caught.value.code, caught.value.reason) == (400, code, reason)
    assert caught.value.body("a")["id"] == "a"


@given(JSON)
def test_any_value_comes_back(value: Any) -> None:
    assert decode(encode({"v": value})) == {"v": value}


@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    try:
        assert isinstance(parse(data), (Call, Notification, Response))
    except Refusal as refusal:
        assert refusal.status == 400


def test_what_no_text_can_hold_is_escaped() -> None:
    assert json.loads(encode({"a": "\ud800", "b": 2**70})) == {"a": "\ud800", "b": 2**70}


def test_depth() -> None:
    assert not deeper([[1]], 2)
    assert deeper([[1]], 1)
    assert not deeper(1, 1)
