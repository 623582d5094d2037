"""Which part of a request comes from a memory."""

import msgspec
import pytest

from proxy.facts import FactsCache
from proxy.recalls import memory_tools, no_memory_tool

CALL = {"id": "c1", "type": "function", "function": {"name": "memory_search", "arguments": "{}"}}
OTHER = {"id": "c2", "type": "function", "function": {"name": "bash", "arguments": "{}"}}
MESSAGES: list[dict[str, object]] = [
    {"role": "user", "content": "what do we know?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL, OTHER, "nonsense", {"function": {"name": 7}}]},
    {"role": "tool", "tool_call_id": "c1", "content": "we know much"},
    {"role": "tool", "tool_call_id": "c2", "content": "ls"},
]


@pytest.mark.parametrize(
    ("name", "is_one"),
    [("memory_search", True), ("Retrieve", True), ("server__memory", True), ("bash", False), ("my_memory", False)],
)
def test_tools_by_their_names(name: str, is_one: bool) -> None:
    assert memory_tools(("memory*", "retrieve*"))(name) is is_one
    assert memory_tools(()) is no_memory_tool


def test_results_of_such_tools_are_told() -> None:
    raw = [msgspec.json.encode(message) for message in MESSAGES]
    facts = FactsCache(1, len, str, memory_tools(("memory*",)))
    assert facts.of_long_request(raw[:1] + raw[3:]).recalled == ()  # no call yet: nothing is looked at
    ((ref, tokens),) = facts.of_long_request(raw).recalled
    assert (ref, tokens) == (facts.of(raw[2]).ref, facts.of(raw[2]).tokens)
    assert facts.of_long_request(raw[2:]).recalled == ()  # whose result it is cannot be told
    assert FactsCache(1, len, str).of_long_request(raw).recalled == ()
