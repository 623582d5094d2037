"""One client of /ws: what it wants, and what waits for it. Never more than a bounded queue (contract 5)."""

import asyncio
from collections import deque
from collections.abc import Iterable

from api.live_view import Message, text_of

MAX_MESSAGES = 256
MAX_BYTES = 4 << 20


class LiveClient:
    """`session_id` is the one session that it wants to hear of, None for all; with `feed` it gets each event.

    It begins with what `begin` says; until then live messages wait.
    """

    def __init__(self, *, session_id: int | None, feed: bool, max_messages: int = MAX_MESSAGES) -> None:
        self._session_id, self._feed, self._max_messages = session_id, feed, max_messages
        self._queue: deque[str] = deque()
        self._bytes = 0
        self._since: int | None = None  # what it knows already
        self._early: list[Message] = []
        self._filled = asyncio.Event()
        self.resyncs = 0

    @property
    def feed(self) -> bool:
        return self._feed

    def begin(self, messages: Iterable[Message], since: int) -> None:
        """Start with `messages`, which tell all up to event `since`, and go on from there."""
        early, self._early, self._since = self._early, [], since
        for message in messages:
            self.put(message)
        self.offer(early)

    def offer(self, messages: Iterable[Message]) -> None:
        """Live messages, in the order of their events; what it does not want is left out."""
        if self._since is None:
            self._early += messages
            if len(self._early) > self._max_messages:  # it will have missed too much
                self._early = [self._early[-1]]
                self._since = self._early[-1].position
                self.resync("slow_client", self._since)
            return
        for message in messages:
            if message.position > self._since:
                self.put(message)

    def tell(self, message: Message) -> None:
        """Of something that happens now and is not stored: who has not begun yet has not missed it."""
        if self._since is not None:
            self.put(message)

    def put(self, message: Message) -> None:
        if message.feed and not self._feed:
            return
        if self._session_id is not None and message.session_id not in (None, self._session_id):
            return
        self.send(message.text, message.position)

    def send(self, text: str, position: int) -> None:
        """Queue one message; where that is too much, all that waits is dropped for one resync."""
        size = len(text)
        if len(self._queue) >= self._max_messages or self._bytes + size > MAX_BYTES:
            self.resync("slow_client", position)
            return
        self._queue.append(text)
        self._bytes += size
        self._filled.set()

    def resync(self, reason: str, position: int) -> None:
        """It has missed something: it must ask for everything again."""
        self.resyncs += 1
        text = text_of("resync", position, {"reason": reason})
        self._queue.clear()
        self._queue.append(text)
        self._bytes = len(text)
        self._filled.set()

    async def next(self) -> str:
        """Waits for a message."""
        while not self._queue:
            self._filled.clear()
            await self._filled.wait()
        text = self._queue.popleft()
        self._bytes -= len(text)
        return text
