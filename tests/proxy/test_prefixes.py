"""Where a prefix decision holds, and where not."""

import json
from typing import Any

import msgspec

from context.compaction import CompactionSettings, Plan, plan
from context.cuts import keep_last
from proxy.compacting import bodies_of, decision_fields, items_of
from proxy.facts import FactsCache
from proxy.memory import SessionMemory
from proxy.prefixes import Prefixes, Shortened
from schema.compaction import CompactionPerformed, CompactionReverted

Message = dict[str, Any]


def count(text: str) -> int:
    return len(text) // 4 + 1


class Bench:
    """Decides on conversations and shows what goes upstream of others."""

    def __init__(self) -> None:
        self.facts = FactsCache(1, count, str)
        self.memory = SessionMemory()

    @property
    def prefixes(self) -> Prefixes:
        return self.memory.prefixes

    def shown(self, messages: list[Message]) -> Shortened:
        raw: list[bytes | msgspec.Raw] = [json.dumps(message).encode() for message in messages]
        facts = self.facts.of_long_request(raw)
        return self.prefixes.shorten(raw, facts, self.facts.hash, self.facts.of_long_request)

    def sent(self, messages: list[Message]) -> list[Message]:
        return [json.loads(bytes(message)) for message in self.shown(messages).messages]

    def compact(self, number: int, messages: list[Message], *, preserve: int = 2) -> CompactionPerformed:
        found = self.shown(messages)
        made = plan(
            items_of(found, {}, self.facts, self.memory), keep_last(preserve), CompactionSettings(), count, force=True
        )
        assert isinstance(made, Plan)
        fields = decision_fields(made, found, 1, "manual", self.facts)
        event = CompactionPerformed(session_id=1, history_id=number, **fields)
        self.prefixes.apply(event, {body.ref: body.data for body in bodies_of(made)})
        return event

    def undo(self, number: int) -> None:
        event = CompactionReverted(
            session_id=1, kind="compaction", history_id=number, restored_refs=(), tokens_restored=0
        )
        self.prefixes.apply(event, {})


def talk(turns: int, question: str = "question") -> list[Message]:
    messages: list[Message] = []
    for turn in range(turns):
        messages.append({"role": "user", "content": f"{question} {turn}"})
        messages.append({"role": "assistant", "content": f"a long answer to {turn}, " * 40})
    return messages


def test_the_client_goes_on_with_all_and_the_beginning_goes_up_shorter() -> None:
    bench = Bench()
    bench.compact(1, talk(6))
    first, later = bench.sent(talk(6)), bench.sent([*talk(9), {"role": "user", "content": "more"}])
    assert len(json.dumps(first)) < len(json.dumps(talk(6))) / 2
    assert later[: len(first)] == first
    assert later[len(first) :] == [*talk(9), {"role": "user", "content": "more"}][len(talk(6)) :]
    assert bench.shown(talk(9)).steps[0].stage == "compact"
    assert bench.shown(talk(9)).steps[0].tokens_saved > 100


def test_written_another_way_it_is_the_same_conversation() -> None:
    bench = Bench()
    bench.compact(1, talk(6))
    spaced = [{"content": message["content"] + " ", "name": None, "role": message["role"]} for message in talk(6)]
    assert len(bench.sent(spaced)) == len(bench.sent(talk(6)))
    assert bench.shown(spaced).last == 1


def test_another_conversation_goes_as_it_came() -> None:
    bench = Bench()
    bench.compact(1, talk(6))
    other = talk(6, "another question")
    assert bench.sent(other) == other
    assert bench.sent(talk(2)) == talk(2)  # who went back to before the cut
    assert bench.shown(talk(2)).last is None


def test_one_goes_on_from_the_other_and_both_can_be_undone() -> None:
    bench = Bench()
    first = bench.compact(1, talk(6))
    one = bench.sent(talk(12))
    second = bench.compact(2, talk(12))
    assert (first.edit.builds_on, second.edit.builds_on) == (None, 1)
    two = bench.sent(talk(12))
    assert len(json.dumps(two)) < len(json.dumps(one))
    assert [step.stage for step in bench.shown(talk(12)).steps] == ["compact", "compact"]
    bench.undo(2)
    assert bench.sent(talk(12)) == one
    bench.undo(1)
    assert bench.sent(talk(12)) == talk(12)


def test_without_the_texts_of_its_digests_it_does_not_hold() -> None:
    bench = Bench()
    event = bench.compact(1, talk(6))
    bench.memory = SessionMemory()
    bench.prefixes.apply(event, {})
    assert bench.sent(talk(6)) == talk(6)
