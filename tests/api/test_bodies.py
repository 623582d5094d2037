"""Bodies of API writes (contract 1.1): pure parsing, then the order of refusals over the routes."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from api.bodies import RequestBody, collected, validated
from api.errors import ApiError, InvalidFieldError
from api.fields import MAX_INT, UNICODE
from api.json_objects import parsed
from tests.api.house import House


class Sample(RequestBody):
    flag: bool = False
    number: Annotated[int, Field(ge=-MAX_INT, le=MAX_INT)] = 0
    text: Annotated[str, Field(max_length=5), UNICODE] = ""
    maybe: str | None = None


def refusal(data: bytes) -> tuple[int, str]:
    with pytest.raises(ApiError) as caught:
        parsed(data)
    return caught.value.status, caught.value.code


def invalid_field(fields: dict[str, object]) -> str:
    with pytest.raises(InvalidFieldError) as caught:
        validated(Sample, fields)
    details = caught.value.context["detail"]
    assert isinstance(details, list)
    assert details[0]["loc"][0] == "body"
    return str(details[0]["loc"][1])


@pytest.mark.parametrize(
    "data",
    [
        b"{", b"x", b"{} {}", b"\xff{}", b"\xef\xbb\xbf{}", b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": Infinity}',
        b'{"a": 01}', b'{"a": "\n"}', b" ", b"{\"a\":" * 5_000, b"[" * 129 + b"]" * 129, '{"a":1}'.encode("utf-16"),
        b'{"a":' * 128 + b"[]" + b"}" * 128,
    ],
)  # fmt: skip
def test_malformed(data: bytes) -> None:
    assert refusal(data) == (400, "malformed_json")


@pytest.mark.parametrize("data", [b"[]", b"1", b'"x"', b"null", b"true"])
def test_not_an_object(data: bytes) -> None:
    assert refusal(data) == (400, "body_not_object")


def test_what_is_accepted() -> None:
    assert parsed(b"") == {}
    assert parsed(b' {"a": [1.5, null, "\xc3\xa9"]} ') == {"a": [1.5, None, "é"]}
    assert parsed(b'{"a":' * 128 + b"1" + b"}" * 128)
    assert parsed(b'{"a": 1, "a": 2}') == {"a": 2}


def test_numbers_that_no_field_takes_are_harmless_elsewhere() -> None:
    assert parsed(b'{"a": ' + b"9" * 6_000 + b"}") == {"a": Decimal("9" * 6_000)}
    assert parsed(b'{"a": 1e999}') == {"a": Decimal("1e999")}
    assert validated(Sample, parsed(b'{"unknown": ' + b"9" * 6_000 + b"}")) == Sample()


@given(st.binary(max_size=40))
def test_any_bytes_are_an_object_or_refused(data: bytes) -> None:
    try:
        assert isinstance(parsed(data), dict)
    except ApiError as error:
        assert error.status == 400


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=5), _values, max_size=5))
def test_any_object_comes_through(fields: dict[str, object]) -> None:
    assert parsed(json.dumps(fields).encode()) == fields


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"flag": 1}, "flag"), ({"flag": "true"}, "flag"), ({"flag": None}, "flag"), ({"number": True}, "number"),
        ({"number": 1.0}, "number"), ({"number": "1"}, "number"), ({"number": 2**53}, "number"),
        ({"number": Decimal("9" * 30)}, "number"), ({"text": 5}, "text"), ({"text": "\ud800"}, "text"),
        ({"text": "123456"}, "text"), ({"text": Decimal("1e999")}, "text"), ({"maybe": 1}, "maybe"),
    ],
)  # fmt: skip
def test_nothing_is_coerced(fields: dict[str, object], where: str) -> None:
    assert invalid_field(fields) == where


def test_null_only_where_it_may_stand() -> None:
    assert validated(Sample, {"maybe": None, "other": "\ud800"}) == Sample()
    assert validated(Sample, {"number": -(2**53) + 1, "flag": True}).number == -(2**53) + 1


async def _pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def test_the_size_is_counted_while_reading() -> None:
    assert await collected(_pieces(b"ab", b"", b"cd"), 4) == b"abcd"
    endless = _pieces(*[b"x"] * 1_000)
    with pytest.raises(ApiError) as caught:
        await collected(endless, 10)
    assert (caught.value.status, caught.value.context) == (413, {"limit": 10})
    assert len([piece async for piece in endless]) == 1_000 - 11
    with pytest.raises(ApiError):
        await collected(_pieces(), 10, "11")
    assert await collected(_pieces(b"x"), 10, "nonsense") == b"x"


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"x" * 2_001, {}, 413, "body_too_large"),
        (b"{}", {}, 415, "unsupported_media_type"),
        (b"{", {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
        (b"{}", {"Content-Type": "application/jsonx"}, 415, "unsupported_media_type"),
        (b"{}", JSON | {"Content-Encoding": "gzip"}, 415, "unsupported_media_type"),
        (b"{", JSON, 400, "malformed_json"),
        (b"[]", JSON, 400, "body_not_object"),
        (b'{"name": 1}', JSON, 422, "invalid_field"),
        (b'{"name": "\\ud800"}', JSON, 422, "invalid_field"),
        (b'{"name": 1e999}', JSON, 422, "invalid_field"),
    ],
)
async def test_refusals_in_order(house: House, content: bytes, headers: dict[str, str], status: int, code: str) -> None:
    for path in ("/api/sessions", "/api/sessions?at=1"):  # the body is looked at before the query
        answer = await house.client.post(path, content=content, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert house.events() == []


async def test_a_packed_body_is_told_that_it_is(house: House) -> None:
    for path in ("/api/sessions", "/mcp"):
        answer = await house.client.post(path, content=b"{}", headers=JSON | {"Content-Encoding": "gzip"})
        assert answer.status_code == 415 and "Content-Encoding gzip" in answer.text, path


async def test_writes_without_fields_read_their_body_too(house: House) -> None:
    answer = await house.client.post("/api/sessions/x/activate", content=b"[]", headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, "body_not_object")
    answer = await house.client.post("/api/sessions/x/activate")
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["path", "session_id"])
    answer = await house.client.post("/api/sessions/1/activate?at=1")
    assert (answer.status_code, answer.json()["code"]) == (422, "at_not_supported")


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.x+json"])
async def test_json_by_any_of_its_names(house: House, kind: str) -> None:
    answer = await house.client.post("/api/sessions", content=b'{"name": "n"}', headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["name"]) == (200, "n")


async def test_an_echo_is_short_and_can_be_encoded(house: House) -> None:
    for text in ("x" * 1_500, "\\ud800" * 100):
        answer = await house.client.post("/api/sessions", content=f'{{"name": "{text}"}}'.encode(), headers=JSON)
        (entry,) = answer.json()["detail"]
        assert answer.status_code == 422 and len(entry["input"]) <= 203
        assert set(entry) <= {"type", "loc", "msg", "input", "ctx"}
