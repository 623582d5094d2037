"""Very many messages and very long bodies come to the same as few and short ones; others have their turns meanwhile."""

import asyncio
import hashlib
import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context.surrogates import decode_mended
from proxy import long_requests
from proxy.chains import ChainIndex, Match
from proxy.facts import MOST_AT_ONCE, FactsCache
from proxy.forwarding import forward, forward_long
from proxy.json_members import NAMED, DuplicateKeysError, members, members_named
from proxy.long_requests import facts_in_pieces
from proxy.memory import SessionMemory
from proxy.new_bodies import new_messages
from proxy.openings import Openings
from proxy.providers import Provider, Route
from proxy.wire import decode_chat, with_include_usage, with_model
from tests.proxy.conversations import SEED, assistant, facts, message, system, user
from tests.proxy.test_sending import Bench
from tests.turns import turns_during

SCOPE = b"scope-of-a-client"
_MESSAGES = st.sampled_from(
    [system(), user("a"), user("b"), user("long " * 50), assistant("c"), message("tool", "d", tool_call_id="1"), b"[]"]
)


def cache(is_memory_tool: bool = True) -> FactsCache:
    return FactsCache(SEED, len, str, lambda name: is_memory_tool)


def body_of(messages: list[bytes], **more: object) -> bytes:
    return b'{"model":"m","messages":[%b],%b' % (b",".join(messages), json.dumps({"x": 1, **more})[1:].encode())


@given(st.lists(_MESSAGES, min_size=6, max_size=40))
def test_pieces_come_to_the_whole(messages: list[bytes]) -> None:
    calls = [{"id": "1", "type": "function", "function": {"name": "recall", "arguments": "{}"}}]
    raws = decode_chat(body_of([*messages, message("assistant", "", tool_calls=calls), *messages])).messages
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_requests, "MOST_AT_ONCE", 5)
        patch.setattr(long_requests, "_PIECE", 4)
        patch.setattr(long_requests, "_PIECE_BYTES", 100)  # some are counted in a thread
        found = asyncio.run(facts_in_pieces(cache(), raws))
    whole = cache().of_long_request(raws)
    for name in whole.__struct_fields__:
        if name != "bodies":
            assert getattr(found, name) == getattr(whole, name), name
    assert found.bodies is not None
    assert [body.data for body in found.bodies.values()] == list(dict.fromkeys(bytes(raw) for raw in raws))
    assert all(ref.hex() == body.ref == hashlib.sha256(body.data).hexdigest() for ref, body in found.bodies.items())


async def test_many_messages_are_not_looked_at_in_one_turn() -> None:
    count = 10 * MOST_AT_ONCE
    raws = decode_chat(body_of([user("x")] * count)).messages
    known = cache()
    known.of(raws[0])
    assert known.of_request(raws, 1 << 30) is None
    assert known.of_request(raws[:MOST_AT_ONCE], 1 << 30) is not None
    found, turns = await turns_during(facts_in_pieces(known, raws))
    assert found.count == count
    assert turns >= count // MOST_AT_ONCE


def test_each_of_many_messages_is_stored_once() -> None:
    bench, memory = Bench(), SessionMemory()
    messages = [{"role": "user", "content": str(number % 3)} for number in range(8)]
    incoming = bench.incoming(messages)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_requests, "MOST_AT_ONCE", 5)
        many = asyncio.run(facts_in_pieces(bench.facts, incoming.request.messages))
    memory.store(many.refs[:32])
    received = memory.received.difference(many.refs, None, 0)
    bodies = new_messages(incoming, many, memory, received)
    assert [json.loads(body.data)["content"] for body in bodies] == ["1", "2"]
    assert new_messages(incoming, many, memory, received) == []


def test_very_many_messages_go_upstream_as_they_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.sending._MOST_MESSAGES", 12)
    output = {"role": "tool", "tool_call_id": "1", "content": "some words of an output\n" * 200}
    call: dict[str, Any] = {
        "role": "assistant",
        "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}],
    }
    messages: list[dict[str, Any]] = [{"role": "user", "content": "hello"}, *[call, output] * 5]
    bench = Bench()
    assert bench.send(messages).saved > 0
    messages += [call, output]
    sending = bench.send(messages)
    assert (sending.saved, sending.skipped_reason) == (0, "too_many_messages")
    assert json.loads(sending.body)["messages"] == messages
    assert not bench.sender.is_long(bench.incoming(messages).facts)


def test_what_a_request_is_longer_by_is_not_hashed_over_and_over() -> None:
    hashed = 0

    def hash_(data: bytes) -> bytes:
        nonlocal hashed
        hashed += len(data)
        return hashlib.md5(data, usedforsecurity=False).digest()

    index, known = ChainIndex(hash_), cache()
    messages = [user("a"), assistant("b")]
    index.begin(Match(1), 1, SCOPE, facts(*messages, of=known))
    chain = index.find(SCOPE, facts(*messages, of=known), retry=True)
    assert chain is not None
    messages += [user(str(number % 7)) for number in range(30_000)]
    longer = facts(*messages, of=known)
    hashed = 0
    index.begin(chain, 2, SCOPE, longer)
    assert hashed < 100 << 20  # of 7 GB
    again = index.find(SCOPE, facts(*messages[:-3], assistant("other"), of=known), retry=False)
    assert again is not None and (again.session_id, again.depth) == (1, len(messages) - 3)


async def test_a_long_body_is_decoded_beside_the_loop() -> None:
    openings = Openings()
    body = body_of([user("x" * 100_000)] * 40)
    assert openings.read(body) is None
    read = await openings.read_long(body)
    assert read.long and read.opening is None
    assert [bytes(raw) for raw in read.request.messages] == [bytes(raw) for raw in decode_chat(body).messages]


_NAMES = st.sampled_from(["model", "stream_options", "mode", 'a"model"', "é"])
_VALUES = st.recursive(
    st.sampled_from([1, None, "model", '"model"', "stream_options", "\ud800", '"model":1', "x\\"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_NAMES, inner, max_size=2),
    max_leaves=4,
)


@given(st.lists(st.tuples(_NAMES, _VALUES), max_size=4), st.booleans(), st.sampled_from([":", " : "]), st.booleans())
def test_members_of_a_name_are_found_without_a_walk(
    pairs: list[tuple[str, object]], escaped: bool, colon: str, spelled: bool
) -> None:
    text = "{" + ",".join(json.dumps(name) + colon + json.dumps(value) for name, value in pairs) + "}"
    if spelled:
        text = text.replace("model", "m\\u006fdel", 1)
    for name in NAMED:
        try:
            every = decode_mended(members, text.encode())
        except DuplicateKeysError:
            continue
        found = decode_mended(partial(members_named, name=name), text.encode())
        assert [each for each in found if each.key == name] == [each for each in every if each.key == name]


@pytest.mark.parametrize("more", [{}, {"stream": True}, {"stream": True, "stream_options": {"a": 1}}, {"y": "model"}])
@pytest.mark.parametrize("name", ["m", "other"])
def test_a_long_body_goes_upstream_as_a_short_one_does(more: dict[str, object], name: str) -> None:
    provider = Provider(key="p", type="openai")
    route = Route(provider=provider, model_key="m", upstream_model=name, max_context=100)
    body = body_of([user("x")], **more)
    request = decode_chat(body)
    hashed: list[bytes] = []

    def text_ref(text: bytes) -> bytes:
        hashed.append(text)
        return b""

    found, plain = forward_long(body, request, route, text_ref), forward(body, request, route)
    assert (found.body, found.injected) == (plain.body, plain.injected)
    assert found.envelope == decode_chat(plain.body).envelope
    assert set(hashed) == {request.envelope, found.envelope}
    assert with_include_usage(with_model(body, name), request) in (plain.body, with_include_usage(plain.body, request))
