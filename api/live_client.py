"""One client of /ws: what it wants, what waits for it, and how it is written to (contract 5).

It is written to at once while it takes what it is given. What it does not take waits, within bounds: too much of it is
dropped for one `resync`, which it gets as soon as it takes something again.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol

from api.live_frames import Batch, Block, Message, frame_of

MAX_MESSAGES = 256
MAX_BYTES = 4 << 20
PATIENCE_S = 1.0  # a client that takes what it is given may be behind, by MAX_BYTES at most
STALLED_S = 30.0
_LOOKS = 30  # in the time after which a client is let go


class Wire(Protocol):
    """The connection of a client."""

    @property
    def open(self) -> bool:
        """False for ever once it is closing."""

    @property
    def takes(self) -> bool:
        """Whether it is open and more can be written without waiting for the client."""

    @property
    def unsent(self) -> int:
        """Bytes that were written and that the system has not taken over yet."""

    def write(self, data: bytes) -> None:
        """Whole frames; nothing where it is closing."""

    async def writable(self) -> None:
        """Until it takes more, or is closed."""


class GoneError(Exception):
    """The connection is closed."""


class StalledError(Exception):
    """The client has accepted nothing for too long."""


class LiveClient:
    """`session_id` is the one session that it wants to hear of, None for all; with `feed` it gets each event.

    At most `max_messages` wait for who has taken nothing for `patience_s` seconds, and 4 MiB for anybody; who takes
    nothing for `stalled_s` seconds is let go.
    """

    def __init__(
        self,
        wire: Wire,
        *,
        session_id: int | None,
        feed: bool,
        max_messages: int = MAX_MESSAGES,
        patience_s: float = PATIENCE_S,
        stalled_s: float = STALLED_S,
    ) -> None:
        self._wire, self._session_id, self._feed = wire, session_id, feed
        self._max_messages, self._patience_s, self._stalled_s = max_messages, patience_s, stalled_s
        self._clock = asyncio.get_running_loop().time
        self._queue: deque[Block] = deque()
        self._messages = self._bytes = 0  # in the queue
        self._filled = asyncio.Event()
        self._begun = asyncio.Event()
        self._since = 0  # what it knew when it began
        self._missed: str | None = None  # why it must be told to read anew
        self._unsent, self._taken_at = 0, self._clock()
        self.position = 0  # of the last event that it was told of, or need not be
        self.resyncs = 0

    @property
    def feed(self) -> bool:
        return self._feed

    @property
    def session_id(self) -> int | None:
        return self._session_id

    def begin(self, since: int) -> None:
        """From now on it is told what happens after event `since`."""
        self._since = self.position = since
        self._begun.set()

    async def begun(self) -> None:
        """Until it has got what it begins with."""
        await self._begun.wait()

    async def give(self, batch: Batch) -> None:
        """What it begins with, as fast as it takes it. Raises GoneError and StalledError."""
        for block in batch.blocks(feed=self._feed, session_id=self._session_id):
            await self._room()
            self._write(block)

    async def give_resync(self, reason: str, position: int) -> None:
        """In the place of what it should begin with. Raises GoneError and StalledError."""
        await self._room()
        self.resyncs += 1
        self._write(_resync(reason, position))

    def offer(self, batch: Batch) -> None:
        """What happened; what it does not want is left out."""
        self.position = max(self.position, batch.last)
        self._put(batch.blocks(feed=self._feed, session_id=self._session_id, since=self._since))

    def tell(self, message: Message) -> None:
        """Of something that is not stored: who has not begun yet has not missed it."""
        if message.concerns(self._session_id):
            self._put((Block(message.frame),))

    def reply(self, frame: bytes) -> None:
        """To what it has sent."""
        self._put((Block(frame),))

    def resync(self, reason: str) -> None:
        """It has missed something: what waits is dropped, it must ask for everything again."""
        if self._missed is None:
            self._missed = reason
            self.resyncs += 1
        self._queue.clear()
        self._messages = self._bytes = 0
        self._filled.set()

    async def drain(self) -> None:
        """Write what waits, as fast as the client takes it, for ever. Raises GoneError and StalledError."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._queue or self._missed is not None:
                await self._room()
                self._write_next()

    def _put(self, blocks: Iterable[Block]) -> None:
        for block in blocks:
            if self._missed is not None:
                return  # it will read that anew
            if not self._queue and self._wire.takes:
                self._write(block)
            elif self._is_too_much(block):
                self.resync("slow_client")
            else:
                self._queue.append(block)
                self._messages += block.messages
                self._bytes += len(block.data)
                self._filled.set()

    def _is_too_much(self, block: Block) -> bool:
        if self._bytes + len(block.data) > MAX_BYTES:
            return True
        return self._messages + block.messages > self._max_messages and self._idle_s() >= self._patience_s

    def _write_next(self) -> None:
        if self._missed is not None:
            reason, self._missed = self._missed, None
            self._write(_resync(reason, self.position))
            return
        block = self._queue.popleft()
        self._messages -= block.messages
        self._bytes -= len(block.data)
        self._write(block)

    def _write(self, block: Block) -> None:
        self._wire.write(block.data)
        self._unsent, self._taken_at = self._wire.unsent, self._clock()

    async def _room(self) -> None:
        while not self._wire.takes:
            if not self._wire.open:
                raise GoneError
            with suppress(TimeoutError):
                async with asyncio.timeout(self._stalled_s / _LOOKS):
                    await self._wire.writable()
            if not self._wire.takes and self._idle_s() > self._stalled_s:
                raise StalledError

    def _idle_s(self) -> float:
        """For how long it has taken nothing of what was written."""
        unsent, now = self._wire.unsent, self._clock()
        if unsent < self._unsent:
            self._taken_at = now
        self._unsent = unsent
        return now - self._taken_at


def _resync(reason: str, position: int) -> Block:
    return Block(frame_of("resync", position, {"reason": reason}))
