"""One group of appends on its way into one transaction."""

import logging
import sqlite3
from collections.abc import Callable

import msgspec
import zstandard

from schema.appends import Append, Committed, Done, KeyMissingError, Result, UnstorableError, VersionConflictError
from schema.codec import DomainEvent, EventMapper, Parted
from schema.idempotency import FORGET, INSERT, Idempotent
from schema.recorded import Recorded
from schema.recorder import EventRecorder, Head, head_of
from schema.registry import Event, UnknownEventTypeError
from schema.sealing import NoKeyError, SealError

_log = logging.getLogger("chronoproxy.writer")
UNSTORABLE = (
    SealError,
    UnknownEventTypeError,
    msgspec.MsgspecError,
    TypeError,
    ValueError,
    OverflowError,
    RecursionError,
    zstandard.ZstdError,
)


def unstorable(error: Exception) -> UnstorableError:
    if isinstance(error, NoKeyError):
        return KeyMissingError(str(error))
    return UnstorableError(f"{type(error).__name__}: {error}")


class Group:
    """Stages appends (versions checked, encoded, sealed) and inserts them; forgotten when its transaction fails.

    `version_of` gives a stream's committed version.
    """

    def __init__(self, mapper: EventMapper, version_of: Callable[[str], int], timestamp: int) -> None:
        self._mapper = mapper
        self._version_of = version_of
        self._timestamp = timestamp
        self._stored: list[Parted] = []
        self._events: list[Event] = []
        self._waiting: list[tuple[Done | None, Idempotent | None, int, int]] = []
        self.versions: dict[str, int] = {}
        self.head: Head | None = None  # after its insertion
        self.results: list[tuple[Done, Result]] = []
        self.recorded: list[Recorded] = []
        self.state_bytes = 0

    def stage(self, append: Append, done: Done | None) -> None:
        """Take one append in; one that conflicts or cannot be encoded fails alone."""
        try:
            self._check(append)
            versions: dict[str, int] = {}
            encoded = [self._encoded(append, index, versions) for index in range(len(append.events))]
        except VersionConflictError as error:
            self._refuse(done, error)
        except UNSTORABLE as error:
            if isinstance(error, NoKeyError):  # other errors may quote what was to be stored
                _log.error("an append cannot be stored: %s", error)
            self._refuse(done, unstorable(error))
        else:
            self._waiting.append((done, append.idempotent, len(self._stored), len(append.events)))
            self.versions.update(versions)
            for stored, event in encoded:
                self._stored.append(stored)
                self._events.append(event)

    def insert(self, recorder: EventRecorder, cursor: sqlite3.Cursor, head: Head | None) -> None:
        """Insert what was staged behind `head`, inside the caller's transaction, and work out what there is to tell."""
        before = head or head_of(cursor)
        placed = recorder.insert_in(cursor, self._stored, before)
        self.head = placed[-1][:2] if placed else before
        for place, stored, event in zip(placed, self._stored, self._events, strict=True):
            self.state_bytes += sum(map(len, stored.parts))
            self.recorded.append(_recorded(place, stored, event))
        for done, idempotent, first, count in self._waiting:
            last = before[0] + first + count  # positions have no gaps
            if idempotent is not None:
                self._keep(cursor, idempotent, last, count)
            if done is not None:
                self.results.append((done, Committed(tuple(range(last - count + 1, last + 1)), last)))

    def _keep(self, cursor: sqlite3.Cursor, kept: Idempotent, position: int, count: int) -> None:
        cursor.execute(FORGET, (self._timestamp - kept.kept_ms,))
        cursor.execute(INSERT, (kept.key, kept.request, position, count, self._timestamp, kept.refusal))

    def _check(self, append: Append) -> None:
        for stream, expected in append.expect.items():
            actual = self._version(stream, {})
            if actual != expected:
                raise VersionConflictError(stream, expected, actual)

    def _encoded(self, append: Append, index: int, versions: dict[str, int]) -> tuple[Parted, Event]:
        new = append.events[index]
        known = 0 if new.stream in append.begins and new.stream not in versions else self._version(new.stream, versions)
        versions[new.stream] = known + 1
        domain = DomainEvent(new.stream, versions[new.stream], new.event, append.metadata, self._timestamp, new.bodies)
        return self._mapper.transcoder.encode_parts(domain)

    def _version(self, stream: str, own: dict[str, int]) -> int:
        version = own.get(stream, self.versions.get(stream))
        return self._version_of(stream) if version is None else version

    def _refuse(self, done: Done | None, error: VersionConflictError | UnstorableError) -> None:
        if done is not None:
            self.results.append((done, error))


def _recorded(place: tuple[int, bytes, bytes], stored: Parted, event: Event) -> Recorded:
    position, digest, prev_hash = place
    header = stored.header
    return Recorded(
        position=position,
        stream=stored.stream,
        version=stored.version,
        type=stored.type,
        type_version=header.type_version,
        session_id=header.session_id,
        exchange_id=header.exchange_id,
        timestamp=header.timestamp,
        actor=header.actor,
        by=header.by,
        correlation_id=header.correlation_id,
        causation_position=header.causation_position,
        hash=digest.hex(),
        prev_hash=prev_hash.hex(),
        event=event,
    )
