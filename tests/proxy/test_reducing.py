"""The folds of conversations that are kept, and when."""

import json
from typing import Any

import msgspec
import pytest

from context.replacements import ReductionSettings
from proxy import reducing
from proxy.facts import FactsCache
from proxy.memory import SessionMemory
from proxy.reducing import Reduced, Reducer, with_content

LONG = "\n".join(f"entry_{number} stands in this output of a tool" for number in range(3_000))


def count(text: str) -> int:
    return len(text) // 4 + 1


class Bench:
    def __init__(self) -> None:
        self.facts = FactsCache(1, count, str)
        self.reducer = Reducer(ReductionSettings(), self.facts, count)
        self.memories: dict[int, SessionMemory] = {}

    def reduce(self, session: int, messages: list[dict[str, Any]], *, decide: bool = True) -> Reduced | None:
        raw = [msgspec.Raw(json.dumps(message).encode()) for message in messages]
        facts = self.facts.of_long_request(raw)
        memory = self.memories.setdefault(session, SessionMemory())
        return self.reducer.reduce(session, memory, raw, facts, ratio=1.0, now=0.0, decide=decide)


def talk(text: str) -> list[dict[str, Any]]:
    function = {"name": "bash", "arguments": '{"command":"make"}'}
    return [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "function": function}]},
        {"role": "tool", "tool_call_id": "c", "content": text},
        {"role": "assistant", "content": "done"},
        {"role": "user", "content": "more"},
    ]


def test_what_is_replaced_and_what_of_it_is_written() -> None:
    bench = Bench()
    reduced = bench.reduce(1, talk(LONG))
    assert reduced is not None
    assert len(reduced.events) == len(reduced.bodies) == 1
    assert reduced.saved > 10_000
    again = bench.reduce(1, talk(LONG))
    assert again is not None
    assert (again.events, again.bodies, again.messages[2]) == ((), (), reduced.messages[2])
    assert json.loads(bytes(again.messages[2])) | {"content": ""} == talk("")[2]


def test_another_end_of_the_same_conversation_keeps_what_was_decided() -> None:
    bench = Bench()
    reduced = bench.reduce(1, talk(LONG))
    parted = [*talk(LONG)[:4], {"role": "user", "content": "something else"}]
    other = bench.reduce(1, parted)
    assert reduced is not None and other is not None
    assert (other.events, other.messages[2]) == ((), reduced.messages[2])


@pytest.mark.parametrize("restarted", [False, True])
def test_who_goes_back_to_where_an_output_was_the_newest_gets_it_whole(restarted: bool) -> None:
    bench = Bench()
    reduced = bench.reduce(1, talk(LONG))
    assert reduced is not None
    if restarted:
        bench.reducer.drop(1)
    assert bench.reduce(1, talk(LONG)[:3]) is None
    if restarted:
        bench.reducer.drop(1)
    other = [*talk(LONG)[:3], {"role": "assistant", "content": "another way"}, {"role": "user", "content": "on"}]
    assert bench.reduce(1, other) is not None  # decided anew: it is another conversation
    again = bench.reduce(1, talk(LONG))
    assert again is not None
    assert (again.events, again.messages[2]) == ((), reduced.messages[2])


def test_after_a_drop_the_decisions_come_from_the_memory() -> None:
    bench = Bench()
    reduced = bench.reduce(1, talk(LONG))
    bench.reducer.drop(1)
    again = bench.reduce(1, talk(LONG))
    assert reduced is not None and again is not None
    assert (again.events, again.messages[2]) == ((), reduced.messages[2])


def test_nothing_new_is_decided_while_the_log_is_in_trouble() -> None:
    bench = Bench()
    assert bench.reduce(1, talk(LONG), decide=False) is None
    assert bench.reduce(1, talk(LONG)) is not None


def test_what_needs_no_replacement_goes_as_it_came() -> None:
    assert Bench().reduce(1, talk("short")) is None


def test_the_folds_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reducing, "_MOST_TOKENS", 100_000)
    bench = Bench()
    for session in range(20):
        bench.reduce(session, talk(LONG[:40_000].replace("entry", f"entry{session}")))
    kept = bench.reducer._kept
    assert 1 <= len(kept) < 20
    assert 19 in kept
    assert bench.reducer._tokens == sum(each.fold.size for folds in kept.values() for each in folds.values())


def test_only_the_content_changes() -> None:
    raw = b'{ "tool_call_id" : "c", "content":"a\\u00e9" ,"role":"tool", "x": [1, 2.50] }'
    assert with_content(raw, "b\n") == b'{ "tool_call_id" : "c", "content":"b\\n" ,"role":"tool", "x": [1, 2.50] }'
