"""The demo provider: answers in process and offline, behind the same interface as a real one (decisions 3.11).

What it does depends on the model alone, never on what somebody wrote: `demo/echo` repeats the last user message,
`demo/tool` calls the first tool that is offered and then quotes its result, `demo/stall` begins and never ends,
`demo/fail` refuses with a 429.
"""

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from proxy.upstream import UpstreamAnswer, UpstreamRequest

MODELS = ("demo/echo", "demo/tool", "demo/stall", "demo/fail")
_WORDS = re.compile(r"\S*\s*")
_PIECES = 12
_SAMPLES: dict[str, Any] = {"string": "demo", "integer": 1, "number": 1.0, "boolean": True, "array": [], "object": {}}

_encode = msgspec.json.Encoder().encode


class DemoAnswer:
    """An UpstreamAnswer from memory; after its chunks it stalls, if it is told to, until it is closed."""

    attempts = 1

    def __init__(self, status: int, headers: list[tuple[str, str]], chunks: list[bytes], *, stalls: bool) -> None:
        self.status = status
        self.headers = headers
        self._chunks = chunks
        self._stalls = stalls
        self._closed = asyncio.Event()

    async def chunks(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk
            await asyncio.sleep(0)
        if self._stalls:
            await self._closed.wait()

    async def aclose(self) -> None:
        self._closed.set()


class DemoUpstream:
    """`count` gives the tokens of a text, so that the usage it reports is exact by our own measure."""

    def __init__(self, count: Callable[[str], int], clock: Callable[[], float] = time.time) -> None:
        self._count = count
        self._clock = clock

    async def open(self, request: UpstreamRequest) -> UpstreamAnswer:
        fields: dict[str, Any] = msgspec.json.decode(request.body)
        model = fields.get("model")
        if model == "demo/fail":
            return _error(429, "The demo provider refuses on purpose.", "rate_limit_exceeded", [("Retry-After", "1")])
        if model not in MODELS:
            return _error(404, f"Unknown demo model. There are: {', '.join(MODELS)}.", "model_not_found", [])
        message = _tool_message(fields) if model == "demo/tool" else _echo_message(fields)
        return self._answer(request, fields, message, stalls=model == "demo/stall")

    async def aclose(self) -> None:
        """Nothing is held."""

    def _answer(
        self, request: UpstreamRequest, fields: dict[str, Any], message: dict[str, Any], *, stalls: bool
    ) -> DemoAnswer:
        usage = self._usage(fields, message)
        finish = "tool_calls" if "tool_calls" in message else "stop"
        head = {
            "id": "chatcmpl-demo-" + hashlib.sha256(request.body).hexdigest()[:16],
            "created": int(self._clock()),
            "model": fields["model"],
        }
        if fields.get("stream") is True or stalls:
            options = fields.get("stream_options")
            wanted = isinstance(options, dict) and options.get("include_usage") is True
            events = _events(head, message, finish, usage if wanted else None)
            headers = [("Content-Type", "text/event-stream; charset=utf-8"), ("Cache-Control", "no-cache")]
            return DemoAnswer(200, headers, events[:2] if stalls else events, stalls=stalls)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        body = _encode({**head, "object": "chat.completion", "choices": [choice], "usage": usage})
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        return DemoAnswer(200, headers, [body], stalls=False)

    def _usage(self, fields: dict[str, Any], message: dict[str, Any]) -> dict[str, int]:
        prompt = sum(self._count(_text(each.get("content"))) for each in _messages(fields))
        calls = message.get("tool_calls", [])
        completion = self._count(message["content"] or "")
        completion += sum(self._count(call["function"]["arguments"]) for call in calls)
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _echo_message(fields: dict[str, Any]) -> dict[str, Any]:
    texts = [_text(each.get("content")) for each in _messages(fields) if each.get("role") == "user"]
    return {"role": "assistant", "content": texts[-1] if texts else ""}


def _tool_message(fields: dict[str, Any]) -> dict[str, Any]:
    messages = _messages(fields)
    if messages and messages[-1].get("role") == "tool":
        return {"role": "assistant", "content": f"The tool answered: {_text(messages[-1].get('content'))}"}
    tools = fields.get("tools")
    first = tools[0].get("function") if isinstance(tools, list) and tools and isinstance(tools[0], dict) else None
    if not isinstance(first, dict) or not isinstance(first.get("name"), str):
        return {"role": "assistant", "content": "No tool was offered."}
    arguments = _encode(_sample(first.get("parameters"))).decode()
    call_id = "call_" + hashlib.sha256(_encode(messages)).hexdigest()[:12]
    call = {"id": call_id, "type": "function", "function": {"name": first["name"], "arguments": arguments}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _sample(schema: object, depth: int = 0) -> Any:
    """A value that fits a JSON schema as well as its type, enum and required properties tell."""
    if not isinstance(schema, dict) or depth > 8:
        return {}
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    properties = schema.get("properties")
    if kind == "object" and isinstance(properties, dict):
        required = schema.get("required")
        names = [name for name in required if name in properties] if isinstance(required, list) else []
        return {name: _sample(properties[name], depth + 1) for name in names}
    return _SAMPLES.get(kind) if isinstance(kind, str) else None


def _events(head: dict[str, Any], message: dict[str, Any], finish: str, usage: dict[str, int] | None) -> list[bytes]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "" if message["content"] is not None else None}]
    deltas += [{"content": piece} for piece in _pieces(message["content"] or "")]
    for index, call in enumerate(message.get("tool_calls", [])):
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        opening = {"index": index, "id": call["id"], "type": "function", "function": {"name": name, "arguments": ""}}
        deltas.append({"tool_calls": [opening]})
        deltas += [{"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in _pieces(arguments)]
    choices: list[list[dict[str, Any]]] = [
        [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}] for delta in deltas
    ]
    choices.append([{"index": 0, "delta": {}, "logprobs": None, "finish_reason": finish}])
    frames = [{**head, "object": "chat.completion.chunk", "choices": choice} for choice in choices]
    if usage is not None:
        frames = [{**frame, "usage": None} for frame in frames]
        frames.append({**head, "object": "chat.completion.chunk", "choices": [], "usage": usage})
    return [b"data: " + _encode(frame) + b"\n\n" for frame in frames] + [b"data: [DONE]\n\n"]


def _pieces(text: str) -> list[str]:
    """The text in at most 12 pieces, cut between words."""
    words = [word for word in _WORDS.findall(text) if word]
    size = max(1, -(-len(words) // _PIECES))
    return ["".join(words[at : at + size]) for at in range(0, len(words), size)]


def _error(status: int, message: str, code: str, headers: list[tuple[str, str]]) -> DemoAnswer:
    kind = "rate_limit_error" if status == 429 else "invalid_request_error"
    body = _encode({"error": {"message": message, "type": kind, "param": None, "code": code}})
    head = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers]
    return DemoAnswer(status, head, [body], stalls=False)


def _messages(fields: dict[str, Any]) -> list[dict[str, Any]]:
    messages = fields.get("messages")
    return [each for each in messages if isinstance(each, dict)] if isinstance(messages, list) else []


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(part["text"] for part in parts if isinstance(part, dict) and isinstance(part.get("text"), str))
