"""Requests of a conversation begin like the one before: what is known of that beginning is not worked out again.

A body is compared with earlier ones, byte for byte. Where it begins with all messages of one, or all but the last, only
the rest is decoded: a body in which one text stands for the messages that are known. The text is random, so that nobody
can have written it; where it does not come out as the first message, the body is decoded as a whole. So whatever stands
in a body, the outcome is that of `decode_chat`.
"""

import asyncio
import secrets

import msgspec

from proxy.envelope import uniform
from proxy.facts import Opening, RequestFacts
from proxy.wire import ChatRequest, Place, decode_behind, decode_chat

_LEAST_MESSAGES = 8
_LEAST_BYTES = 8_192
_MOST_BYTES = 6 << 20  # of all bodies that are kept
_LONGEST = 3 << 20
_ALIKE = 16  # bodies that begin alike
_BEGINNING = 1_024  # bytes


class _Body(msgspec.Struct, frozen=True, eq=False):
    """A body, and where the messages end that another may begin with, the longer list first."""

    text: bytes
    places: tuple[Place, ...]
    facts: RequestFacts
    sums: dict[int, RequestFacts]


class Read(msgspec.Struct, frozen=True, eq=False):
    """A request, with what is known of its first messages and the body that they are known from; whether the body is
    so long that the loop looks at it in pieces only."""

    request: ChatRequest
    opening: Opening | None = None
    known: _Body | None = None
    long: bool = False


class Openings:
    """The latest bodies of conversations, the one that came last at the end. Runs on the event loop."""

    def __init__(self) -> None:
        self._mark = f'"{secrets.token_hex(16)}"'.encode()
        self._alike: dict[bytes, list[_Body]] = {}  # by how they begin
        self._bytes = 0

    def read(self, body: bytes) -> Read | None:
        """None for a long body: `read_long`. Raises WireError as `decode_chat` does."""
        size = len(body)
        if size >= _LEAST_BYTES:
            if size > _LONGEST:
                return None
            for known in reversed(self._alike.get(body[:_BEGINNING], ())):
                for place in known.places:
                    if body.startswith(memoryview(known.text)[: place.end]):
                        request = decode_behind(body, self._mark, place)
                        if request is None:
                            return Read(decode_chat(body))
                        return Read(request, Opening(len(place.messages), known.facts.each, known.sums), known)
        return Read(decode_chat(body))

    async def read_long(self, body: bytes) -> Read:
        """In a thread, for no single step takes long. Raises WireError."""
        return Read(await asyncio.to_thread(decode_chat, body), long=True)

    def learn(self, body: bytes, read: Read, facts: RequestFacts) -> None:
        """The next body may begin like this one."""
        count, messages = facts.count, read.request.messages
        if count < _LEAST_MESSAGES or not _LEAST_BYTES <= len(body) <= _LONGEST or facts.fault is not None:
            return
        found = uniform(read.request.envelope, len(body))
        if found is None:
            return
        line, separator, start, end = found
        before = end - facts.each[-1].length - len(separator)
        places = Place(line, separator, start, end, messages), Place(line, separator, start, before, messages[:-1])
        sums = {count: facts}
        if read.known is not None:
            self._forget(read.known)
            shorter = read.known.sums.get(count - 1)
            if shorter is not None and read.opening is not None and read.opening.count == count - 1:
                sums[count - 1] = shorter
        self._keep(_Body(body, places, facts, sums))

    def clear(self) -> None:
        """Keep none of them: one may be of a session that was erased."""
        self._alike.clear()
        self._bytes = 0

    def _keep(self, new: _Body) -> None:
        beginning = new.text[:_BEGINNING]
        alike = self._alike.pop(beginning, [])
        self._alike[beginning] = alike  # at the end
        alike.append(new)
        self._bytes += len(new.text)
        if len(alike) > _ALIKE:
            self._forget(alike[0])
        while self._bytes > _MOST_BYTES:
            self._forget(next(iter(self._alike.values()))[0])

    def _forget(self, known: _Body) -> None:
        beginning = known.text[:_BEGINNING]
        alike = self._alike.get(beginning, [])
        if known in alike:
            alike.remove(known)
            self._bytes -= len(known.text)
            if not alike:
                del self._alike[beginning]
