"""Messages of /ws as they go over the wire: encoded one time for all clients.

Nothing is compressed, and a server masks nothing: the frame of a text is the same for every client, and several frames
may go in one write.
"""

import struct
from collections.abc import Iterable, Mapping, Sequence

import msgspec

BLOCK = 32 << 10  # bytes of one write, where one message is not more
_FIN_TEXT = 0x81
_NONE_OF_THEM = 0  # no session has this number

_encode = msgspec.json.Encoder().encode
About = int | tuple[int, ...] | None  # the session, or the sessions, that something is about; None where it is all


class Message(msgspec.Struct, frozen=True):
    """`feed` marks those that only a feed of events gets."""

    position: int
    about: About
    frame: bytes
    feed: bool = False

    @property
    def sessions(self) -> tuple[int, ...]:
        """Empty where it is about all."""
        if self.about is None:
            return ()
        return (self.about,) if isinstance(self.about, int) else self.about

    def concerns(self, session_id: int | None) -> bool:
        """Whether who wants to hear of this session, or of all (None), wants it."""
        return session_id is None or self.about is None or session_id in self.sessions


class Block(msgspec.Struct, frozen=True):
    """Frames that are written together, and how many they are."""

    data: bytes
    messages: int = 1


def message(kind: str, position: int, about: About, fields: Mapping[str, object]) -> Message:
    return Message(position, about, frame_of(kind, position, fields))


def frame_of(kind: str, position: int, fields: Mapping[str, object]) -> bytes:
    text = _encode({"type": kind, "position": position, **fields})
    size = len(text)
    if size < 126:
        return struct.pack("!BB", _FIN_TEXT, size) + text
    if size < 1 << 16:
        return struct.pack("!BBH", _FIN_TEXT, 126, size) + text
    return struct.pack("!BBQ", _FIN_TEXT, 127, size) + text


def blocks_of(frames: Iterable[bytes]) -> list[Block]:
    """The frames in blocks of up to BLOCK bytes."""
    found: list[Block] = []
    part: list[bytes] = []
    size = 0
    for frame in frames:
        if part and size + len(frame) > BLOCK:
            found.append(Block(b"".join(part), len(part)))
            part, size = [], 0
        part.append(frame)
        size += len(frame)
    if part:
        found.append(Block(b"".join(part), len(part)))
    return found


class Batch:
    """The messages of the events `first` to `last`, in their order. What clients want of them is cut one time for all
    that want the same, and held one time."""

    def __init__(self, messages: Sequence[Message], first: int, last: int) -> None:
        self._messages, self._first, self.last = messages, first, last
        self._sessions = {number for each in messages for number in each.sessions}
        self._cut: dict[tuple[int, bool, int | None], list[Block]] = {}

    def blocks(self, *, feed: bool, session_id: int | None, since: int = 0) -> Sequence[Block]:
        """For who wants a feed of events, or not; of one session, or of all (None); and knows all up to `since`."""
        if since < self._first:
            since = 0
        if session_id is not None and session_id not in self._sessions:
            session_id = _NONE_OF_THEM
        key = (since, feed, session_id)
        found = self._cut.get(key)
        if found is None:
            found = self._cut[key] = blocks_of(
                each.frame
                for each in self._messages
                if each.position > since and (feed or not each.feed) and each.concerns(session_id)
            )
        return found
