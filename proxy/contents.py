"""What went over the wire, put together again from the log alone: the request as it was received and as it was sent,
and the answer, byte for byte."""

from collections.abc import Iterator, Sequence

import msgspec

from proxy.envelope import join
from schema.compaction import CompactionPerformed, CompressionPerformed
from schema.exchanges import EVENTS, ExchangeStarted, Finished, MessageRefs
from schema.forking import CarriedExchange, SessionForked
from schema.log import EventLog
from schema.moving import ExchangeReassigned, HoldsBodies
from schema.recorded import Recorded

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


class SessionContents:
    """The contents of a session, or of several that belong together, up to event `upto`. Reads the session's events
    once, and bodies when they are asked for; not for several threads at once."""

    def __init__(self, log: EventLog, *sessions: int, upto: int | None = None) -> None:
        self._log = log
        self._places: dict[str, list[int]] = {}  # more than one where an exchange was moved
        self._lists: dict[int, _Lists] = {}
        self._answers: dict[int, str | None] = {}
        self._carried: set[int] = set()  # exchanges of others, that a fork goes on from
        self._bodies: dict[str, bytes] = {}
        self._cached = 0
        for recorded in _events(log, sessions, upto):
            self._fold(recorded)

    def exchange_ids(self) -> list[int]:
        """The exchanges that have begun, oldest first."""
        return [number for number in self._lists if number not in self._carried]

    def received(self, exchange_id: int) -> bytes:
        """The request's body as the client sent it (inflated where it came as gzip). Raises MissingContentError, and
        LookupError for an exchange of another session."""
        lists = self._lists[exchange_id]
        return self._joined(lists.envelope_ref, self._refs(exchange_id, sent=False))

    def sent(self, exchange_id: int) -> bytes:
        """The body that went upstream, to the last of several providers. Raises as `received` does."""
        lists = self._lists[exchange_id]
        return self._joined(lists.sent_envelope_ref, self._refs(exchange_id, sent=True))

    def received_messages(self, exchange_id: int) -> list[bytes]:
        """The messages as the client sent them. Raises as `received` does."""
        return [self.body(ref) for ref in self._refs(exchange_id, sent=False)]

    def sent_messages(self, exchange_id: int) -> list[bytes]:
        """The messages as they went upstream. Raises as `received` does."""
        return [self.body(ref) for ref in self._refs(exchange_id, sent=True)]

    def message_refs(self) -> set[str]:
        """Of all messages that were received or answered."""
        received = (ref for lists in self._lists.values() for ref in lists.received.added)
        return {*received, *(ref for ref in self._answers.values() if ref is not None)}

    def answer(self, exchange_id: int) -> bytes | None:
        """The assistant message of choice 0, None where none came. Raises MissingContentError."""
        ref = self._answers.get(exchange_id)
        return None if ref is None else self.body(ref)

    def body(self, ref: str) -> bytes:
        """One content by its ref. Raises MissingContentError."""
        known = self._bodies.get(ref)
        if known is not None:
            return known
        found: dict[str, bytes] = {}
        for position in self._places.get(ref, ()):
            found = self._log.bodies(position)
            if ref in found:
                break
        else:
            raise MissingContentError(ref)
        if self._cached > _CACHED_BYTES:
            self._bodies.clear()
            self._cached = 0
        self._bodies.update(found)  # they are asked for together, too
        self._cached += sum(map(len, found.values()))
        return found[ref]

    def _fold(self, recorded: Recorded) -> None:
        event = recorded.event
        if isinstance(event, ExchangeStarted):
            sent_envelope = event.sent_envelope_ref or event.envelope_ref
            self._lists[event.exchange_id] = _Lists(event.received, event.sent, event.envelope_ref, sent_envelope)
            self._carried.discard(event.exchange_id)
        if isinstance(event, SessionForked) and event.exchange is not None:
            self._carry(event.exchange)
        if isinstance(event, Finished):
            self._answers[event.exchange_id] = event.answer_ref
            begun = self._lists.get(event.exchange_id)
            if event.sent_last is not None and begun is not None:
                last = msgspec.structs.replace(begun, sent_envelope_ref=event.sent_last.envelope_ref)
                self._lists[event.exchange_id] = last
        if isinstance(event, HoldsBodies) and event.blob is not None:
            for ref in event.blob.refs:
                self._places.setdefault(ref, []).append(recorded.position)

    def _carry(self, held: CarriedExchange) -> None:
        if held.exchange_id not in self._lists:
            sent_envelope = held.sent_envelope_ref or held.envelope_ref
            self._lists[held.exchange_id] = _Lists(held.received, held.sent, held.envelope_ref, sent_envelope)
            self._answers[held.exchange_id] = held.answer_ref
            self._carried.add(held.exchange_id)

    def _refs(self, exchange_id: int, *, sent: bool) -> list[str]:
        """The whole list, from the differences back to the last full one."""
        parts: list[tuple[str, ...]] = []
        wanted: int | None = None
        base: int | None = exchange_id
        while base is not None and wanted != 0:
            lists = self._lists[base]
            sent = sent and lists.sent is not None  # what was sent as it was received is written as such
            written = lists.sent if sent and lists.sent is not None else lists.received
            keep = written.keep if wanted is None else min(written.keep, wanted)
            parts.append(written.added if wanted is None else written.added[: max(wanted - written.keep, 0)])
            base, wanted = written.base_exchange, keep
        return [ref for part in reversed(parts) for ref in part]

    def _joined(self, envelope_ref: str, refs: list[str]) -> bytes:
        return join(self.body(envelope_ref), [self.body(ref) for ref in refs])


def _events(log: EventLog, sessions: Sequence[int], upto: int | None) -> Iterator[Recorded]:
    after = 0
    while batch := log.read(after, upto=upto, limit=_BATCH, session_id=sessions, types=_TYPES):
        yield from batch
        after = batch[-1].position
