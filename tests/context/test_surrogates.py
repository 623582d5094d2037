"""Only unpaired surrogates are replaced, and nothing moves."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context.surrogates import mended


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (rb'"\ud83d"', rb'"\ufffd"'),
        (rb'"\uD83D\uDE00 \udE00"', rb'"\uD83D\uDE00 \ufffd"'),
        (rb'"\ud83d\ud83d\ude00"', rb'"\ufffd\ud83d\ude00"'),
        (rb'"\\ud83d"', rb'"\\ud83d"'),
        (rb'"\\\ud83d"', rb'"\\\ufffd"'),
        (rb'"\n\ue000"', rb'"\n\ue000"'),
    ],
)
def test_mended(text: bytes, expected: bytes) -> None:
    assert mended(text) == expected


@given(st.text(st.characters(categories=("Cs", "Lu", "So", "Po")) | st.sampled_from('\\"ud')))
def test_what_is_left_is_well_formed_and_as_long(value: str) -> None:
    text = json.dumps(value).encode()
    fixed = mended(text)
    assert len(fixed) == len(text)
    assert json.loads(fixed) == value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
