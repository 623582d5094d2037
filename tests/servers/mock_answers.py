"""What the mock provider answers, as bytes: pure functions of the plan and the request."""

from typing import Any, Literal

import msgspec

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


class Plan(msgspec.Struct, kw_only=True):
    """How one request is answered. `cut` breaks the connection off: before any event or byte of a body, at an event's
    end, or inside one. `repeat` makes a text long. `fin_on_reuse` closes without an answer when the connection was used
    before."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = {}
    text: str | None = None
    repeat: int = 1
    tool_calls: list[Any] | None = None
    choices: int = 1
    delay_ms: int = 0
    chunks: int = 3
    chunk_interval_ms: int = 0
    usage: Literal["asked", "none", "every", "choices", "null_every", "last_content"] = "asked"
    stall: Literal["before_headers", "mid_stream", "none"] = "none"
    cut: Literal["before_headers", "before_body", "boundary", "mid_event", "none"] = "none"
    gzip: bool = False
    crlf: bool = False
    split_bytes: int = 0
    fin_on_reuse: bool = False
    close_after_answer: bool = False
    done: bool = True
    raw_sse: str | None = None


def json_answer(plan: Plan, request: dict[str, Any]) -> bytes:
    """A chat completion."""
    message = _message(plan, request)
    choices = [{"index": index, "message": message, "finish_reason": _finish(plan)} for index in range(plan.choices)]
    answer: dict[str, Any] = {
        "id": "chatcmpl-mock",
        "object": "chat.completion",
        "created": 1,
        "model": request.get("model"),
        "choices": choices,
    }
    if plan.usage == "choices":
        choices[0]["usage"] = USAGE
    elif plan.usage != "none":
        answer["usage"] = USAGE
    return msgspec.json.encode(answer)


def _message(plan: Plan, request: dict[str, Any]) -> dict[str, Any]:
    if plan.tool_calls is not None:
        return {"role": "assistant", "content": None, "tool_calls": plan.tool_calls}
    return {"role": "assistant", "content": plan.text * plan.repeat if plan.text is not None else _last_user(request)}


def _last_user(request: dict[str, Any]) -> str:
    for message in reversed(request.get("messages", [])):
        if message.get("role") == "user":
            return f"echo: {message.get('content')}"
    return "echo"


def _finish(plan: Plan) -> str:
    return "tool_calls" if plan.tool_calls is not None else "stop"


def events(plan: Plan, request: dict[str, Any]) -> list[bytes]:
    """The events of a stream, each with its empty line, and the end mark if the plan has one."""
    newline = b"\r\n" if plan.crlf else b"\n"
    message = _message(plan, request)
    text = message["content"] or ""
    size = max(1, -(-len(text) // plan.chunks))
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": text[at : at + size]} for at in range(0, len(text), size)]
    deltas += [{"tool_calls": [{"index": index, **call}]} for index, call in enumerate(message.get("tool_calls", []))]
    frames = [_frame(request, [{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
    frames.append(_frame(request, [{"index": 0, "delta": {}, "finish_reason": _finish(plan)}]))
    options = request.get("stream_options") or {}
    if plan.usage == "every":
        frames = [{**frame, "usage": {**USAGE, "completion_tokens": at}} for at, frame in enumerate(frames)]
    elif plan.usage == "null_every":
        frames = [{**frame, "usage": None} for frame in frames]
    elif plan.usage == "choices":
        frames[-1]["choices"][0]["usage"] = USAGE
    elif plan.usage == "last_content":
        frames[-1]["usage"] = USAGE
    if plan.usage in ("asked", "null_every") and options.get("include_usage") is True:
        frames.append({**_frame(request, []), "usage": USAGE})
    done = [b"data: [DONE]" + newline * 2] if plan.done else []
    return [b"data: " + msgspec.json.encode(frame) + newline * 2 for frame in frames] + done


def _frame(request: dict[str, Any], choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": "chatcmpl-mock",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": request.get("model"),
        "choices": choices,
    }
