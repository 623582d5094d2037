import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context.messages import IMAGE_TOKENS, PER_MESSAGE, count_message, text_of
from context.tokens import SLICE, SplintrCounter


@pytest.fixture(scope="module")
def count() -> SplintrCounter:
    return SplintrCounter()


@pytest.mark.parametrize(
    ("text", "tokens"),
    [  # as tiktoken 0.14 counts with OpenAI's own o200k_base
        ("", 0),
        ("hello world", 2),
        ("def f(x):\n    return x + 1\n", 11),
        ("antidisestablishmentarianism", 6),
        ("Übergrößenträger 北京 🎉\n\n\tif (a&&b) {}", 16),
        ("<|endoftext|>", 7),
    ],
)
def test_known_counts(count: SplintrCounter, text: str, tokens: int) -> None:
    assert count(text) == tokens


def test_special_tokens_are_ordinary_text(count: SplintrCounter) -> None:
    assert count("<|endoftext|>") > 1


def test_long_texts_are_counted_in_slices(count: SplintrCounter) -> None:
    text = "one more word, " * 20_000
    slices = [text[at : at + SLICE] for at in range(0, len(text), SLICE)]
    assert count(text) == sum(count(part) for part in slices)


def test_a_mebibyte_of_one_character(count: SplintrCounter) -> None:
    assert 0 < count("a" * (1 << 20)) < 1 << 20


@given(st.text(st.characters(), max_size=200))
def test_any_text_counts_also_with_unpaired_surrogates(text: str) -> None:
    assert 0 <= SHARED(text + "\ud800") <= 4 * len(text) + 8


SHARED = SplintrCounter()


def test_a_message_costs_its_texts_its_calls_and_what_surrounds_it() -> None:
    function = {"name": "read", "arguments": '{"path":"a"}'}
    message = {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", "function": function}]}
    assert count_message(message, len) == PER_MESSAGE + len("assistant") + len("read") + len('{"path":"a"}')
    assert count_message({"role": "tool", "content": "out", "tool_call_id": "call_1"}, len) == PER_MESSAGE + 7


def test_parts() -> None:
    parts = [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "data:..."}}, "odd", 5]
    assert count_message({"content": parts}, len) == PER_MESSAGE + 2 + IMAGE_TOKENS
    assert text_of(parts) == "hi"
    assert text_of(None) == text_of(7) == ""


def test_odd_tool_calls_are_skipped() -> None:
    odds: list[object] = ["x", [1], [{"function": "x"}], [{"function": {"name": 1, "arguments": {}}}], {}]
    for odd in odds:
        assert count_message({"tool_calls": odd}, len) == PER_MESSAGE, json.dumps(odd)
