"""What is handed to the writer and what comes back."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from schema.catalogue import REGISTRY
from schema.idempotency import Idempotent
from schema.recorded import Metadata, NewEvent


class StoreUnavailableError(Exception):
    """The log cannot be written: locked by another program, disk full, or shut down."""


class VersionConflictError(Exception):
    """A stream is no longer at the version that the decision was made on."""

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        super().__init__(f"{stream} is at version {actual}, not {expected}")
        self.stream, self.expected, self.actual = stream, expected, actual


class UnstorableError(Exception):
    """An event cannot be encoded or sealed. A defect of the caller; nothing else of its group is touched."""


class KeyMissingError(UnstorableError):
    """What was to be sealed is of a session whose key is gone."""


class Append(msgspec.Struct, frozen=True, kw_only=True):
    """Events to commit together. `expect` maps each stream that the decision read to its version then; facts expect
    nothing. `begins` names streams that are new, which spares a look at the log. `idempotent` is kept in the same
    transaction, also without any event. `durable` asks for the disk; `keep` holds the append in the queue while the
    store cannot take it."""

    events: Sequence[NewEvent]
    metadata: Metadata
    expect: Mapping[str, int] = {}
    begins: tuple[str, ...] = ()
    idempotent: Idempotent | None = None
    durable: bool = False
    keep: bool = False

    def session_ids(self) -> set[int]:
        """The sessions whose keys are needed: something of theirs is to be sealed."""
        return {
            number
            for new in self.events
            if (number := getattr(new.event, "session_id", None)) is not None
            and (new.bodies or REGISTRY.of(new.event).sealed)
        }

    def weight(self) -> int:
        """Bytes it holds in the queue, about."""
        weight = 500 * len(self.events)
        for new in self.events:
            for body in new.bodies:
                weight += len(body.data)
        return weight


class Committed(msgspec.Struct, frozen=True):
    """The positions of an append's events, in order, and the head of the log behind them."""

    positions: tuple[int, ...]
    head: int


Result = Committed | StoreUnavailableError | VersionConflictError | UnstorableError
Done = Callable[[Result], None]
Settle = Callable[[list[tuple[Done, Result]]], None]


def settle_inline(results: list[tuple[Done, Result]]) -> None:
    """Call every callback in the writer's thread."""
    for done, result in results:
        done(result)
