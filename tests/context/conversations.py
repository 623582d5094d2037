"""Message lists as clients send them, well-formed and not, and the rules that strict providers check."""

import json
from typing import Any

from hypothesis import strategies as st

Message = dict[str, Any]

_TEXTS = st.sampled_from(
    ["", "go on", "look at src/app.py and tell", "ünder `x`" * 30, "def f(a):\n    return a\n" * 40]
)
_IDS = st.sampled_from(["c1", "c2", "c3", "call_same"])


def call(number: str, name: str = "bash", arguments: str = '{"command":"ls"}') -> Message:
    return {"id": number, "type": "function", "function": {"name": name, "arguments": arguments}}


def tool(number: str, content: object) -> Message:
    return {"role": "tool", "tool_call_id": number, "content": content}


@st.composite
def _turn(draw: st.DrawFn, number: int) -> list[Message]:
    """What one turn of the assistant may look like, with parallel calls, and results that are missing or odd."""
    ids = [f"t{number}-{index}" for index in range(draw(st.integers(0, 3)))]
    message: Message = {"role": "assistant", "content": draw(st.one_of(st.none(), _TEXTS))}
    if ids:
        message["tool_calls"] = [call(each, draw(st.sampled_from(["bash", "read_file"]))) for each in ids]
    contents = st.one_of(_TEXTS, st.just([{"type": "image_url", "image_url": {"url": "data:,"}}]), st.none())
    results = [tool(each, draw(contents)) for each in draw(st.permutations(ids))]
    if results and draw(st.integers(0, 9)) == 0:
        results.pop()
    return [message, *results]


@st.composite
def conversations(draw: st.DrawFn) -> list[Message]:
    """Up to a dozen turns, with system messages anywhere."""
    messages: list[Message] = []
    if draw(st.booleans()):
        messages.append({"role": "system", "content": "You are an agent."})
    for number in range(draw(st.integers(0, 12))):
        for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2]))):
            messages.append(
                {"role": draw(st.sampled_from(["user"] * 5 + ["system", "developer"])), "content": draw(_TEXTS)}
            )
        messages += draw(_turn(number))
    if draw(st.booleans()):
        messages.append({"role": "user", "content": draw(_TEXTS)})
    return messages


@st.composite
def wild(draw: st.DrawFn) -> list[Message]:
    """Any roles in any order."""
    role = st.sampled_from(["system", "user", "assistant", "tool", "function", "critic", ""])
    found: list[Message] = []
    for _ in range(draw(st.integers(0, 12))):
        message: Message = {"role": draw(role), "content": draw(st.one_of(st.none(), _TEXTS, st.just(7), st.just([1])))}
        if message["role"] == "assistant" and draw(st.booleans()):
            message["tool_calls"] = [call(draw(_IDS)) for _ in range(draw(st.integers(0, 2)))]
        if message["role"] == "tool":
            message["tool_call_id"] = draw(_IDS)
        found.append(message)
    return found


def problems(messages: list[Message]) -> set[str]:
    """What a strict provider refuses: a call without its result right behind it, a result without its call, two
    messages of the assistant in a row, a conversation that begins with the assistant."""
    found: set[str] = set()
    open_calls: list[str] = []
    previous = ""
    for message in messages:
        role = message["role"]
        if role == "tool":
            if message.get("tool_call_id") in open_calls:
                open_calls.remove(message["tool_call_id"])
            else:
                found.add("result without call")
        else:
            if open_calls:
                found.add("call without result")
            open_calls = [each["id"] for each in message.get("tool_calls") or ()] if role == "assistant" else []
            if role == "assistant" and previous == "assistant":
                found.add("two assistants")
            if role == "assistant" and not any(each["role"] == "user" for each in messages[: messages.index(message)]):
                found.add("assistant first")
        previous = role
    if open_calls:
        found.add("call without result")
    return found


def size(text: str) -> int:
    """Tokens, about."""
    return len(text) // 4 + 1


def tokens(message: Message) -> int:
    return size(json.dumps(message))
