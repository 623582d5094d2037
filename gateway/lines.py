"""The lines of a stream, of any length up to a limit, without more of it in memory than the line needs: who says more
than is read has to wait."""

import asyncio
from collections.abc import AsyncIterator

PIECE = 65_536  # bytes that are read at once


class LineTooLongError(ValueError):
    """Nothing that follows can be trusted."""


async def lines_of(stream: asyncio.StreamReader, longest: int) -> AsyncIterator[bytes]:
    """Without their ends; the last one also where it has none. Raises LineTooLongError."""
    begun: list[bytes] = []
    size = 0
    while piece := await stream.read(PIECE):
        *whole, rest = piece.split(b"\n")
        for line in whole:
            if size + len(line) > longest:
                raise LineTooLongError
            yield b"".join((*begun, line))
            begun.clear()
            size = 0
        begun.append(rest)
        size += len(rest)
        if size > longest:
            raise LineTooLongError
    if size:
        yield b"".join(begun)
