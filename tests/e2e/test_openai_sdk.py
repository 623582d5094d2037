"""The real openai package over a socket, as an application uses it."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from openai import AsyncOpenAI, NotFoundError, OpenAI, RateLimitError

from tests.e2e.processes import KEY, MockProcess, ProxyProcess, plan

TOOLS: Any = [
    {
        "type": "function",
        "function": {"name": "read", "parameters": {"type": "object", "properties": {"path": {"type": "string"}}}},
    }
]


@pytest.fixture
def client(proxy: ProxyProcess) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{proxy.url}/v1", api_key="client-key", max_retries=0) as found:
        yield found


@pytest.fixture
async def async_client(proxy: ProxyProcess) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{proxy.url}/v1", api_key="client-key", max_retries=0) as found:
        yield found


def user(text: str) -> Any:
    return [{"role": "user", "content": text}]


def test_a_completion_and_its_record(client: OpenAI, proxy: ProxyProcess, mock: MockProcess) -> None:
    raw = client.chat.completions.with_raw_response.create(model="mock", messages=user("plain"))
    completion = raw.parse()
    assert completion.choices[0].message.content == "echo: plain"
    last = mock.report("_last")
    assert json.loads(last["body"]) == {"model": "mock-model", "messages": user("plain")}
    headers = dict(map(tuple, last["headers"]))
    assert headers["authorization"] == f"Bearer {KEY}"
    assert "client-key" not in str(last)
    assert headers["x-request-id"] == raw.headers["x-request-id"]
    exchange = proxy.finished(raw.headers["x-exchange-id"])
    assert exchange["outcome"] == "completed"
    assert exchange["usage"] | {"source": "measured", "prompt_tokens": 11, "total_tokens": 18} == exchange["usage"]
    assert exchange["client_family"] == "openai-python"
    assert raw.headers["x-context-limit"] == "100000"
    assert int(raw.headers["x-event-position"]) == exchange["positions"]["started"]
    assert raw.headers["x-upstream-request-id"] == "upstream-1"


def test_a_body_that_needs_no_change_goes_out_byte_for_byte(proxy: ProxyProcess, mock: MockProcess) -> None:
    body = b'{ "model":"mock-model-2",\n "messages": [ {"role":"user","content":"h\\u00e9 \\ud83d\\ude00"} ] , "x":1e2}'
    with OpenAI(base_url=f"{proxy.url}/v1", api_key="k") as client:
        answer = client._client.post("chat/completions", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 200
    assert mock.report("_last")["body"].encode() == body


def test_a_stream_without_asking_for_usage_is_measured_and_shows_no_extra_frame(
    client: OpenAI, proxy: ProxyProcess
) -> None:
    with client.chat.completions.with_streaming_response.create(
        model="mock", messages=user("stream it"), stream=True
    ) as raw:
        text = raw.read().decode()
    frames = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    assert all(frame["choices"] for frame in frames)
    assert text.endswith("data: [DONE]\n\n")
    exchange = proxy.finished(raw.headers["x-exchange-id"])
    assert (exchange["usage"]["source"], exchange["usage"]["completion_tokens"]) == ("measured", 7)
    assert exchange["stream"] is True


def test_a_stream_that_asks_for_usage_sees_it(client: OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="mock", messages=user("x"), stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].usage is not None and chunks[-1].usage.total_tokens == 18
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "echo: x"


def test_an_explicit_no_to_usage_is_respected(client: OpenAI, proxy: ProxyProcess, mock: MockProcess) -> None:
    with client.chat.completions.with_streaming_response.create(
        model="mock", messages=user("no usage"), stream=True, stream_options={"include_usage": False}
    ) as raw:
        raw.read()
    assert json.loads(mock.report("_last")["body"])["stream_options"] == {"include_usage": False}
    exchange = proxy.finished(raw.headers["x-exchange-id"])
    assert exchange["usage"]["source"] == "estimated"
    assert exchange["usage"]["completion_tokens"] > 0


def test_no_word_about_usage_is_no_no(client: OpenAI, proxy: ProxyProcess, mock: MockProcess) -> None:
    with client.chat.completions.with_streaming_response.create(
        model="mock", messages=user("none"), stream=True, stream_options=None
    ) as raw:
        text = raw.read().decode()
    sent = json.loads(mock.report("_last")["body"])
    assert sent["stream_options"] == {"include_usage": True}
    assert [
        frame for frame in text.splitlines() if frame.startswith("data: {") and not json.loads(frame[6:])["choices"]
    ] == []
    assert proxy.finished(raw.headers["x-exchange-id"])["usage"]["source"] == "measured"


def test_tools(client: OpenAI) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "read", "arguments": '{"path": "a"}'}}
    first = client.chat.completions.create(
        model="mock", messages=user("use it"), tools=TOOLS, extra_headers=plan(tool_calls=[call])
    )
    made = (first.choices[0].message.tool_calls or [])[0]
    assert made.type == "function" and made.function.name == "read"
    history = [*user("use it"), first.choices[0].message, {"role": "tool", "tool_call_id": "call_1", "content": "out"}]
    second = client.chat.completions.with_raw_response.create(model="mock", messages=history, tools=TOOLS)
    assert second.headers["x-session-rule"] == "hash_chain"


def test_streamed_tool_calls(client: OpenAI, proxy: ProxyProcess) -> None:
    call = {"id": "call_9", "type": "function", "function": {"name": "read", "arguments": '{"path": "b"}'}}
    with client.chat.completions.stream(
        model="mock", messages=user("stream a tool"), tools=TOOLS, extra_headers=plan(tool_calls=[call])
    ) as stream:
        message = stream.get_final_completion().choices[0].message
    made = (message.tool_calls or [])[0]
    assert made.type == "function" and made.function.arguments == '{"path": "b"}'


async def test_async_and_parallel(async_client: AsyncOpenAI) -> None:
    async def one(number: int) -> str | None:
        answer = await async_client.chat.completions.create(model="mock", messages=user(f"number {number}"))
        return answer.choices[0].message.content

    assert await asyncio.gather(*map(one, range(20))) == [f"echo: number {number}" for number in range(20)]


async def test_cancel_in_mid_stream_closes_the_upstream_and_is_recorded(
    async_client: AsyncOpenAI, proxy: ProxyProcess, mock: MockProcess
) -> None:
    closed = len(mock.report("_closed"))
    raw = await async_client.chat.completions.with_raw_response.create(
        model="mock", messages=user("a b c"), stream=True, extra_headers=plan(stall="mid_stream")
    )
    stream = raw.parse()
    async for _ in stream:
        break
    await stream.close()
    exchange = await asyncio.to_thread(proxy.finished, raw.headers["x-exchange-id"])
    assert exchange["outcome"] == "cancelled"
    assert exchange["usage"]["source"] == "estimated"
    async with asyncio.timeout(2):
        while len(mock.report("_closed")) == closed:
            await asyncio.sleep(0.02)


def test_models(client: OpenAI) -> None:
    assert {model.id for model in client.models.list()} == {"mock", "mock-model-2"}
    assert client.models.retrieve("mock").owned_by == "mock"
    with pytest.raises(NotFoundError):
        client.models.retrieve("absent")


def test_errors_arrive_as_the_sdk_knows_them(client: OpenAI) -> None:
    with pytest.raises(NotFoundError) as missing:
        client.chat.completions.create(model="no-such-model", messages=user("x"))
    assert missing.value.code == "model_not_found"
    error = {"error": {"message": "slow down", "type": "rate_limit_error", "code": "rate_limit"}}
    with pytest.raises(RateLimitError) as limited:
        client.chat.completions.create(
            model="mock", messages=user("x"), extra_headers=plan(status=429, body=error, headers={"Retry-After": "7"})
        )
    assert limited.value.response.headers["retry-after"] == "7"
    assert limited.value.response.json() == error


_DELTAS: Any = (
    {"index": 1, "delta": {"role": "assistant", "content": "second"}, "finish_reason": None},
    {"index": 0, "delta": {"role": "assistant", "content": "first"}, "finish_reason": None},
    {"index": 0, "delta": {}, "finish_reason": "stop"},
    {"index": 1, "delta": {}, "finish_reason": "length"},
)
_TWO = "".join(f"data: {json.dumps({'model': 'm', 'choices': [each]})}\n\n" for each in _DELTAS) + "data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("stream", "how", "texts"),
    [(False, plan(choices=2), ("echo: twice", "echo: twice")), (True, plan(raw_sse=_TWO), ("first", "second"))],
)
def test_several_choices_are_passed_recorded_and_shown(
    client: OpenAI, proxy: ProxyProcess, stream: bool, how: dict[str, str], texts: tuple[str, str]
) -> None:
    completions = client.chat.completions.with_streaming_response
    with completions.create(model="mock", messages=user("twice"), n=2, stream=stream, extra_headers=how) as raw:
        assert raw.read()
    exchange = proxy.finished(raw.headers["x-exchange-id"])
    assert (exchange["outcome"], exchange["finish_reason"], len(exchange["other_refs"])) == ("completed", "stop", 1)
    listed = proxy.get(f"/api/sessions/{exchange['session_id']}/messages", exchange_id=exchange["id"], content="full")
    assert [message["ref"] for message in listed["others"]] == exchange["other_refs"]
    assert listed["messages"][-1]["ref"] == exchange["answer_ref"]
    assert (listed["messages"][-1]["content"], listed["others"][0]["content"]) == texts
    assert (listed["others"][0]["origin"], listed["total"]) == ("assistant", 2)


def test_parameters_of_the_answers_form_pass_untouched(client: OpenAI, mock: MockProcess) -> None:
    schema = {"name": "answer", "strict": True, "schema": {"type": "object", "properties": {}, "required": []}}
    asked: Any = {
        "response_format": {"type": "json_schema", "json_schema": schema}, "logprobs": True, "top_logprobs": 3, "n": 2,
        "seed": 7, "logit_bias": {"50256": -100}, "stop": ["END"],
    }  # fmt: skip
    client.chat.completions.create(model="mock", messages=user("in a form"), **asked)
    body = json.loads(mock.report("_last")["body"])
    assert {name: body[name] for name in asked} == asked
