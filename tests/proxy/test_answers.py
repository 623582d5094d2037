"""Answers come together from any stream, and hostile ones do no harm."""

import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.answers import (
    MAX_INFLATED,
    Answer,
    answer_from_json,
    answer_from_odd_json,
    answer_from_sse,
    completion_text,
    decoded,
    read_json,
)
from proxy.usage import usage_of_json

_KEYS = st.sampled_from(
    [
        *("choices", "delta", "message", "index", "content", "tool_calls", "function", "custom", "name", "arguments"),
        *("id", "role", "text", "input", "finish_reason", "model", "usage", "function_call", "reasoning"),
    ]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=15,
)


def sse(*chunks: object) -> bytes:
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"


def delta(index: int = 0, finish: str | None = None, **fields: object) -> dict[str, object]:
    choice = {"index": index, "delta": fields, "finish_reason": finish}
    return {"id": "r", "model": "m", "choices": [choice]}


def message(answer: Answer) -> dict[str, Any]:
    assert answer.message is not None
    fields: dict[str, Any] = json.loads(answer.message)
    return fields


def calls(*pieces: list[object]) -> list[tuple[str, str, str]]:
    """Each piece is the tool_calls of one delta."""
    found = message(answer_from_sse(sse(*(delta(tool_calls=piece) for piece in pieces))))["tool_calls"]
    return [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in found]


def piece(arguments: object = None, *, name: object = None, **fields: object) -> dict[str, object]:
    return {**fields, "function": {"name": name, "arguments": arguments}}


def test_text_and_reasoning() -> None:
    data = sse(
        delta(role="assistant", content=""),
        delta(reasoning_content="th", reasoning="r"),
        delta(reasoning_content="ink", annotations=[{}]),
        delta(content="Hel"),
        delta(content="lo\n"),
        delta(refusal="no"),
        delta(finish="stop"),
        {"choices": [], "usage": {}},
    )
    assert answer_from_sse(data) == Answer(
        b'{"role":"assistant","content":"Hello\\n","reasoning_content":"think","reasoning":"r","refusal":"no"}',
        (),
        "stop",
        "m",
        "r",
    )


def test_a_stream_cut_short_gives_what_came() -> None:
    data = sse(delta(role="assistant", content="Hel"), delta(content="lo"), delta(content="!"))
    assert message(answer_from_sse(data[:-40])) == {"role": "assistant", "content": "Hello"}
    assert answer_from_sse(b"") == Answer()
    assert answer_from_sse(b'data: {"error":{"message":"x"}}\n\n') == Answer()


def test_what_follows_done_does_not_count() -> None:
    assert message(answer_from_sse(sse(delta(content="a")) + sse(delta(content="b"))))["content"] == "a"


def test_crlf_comments_and_data_in_two_lines() -> None:
    data = b': hi\r\n\r\ndata:{"choices":[\r\ndata: {"delta":{"content":"a"}}]}\r\n\r\n'
    assert message(answer_from_sse(data))["content"] == "a"


def test_a_surrogate_pair_cut_in_two() -> None:
    first, second = delta(content="a\ud83d"), delta(content="\ude00 \udc00b")
    assert message(answer_from_sse(sse(first, second)))["content"] == "a\U0001f600 \ufffdb"


def test_content_in_parts() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "thinking", "thinking": []}, 3, {"type": "text", "text": "b"}]
    assert message(answer_from_sse(sse(delta(content=parts))))["content"] == "ab"


def test_a_whole_message_instead_of_deltas() -> None:
    whole = {"choices": [{"message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}]}
    assert message(answer_from_sse(sse(whole)))["content"] == "a"
    assert message(answer_from_sse(sse(delta(content="b"), whole)))["content"] == "b"


def test_further_choices() -> None:
    answer = answer_from_sse(sse(delta(1, "length", content="b"), delta(0, "stop", content="a"), delta(1, content="c")))
    assert message(answer)["content"] == "a"
    assert [json.loads(other)["content"] for other in answer.others] == ["bc"]
    assert answer.finish_reason == "stop"


def test_tool_calls() -> None:
    answer = answer_from_sse(
        sse(
            delta(role="assistant", content=None),
            delta(tool_calls=[piece("", index=0, id="a", type="function", name="read")]),
            delta(tool_calls=[piece('{"p":', index=0)]),
            delta(tool_calls=[piece("1}", index=0)]),
            delta(finish="tool_calls"),
        )
    )
    assert answer.message == (
        b'{"role":"assistant","content":null,"tool_calls":'
        b'[{"id":"a","type":"function","function":{"name":"read","arguments":"{\\"p\\":1}"}}]}'
    )
    assert completion_text(answer) == 'read\n{"p":1}'


@pytest.mark.parametrize(
    "pieces",
    [
        [[piece("1", index=0, id="a", name="f"), piece("2", index=1, id="b", name="g")]],
        [[piece("2", index=1, id="b", name="g")], [piece("1", index=0, id="a", name="f")]],
        [[piece("", index=0, id="a", name="f"), piece("2", index=1, id="b", name="g")], [piece("1", index=0)]],
        [[piece("1", index=0, id="a", name="f")], [piece("2", index=0, id="b", name="g")]],
        [
            [piece("1", index=0, id="a", name="f")],
            [piece("", index=0, id="a", name="f")],
            [piece("2", id="b", name="g")],
        ],
        [[piece("1", id="a", name="f")], [piece("2", id="b", name="g")]],
        [[piece("", id="a", name="f")], [piece("1")], [piece("", id="b", name="g")], [piece("2")]],
        [[piece("", id="a", name="f")], [piece("", id="b", name="g")], [piece("1", id="a")], [piece("2", id="b")]],
        [[piece("1", index="0", id="a", name="f"), 3, None, piece("2", index=None, id="b", name="g")]],
    ],
)
def test_tool_calls_in_every_manner(pieces: list[list[object]]) -> None:
    assert calls(*pieces) == [("a", "f", "1"), ("b", "g", "2")]


def test_tool_calls_without_id_or_index() -> None:
    assert calls([piece("1", name="f")], [piece("2", name="g"), piece("3")]) == [("", "f", "1"), ("", "g", "23")]


def test_arguments_that_are_no_text() -> None:
    assert calls([piece({"a": [1, "\ud800"]}, index=0, id="a", name="f")]) == [("a", "f", '{"a":[1,"\ufffd"]}')]
    assert calls([piece(3, index=0, id="a", name="f"), {"index": 0, "function": "x"}]) == [("a", "f", "")]


def test_custom_tools_and_function_calls() -> None:
    custom = {"index": 0, "id": "a", "type": "custom", "custom": {"name": "f", "input": "x"}}
    answer = answer_from_sse(sse(delta(tool_calls=[custom]), delta(function_call={"name": "g", "arguments": "1"})))
    assert message(answer)["tool_calls"] == [{"id": "a", "type": "custom", "custom": {"name": "f", "input": "x"}}]
    assert message(answer)["function_call"] == {"name": "g", "arguments": "1"}
    assert completion_text(answer) == "f\nx\ng\n1"


@given(st.lists(_JSON | st.builds(lambda inner: {"choices": [{"delta": inner}]}, _JSON), max_size=5))
def test_hostile_chunks_do_no_harm(chunks: list[object]) -> None:
    answer = answer_from_sse(sse(*chunks))
    assert answer == answer_from_sse(sse(*chunks))
    completion_text(answer)
    for chunk in chunks:
        completion_text(answer_from_json(json.dumps(chunk).encode()))


@given(st.binary() | st.binary().map(lambda data: b"data: " + data))
def test_any_bytes_do_no_harm(data: bytes) -> None:
    answer_from_sse(data)
    answer_from_json(data)
    for encoding in ("gzip", "deflate", "br", None):
        decoded(data, encoding)


def test_absurd_nesting_does_no_harm() -> None:
    deep = b"[" * 100_000
    assert answer_from_sse(b"data: " + deep) == answer_from_json(deep) == Answer()
    nested = b'{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":' + b"[" * 700 + b"]" * 700 + b"}}]}}]}"
    assert answer_from_sse(b"data: " + nested + b"\n\n").message is not None


def test_json_keeps_the_exact_message() -> None:
    first = b'{ "role":"assistant",\n"content" : "a\\u00e9" , "annotations":[] }'
    second = b'{"role":"assistant","content":"b"}'
    data = (
        b'{"id":"r","model":"m","choices":[{"index":1,"message":%b},{"index":0,"finish_reason":"stop","message": %b}]}'
    )
    assert answer_from_json(data % (second, first)) == Answer(first, (second,), "stop", "m", "r")


def test_json_with_unpaired_surrogates_is_kept_too() -> None:
    first, second = rb'{"content":"\ufffd"}', rb'{"content":"\ud83d"}'
    answer = answer_from_json(b'{"choices":[{"message":%b},{"message":%b}]}' % (first, second))
    assert (answer.message, answer.others) == (first, (second,))
    assert completion_text(answer) == "\ufffd\n\ufffd"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'{"error":{}}',
        b'{"choices":{}}',
        b'{"choices":[]}',
        b'{"choices":[{"message":null}]}',
        b"\xff",
    ],
)
def test_json_without_an_answer(data: bytes) -> None:
    assert answer_from_json(data).message is None


def test_completion_text_counts_reasoning_once() -> None:
    data = sse(delta(reasoning_content="think", reasoning="think", content="a"), delta(1, content="b"))
    assert completion_text(answer_from_sse(data)) == "think\na\nb"
    assert completion_text(Answer()) == ""


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP ", "deflate"])
def test_decoded(encoding: str) -> None:
    plain = bytes(range(256)) * 4_000
    packed = zlib.compress(plain) if encoding == "deflate" else gzip.compress(plain)
    assert decoded(packed, encoding) == plain
    cut = decoded(packed[:-20], encoding)
    assert cut and plain.startswith(cut)
    assert decoded(packed + b"rest", encoding) == plain


def test_decoded_several_members() -> None:
    assert decoded(gzip.compress(b"a") + gzip.compress(b"b"), "gzip") == b"ab"


def test_decoded_has_a_limit() -> None:
    assert len(decoded(gzip.compress(bytes(MAX_INFLATED + 1_000)), "gzip")) == MAX_INFLATED


@pytest.mark.parametrize("encoding", [None, "", "identity", "br", "gzip, br"])
def test_other_encodings_stay(encoding: str | None) -> None:
    assert decoded(b"abc", encoding) == b"abc"


_TEXTS: st.SearchStrategy[Any] = st.sampled_from(["", "stop", "\ud83d", "é", None, 3, {}])
_CHOICE: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "index": st.integers(0, 1),
        "message": st.sampled_from([{"role": "assistant", "content": "a"}, {"content": "\udc00"}, None, [], "a"]),
        "finish_reason": _TEXTS,
        "usage": st.sampled_from([{"prompt_tokens": 1}, None, []]),
    },
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "id": _TEXTS,
            "model": _TEXTS,
            "service_tier": _TEXTS,
            "usage": st.sampled_from([{}, {"prompt_tokens": 1, "a": {"b": [1.5]}}, None, 3]),
            "choices": st.lists(_CHOICE, max_size=2) | st.sampled_from([None, {}, [None]]),
        },
    ),
    st.integers(0, 3),
)
def test_one_look_finds_what_two_would(completion: dict[str, Any], cut: int) -> None:
    text = json.dumps(completion).encode()
    for data in (text, text[: len(text) - cut]):
        assert read_json(data) == (answer_from_odd_json(data), usage_of_json(data))
