"""Whatever bodies come in whatever order, reading them is decoding them; nothing is kept beyond its bounds."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.facts import FactsCache
from proxy.openings import Openings
from proxy.wire import ChatRequest, WireError, decode_chat

_LONG = "x" * 1_200
_ROLES = ("system", "user", "assistant", "tool")

Message = dict[str, Any]


def conversation(count: int, name: str = "") -> list[Message]:
    return [{"role": _ROLES[number % 4], "content": f"{name} {number} {_LONG}"} for number in range(count)]


def body_of(messages: list[Message], *, style: str = "compact", **more: object) -> bytes:
    separators = (",", ":") if style == "compact" else None
    fields = {"model": "m", "messages": messages, **more}
    return json.dumps(fields, separators=separators, indent=1 if style == "indented" else None).encode()


def said(read: Callable[[bytes], ChatRequest], body: bytes) -> object:
    try:
        request = read(body)
    except WireError as error:
        return error.message, error.code, error.param
    fields = msgspec.structs.asdict(request)
    raws = {name: value and bytes(value) for name, value in fields.items() if isinstance(value, msgspec.Raw)}
    return {**fields, **raws, "messages": [bytes(raw) for raw in request.messages]}


class House:
    def __init__(self) -> None:
        self.openings, self.facts = Openings(), FactsCache(1, len, str)
        self.known = 0  # messages of the last request that were not decoded

    def read(self, body: bytes) -> ChatRequest:
        read = self.openings.read(body)
        assert read is not None
        self.known = read.opening.count if read.opening is not None else 0
        facts = self.facts.of_request(read.request.messages, 1 << 30, read.opening)
        assert facts == FactsCache(1, len, str).of_long_request(read.request.messages)
        self.openings.learn(body, read, facts)
        return read.request


_BROKEN = st.sampled_from(
    [
        lambda body: body + b" ",
        lambda body: body + b"}",
        lambda body: body[:-1],
        lambda body: body[:-2],
        lambda body: body[:-1] + b',"messages":[]}',
        lambda body: body[:-1] + b',"messages":[{"role":"user"}]}',
        lambda body: body[:-1] + b',"messages":3}',
        lambda body: body[:-1] + b',"model":3}',
        lambda body: body[:-1] + b',"x":' + b"[" * 200 + b"]" * 200 + b"}",
        lambda body: body[:-1] + b',"x":"\xff"}',
        lambda body: body[:-1] + b',"x":"\\ud83d"}',
        lambda body: body[:-2] + b',{"role":"user","content":"\\ud83d"}]}',
        lambda body: body[:-2] + b', {"role":"user"} , 3 ]}',
        lambda body: body[:-2] + b",]}",
        lambda body: body.replace(b'"user"', b'"User"'),
    ]
)


@settings(deadline=None, max_examples=80)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]),
            st.integers(6, 14),
            st.sampled_from(["", "", "other"]),
            st.sampled_from(["compact", "compact", "spaced", "indented"]),
            st.sampled_from([{}, {"tools": [{"a": [1]}], "stream": True}]),
            st.none() | _BROKEN,
        ),
        min_size=2,
        max_size=8,
    )
)
def test_reading_is_decoding(
    steps: list[tuple[str, int, str, str, dict[str, Any], Callable[[bytes], bytes] | None]],
) -> None:
    house = House()
    for name, count, last, style, more, spoil in steps:
        messages = conversation(count, name)
        messages[-1]["content"] += last
        body = body_of(messages, style=style, **more)
        if spoil is not None:
            body = spoil(body)
        assert said(house.read, body) == said(decode_chat, body)


@pytest.mark.parametrize("style", ["compact", "spaced", "indented"])
def test_a_conversation_that_goes_on_is_decoded_from_where_it_went_on(style: str) -> None:
    house, messages = House(), conversation(10)
    house.read(body_of(messages, style=style))
    assert house.known == 0
    house.read(body_of([*messages, *conversation(2, "new")], style=style))
    assert house.known == 10
    house.read(body_of([*messages, *conversation(2, "new")], style=style))  # once more
    assert house.known == 12
    messages = [*messages, *conversation(1, "new")]
    for number in range(3):  # that differ in their last message
        house.read(body_of([*messages, {"role": "user", "content": str(number)}], style=style))
        assert house.known == 11
    house.read(body_of([{"role": "user", "content": "else"}, *messages], style=style))
    assert house.known == 0


def test_two_conversations_that_begin_alike_do_not_take_each_others_place() -> None:
    house = House()
    first, second = conversation(9), [*conversation(5), *conversation(4, "second")]
    for messages in (first, second):
        house.read(body_of(messages))
    for messages in (first, second):
        house.read(body_of([*messages, {"role": "user", "content": "on"}]))
        assert house.known == 9


def test_what_is_kept_is_bounded() -> None:
    house = House()
    for number in range(40):  # more than are kept of those that begin alike
        house.read(body_of([*conversation(9), *conversation(1, str(number))]))
    house.read(body_of([*conversation(9), *conversation(1, "39"), {"role": "user", "content": "on"}]))
    assert house.known == 10
    for number in range(30):  # 400 KB each
        house.read(body_of(conversation(330, f"long {number}")))
    house.read(body_of([*conversation(9), {"role": "user", "content": "on"}]))
    assert house.known == 0
    house.read(body_of([*conversation(330, "long 29"), {"role": "user", "content": "on"}]))
    assert house.known == 330


def test_nothing_is_left_where_it_must_not_be() -> None:
    house, messages = House(), conversation(10)
    house.read(body_of(messages))
    house.openings.clear()
    house.read(body_of([*messages, {"role": "user", "content": "on"}]))
    assert house.known == 0
    house.read(body_of([*messages, {"role": "user", "content": "off"}]))
    assert house.known == 10
