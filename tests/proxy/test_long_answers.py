"""Answers of which the middle was not kept."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.long_answers import End, head_of

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
LONG = 'x"usage":{"prompt_tokens":9}}],"usage":7 \\' * 20_000  # a text that looks like members
CHOICE = {"index": 0, "message": {"role": "assistant", "content": LONG}, "logprobs": None, "finish_reason": "stop"}


def cut(answer: dict[str, Any], indent: int | None = None) -> tuple[bytes, bytes]:
    data = json.dumps(answer, indent=indent).encode()
    return data[:100_000], data[-10_000:]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    "answer",
    [
        {"id": "1", "model": "m", "choices": [CHOICE], "usage": USAGE},
        {"choices": [CHOICE], "created": 1, "model": "m", "usage": USAGE, "service_tier": "flex"},
        {"choices": [dict(reversed(CHOICE.items()))], "usage": USAGE, "model": "m"},
        {"usage": USAGE, "model": "m", "choices": [CHOICE]},
        {"model": "m", "choices": [{**CHOICE, "usage": USAGE}]},
    ],
)
def test_usage_model_and_reason_are_read_around_it(answer: dict[str, Any], indent: int | None) -> None:
    head = head_of(*cut(answer, indent))
    assert (head.usage_raw(), head.finish_reason(), head.model_name()) == (USAGE, "stop", "m")


def test_nothing_is_read_out_of_a_text() -> None:
    head = head_of(*cut({"choices": [{"message": {"content": LONG}}]}))
    assert (head.usage_raw(), head.finish_reason(), head.model_name()) == (None, None, None)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_are_harmless(beginning: bytes, end: bytes) -> None:
    head_of(beginning, end)


@given(st.lists(st.binary(max_size=30)))
def test_the_end_is_the_last_bytes(pieces: list[bytes]) -> None:
    end = End(room=16)
    for piece in pieces:
        end.add(piece)
    whole = b"".join(pieces)
    assert (end.data, end.size) == (whole[-16:], len(whole))
