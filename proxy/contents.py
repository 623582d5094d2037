"""What went over the wire, put together again from the log alone: the request as it was received and as it was sent,
and the answer, byte for byte."""

import threading
from functools import partial

import msgspec

from proxy.envelope import join
from schema.compaction import CompactionPerformed, CompressionPerformed
from schema.exchanges import EVENTS, ExchangeStarted, Finished, MessageRefs
from schema.forking import CarriedExchange, SessionForked
from schema.log import EventLog
from schema.moving import ExchangeReassigned, HoldsBodies
from schema.recorded import Recorded
from schema.sealing import SealError
from schema.unreadable import Unreadable, UnreadableEventError, why

_BATCH = 1_000
_CACHED_BYTES = 32 << 20
_HOLDING = (*EVENTS, CompactionPerformed, CompressionPerformed, ExchangeReassigned, SessionForked)
_TYPES = tuple(cls.__name__ for cls in _HOLDING)


class MissingContentError(LookupError):
    """The log does not hold the content `ref`: it was not recorded, or was erased."""

    def __init__(self, ref: str) -> None:
        super().__init__(f"the log does not hold the content {ref}")
        self.ref = ref


class _Lists(msgspec.Struct, frozen=True):
    received: MessageRefs
    sent: MessageRefs | None
    envelope_ref: str
    sent_envelope_ref: str


class ContentIndex:
    """Where the contents of sessions lie, and the lists of their exchanges, up to event `position`. It holds no
    contents, so that one may be kept while they are erased."""

    def __init__(self, *sessions: int) -> None:
        self._sessions = sessions
        self.places: dict[str, list[int]] = {}  # more than one where an exchange was moved
        self.lists: dict[int, _Lists] = {}
        self.answers: dict[int, str | None] = {}
        self.carried: set[int] = set()  # exchanges of others, that a fork goes on from
        self.unreadable: Unreadable | None = None  # the first such event: what is missing may have been in it
        self.position = 0
        self.extending = threading.Lock()

    def extend(self, log: EventLog, upto: int) -> None:
        """Go on to event `upto`."""
        read = partial(log.read, session_id=self._sessions, types=_TYPES, strangers=True)
        while batch := read(self.position, upto=upto, limit=_BATCH):
            for recorded in batch:
                self._fold(recorded)
            self.position = batch[-1].position
        self.position = max(self.position, upto)

    def _fold(self, recorded: Recorded) -> None:
        event = recorded.event
        if isinstance(event, Unreadable):
            self.unreadable = self.unreadable or event
        if isinstance(event, ExchangeStarted):
            sent_envelope = event.sent_envelope_ref or event.envelope_ref
            self.lists[event.exchange_id] = _Lists(event.received, event.sent, event.envelope_ref, sent_envelope)
            self.carried.discard(event.exchange_id)
        if isinstance(event, SessionForked) and event.exchange is not None:
            self._carry(event.exchange)
        if isinstance(event, Finished):
            self.answers[event.exchange_id] = event.answer_ref
            begun = self.lists.get(event.exchange_id)
            if event.sent_last is not None and begun is not None:
                last = msgspec.structs.replace(begun, sent_envelope_ref=event.sent_last.envelope_ref)
                self.lists[event.exchange_id] = last
        if isinstance(event, HoldsBodies) and event.blob is not None:
            for ref in event.blob.refs:
                self.places.setdefault(ref, []).append(recorded.position)

    def _carry(self, held: CarriedExchange) -> None:
        if held.exchange_id not in self.lists:
            sent_envelope = held.sent_envelope_ref or held.envelope_ref
            self.lists[held.exchange_id] = _Lists(held.received, held.sent, held.envelope_ref, sent_envelope)
            self.answers[held.exchange_id] = held.answer_ref
            self.carried.add(held.exchange_id)


class SessionContents:
    """The contents of a session, or of several that belong together, up to event `upto`, by default all. Reads the
    session's events once, and bodies when they are asked for; not for several threads at once. An `index` that was made
    already is not extended. What is not there raises UnreadableEventError where an event that may have held it
    cannot be read."""

    def __init__(
        self, log: EventLog, *sessions: int, upto: int | None = None, index: ContentIndex | None = None
    ) -> None:
        self._log = log
        if index is None:
            index = ContentIndex(*sessions)
            index.extend(log, log.head() if upto is None else upto)
        self._index = index
        self._bodies: dict[str, bytes] = {}
        self._cached = 0

    def exchange_ids(self) -> list[int]:
        """The exchanges that have begun, oldest first."""
        return [number for number in list(self._index.lists) if number not in self._index.carried]

    def received(self, exchange_id: int) -> bytes:
        """The request's body as the client sent it (inflated where it came as gzip). Raises MissingContentError, and
        LookupError for an exchange of another session."""
        lists = self._lists(exchange_id)
        return self._joined(lists.envelope_ref, self._refs(exchange_id, sent=False))

    def sent(self, exchange_id: int) -> bytes:
        """The body that went upstream, to the last of several providers. Raises as `received` does."""
        lists = self._lists(exchange_id)
        return self._joined(lists.sent_envelope_ref, self._refs(exchange_id, sent=True))

    def received_messages(self, exchange_id: int) -> list[bytes]:
        """The messages as the client sent them. Raises as `received` does."""
        return [self.body(ref) for ref in self._refs(exchange_id, sent=False)]

    def sent_messages(self, exchange_id: int) -> list[bytes]:
        """The messages as they went upstream. Raises as `received` does."""
        return [self.body(ref) for ref in self._refs(exchange_id, sent=True)]

    def message_refs(self) -> set[str]:
        """Of all messages that were received or answered."""
        received = (ref for lists in list(self._index.lists.values()) for ref in lists.received.added)
        return {*received, *(ref for ref in list(self._index.answers.values()) if ref is not None)}

    def answer(self, exchange_id: int) -> bytes | None:
        """The assistant message of choice 0, None where none came. Raises MissingContentError."""
        ref = self._index.answers.get(exchange_id)
        return None if ref is None else self.body(ref)

    def body(self, ref: str) -> bytes:
        """One content by its ref. Raises MissingContentError."""
        known = self._bodies.get(ref)
        if known is not None:
            return known
        found: dict[str, bytes] = {}
        for position in self._index.places.get(ref, ()):
            found = self._stored(position)
            if ref in found:
                break
        else:
            if self._index.unreadable is not None:
                raise UnreadableEventError(self._index.unreadable)
            raise MissingContentError(ref)
        if self._cached > _CACHED_BYTES:
            self._bodies.clear()
            self._cached = 0
        self._bodies.update(found)  # they are asked for together, too
        self._cached += sum(map(len, found.values()))
        return found[ref]

    def _refs(self, exchange_id: int, *, sent: bool) -> list[str]:
        """The whole list, from the differences back to the last full one."""
        parts: list[tuple[str, ...]] = []
        wanted: int | None = None
        base: int | None = exchange_id
        while base is not None and wanted != 0:
            lists = self._lists(base)
            sent = sent and lists.sent is not None  # what was sent as it was received is written as such
            written = lists.sent if sent and lists.sent is not None else lists.received
            keep = written.keep if wanted is None else min(written.keep, wanted)
            parts.append(written.added if wanted is None else written.added[: max(wanted - written.keep, 0)])
            base, wanted = written.base_exchange, keep
        return [ref for part in reversed(parts) for ref in part]

    def _lists(self, exchange_id: int) -> _Lists:
        if self._index.unreadable is not None and exchange_id not in self._index.lists:
            raise UnreadableEventError(self._index.unreadable)
        return self._index.lists[exchange_id]

    def _stored(self, position: int) -> dict[str, bytes]:
        """Raises UnreadableEventError."""
        try:
            return self._log.bodies(position)
        except SealError as error:
            event = Unreadable(position=position, type="contents", session_id=None, reason=why(error))
            raise UnreadableEventError(event) from None

    def _joined(self, envelope_ref: str, refs: list[str]) -> bytes:
        return join(self.body(envelope_ref), [self.body(ref) for ref in refs])
