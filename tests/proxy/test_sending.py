"""What goes upstream of any conversation, through all stages: never invalid where it was valid, always the same."""

import json
from typing import Any

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from commands.compaction import Command
from commands.compaction import decide as decide_compaction
from commands.workspace import evolve, initial_state
from context.replacements import ReductionSettings
from proxy.caller import Caller
from proxy.compacting import AutoCompaction, Compactor
from proxy.envelope import split
from proxy.facts import FactsCache
from proxy.memory import SessionMemory
from proxy.reducing import Reducer
from proxy.running import Incoming
from proxy.sending import Sender, Sending
from proxy.wire import decode_chat
from schema.compaction import MessagePinned
from schema.recorded import NewEvent
from schema.sessions import SessionStarted
from tests.context.conversations import Message, conversations, problems, wild

tried = settings(deadline=None, max_examples=60)


def count(text: str) -> int:
    return len(text) // 4 + 1


class Bench:
    """One session with a small window, and everything switched on."""

    def __init__(self, window: int = 400) -> None:
        self.facts = FactsCache(1, count, str)
        self.memory, self.window = SessionMemory(), window
        self.state = evolve(initial_state(), SessionStarted(session_id=1, name="n", provider="p", origin="manual"))
        self.numbers = self.exchanges = 0
        self.decided: list[NewEvent] = []
        self.restart()

    def restart(self) -> None:
        """What is kept beside the memory is gone."""
        auto = AutoCompaction(cooldown_ms=0, max_consecutive=99)
        compactor = Compactor(auto, self.facts, count, self._decide, self._next, lambda: 0)
        reductions = ReductionSettings(keep_recent=1, mask_min_tokens=1, mask_min_saved=0)
        self.sender = Sender(Reducer(reductions, self.facts, count), compactor, lambda: True, lambda: True)

    def incoming(self, messages: list[Message]) -> Incoming:
        body = json.dumps({"model": "m", "messages": messages}).encode()
        request = decode_chat(body)
        return Incoming(
            body=body,
            request=request,
            facts=self.facts.of_long_request(request.messages),
            caller=Caller((), None),
            request_id="r",
            arrived=0.0,
            sent_body=body,
            provider="p",
            model_key="m",
            model_sent="m",
            max_context=self.window,
        )

    def send(self, messages: list[Message]) -> Sending:
        incoming = self.incoming(messages)
        body, request, facts = incoming.body, incoming.request, incoming.facts
        assert split(body, request.messages)
        sending = self.sender.sending(incoming, facts, 1, 1, self.memory, 0)
        self.exchanges += 1
        received = self.memory.received
        received.began(self.exchanges, facts.refs, received.difference(facts.refs, None, 0))  # as the log will say
        return sending

    def pin(self, ref: bytes) -> None:
        self.memory.decided(NewEvent("session-1", MessagePinned(session_id=1, ref=ref.hex())), 0)
        self.sender.drop(1)

    def _decide(self, command: Command) -> list[NewEvent]:
        bodies: Any = getattr(command, "bodies", ())
        new = [NewEvent("session-1", event, bodies) for event in decide_compaction(self.state, command)]
        for each in new:
            self.state = evolve(self.state, each.event)
        self.decided += new
        return new

    def _next(self) -> int:
        self.numbers += 1
        return self.numbers


def prefixes(messages: list[Message]) -> list[list[Message]]:
    """The requests of a conversation that grows: each ends before an answer."""
    ends = [index for index, message in enumerate(messages) if message["role"] == "assistant" and index]
    return [messages[:index] for index in (*ends, len(messages)) if index]


@tried
@given(conversations())
def test_every_request_of_a_growing_conversation_stays_valid(messages: list[Message]) -> None:
    bench = Bench()
    for request in prefixes(messages):
        sending = bench.send(request)
        sent = json.loads(sending.body)["messages"]
        assert sending.skipped_reason is None
        assert problems(sent) <= problems(request)
        users = [message for message in request if message["role"] in ("system", "developer", "user")]
        kept = [message for message in sent if message in users]
        assert kept == users
        assert len(sending.refs) == 32 * len(sent)
        assert sending.saved >= 0 or not sending.steps


@tried
@given(conversations(), st.data())
def test_pinned_messages_go_up_as_they_came(messages: list[Message], data: st.DataObject) -> None:
    bench = Bench()
    requests = prefixes(messages)
    if not requests:
        return
    index = data.draw(st.integers(0, len(requests[0]) - 1))
    raw = json.dumps(messages[index]).encode()
    bench.pin(bench.facts.of(raw).ref)
    for request in requests:
        assert messages[index] in json.loads(bench.send(request).body)["messages"]


TWO_CALLS = [
    {"id": name, "type": "function", "function": {"name": "bash", "arguments": '{"command":"ls"}'}}
    for name in ("t0", "t1")
]
SOON_WORTH_IT: list[Message] = [
    {"role": "assistant", "content": None, "tool_calls": TWO_CALLS},
    {"role": "tool", "tool_call_id": "t0", "content": "ünder `x`" * 30},
    {"role": "tool", "tool_call_id": "t1", "content": ""},
    *({"role": "assistant", "content": None} for _ in range(5)),
]


@tried
@given(conversations(), st.integers(0, 12))
@example(SOON_WORTH_IT, 1)  # worth it only for who takes the results for new ones
def test_a_restart_anywhere_changes_nothing(messages: list[Message], at: int) -> None:
    steady, restarted = Bench(), Bench()
    for number, request in enumerate(prefixes(messages)):
        if number == at:
            restarted.restart()
        assert steady.send(request).body == restarted.send(request).body
    assert [type(each.event) for each in steady.decided] == [type(each.event) for each in restarted.decided]


@tried
@given(wild())
def test_anything_that_can_be_decoded_is_sent(messages: list[Message]) -> None:
    if messages:
        sent = json.loads(Bench(window=50).send(messages).body)["messages"]
        assert msgspec.json.encode(sent)
        assert [each for each in sent if each["role"] in ("user", "system") and each["content"] != "Continue."] == [
            each for each in messages if each["role"] in ("user", "system")
        ]


def test_a_conversation_without_results_is_not_looked_at_until_one_comes() -> None:
    bench = Bench(window=100_000)
    talk: list[Message] = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hello"}] * 3
    assert bench.send(talk[:-1]).steps == ()
    assert not bench.sender._reducer.knows(1)  # type: ignore[union-attr]
    bench.send([*talk, *SOON_WORTH_IT])
    assert bench.sender._reducer.knows(1)  # type: ignore[union-attr]
