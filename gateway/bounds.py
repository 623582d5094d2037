"""How far a tool goes before it stops: entries, bytes and seconds; and tokens to go on from there."""

import base64
import hashlib
import time
from collections.abc import Callable

import msgspec

from gateway.arguments import ToolFailure

MOST_ENTRIES = 100_000  # of directories that one call looks at
MOST_SECONDS = 20.0
MOST_BYTES = 256 << 20  # read or written by one call
DEEPEST = 64  # directories below one another
ANSWER_BYTES = 1 << 20  # of a file in one answer
_OFTEN = 64  # entries, between two looks at the clock
EDITED_BYTES = 20 << 20  # of a file that is edited as a whole


class ExhaustedError(ToolFailure):
    """The call went as far as one call may go."""


class Allowance:
    """What one call may still spend."""

    def __init__(
        self,
        *,
        entries: int = MOST_ENTRIES,
        bytes_: int = MOST_BYTES,
        seconds: float = MOST_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._entries, self._bytes, self._clock = entries, bytes_, clock
        self._end = clock() + seconds

    def entry(self) -> None:
        """Raises ExhaustedError."""
        self._entries -= 1
        if self._entries < 0:
            raise ExhaustedError("There is more in it than one call looks at; take a smaller part.")
        if self._entries % _OFTEN == 0:
            self.time()

    def bytes(self, count: int) -> None:
        """Raises ExhaustedError."""
        self._bytes -= count
        if self._bytes < 0:
            raise ExhaustedError("There are more bytes than one call handles; take a smaller part.")
        self.time()

    def time(self) -> None:
        """Raises ExhaustedError."""
        if self._clock() > self._end:
            raise ExhaustedError("It takes longer than one call may take; take a smaller part.")


class Token(msgspec.Struct, frozen=True, array_like=True):
    """Where the next call goes on: of which question, and after how much."""

    about: str
    offset: int


def token_of(about: str, offset: int) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(Token(_short(about), offset))).decode().rstrip("=")


def offset_of(text: str | None, about: str) -> int:
    """0 without a token. Raises ToolFailure for a token of another question."""
    if text is None:
        return 0
    try:
        padded = text.encode("ascii", "replace") + b"=" * (-len(text) % 4)
        token = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=Token)
    except (ValueError, msgspec.MsgspecError):
        token = Token("", -1)
    if token.about != _short(about) or token.offset < 0:
        raise ToolFailure("The continuation token is not of this call; ask again without it.")
    return token.offset


def _short(about: str) -> str:
    return hashlib.sha256(about.encode("utf-8", "surrogatepass")).hexdigest()[:16]
