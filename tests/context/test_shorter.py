"""Texts made shorter."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from context.likeness import distance, levenshtein
from context.shorter import names_kept, shorter

TEXT = "\n".join(
    [
        "We looked at the service for a while today and talked about it.",
        "The function parse_header in src/http/parser.py fails with error E1042.",
        "It was a nice day and everybody was happy about the weather outside.",
        "Set MAX_RETRIES to 5 in config/production.toml before the release.",
        "Then we had lunch and came back and did some other things as well.",
        "The weather was nice and the day was nice and everybody was happy.",
    ]
)


@pytest.mark.parametrize("aware", [True, False])
@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.9])
def test_it_is_shorter_and_made_of_its_lines(aware: bool, ratio: float) -> None:
    made = shorter(TEXT, ratio, len, aware=aware)
    assert 0 < len(made) <= max(len(TEXT) * ratio, 4) + 1
    assert set(made.splitlines()) <= set(TEXT.splitlines()) or made.endswith("...")


def test_names_are_what_is_kept() -> None:
    made = shorter(TEXT, 0.5, len, aware=True)
    assert "parse_header" in made and "MAX_RETRIES" in made
    assert names_kept(TEXT, made) > names_kept(TEXT, shorter(TEXT, 0.5, len, aware=False))
    assert names_kept("plain words only", "") == 1.0


def test_one_endless_line_is_cut() -> None:
    assert shorter("x" * 1_000, 0.1, len, aware=True) == "x" * 97 + "..."
    assert shorter("   ", 0.5, len, aware=True) != ""
    long = "A sentence that says something. " * 40
    assert len(shorter(long, 0.5, len, aware=False)) <= len(long) // 2 + 1


def _slowly(one: str, other: str) -> int:
    row = list(range(len(other) + 1))
    for index, letter in enumerate(one, 1):
        before, row[0] = row[0], index
        for place, second in enumerate(other, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (letter != second))
    return row[-1]


@settings(deadline=None)
@given(st.text("abcé", max_size=40), st.text("abcé", max_size=40))
def test_the_distance_is_that_of_the_plain_way(one: str, other: str) -> None:
    assert distance(one, other) == _slowly(one, other) == distance(other, one)


def test_likeness_is_a_share() -> None:
    assert (levenshtein("", ""), levenshtein("same", "same"), levenshtein("abcd", "abxd")) == (1.0, 1.0, 0.75)
