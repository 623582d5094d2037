"""Lines that stand in the context already."""

from hypothesis import given
from hypothesis import strategies as st

from context.repetition import LineIndex, Source, comparable

LINES = [f"line {number} with words enough that a note pays" for number in range(40)]


def index_of(*texts: str, output: int | None = 0) -> LineIndex:
    index = LineIndex()
    for text in texts:
        index.add(Source(output, [comparable(line) for line in text.split("\n")]))
    return index


def always(_: int) -> bool:
    return True


def test_a_run_is_said_once() -> None:
    index = index_of("\n".join(LINES[:20]))
    found = index.shortened("\n".join(["before", *LINES[5:15], "after"]), always)
    assert found is not None
    assert found.text == f"before\n[10 lines as in an output above, from: {LINES[5]}]\nafter"
    assert found.referred == {0}
    assert found.saved > 300


def test_numbers_of_lines_make_no_difference() -> None:
    numbered = "\n".join(f"{number:6}\t{line}" for number, line in enumerate(LINES[:12], 100))
    found = index_of("\n".join(LINES[:12])).shortened(numbered, always)
    assert found is not None
    assert found.text.startswith("[12 lines as in an output above")


def test_what_the_assistant_wrote_counts_too() -> None:
    found = index_of("\n".join(LINES[:10]), output=None).shortened("\n".join(LINES[:10]), always)
    assert found is not None
    assert "as written above" in found.text
    assert found.referred == frozenset()


def test_nothing_refers_to_what_is_masked() -> None:
    index = index_of("\n".join(LINES[:20]))
    assert index.shortened("\n".join(LINES[:20]), lambda _: False) is None


def test_short_runs_stay() -> None:
    index = index_of("\n".join(LINES[:20]))
    assert index.shortened("\n".join(LINES[:5]), always) is None
    assert index_of("\n".join("abcdefghij")).shortened("\n".join("abcdefghij"), always) is None  # few characters


@given(st.lists(st.sampled_from([*LINES[:8], "", "x"]), max_size=60), st.lists(st.sampled_from(LINES[:8]), max_size=30))
def test_every_line_stays_or_stands_elsewhere(lines: list[str], earlier: list[str]) -> None:
    text = "\n".join(lines)
    found = index_of("\n".join(earlier)).shortened(text, always)
    if found is None:
        return
    kept = found.text.split("\n")
    left = [line for line in lines if line not in kept]
    assert set(left) <= set(earlier)
    assert found.saved == len(text) - len(found.text)
