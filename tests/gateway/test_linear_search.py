"""The search engine against Python's own, and what is hostile to that one."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.arguments import ToolFailure
from gateway.linear_search import Automaton, matcher
from gateway.regex_parser import RegexError

ATOMS = (
    "a",
    "b",
    ".",
    "[ab]",
    "[^a]",
    "[a-c]",
    r"\w",
    r"\W",
    r"\b",
    r"\B",
    "^",
    "$",
    "(a|b)",
    "(?:ab)",
    r"\s",
    r"\.",
    " ",
)
REPEATS = ("", "", "", "*", "+", "?", "{2}", "{1,3}", "{0}", "{1,}", "*?")
PIECE = st.tuples(st.sampled_from(ATOMS), st.sampled_from(REPEATS)).map("".join)
PATTERN = st.lists(st.lists(PIECE, min_size=1, max_size=4).map("".join), min_size=1, max_size=2).map("|".join)


@settings(max_examples=100, deadline=None)
@given(PATTERN, st.text("ab c._", max_size=10))
def test_it_finds_what_python_finds(pattern: str, line: str) -> None:
    try:
        wanted = re.compile(pattern).search(line) is not None
    except re.error:
        return
    if not line and "B" in pattern:
        return  # Python changed its mind about that
    assert Automaton(pattern, case=True).search(line) == wanted


@settings(deadline=None)
@given(st.text(r"ab(){}[]*+?|\^$.,-0:=Pé", max_size=12), st.text("ab0é\n", max_size=12))
def test_any_text_is_a_pattern_of_one_or_the_other_kind(pattern: str, line: str) -> None:
    try:
        found = matcher(pattern, case=False)
    except ToolFailure:
        return
    assert found(line) in (True, False)


def test_what_takes_python_for_ever() -> None:
    line = "a" * 20_000 + "b"
    for pattern in ("(a+)+$", "(a|a)*c", "(a*)*c", ".*.*.*.*c", "(a|aa)+$"):
        assert not matcher(pattern, case=True)(line)


def test_case() -> None:
    assert matcher("Straße", case=False)("DIE STRASSE") and not matcher("Straße", case=True)("DIE STRASSE")
    assert matcher(r"[a-c]x\d", case=False)("BX7") and not matcher(r"[a-c]x\d", case=True)("BX7")


def test_what_is_no_regular_expression_is_a_text() -> None:
    assert matcher("call(", case=True)("a call(x)")
    assert matcher("a[1", case=True)("a[1]")
    assert matcher("*", case=True)("2 * 3")


@pytest.mark.parametrize("pattern", ["(?=a)", r"(a)\1", "(?P<x>a)", r"\p{L}", r"[\q]"])
def test_what_is_of_another_kind_is_refused(pattern: str) -> None:
    with pytest.raises(ToolFailure):
        matcher(pattern, case=True)


@pytest.mark.parametrize(
    "pattern", ["(" * 60 + ")" * 60, "((a{900}){900})", "a{5,2}", "[b-a]", "a)", "(a", "[a", "a\\"]
)
def test_what_is_wrong_is_no_automaton(pattern: str) -> None:
    with pytest.raises(RegexError):
        Automaton(pattern, case=True)


def test_many_different_characters() -> None:
    assert matcher("x.*y$", case=True)("x" + "".join(map(chr, range(0x100, 0x5F00))) + "y")
