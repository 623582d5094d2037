"""What the hot path remembers of a session to store each body once and message lists as differences.

Folded from the session's own events, so that after a restart it is the same as before. Where it is uncertain (an
append was refused) it is dropped and folded from the log again.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping

import msgspec

from projections.context_state import ContextState, evolve
from proxy.prefixes import Prefixes
from proxy.replaced import Replaced
from schema.compaction import MessagePinned, MessageUnpinned
from schema.exchanges import ExchangeStarted, Finished, MessageRefs
from schema.forking import CarriedExchange, SessionForked
from schema.moving import HoldsBodies
from schema.recorded import NewEvent, Recorded
from schema.registry import Event

REF_BYTES = 32
_FULL_LIST_EVERY = 32
_BASES = 32
_SESSIONS = 500
_MOST_SCALE = 2.0  # more is no other tokenizer but another thing


class _Base(msgspec.Struct, frozen=True):
    refs: bytes
    distance: int  # differences since the last full list


class Lists:
    """The message lists of a session's latest exchanges, to write new ones as differences."""

    def __init__(self) -> None:
        self._bases: OrderedDict[int, _Base] = OrderedDict()
        self._firsts: dict[bytes, int] = {}  # of their lists, how often: most strangers differ there

    def difference(
        self,
        refs: bytes,
        base_exchange_id: int | None,
        tokens: int,
        system_tokens: int = 0,
        memory_tokens: int = 0,
    ) -> MessageRefs:
        """`refs` (32 bytes each) as a difference against an earlier exchange, where that is shorter.

        Without a base the one of the latest exchanges that shares most is taken. A full list is written about every
        32 exchanges, so that no reader walks back further.
        """
        base_id, kept = self._shared(refs, base_exchange_id)
        count = len(refs) // REF_BYTES
        if base_id is None or kept == 0 or self._bases[base_id].distance >= _FULL_LIST_EVERY:
            base_id, kept = None, 0
        return MessageRefs(
            base_exchange=base_id,
            keep=kept,
            added=hexed(refs[kept * REF_BYTES :]),
            count=count,
            tokens=tokens,
            system_tokens=system_tokens,
            memory_tokens=memory_tokens,
        )

    def shared(self, refs: bytes) -> int:
        """How many leading messages one of the latest exchanges had too."""
        return self._shared(refs, None)[1]

    def began(self, exchange_id: int, refs: bytes, written: MessageRefs) -> None:
        """Keep an exchange's list as a base for later ones."""
        base = self._bases.get(written.base_exchange) if written.base_exchange is not None else None
        self._bases[exchange_id] = _Base(refs, base.distance + 1 if base else 0)
        firsts, first = self._firsts, refs[:REF_BYTES]
        firsts[first] = firsts.get(first, 0) + 1
        if len(self._bases) > _BASES:
            _, oldest = self._bases.popitem(last=False)
            first = oldest.refs[:REF_BYTES]
            left = firsts[first] - 1
            if left:
                firsts[first] = left
            else:
                del firsts[first]

    def of(self, exchange_id: int) -> bytes | None:
        """The list of one of the latest exchanges."""
        base = self._bases.get(exchange_id)
        return base.refs if base is not None else None

    def apply(self, exchange_id: int, written: MessageRefs) -> None:
        """Fold what an event says."""
        base = self._bases.get(written.base_exchange) if written.base_exchange is not None else None
        if written.base_exchange is not None and base is None:
            return  # older than what is kept
        kept = base.refs[: written.keep * REF_BYTES] if base else b""
        refs = kept + b"".join(bytes.fromhex(ref) for ref in written.added)
        self.began(exchange_id, refs, written)

    def _shared(self, refs: bytes, base_exchange_id: int | None) -> tuple[int | None, int]:
        named = self._bases.get(base_exchange_id) if base_exchange_id is not None else None
        if named is not None:
            return base_exchange_id, common(refs, named.refs)
        best, kept, needle = None, 0, refs[:REF_BYTES]
        if needle not in self._firsts:
            return None, 0
        for number, base in reversed(self._bases.items()):
            if needle and base.refs.startswith(needle):  # it shares more than the best so far
                best, kept = number, common(refs, base.refs)
                needle = refs[: (kept + 1) * REF_BYTES] if len(refs) > kept * REF_BYTES else b""
        return best, kept


class SessionMemory:
    """The refs whose bodies the log holds for this session, the lists of its latest exchanges as they were received and
    as they were sent, which outputs were replaced by what and which beginnings by what, and which messages are
    pinned."""

    def __init__(self, session_id: int | None = None) -> None:
        """With `session_id`, settings are folded from that session's events only, not from those of its parts."""
        self._session_id = session_id
        self._stored: set[bytes] = set()
        self.received = Lists()
        self.sent = Lists()
        self.replaced = Replaced()
        self.prefixes = Prefixes()
        self.pins: set[bytes] = set()  # refs
        self.context = ContextState()
        self._sent_tokens: OrderedDict[int, int] = OrderedDict()  # of the latest exchanges, as we counted them
        self.scale = 1.0  # of the provider's count to ours, where it counts more

    def is_stored(self, ref: bytes) -> bool:
        return ref in self._stored

    def store(self, ref: bytes) -> bool:
        """The log will hold it from now on; False where it does already."""
        if ref in self._stored:
            return False
        self._stored.add(ref)
        return True

    def stored(self, refs: Iterable[bytes]) -> None:
        self._stored.update(refs)

    def apply(self, recorded: Recorded) -> None:
        """Fold one event of the session."""
        event = recorded.event
        if isinstance(event, HoldsBodies) and event.blob is not None:
            self.stored(bytes.fromhex(ref) for ref in event.blob.refs)
        if isinstance(event, Finished) and event.usage.source == "measured":
            self.measured(event.usage.prompt_tokens, self._sent_tokens.get(event.exchange_id, 0))
        if isinstance(event, ExchangeStarted):
            self._sent_tokens[event.exchange_id] = (event.sent or event.received).tokens
            if len(self._sent_tokens) > _BASES:
                self._sent_tokens.popitem(last=False)
            self.received.apply(event.exchange_id, event.received)
            refs = self.received.of(event.exchange_id)
            if event.sent is not None:
                self.sent.apply(event.exchange_id, event.sent)
            elif refs is not None:
                self.sent.began(event.exchange_id, refs, event.received)
        if isinstance(event, SessionForked):
            self._forked(event)
        self.replaced.apply(event)
        if self._session_id in (None, recorded.session_id):
            self.context = evolve(self.context, event, recorded.timestamp)
        self._decided(event, {})

    def _forked(self, event: SessionForked) -> None:
        """It goes on from where another session was."""
        self.pins.update(bytes.fromhex(ref) for ref in event.pins)
        if event.exchange is not None:
            self._went(event.exchange)

    def _went(self, exchange: CarriedExchange) -> None:
        """What had gone upstream is known to be in the provider's cache."""
        self.received.apply(exchange.exchange_id, exchange.received)
        self.sent.apply(exchange.exchange_id, exchange.sent or exchange.received)
        if exchange.measured_tokens is not None:
            self.measured(exchange.measured_tokens, exchange.counted_tokens)

    def measured(self, tokens: int, counted: int) -> None:
        """The provider found `tokens` where we had counted `counted`. That it finds fewer does not put anything off."""
        if counted:
            self.scale = min(max(tokens / counted, 1.0), _MOST_SCALE)

    def decided(self, new: NewEvent, timestamp: int) -> None:
        """Fold a decision that was made beside the traffic, or on the way of a request before the log had it."""
        self.stored(bytes.fromhex(body.ref) for body in new.bodies)
        self.context = evolve(self.context, new.event, timestamp)
        self._decided(new.event, {body.ref: body.data for body in new.bodies})

    def _decided(self, event: Event, bodies: Mapping[str, bytes]) -> None:
        self.prefixes.apply(event, bodies)
        if isinstance(event, MessagePinned):
            self.pins.add(bytes.fromhex(event.ref))
        elif isinstance(event, MessageUnpinned):
            self.pins.discard(bytes.fromhex(event.ref))


class SessionMemories:
    """The memories of the sessions used last; the others are folded again when they are needed."""

    def __init__(self) -> None:
        self._memories: OrderedDict[int, SessionMemory] = OrderedDict()

    def get(self, session_id: int) -> SessionMemory | None:
        memory = self._memories.get(session_id)
        if memory is not None:
            self._memories.move_to_end(session_id)
        return memory

    def put(self, session_id: int, memory: SessionMemory) -> SessionMemory:
        self._memories[session_id] = memory
        while len(self._memories) > _SESSIONS:
            self._memories.popitem(last=False)
        return memory

    def drop(self, session_id: int) -> None:
        self._memories.pop(session_id, None)


def common(first: bytes, second: bytes) -> int:
    """How many leading refs two lists share."""
    if first.startswith(second):
        return len(second) // REF_BYTES
    low, high = 0, min(len(first), len(second)) // REF_BYTES  # halving: a comparison of prefixes is one memcmp
    while low < high:
        middle = (low + high + 1) // 2
        if second.startswith(first[: middle * REF_BYTES]):
            low = middle
        else:
            high = middle - 1
    return low


def hexed(refs: bytes) -> tuple[str, ...]:
    """The refs as 64 hex digits each."""
    text = refs.hex()
    if len(refs) == REF_BYTES:
        return (text,)
    return tuple(text[at : at + 2 * REF_BYTES] for at in range(0, len(text), 2 * REF_BYTES))
