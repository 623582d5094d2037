"""What stands in the place of an event that the log holds and that cannot be decoded: of a type or version that this
program does not know, sealed under another key, or damaged. Whoever folds the log goes on behind it."""

import msgspec

from schema.registry import Event, UnknownEventTypeError
from schema.sealing import SealError

# What decoding raises. Errors of SQLite are not among them: the file may be locked for a moment, and the event is fine.
UNDECODABLE = (
    UnknownEventTypeError,
    SealError,
    msgspec.MsgspecError,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
NO_UTF8 = "decode to UTF-8"  # what SQLite says of a text that is none
_MOST = 200  # characters of a reason


class Unreadable(Event, frozen=True, kw_only=True):
    """Never stored. `type` and `session_id` are as they stand in the log; `reason` is the same at every reading by the
    same program, and holds no contents."""

    position: int
    type: str
    session_id: int | None
    reason: str

    def __str__(self) -> str:
        return f"event {self.position} ({self.type[:_MOST]}) cannot be read: {self.reason}"


class UnreadableEventError(Exception):
    """Something cannot be worked out, because an event that it needs cannot be read."""

    def __init__(self, event: Unreadable) -> None:
        super().__init__(str(event))
        self.event = event


def why(error: Exception) -> str:
    """Why an event could not be decoded, for people."""
    match error:
        case UnknownEventTypeError():
            text = f"this program does not know {error}"
        case SealError():
            text = "its sealed part does not open under its session's key"
        case msgspec.MsgspecError():
            text = f"its data is damaged: {error}"
        case _:
            text = f"its data is damaged: {type(error).__name__}"
    return text[:_MOST]


def escaped(text: bytes) -> str:
    """A stored text that may be no UTF-8: a damaged byte becomes an escape that no JSON knows."""
    return text.decode(errors="backslashreplace")
