"""Lines come whole, however they were cut on their way."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.lines import PIECE, LineTooLongError, lines_of


async def read(text: bytes, longest: int) -> list[bytes]:
    stream = asyncio.StreamReader()
    stream.feed_data(text)
    stream.feed_eof()
    return [line async for line in lines_of(stream, longest)]


@given(st.lists(st.integers(0, 3 * PIECE).map(lambda size: b"x" * size), max_size=6), st.booleans())
def test_lines_are_whole(lines: list[bytes], ended: bool) -> None:
    text = b"\n".join(lines) + (b"\n" if ended else b"")
    expected = text.split(b"\n")
    assert asyncio.run(read(text, 3 * PIECE)) == (expected if expected[-1] else expected[:-1])


@pytest.mark.parametrize("text", [b"12345", b"12345\n", b"1\n" + b"2" * 9])
async def test_one_that_is_too_long(text: bytes) -> None:
    with pytest.raises(LineTooLongError):
        await read(text, 4)
