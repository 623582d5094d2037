"""Lines of what tools say are those of the text in it; ranges are checked; long texts come in parts."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.excerpts import MOST, Excerpt, RangeError, part, readable, selected, span

LAST = "three é" + "x" * 100
FILE = f"one\ntwo \\n is no end\n{LAST}\n"


@pytest.mark.parametrize(
    "text",
    [
        FILE,
        json.dumps({"path": "a", "content": FILE}),
        json.dumps({"content": [{"type": "text", "text": FILE}]}, ensure_ascii=False),
    ],
)
def test_lines_are_those_of_the_text(text: str) -> None:
    assert selected(text, "2-3", None) == Excerpt(f"two \\n is no end\n{LAST}", 2, 3)
    assert selected(text, "3", None) == Excerpt(LAST, 1, 3)
    assert selected(text, None, "TH") == Excerpt(LAST, 1, 3)
    assert selected(text, "1-2", "three") == selected(text, "7-9", None) == Excerpt("", 0, 3)


def test_of_several_texts_each_value_has_its_lines() -> None:
    found = json.dumps([{"path": "a.py", "text": "x = 1\ny = 2"}, {"path": "b\\n.py", "text": "z = 3\n"}])
    assert readable(found).split("\n") == [
        "[", " {", '  "path": "a.py",', '  "text": "x = 1', 'y = 2"', " },",
        " {", '  "path": "b\\\\n.py",', '  "text": "z = 3', '"', " }", "]",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["{no json", "[1, 2", '{"a": 1}\n{"b": "c\\nd"}', "", "{" * 9_000, '["\ud800"]'])
def test_what_is_no_json_is_as_it_is(text: str) -> None:
    assert readable(text) == text


@pytest.mark.parametrize("lines", ["3-1", "0-3", "0", "a", "1-", "-1", "1-2-3", ""])
def test_odd_ranges_are_refused(lines: str) -> None:
    with pytest.raises(RangeError, match="10-40"):
        span(lines)


@given(st.text(alphabet="ab\n", max_size=9).map(lambda text: text * 20_000))
def test_the_parts_are_the_whole(text: str) -> None:
    parts, at = [], 0
    while True:
        piece, following = part(text, at)
        assert len(piece) <= MOST
        parts.append(piece)
        if following is None:
            break
        assert following > at
        at = following
    assert "".join(parts) == text
