"""The process that makes the read tables anew, as the server sees it."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import msgspec

import projections.rebuild_process as child
from projections.rebuilding import PoisonedRebuildError

_ROOMS = Path(child.__file__).resolve().parents[1]
_LONGEST_LINE = 1 << 20
S = TypeVar("S", child.Built, child.Compared)


class RebuildFailedError(Exception):
    """The log or the disk failed, or the process died; the message says which."""


class RebuildChild:
    """One process, and what it says."""

    def __init__(self, process: asyncio.subprocess.Process, progressed: Callable[[int, int], None]) -> None:
        self._process, self._progressed = process, progressed

    async def built(self) -> child.Built:
        """When the new file is complete. Raises PoisonedRebuildError and RebuildFailedError."""
        return await self._said(child.Built)

    async def compared(self) -> child.Compared:
        """Call it when the tables in use are as far as the new ones; the process has ended when this returns.
        Raises PoisonedRebuildError and RebuildFailedError."""
        if self._process.stdin is not None:
            self._process.stdin.write(b"compare\n")
        said = await self._said(child.Compared)
        await self._process.wait()
        return said

    async def _said(self, kind: type[S]) -> S:
        if self._process.stdout is None:
            raise RebuildFailedError("nothing can be heard of the process")
        async for line in self._process.stdout:
            match msgspec.json.decode(line, type=child.Said):
                case child.Applied(done, total):
                    self._progressed(done, total)
                case child.Failed(poisoned, text):
                    raise PoisonedRebuildError(text) if poisoned else RebuildFailedError(text)
                case said if isinstance(said, kind):
                    return said
        raise RebuildFailedError(f"the process ended with code {await self._process.wait()}")


@contextlib.asynccontextmanager
async def rebuild_child(directory: Path, progressed: Callable[[int, int], None]) -> AsyncIterator[RebuildChild]:
    """A process that makes the tables of `directory` anew; it is gone afterwards, however this ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", child.__name__, str(directory)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_LONGEST_LINE,
        env={**os.environ, "PYTHONPATH": str(_ROOMS)},  # where this process has the same modules from
    )
    try:
        yield RebuildChild(process, progressed)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
