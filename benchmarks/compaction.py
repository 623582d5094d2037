"""CPU of compaction: `python -m benchmarks.compaction [TOKENS]`.

Planning a compaction, beside counting the tokens of the same messages; a request of a compacted conversation, beside
one of the same conversation that is not; a session of 2,000 messages, the requests of its second half beside those of
its first; and the chart of 1,000 compactions, beside reading their events.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from api.compaction_chart import chart
from benchmarks.traffic import text
from context.compaction import CompactionSettings, Plan, plan
from context.cuts import keep_tokens
from context.replacements import ReductionSettings
from context.tokens import SplintrCounter
from proxy.compacting import bodies_of, decision_fields, items_of
from proxy.facts import FactsCache, RequestFacts
from proxy.memory import SessionMemory
from proxy.prefixes import Shortened
from proxy.reducing import Reducer
from schema.appends import Append
from schema.compaction import CompactionPerformed, Inserted, PrefixEdit
from schema.keys import KeyStore
from schema.log import EventLog
from schema.recorded import Metadata, NewEvent
from schema.writer import LogWriter

_TAIL = 20_000


def conversation(messages: int, size: int) -> list[bytes]:
    """An agent's: a question, then calls and results of about `size` bytes."""
    found: list[dict[str, Any]] = [{"role": "system", "content": text(0, 2_000)}]
    number = 0
    while len(found) < messages:
        number += 1
        if number % 10 == 1:
            found.append({"role": "user", "content": text(number, 200)})
        function = {"name": "read_file", "arguments": json.dumps({"path": f"src/module_{number}.py"})}
        call = {"id": f"c{number}", "type": "function", "function": function}
        found.append({"role": "assistant", "content": text(-number, 150), "tool_calls": [call]})
        found.append({"role": "tool", "tool_call_id": f"c{number}", "content": text(number * 7, size)})
    return [json.dumps(message).encode() for message in found]


def cpu_ms(work: Callable[[], object], times: int = 1) -> float:
    begun = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - begun) * 1_000 / times


class Bench:
    def __init__(self) -> None:
        self.count = SplintrCounter()
        self.count.warm_up()
        self.facts = FactsCache(1, self.count, str)
        self.memory = SessionMemory()

    def shortened(self, messages: list[bytes]) -> Shortened:
        facts = self.facts.of_long_request(messages)
        return self.memory.prefixes.shorten(messages, facts, self.facts.hash, self.facts.of_long_request)

    def planned(self, found: Shortened) -> Plan:
        items = items_of(found, {}, self.facts, self.memory)
        made = plan(items, keep_tokens(_TAIL, 2), CompactionSettings(), self.count)
        if not isinstance(made, Plan):
            raise TypeError(made)
        return made

    def compact(self, found: Shortened, made: Plan) -> None:
        fields = decision_fields(made, found, 1, "manual", self.facts)
        event = CompactionPerformed(session_id=1, history_id=1, **fields)
        self.memory.prefixes.apply(event, {body.ref: body.data for body in bodies_of(made)})


def planning(tokens: int) -> list[str]:
    bench = Bench()
    messages = conversation(tokens * 4 // 2_000, 3_500)
    counting = cpu_ms(lambda: bench.facts.of_long_request(messages))
    found = bench.shortened(messages)
    spent = cpu_ms(lambda: bench.planned(found), 3)
    made = bench.planned(found)
    size = f"{made.tokens_before:,} tokens in {len(messages):,} messages"
    lines = [
        f"planning a compaction of {size}: {spent:.1f} ms CPU,"
        f" {spent / counting:.2f} of counting their tokens ({counting:.1f} ms)"
    ]
    plain = cpu_ms(lambda: bench.shortened(messages), 50)
    bench.compact(found, made)
    compacted = cpu_ms(lambda: bench.shortened(messages), 50)
    lines.append(f"a request of it: {compacted:.2f} ms when compacted, {plain:.2f} ms when not")
    return lines


def growing(messages: int) -> str:
    """Each request holds all messages before it; reduced as on the way of a request."""
    bench = Bench()
    reducer = Reducer(ReductionSettings(), bench.facts, bench.count)
    every = conversation(messages, 400)
    spent: list[float] = []
    for half in (range(2, messages // 2, 2), range(messages // 2, messages, 2)):
        begun = time.process_time()
        for length in half:
            part = [msgspec.Raw(message) for message in every[:length]]
            facts: RequestFacts = bench.facts.of_long_request(part)
            reducer.reduce(1, bench.memory, part, facts, ratio=0.1, now=0.0, decide=True)
        spent.append((time.process_time() - begun) / len(half) * 1_000)
    return (
        f"a session of {messages:,} messages: {spent[0]:.2f} ms CPU per request in its first half,"
        f" {spent[1]:.2f} ms in its second ({spent[1] / spent[0]:.1f} times; its requests are 3 times as long)"
    )


def charting(compactions: int) -> str:
    edit = PrefixEdit(cut=9, within="0" * 32, removed=((1, 8),), inserted=(Inserted(8, "a" * 64),))
    with tempfile.TemporaryDirectory() as folder:
        keys = KeyStore(Path(folder) / "keys.sqlite")
        log = EventLog(Path(folder) / "events.sqlite", keys)
        events = [
            CompactionPerformed(
                session_id=1,
                history_id=number,
                decided_on=number,
                trigger_reason="manual",
                edit=edit,
                removed_refs=("b" * 64,) * 7,
                summary_ref="a" * 64,
                tokens_before=9_000,
                tokens_after=3_000,
                messages_before=12,
                messages_after=6,
                system_preserved=1,
                recent_preserved=2,
                summary="what was done " * 20,
            )
            for number in range(1, compactions + 1)
        ]
        writer = LogWriter(log)
        writer.submit(Append(events=[NewEvent("session-1", each) for each in events], metadata=Metadata(actor="api")))
        writer.start()
        writer.close()
        names = ("CompactionPerformed", "CompactionReverted")
        spent = cpu_ms(lambda: chart(1, log.read(session_id=1, types=names), 500), 5)
        reading = cpu_ms(lambda: log.read(session_id=1), 5)
        log.close()
        keys.close()
    return f"the chart of {compactions:,} compactions: {spent:.1f} ms CPU, {spent / reading:.2f} of reading the events"


def main() -> None:
    tokens = int(sys.argv[1]) if len(sys.argv) > 1 else 150_000
    for line in (*planning(tokens), growing(2_000), charting(1_000)):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
