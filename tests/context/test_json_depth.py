"""The depth check agrees with a walk over the decoded value."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context.json_depth import openers, within_depth

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab[]{}"\\: ,é'),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('ab[]{}"\\'), inner, max_size=4),
    max_leaves=25,
)


def depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


@given(_JSON, st.integers(0, 8), st.integers(0, 3), st.booleans())
def test_agrees_with_the_decoded_value(value: object, limit: int, levels: int, indented: bool) -> None:
    text = json.dumps(value, indent=2 if indented else None).encode()
    assert within_depth(text, limit, levels) == (depth(value) <= limit)


@pytest.mark.parametrize("nested", [128, 129])
def test_counts_what_stands_before_a_duplicate_key(nested: int) -> None:
    text = b'{"a":' + b"[" * (nested - 1) + b"]" * (nested - 1) + b',"a":1}'
    assert within_depth(text, 128) == (nested <= 128)


def test_brackets_in_strings_do_not_nest() -> None:
    text = json.dumps([{"content": '[{"\\' * 1_000}] * 3).encode()
    assert openers(text) > 128
    assert within_depth(text, 2)
    assert not within_depth(text, 1)


def test_closing_brackets_in_strings_hide_nothing() -> None:
    text = (b'["]]]",' * 200) + b"1" + b"]" * 200
    assert within_depth(text, 200)
    assert not within_depth(text, 199)
