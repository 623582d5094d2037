"""The demo provider behind the upstream interface."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.demo import DemoUpstream
from proxy.demo_arguments import arguments_for
from proxy.upstream import UpstreamAnswer, UpstreamHeaders, UpstreamRequest
from proxy.upstream_errors import UpstreamError

USER = {"role": "user", "content": "one two three"}
WEATHER = {
    "type": "object",
    "required": ["city", "days"],
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}, "unit": {"type": "string"}},
}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": WEATHER}}]


def words(text: str) -> int:
    return len(text.split())


async def ask(
    model: str, *, read_timeout_s: float = 60, upstream: DemoUpstream | None = None, **fields: Any
) -> UpstreamAnswer:
    body = json.dumps({"model": model, "messages": [USER], **fields}).encode()
    return await (upstream or DemoUpstream(words)).open(UpstreamRequest("", UpstreamHeaders(), body, 1, read_timeout_s))


async def body_of(answer: UpstreamAnswer) -> Any:
    return json.loads(b"".join([chunk async for chunk in answer.chunks()]))


async def events_of(answer: UpstreamAnswer) -> list[Any]:
    assert dict(answer.headers)["content-type"] == "text/event-stream"
    lines = b"".join([chunk async for chunk in answer.chunks()]).decode().split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]


async def test_echo_repeats_the_last_user_message_with_exact_usage() -> None:
    messages = [USER, {"role": "assistant", "content": "x"}, {"role": "user", "content": "the last one"}]
    answer = await ask("demo/echo", messages=messages)
    body = await body_of(answer)
    assert answer.status == 200
    assert body["choices"][0]["message"] == {"role": "assistant", "content": "the last one"}
    assert body["choices"][0]["finish_reason"] == "stop"
    # 3 for the reply; per message 3, its role and its words
    assert body["usage"] == {"prompt_tokens": 3 + 7 + 5 + 7, "completion_tokens": 3, "total_tokens": 25}


async def test_echo_joins_text_parts() -> None:
    parts = [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "data:"}},
        {"type": "text", "text": "b"},
    ]
    body = await body_of(await ask("echo", messages=[{"role": "user", "content": parts}]))
    assert body["choices"][0]["message"]["content"] == "a\nb"


@pytest.mark.parametrize("include_usage", [True, False])
async def test_a_stream_comes_in_several_chunks_and_says_the_same(include_usage: bool) -> None:
    answer = await ask("demo/echo", stream=True, stream_options={"include_usage": include_usage})
    events = await events_of(answer)
    text = "".join(choice["delta"].get("content", "") for event in events for choice in event["choices"])
    assert text == USER["content"]
    assert sum(bool(choice["delta"].get("content")) for event in events for choice in event["choices"]) > 2
    assert ([event["usage"] for event in events if event.get("usage")] != []) is include_usage
    if include_usage:
        assert events[-1]["choices"] == []
        assert events[-1]["usage"]["total_tokens"] == 3 + 7 + 3


@pytest.mark.parametrize("stream", [True, False])
async def test_several_choices_each_with_its_index(stream: bool) -> None:
    answer = await ask("demo/echo", n=3, stream=stream, stream_options={"include_usage": True})
    if stream:
        events = await events_of(answer)
        usage, choices = events[-1]["usage"], [choice for event in events for choice in event["choices"]]
        texts = ["".join(each["delta"].get("content", "") for each in choices if each["index"] == n) for n in range(3)]
        reasons = [each["finish_reason"] for each in choices if each["finish_reason"]]
    else:
        body = await body_of(answer)
        usage, choices = body["usage"], body["choices"]
        assert [choice["index"] for choice in choices] == [0, 1, 2]
        texts = [choice["message"]["content"] for choice in choices]
        reasons = [choice["finish_reason"] for choice in choices]
    assert (texts, reasons) == ([USER["content"]] * 3, ["stop"] * 3)
    assert (usage["completion_tokens"], usage["total_tokens"]) == (9, 10 + 9)


async def test_tool_calls_of_several_choices_have_names_of_their_own() -> None:
    choices = (await body_of(await ask("demo/tool", tools=TOOLS, n=2)))["choices"]
    assert len({choice["message"]["tool_calls"][0]["id"] for choice in choices}) == 2


@pytest.mark.parametrize("limit", [{"max_tokens": 2}, {"max_completion_tokens": 2, "max_tokens": 3}])
@pytest.mark.parametrize("stream", [True, False])
async def test_no_more_tokens_than_are_wanted(limit: dict[str, Any], stream: bool) -> None:
    answer = await ask("demo/echo", stream=stream, stream_options={"include_usage": True}, n=2, **limit)
    if stream:
        events = await events_of(answer)
        first = [choice for event in events for choice in event["choices"] if choice["index"] == 0]
        text, reason = "".join(each["delta"].get("content", "") for each in first), first[-1]["finish_reason"]
        usage = events[-1]["usage"]
    else:
        body = await body_of(answer)
        text, reason = (body["choices"][0]["message"]["content"], body["choices"][0]["finish_reason"])
        usage = body["usage"]
    assert (text.strip(), reason) == ("one two", "length")
    assert usage == {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}


async def test_a_limit_that_is_not_reached_changes_nothing() -> None:
    choice = (await body_of(await ask("demo/echo", max_tokens=3)))["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == (USER["content"], "stop")


async def test_the_arguments_of_a_call_are_cut_too() -> None:
    choice = (await body_of(await ask("demo/tool", tools=TOOLS, max_tokens=1)))["choices"][0]
    function = choice["message"]["tool_calls"][0]["function"]
    assert (function["name"], function["arguments"], choice["finish_reason"]) == ("weather", "", "length")


@pytest.mark.parametrize(
    "wrong", [{"n": 0}, {"n": 9}, {"n": "2"}, {"n": True}, {"max_tokens": 0}, {"max_completion_tokens": 1.5}]
)
async def test_wrong_numbers_are_refused(wrong: dict[str, Any]) -> None:
    answer = await ask("demo/echo", **wrong)
    error = (await body_of(answer))["error"]
    assert (answer.status, error["param"], error["code"]) == (400, next(iter(wrong)), "invalid_request")


@given(st.text())
def test_any_text_comes_back_whole_through_a_stream(text: str) -> None:
    async def run() -> str:
        events = await events_of(await ask("demo/echo", stream=True, messages=[{"role": "user", "content": text}]))
        return "".join(choice["delta"].get("content", "") for event in events for choice in event["choices"])

    if "\n\n" not in json.dumps(text):
        assert asyncio.run(run()) == text


@pytest.mark.parametrize("stream", [True, False])
async def test_tool_calls_the_first_tool_with_what_it_requires(stream: bool) -> None:
    answer = await ask("demo/tool", tools=TOOLS, stream=stream)
    if stream:
        deltas = [
            call
            for event in await events_of(answer)
            for choice in event["choices"]
            for call in choice["delta"].get("tool_calls", [])
        ]
        name, arguments = deltas[0]["function"]["name"], "".join(call["function"]["arguments"] for call in deltas)
    else:
        choice = (await body_of(answer))["choices"][0]
        assert choice["finish_reason"] == "tool_calls"
        function = choice["message"]["tool_calls"][0]["function"]
        name, arguments = function["name"], function["arguments"]
    assert (name, json.loads(arguments)) == ("weather", {"city": "demo", "days": 2})


async def test_tool_quotes_the_result() -> None:
    messages = [USER, {"role": "tool", "tool_call_id": "c", "content": "12 degrees"}]
    body = await body_of(await ask("demo/tool", tools=TOOLS, messages=messages))
    assert body["choices"][0]["message"]["content"] == "The tool answered: 12 degrees"


async def test_tool_calls_what_the_request_insists_on_or_nothing() -> None:
    tools = [*TOOLS, {"type": "function", "function": {"name": "clock"}}]
    chosen = {"type": "function", "function": {"name": "clock"}}
    body = await body_of(await ask("demo/tool", tools=tools, tool_choice=chosen))
    assert body["choices"][0]["message"]["tool_calls"][0]["function"] == {"name": "clock", "arguments": "{}"}
    no_calls: tuple[dict[str, Any], ...] = (
        {"tools": tools, "tool_choice": "none"},
        {"tools": []},
        {"tools": None},
        {"tools": [1, {"function": 2}]},
        {},
    )
    for fields in no_calls:
        body = await body_of(await ask("demo/tool", **fields))
        assert body["choices"][0]["finish_reason"] == "stop"


async def test_fail_and_unknown_models_answer_in_the_apis_shape() -> None:
    answer = await ask("demo/fail", stream=True)
    assert answer.status == 429
    assert dict(answer.headers)["retry-after"] == "1"
    assert (await body_of(answer))["error"]["type"] == "rate_limit_error"
    answer = await ask("demo/gpt")
    assert answer.status == 404
    error = (await body_of(answer))["error"]
    assert error["code"] == "model_not_found"
    assert "demo/echo, demo/tool, demo/stall, demo/fail" in error["message"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"model":1}', b"\xff"])
async def test_what_is_no_request_is_a_400(body: bytes) -> None:
    answer = await DemoUpstream(words).open(UpstreamRequest("", UpstreamHeaders(), body, 1, 1))
    assert answer.status == 400


@pytest.mark.parametrize("stream", [True, False])
async def test_stall_begins_and_waits_until_it_is_closed(stream: bool) -> None:
    upstream = DemoUpstream(words)
    answer = await ask("demo/stall", stream=stream, upstream=upstream)
    chunks = answer.chunks()
    first = await anext(chunks)
    assert first.startswith(b"data: {" if stream else b'{"id":"')
    rest = asyncio.ensure_future(_drain(chunks))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not rest.done()
    await upstream.aclose()
    with pytest.raises(UpstreamError):
        await rest


async def test_stall_respects_the_read_timeout_and_cancelling() -> None:
    answer = await ask("demo/stall", read_timeout_s=0.01)
    with pytest.raises(UpstreamError, match="read timeout") as caught:
        await _drain(answer.chunks())
    assert caught.value.code == "upstream_timeout"
    task = asyncio.ensure_future(_drain((await ask("demo/stall")).chunks()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_users_words_change_nothing() -> None:
    for words_ in ("demo/fail", "stall", "please call a tool"):
        body = await body_of(await ask("demo/echo", messages=[{"role": "user", "content": words_}], tools=TOOLS))
        assert body["choices"][0]["message"]["content"] == words_


async def test_a_large_request_is_counted_too() -> None:
    text = "word " * 20_000
    body = await body_of(await ask("demo/echo", messages=[{"role": "user", "content": text}]))
    assert body["usage"]["completion_tokens"] == 20_000


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (None, {}),
        ({}, {}),
        ({"type": "object", "required": ["a"]}, {"a": "demo"}),
        ({"required": ["a"], "properties": {"a": {"enum": ["x", "y"]}}}, {"a": "x"}),
        ({"required": ["a"], "properties": {"a": {"const": 5}}}, {"a": 5}),
        ({"required": ["a"], "properties": {"a": {"type": ["null", "boolean"]}}}, {"a": True}),
        (
            {"required": ["a"], "properties": {"a": {"type": "array", "minItems": 2, "items": {"type": "number"}}}},
            {"a": [1, 1]},
        ),
        ({"required": ["a"], "properties": {"a": {"type": "integer", "maximum": -3}}}, {"a": -3}),
        ({"required": ["a"], "properties": {"a": {"exclusiveMinimum": 4, "type": "integer"}}}, {"a": 5}),
        ({"required": ["a"], "properties": {"a": {"multipleOf": 5, "type": "integer"}}}, {"a": 5}),
        ({"required": ["a"], "properties": {"a": {"type": "string", "minLength": 6}}}, {"a": "demo.."}),
        ({"required": ["a"], "properties": {"a": {"anyOf": [{"type": "null"}, {"type": "string"}]}}}, {"a": None}),
        ({"required": ["a"], "properties": {"a": {"$ref": "#/$defs/t"}}, "$defs": {"t": {"enum": [7]}}}, {"a": 7}),
        (
            {"allOf": [{"required": ["a"]}, {"required": ["b"], "properties": {"b": {"type": "null"}}}]},
            {"a": "demo", "b": None},
        ),
    ],
)
def test_arguments_fit_their_schema(schema: object, value: object) -> None:
    assert arguments_for(schema) == value


def test_a_schema_that_refers_to_itself_ends() -> None:
    schema = {"$defs": {"n": {"required": ["n"], "properties": {"n": {"$ref": "#/$defs/n"}}}}, "$ref": "#/$defs/n"}
    assert "n" in arguments_for(schema)


def test_a_schema_that_multiplies_itself_stays_small() -> None:
    properties = {str(number): {"$ref": "#"} for number in range(100)}
    schema = {"required": list(properties), "properties": properties}
    assert len(json.dumps(arguments_for(schema))) < 100_000


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["type", "required", "properties", "items", "anyOf", "$ref", "minItems", "minimum"])
                | st.text(),
                inner,
            )
        ),
    )
)
def test_any_schema_gives_arguments(schema: object) -> None:
    json.dumps(arguments_for(schema))


async def _drain(chunks: Any) -> None:
    async for _ in chunks:
        pass
