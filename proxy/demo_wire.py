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
    message: dict[str, object] = {"role": "assistant", "content": reply.text or (None if reply.call else "")}
    if reply.call is not None:
        message["tool_calls"] = [_call(reply.call, labels)]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _reason(reply)}
    return msgspec.json.encode({**_shared(reply, labels, "chat.completion"), "choices": [choice], "usage": reply.usage})


def events(reply: Reply, labels: Labels, *, include_usage: bool) -> Iterator[bytes]:
    """All events of a stream. With `include_usage` a last one carries it, and the others say that they have none."""
    shared = _shared(reply, labels, "chat.completion.chunk") | ({"usage": None} if include_usage else {})
    for delta in _deltas(reply, labels):
        yield _event({**shared, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}]})
    last = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": _reason(reply)}
    yield _event({**shared, "choices": [last]})
    if include_usage:
        yield _event({**shared, "choices": [], "usage": reply.usage})
    yield DONE


def _deltas(reply: Reply, labels: Labels) -> Iterator[dict[str, object]]:
    if reply.call is None:
        yield {"role": "assistant", "content": ""}
        for piece in _pieces(reply.text):
            yield {"content": piece}
        return
    head = _call(ToolCall(reply.call.name, ""), labels)
    yield {"role": "assistant", "content": None, "tool_calls": [{"index": 0, **head}]}
    for piece in _pieces(reply.call.arguments):
        yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}


def _pieces(text: str) -> Iterator[str]:
    size = max(1, -(-len(text) // _PIECES))
    for at in range(0, len(text), size):
        yield text[at : at + size]


def _call(call: ToolCall, labels: Labels) -> dict[str, object]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": f"call_demo_{labels.number}", "type": "function", "function": function}


def _shared(reply: Reply, labels: Labels, kind: str) -> dict[str, object]:
    return {"id": f"chatcmpl-demo-{labels.number}", "object": kind, "created": labels.created, "model": reply.model}


def _reason(reply: Reply) -> str:
    return "stop" if reply.call is None else "tool_calls"


def _event(data: dict[str, object]) -> bytes:
    return b"data: " + msgspec.json.encode(data) + b"\n\n"
