"""Envelope and messages give the body back; a conversation has one envelope."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.envelope import EnvelopeError, join, split
from proxy.wire import decode_chat, with_model

_SPACE = st.text(" \t\r\n", max_size=3)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('a"\\[]{},:é'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("messages", max_size=8), inner, max_size=3),
    max_leaves=8,
)
_MESSAGE = st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"])}, optional={"content": _JSON})
_KEYS = st.sampled_from(["messages", "mess\\u0061ges", "model", "x", "y"])


def raws(messages: list[bytes]) -> list[msgspec.Raw]:
    return [msgspec.Raw(message) for message in messages]


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A chat body: members in any order and number, any whitespace, other keys that look like messages."""

    def dumped(value: object) -> str:
        return json.dumps(value, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1])))

    def listed() -> str:
        inner = "".join(
            f"{draw(_SPACE) if index == 0 else draw(_SPACE) + ',' + draw(_SPACE)}{dumped(message)}"
            for index, message in enumerate(draw(st.lists(_MESSAGE, min_size=1, max_size=4)))
        )
        return f"[{inner}{draw(_SPACE)}]"

    members = [
        f'"{key}"{draw(_SPACE)}:{draw(_SPACE)}{listed() if key.startswith("mess") else dumped(draw(_JSON))}'
        for key in draw(st.lists(_KEYS, max_size=4))
    ]
    members.insert(draw(st.integers(0, len(members))), f'"messages":{listed()}')
    return f"{draw(_SPACE)}{{{f'{draw(_SPACE)},'.join(members)}{draw(_SPACE)}}}{draw(_SPACE)}".encode()


@given(bodies())
def test_join_gives_the_exact_body_back(body: bytes) -> None:
    messages = msgspec.json.decode(body, type=dict[str, msgspec.Raw])["messages"]
    each = msgspec.json.decode(messages, type=list[msgspec.Raw])
    assert join(split(body, each), [bytes(message) for message in each]) == body


@given(st.binary(max_size=60), st.lists(st.binary(max_size=10), max_size=4))
def test_whatever_it_is_given(body: bytes, messages: list[bytes]) -> None:
    assert join(split(body, raws(messages)), messages) == body


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (",\n", ":")])
@pytest.mark.parametrize("indent", [None, 2])
def test_one_conversation_has_one_envelope(separators: tuple[str, str], indent: int | None) -> None:
    each = [{"role": "user", "content": f"{number}"} for number in range(5)]

    def envelope(count: int) -> bytes:
        fields = {"model": "m", "messages": each[:count], "tools": [{"messages": [1]}]}
        body = json.dumps(fields, separators=separators if indent is None else None, indent=indent).encode()
        return split(body, decode_chat(body).messages)

    assert len({envelope(count) for count in range(2, 6)}) == 1
    if separators[0] != ",\n":
        assert envelope(1) == envelope(2)
    assert b'"role"' not in envelope(4)


def test_a_body_with_another_model_is_split_by_the_same_messages() -> None:
    body = b'{"model":"m","messages":[{"role":"user"},{"role":"user"}]}'
    sent = with_model(body, "other")
    envelope = split(sent, decode_chat(body).messages)
    assert b'"role"' not in envelope
    assert join(envelope, [b'{"role":"user"}'] * 2) == sent


def test_irregular_separators_are_kept() -> None:
    body = b'{"messages":[{"role":"a"},\n{"role":"b"} , {"role":"c"}]}'
    envelope = split(body, decode_chat(body).messages)
    assert b'"separators":[",\\n"," , "]' in envelope
    with pytest.raises(EnvelopeError):
        join(envelope, [b"{}"])


@pytest.mark.parametrize("envelope", [b"", b"x\n", b"[]\n", b"{}\nabc"])
def test_join_refuses_what_is_no_envelope(envelope: bytes) -> None:
    with pytest.raises(EnvelopeError):
        join(envelope, [b"{}"])
