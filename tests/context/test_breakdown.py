"""What a context is made of."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from context.breakdown import breakdown
from context.messages import count_message, decode_message

_ROLES = st.sampled_from(["system", "developer", "user", "assistant", "tool", "function", "x", 3, None])


def _count(text: str) -> int:
    return len(text.split())


def test_each_message_and_each_schema_has_its_place() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "bash", "arguments": "{}"}}
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "list the files"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "a b c d"},
        {"role": "tool", "tool_call_id": "gone", "content": "e"},
    ]
    raw = [msgspec.json.encode(message) for message in messages]
    found = breakdown(raw, {"tools": [{"name": "bash"}, {"name": "read"}], "response_format": {"type": "text"}}, _count)
    assert (found.system.messages, found.history.messages, found.output.messages, found.tools.messages) == (1, 2, 2, 3)
    assert found.tokens == sum(count_message(each, _count) for each in messages) + found.tools.tokens
    assert {name: part.messages for name, part in found.by_tool.items()} == {"bash": 1, "": 1}


@given(st.lists(st.fixed_dictionaries({"role": _ROLES, "content": st.text() | st.none() | st.integers()})))
def test_nothing_is_lost(messages: list[dict[str, Any]]) -> None:
    raw = [msgspec.json.encode(message) for message in messages]
    found = breakdown(raw, {"tools": 3}, _count)
    parts = (found.system, found.history, found.output)
    assert sum(part.messages for part in parts) == len(messages)
    assert sum(part.tokens for part in parts) == sum(count_message(decode_message(each), _count) for each in raw)
