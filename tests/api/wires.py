"""The connection of a client of /ws, without a socket."""

import asyncio
import json
import struct
from typing import Any


class FakeWire:
    """Keeps what is written. `takes`, `unsent` and `open` are set by the test."""

    def __init__(self) -> None:
        self.open = True
        self.takes = True
        self.unsent = 0
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    async def writable(self) -> None:
        while not self.takes:
            await asyncio.sleep(0.001)

    def frames(self) -> list[dict[str, Any]]:
        """What a client reads of it."""
        data, found = b"".join(self.written), list[dict[str, Any]]()
        while data:
            assert data[0] == 0x81
            size, at = data[1], 2
            if size == 126:
                (size,), at = struct.unpack("!H", data[2:4]), 4
            elif size == 127:
                (size,), at = struct.unpack("!Q", data[2:10]), 10
            found.append(json.loads(data[at : at + size]))
            data = data[at + size :]
        return found

    def positions(self) -> list[int]:
        return [each["position"] for each in self.frames()]
