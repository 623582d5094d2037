"""Replies of the demo provider in the OpenAI API's shapes: one JSON body, or the events of a stream."""

from collections.abc import Iterator

import msgspec

from proxy.demo_replies import Reply, ToolCall

DONE = b"data: [DONE]\n\n"
_PIECES = 8  # a text goes out in about so many pieces, of whole characters


class Labels(msgspec.Struct, frozen=True):
    """What tells answers apart; `created` in seconds since the epoch."""

    number: int
    created: int


def json_answer(reply: Reply, labels: Labels) -> bytes:
    choices = [_choice(reply, labels, index) for index in range(reply.choices)]
    return msgspec.json.encode({**_shared(reply, labels, "chat.completion"), "choices": choices, "usage": reply.usage})


def events(reply: Reply, labels: Labels, *, include_usage: bool) -> Iterator[bytes]:
    """All events of a stream, those of its choices in turn. With `include_usage` a last one carries it, and the others
    say that they have none."""
    shared = _shared(reply, labels, "chat.completion.chunk") | ({"usage": None} if include_usage else {})
    for deltas in zip(*(_deltas(reply, labels, index) for index in range(reply.choices)), strict=True):
        for index, delta in enumerate(deltas):
            yield _event({**shared, "choices": [_delta(index, delta, None)]})
    for index in range(reply.choices):
        yield _event({**shared, "choices": [_delta(index, {}, _reason(reply))]})
    if include_usage:
        yield _event({**shared, "choices": [], "usage": reply.usage})
    yield DONE


def _choice(reply: Reply, labels: Labels, index: int) -> dict[str, object]:
    message: dict[str, object] = {"role": "assistant", "content": reply.text or (None if reply.call else "")}
    if reply.call is not None:
        message["tool_calls"] = [_call(reply.call, labels, index)]
    return {"index": index, "message": message, "logprobs": None, "finish_reason": _reason(reply)}


def _delta(index: int, delta: dict[str, object], reason: str | None) -> dict[str, object]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": reason}


def _deltas(reply: Reply, labels: Labels, index: int) -> Iterator[dict[str, object]]:
    if reply.call is None:
        yield {"role": "assistant", "content": ""}
        for piece in _pieces(reply.text):
            yield {"content": piece}
        return
    head = _call(ToolCall(reply.call.name, ""), labels, index)
    yield {"role": "assistant", "content": None, "tool_calls": [{"index": 0, **head}]}
    for piece in _pieces(reply.call.arguments):
        yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}


def _pieces(text: str) -> Iterator[str]:
    size = max(1, -(-len(text) // _PIECES))
    for at in range(0, len(text), size):
        yield text[at : at + size]


def _call(call: ToolCall, labels: Labels, index: int) -> dict[str, object]:
    function = {"name": call.name, "arguments": call.arguments}
    name = f"call_demo_{labels.number}" + (f"_{index}" if index else "")
    return {"id": name, "type": "function", "function": function}


def _shared(reply: Reply, labels: Labels, kind: str) -> dict[str, object]:
    return {"id": f"chatcmpl-demo-{labels.number}", "object": kind, "created": labels.created, "model": reply.model}


def _reason(reply: Reply) -> str:
    if reply.cut:
        return "length"
    return "stop" if reply.call is None else "tool_calls"


def _event(data: dict[str, object]) -> bytes:
    return b"data: " + msgspec.json.encode(data) + b"\n\n"
