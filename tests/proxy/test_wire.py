"""What is refused, what is tolerated, and that edits touch nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire import ChatRequest, WireError, check_messages, decode_chat, with_include_usage, with_model
from tests.proxy.conversations import cache

_ONE = b'"messages":[{"role":"user","content":"hi"}]'
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.just("model"), inner, max_size=3)
    ),
    max_leaves=10,
)


def body(**fields: object) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": "hi"}]} | fields).encode()


def request(text: bytes) -> ChatRequest:
    return decode_chat(text)


def check(text: bytes) -> None:
    """All that is asked of a body."""
    check_messages(cache().of_long_request(decode_chat(text).messages))


def last(text: bytes) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(text)
    return decoded


@pytest.mark.parametrize(
    ("text", "param", "code"),
    [
        (b"", None, "malformed_json"),
        (b"{", None, "malformed_json"),
        (b"{" + _ONE + b"} x", None, "malformed_json"),
        (b"{" + _ONE + b',"n":NaN}', None, "malformed_json"),
        (b"{" + _ONE + b',"n":-Infinity}', None, "malformed_json"),
        (b"{" + _ONE + b',"n":"\xff"}', None, "malformed_json"),
        (b'{"messages":[{"role":"user","content":"\xc3"}]}', None, "malformed_json"),
        (b'{"messages":' + b"[" * 100_000, None, "malformed_json"),
        (b"{" + _ONE + b',"x":' + b"[" * 128 + b"]" * 128 + b"}", None, "malformed_json"),
        (b"[]", None, "body_not_object"),
        (b"3", None, "body_not_object"),
        (b"{}", "messages", None),
        (b'{"messages":[]}', "messages", None),
        (b'{"messages":null}', "messages", None),
        (b'{"messages":{"role":"user"}}', "messages", None),
        (b'{"messages":[{"role":"user"},"x"]}', "messages[1]", None),
        (b'{"messages":[{"role":"user"},{}]}', "messages[1].role", None),
        (b'{"messages":[{"role":1}]}', "messages[0].role", None),
        (b'{"messages":[{"content":"x","role":null}]}', "messages[0].role", None),
        (body(stream="true"), "stream", None),
        (body(stream=1), "stream", None),
        (body(model=4), "model", None),
        (body(model=["m"]), "model", None),
    ],
)
def test_refuses(text: bytes, param: str | None, code: str | None) -> None:
    with pytest.raises(WireError) as caught:
        check(text)
    assert (caught.value.param, caught.value.code) == (param, code)
    assert caught.value.message


def test_reads_what_the_proxy_needs() -> None:
    found = request(
        body(
            model="m",
            stream=True,
            stream_options={"include_usage": False},
            tools=[{"type": "function"}],
            metadata={"session_id": "s"},
            prompt_cache_key="p",
            previous_response_id="r",
        )
    )
    assert (found.model, found.stream, found.include_usage) == ("m", True, False)
    assert [bytes(message) for message in found.messages] == [b'{"role": "user", "content": "hi"}']
    assert found.tools is not None and bytes(found.tools) == b'[{"type": "function"}]'
    assert (found.metadata, found.prompt_cache_key, found.previous_response_id) == ({"session_id": "s"}, "p", "r")


def test_null_is_absent() -> None:
    found = request(body(model=None, stream=None, metadata=None, prompt_cache_key=None))
    assert (found.model, found.stream, found.metadata, found.prompt_cache_key) == (None, False, None, None)


@pytest.mark.parametrize("odd", [1, "x", [], True, {"a": []}])
def test_odd_types_elsewhere_are_not_our_business(odd: object) -> None:
    found = request(body(metadata=odd, prompt_cache_key=[odd], previous_response_id=[odd], tools=odd, temperature=odd))
    assert found.prompt_cache_key is None
    assert found.metadata == (odd if isinstance(odd, dict) else None)


def test_role_may_stand_anywhere() -> None:
    check(b'{"messages":[ {"content":"x", "role" : "user"} ,{\n"role":"tool"}]}')


def test_the_last_of_two_keys_counts() -> None:
    found = request(b'{"stream":"x","model":1,' + _ONE + b',"stream":true,"model":"m"}')
    assert (found.stream, found.model) == (True, "m")


@pytest.mark.parametrize("nested", [128, 129])
@pytest.mark.parametrize("where", ["message", "tools", "other", "duplicate", "many tools"])
def test_nesting_limit(where: str, nested: int) -> None:
    def deep(used: int) -> bytes:
        return b"[" * (nested - used) + b"]" * (nested - used)

    text = {
        "message": b'{"messages":[{"role":"user","content":' + deep(3) + b"}]}",
        "tools": b"{" + _ONE + b',"tools":' + deep(1) + b"}",
        "other": b"{" + _ONE + b',"x":' + deep(1) + b"}",
        "duplicate": b'{"messages":' + deep(1) + b"," + _ONE + b"}",
        "many tools": b"{" + _ONE + b',"tools":[' + b"{}," * 300 + deep(2) + b"]}",
    }[where]
    if nested <= 128:
        check(text)
    else:
        with pytest.raises(WireError):
            check(text)


def test_many_brackets_in_texts_are_no_nesting() -> None:
    check(body(messages=[{"role": "user", "content": "[{" * 500}] * 3, tools=[{"a": {}}] * 300, x=[[]] * 300))


@given(st.dictionaries(st.text(max_size=8) | st.just("model"), _JSON, max_size=5), st.text(max_size=10), st.booleans())
def test_with_model_changes_nothing_else(fields: dict[str, object], model: str, indented: bool) -> None:
    text = json.dumps(fields | {"messages": [{"role": "user"}]}, indent=2 if indented else None).encode()
    assert last(with_model(text, model)) == fields | {"messages": [{"role": "user"}], "model": model}


def test_with_model_keeps_every_other_byte() -> None:
    text = (
        b'{ "metadata":{"model":"a"}, "x" : "\\"model\\":\\"b\\"","m\\u006fdel" :\t"old" , "messages":[{"model":1}] }'
    )
    assert with_model(text, "new") == text.replace(b'"old"', b'"new"')


def test_with_model_leaves_no_second_reading() -> None:
    assert with_model(b'{"model":"a",' + _ONE + b',"model":"b"}', "c") == b'{"model":"c",' + _ONE + b',"model":"c"}'
    flood = b"{" + b"".join(b'"model":"%d",' % number for number in range(100)) + _ONE + b"}"
    assert with_model(flood, "c").count(b'"model"') == 1
    assert last(with_model(flood, "c"))["model"] == "c"


def test_with_model_adds_it() -> None:
    assert with_model(b"{" + _ONE + b"}\n", 'q"') == b"{" + _ONE + b',"model":"q\\""}\n'
    assert with_model(b"{ }", "m") == b'{ "model":"m"}'


def test_include_usage_is_spliced_in() -> None:
    text = b"{" + _ONE + b',"stream":true }'
    expected = b"{" + _ONE + b',"stream":true ,"stream_options":{"include_usage":true}}'
    assert with_include_usage(text, request(text)) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (b"{}", b'{"include_usage":true}'),
        (b'{"a": {"include_usage":false} }', b'{"a": {"include_usage":false} ,"include_usage":true}'),
        (b'{"include_usage":false}', None),
        (b'{"include_usage":true}', None),
        (b'{"include_usage":null}', b'{"include_usage":true}'),
        (b'{ "a":null, "include_usage" : null ,"b":1.0}', b'{ "a":null, "include_usage" : true ,"b":1.0}'),
        (b"null", b'{"include_usage":true}'),
        (b"[]", None),
        (b'"x"', None),
    ],
)
def test_include_usage_in_stream_options(options: bytes, expected: bytes | None) -> None:
    text = b'{"stream_options":' + options + b"," + _ONE + b',"x":1}'
    edited = with_include_usage(text, request(text))
    if expected is None:
        assert edited is text
    else:
        assert edited == text.replace(options, expected, 1)


def test_include_usage_edits_the_stream_options_that_count() -> None:
    text = b'{"stream_options":{"include_usage":false},' + _ONE + b',"stream_options":{"a":1}}'
    assert last(with_include_usage(text, request(text)))["stream_options"] == {"a": 1, "include_usage": True}


def test_the_last_include_usage_counts_as_well() -> None:
    twice = b'{"stream_options":{"include_usage":false,"include_usage":null},' + _ONE + b"}"
    assert last(with_include_usage(twice, request(twice)))["stream_options"] == {"include_usage": True}
    refused = b'{"stream_options":{"include_usage":null,"include_usage":false},' + _ONE + b"}"
    assert with_include_usage(refused, request(refused)) is refused


def test_both_edits_go_together() -> None:
    text = body(model="a", stream=True, stream_options={"b": 1})
    edited = with_include_usage(with_model(text, "c"), request(text))
    assert last(edited) == last(text) | {"model": "c", "stream_options": {"b": 1, "include_usage": True}}


def test_unpaired_surrogates_pass_as_they_are() -> None:
    first, second = rb'{"content":"\ud83d","role":"user"}', rb'{"role":"user","content":"\uD83D\ude00\udc00[["}'
    text = b'{"messages":[' + first + b"," + second + rb'],"stream":true,"x":"\ud800","model":"m"}'
    found = request(text)
    assert [bytes(message) for message in found.messages] == [first, second]
    assert with_model(text, "n") == text.replace(b'"m"', b'"n"')
    options = text.replace(rb'"x":"\ud800"', rb'"stream_options":{"x":"\ud800"}')
    assert with_include_usage(options, request(options)).count(rb'"\ud800","include_usage":true}') == 1
    with pytest.raises(WireError):
        check(text.replace(b'"user"', b"1", 1))
