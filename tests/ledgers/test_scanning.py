"""Lists are cut where the parser of JSON would cut them, wherever their bytes come apart."""

import io
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ledgers import scanning
from ledgers.scanning import elements, lines
from ledgers.tasks import Problem

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(['"', "\\", '\\"', "[{", "]},"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


class Pieces(io.BytesIO):
    """A file that gives a few bytes at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(data)
        self._size = size

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self._size)


def scanned(data: bytes, size: int) -> list[bytes | Problem]:
    """By the scanner, never by the parser at once."""
    scanner, file, found = scanning._Scanner(), Pieces(data, size), list[bytes | Problem]()
    while piece := file.read():
        found += scanner.feed(piece)
    return [*found, *scanner.end()]


@settings(deadline=None)
@given(st.lists(_VALUES, max_size=5), st.integers(1, 9), st.sampled_from([None, 1]))
def test_what_is_whole(values: list[Any], size: int, indent: int | None) -> None:
    data = json.dumps(values, indent=indent).encode()
    found = scanned(b" \n" + data + b"\n ", size)
    assert [json.loads(each) for each in found if isinstance(each, bytes)] == values
    assert len(found) == len(values)
    assert [json.loads(each) for each in elements(io.BytesIO(data)) if isinstance(each, bytes)] == values


@settings(deadline=None)
@given(st.lists(_VALUES, min_size=1, max_size=5), st.data())
def test_what_is_cut(values: list[Any], data: st.DataObject) -> None:
    whole = json.dumps(values).encode()
    cut = data.draw(st.integers(1, len(whole) - 1))
    *found, problem = scanned(whole[:cut], data.draw(st.integers(1, 9)))
    assert isinstance(problem, Problem)
    assert [json.loads(each) for each in found if isinstance(each, bytes)] == values[: len(found)]


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(1, 9))
def test_any_bytes(data: bytes, size: int) -> None:
    assert len(scanned(data, size)) <= len(data) + 1
    for number, found in enumerate(lines(io.BytesIO(data)), 1):
        assert isinstance(found, Problem) or number <= found[0]


def test_the_scanner_is_no_slower_for_what_somebody_made_up() -> None:
    for noise in (b'"' * 200_001, b"\\" * 200_000, b'"\\' * 100_000, b"[" * 200_000, b'{"a":' * 50_000, b"," * 200_000):
        assert scanned(b"[" + noise, 1 << 16)
