"""Messages as they come in: which are taken, and what is said of the others."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.jsonrpc import MOST_VALUES, Call, Notification, Refusal, Response, decode, encode, parse

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
    assert decode(b" " + b"[" * 128 + b"]" * 128 + b"\n")
    for text in (b"[" * 129 + b"]" * 129, b'{"a":' * 128 + b"[]" + b"}" * 128, b"[" * 3_000 + b"]" * 3_000):
        with pytest.raises(Refusal) as caught:
            decode(text)
        assert caught.value.reason == "malformed_json"


@pytest.mark.parametrize(
    "data",
    [
        b'"\\ud800"',
        b"1e999",
        b"9" * 5_000,
        b"1" * 30,
        b"-0.0",
        b"1E2",
        b"NaN",
        b"[1,]",
        b'{"a":1,"a":"\\udc00"}',
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b"\xef\xbb\xbf1",
        b'"\n"',
        b'"\\q\\ud800"',
        b"[1",
        b'{"a":1e-999}',
        b"18446744073709551616",
    ],
)
def test_the_fast_way_takes_what_the_slow_one_takes(data: bytes) -> None:
    try:
        slow = json.loads(data.decode(), parse_constant=lambda text: 1 / 0)
        slow = None if slow == float("inf") else slow
    except (ValueError, ZeroDivisionError):
        slow = None
    try:
        assert repr(decode(data)) == repr(slow)
    except Refusal as refusal:
        assert (refusal.status, refusal.reason, slow) == (400, "malformed_json", None)


def test_a_message_of_very_many_values_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(data: bytes) -> object:
        raise AssertionError("it was decoded")

    with monkeypatch.context() as patch:
        patch.setattr("gateway.jsonrpc._decoded", never)
        with pytest.raises(Refusal) as caught:
            decode(b"[" + b"[]," * (MOST_VALUES // 2) + b'"x"]')
    assert (caught.value.status, caught.value.reason, caught.value.data) == (
        413, "too_many_values", {"limit": MOST_VALUES},
    )  # fmt: skip
    assert decode(b'["' + b"[]," * MOST_VALUES + b'"]')
