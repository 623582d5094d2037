"""Large bodies are read as small ones are, and while one is looked at others are answered."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import large_bodies
from api.errors import ApiError
from api.json_objects import parsed
from api.large_bodies import LARGE, MOST_VALUES, LargeBody
from tests.api.house import open_house
from tests.turns import turns_during

JSON = {"Content-Type": "application/json"}
_NAMES = ("a", "from", "é")
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text('ab,[]{}"\\é\ud800\udc00\ufffd', max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=3),
    max_leaves=12,
)


async def outcome(data: bytes) -> object:
    try:
        return await LargeBody(_NAMES).read(data)
    except ApiError as error:
        return error.status, error.code


def as_small(data: bytes) -> object:
    try:
        return {name: value for name, value in parsed(data).items() if name in _NAMES}
    except ApiError as error:
        return error.status, error.code


def shown(value: object) -> str:
    """Which of the unpaired surrogates it was is not told."""
    if isinstance(value, dict):
        value = {name: value[name] for name in _NAMES if name in value}
    return repr(value).replace("\\udc00", "\\ud800")


@given(st.dictionaries(st.sampled_from([*_NAMES, "b", "c"]), _values, max_size=5), st.booleans())
def test_the_fields_of_any_object_are_those_that_a_small_body_gives(fields: dict[str, Any], escaped: bool) -> None:
    text = json.dumps(fields, ensure_ascii=escaped)
    data = text.encode("utf-8", "surrogatepass")
    assert shown(asyncio.run(outcome(data))) == shown(as_small(data))


@pytest.mark.parametrize(
    "data",
    [
        b"{", b"x", b"{} {}", b"\xff{}", b"\xef\xbb\xbf{}", b'{"b": NaN}', b'{"a": -Infinity}', b'{"b": 01}', b" ",
        b'{"b": "\n"}', b'{"b":' * 5_000, b"[" * 129 + b"]" * 129, b'{"b":' * 128 + b"[]" + b"}" * 128,
        b'{"b":' * 127 + b"[]" + b"}" * 127, b"[" * 128 + b"]" * 128, b"[]", b"1", b'"\\ud800"', b"null", b"[1", b"nul",
        b'{"a": 1, "a": [2]}', b'{"\\u0061": 3}', b'{"a": 1e999}', b'{"b": 1e999}', b'{"a": ' + b"9" * 6_000 + b"}",
        b'{"a": 12345678901234567890}', b'{"a": -12345678901234567890}', b'{"a": 1.5, "from": -0.0}', b'{"b": "\xff"}',
        b'{"a": "\\ud800 \\ue000"}', b'{"a": "\\uE000\xee\x80\x80\\udfff"}', b'{"b": "\\ud800", "a": "\\ufffd"}',
        b'{"a": "\\ud800"', b'["\\ud800"]', b'{"a": "\\ud800' + b'"}' * 2, b'{"b": "\\q"}', b'{"a": {"b": [1, 2]}}',
    ],
)  # fmt: skip
async def test_the_same_is_taken_and_refused(data: bytes) -> None:
    assert shown(await outcome(data)) == shown(as_small(data)).replace("\\udfff", "\\ud800")


async def test_a_field_of_more_values_than_any_model_takes_is_not_decoded() -> None:
    too_many = b'{"b":%b,"a":%b}' % (b"[1]", b"[" + b"[]," * (MOST_VALUES) + b"1]")
    assert await outcome(too_many) == (422, "invalid_field")
    elsewhere = b'{"a":[1],"b":%b}' % (b"[" + b"[]," * (MOST_VALUES) + b"1]")
    assert await outcome(elsewhere) == {"a": [1]}


async def test_no_value_that_is_not_asked_for_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[bytes] = []

    def decoded(text: bytes) -> object:
        built.append(text)
        return json.loads(text)

    monkeypatch.setattr(large_bodies, "decoded", decoded)
    assert await outcome(b'{"a":"x","b":[1,2,3],"c":{"a":1}}') == {"a": "x"}
    assert built == [b'"x"']


async def test_others_have_their_turns_while_a_long_list_is_decoded() -> None:
    data = json.dumps({"a": [{"role": "user", "content": "x"}] * 10_000}).encode()
    fields, turns = await turns_during(LargeBody(_NAMES).read(data))
    assert fields == json.loads(data)
    assert turns >= 20


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"name": "n", "x": [1.5, [], "\ud800"] * LARGE}, 200, None),
        ({"name": ["n"] * LARGE}, 422, "invalid_field"),
        ({"name": "n" * LARGE}, 422, "invalid_field"),
    ],
)
async def test_over_a_route(tmp_path: Path, fields: dict[str, object], status: int, code: str | None) -> None:
    headers, content = JSON | {"Idempotency-Key": "k"}, json.dumps(fields).encode()
    async with open_house(tmp_path, max_body_bytes=4 << 20) as house:
        answer = await house.client.post("/api/sessions", content=content, headers=headers)
        again = await house.client.post("/api/sessions", content=content, headers=headers)
    assert (answer.status_code, answer.json().get("code")) == (status, code)
    assert len(answer.content) < 2_000
    assert again.headers.get("Idempotent-Replayed") == ("true" if status == 200 else None)
