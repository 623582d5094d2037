"""The data of server-sent events, from pieces of bytes that end anywhere."""

from collections.abc import Iterator


class EventStream:
    """Gives the data of each event of the kind `message`; `overflown` once an event is longer than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest: list[bytes] = []
        self._resting = 0
        self._data: list[bytes] = []
        self._size = 0
        self._kind = b"message"
        self.overflown = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        *lines, rest = piece.split(b"\n")
        for line in lines:
            self._rest.append(line)
            data = self._line(b"".join(self._rest).removesuffix(b"\r"))
            self._rest, self._resting = [], 0
            if data is not None:
                yield data
        self._rest.append(rest)
        self._resting += len(rest)
        self.overflown = self._size + self._resting > self._limit

    def _line(self, line: bytes) -> bytes | None:
        """An empty line ends an event."""
        if not line:
            data, kind = b"\n".join(self._data), self._kind
            self._data, self._kind, self._size = [], b"message", 0
            return data if data and kind == b"message" else None
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._size += len(value)
        elif field == b"event":
            self._kind = value
        return None
