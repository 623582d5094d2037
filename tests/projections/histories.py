"""Random histories that could have happened: what a property of the read side is tried on."""

from collections.abc import Callable
from typing import Literal

from hypothesis import settings
from hypothesis import strategies as st

from schema.compaction import (
    AutoCompactionDisabled,
    AutoCompactionEnabled,
    AutoCompactionSkipped,
    CompactionPerformed,
    CompressionPerformed,
    MessagePinned,
    MessageUnpinned,
    TokensReserved,
)
from schema.exchanges import ExchangeStarted, MessageRefs, Resolution, SentLast, Usage, UsageSource
from schema.recorded import Recorded
from schema.registry import Event
from schema.sessions import SessionDeleted, SessionRenamed
from schema.workspace import AutoSessionDisabled, AutoSessionEnabled, ConfigurationLoaded, SessionActivated
from tests.projections.building import (
    cancelled,
    compacted,
    completed,
    compressed,
    failed,
    interrupted,
    record,
    session,
    started,
    undone,
)

tried = settings(deadline=None, max_examples=60)  # a deadline would fail where the machine is busy

Branch = Literal["fork", "client_compaction", "retry"]

_NAMES = st.sampled_from(["", "Alpha", "alphabet", "BETA", "ünder", "%_", "Straße"])
_MODELS = st.sampled_from(["echo", "big", "demo/small"])
_REQUESTED = st.sampled_from((None, "echo", "big", "spare", "demo/echo"))
_LAST = st.sampled_from([None, None, "big", "spare"])  # where it fell back to
_ENDS = st.sampled_from([completed, failed, cancelled, interrupted])
_SOURCES: st.SearchStrategy[UsageSource] = st.sampled_from(["measured", "estimated", "none"])
_BRANCHES: st.SearchStrategy[Branch | None] = st.sampled_from([None, None, None, "fork", "client_compaction", "retry"])


class History:
    """What has happened so far, so that the next event can follow from it."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self.events: list[Event] = []
        self._names: dict[int, str] = {}  # of the sessions that are not deleted
        self._sessions = 0
        self._active: int | None = None
        self._auto = True
        self._begun: list[ExchangeStarted] = []
        self._open: list[ExchangeStarted] = []
        self._numbers = 0  # of compactions and compressions
        self._made: list[CompactionPerformed | CompressionPerformed] = []  # those in force
        self._pins: set[tuple[int, str]] = set()

    def step(self) -> None:
        """Add an event that may follow."""
        kinds: list[Callable[[], None]] = [self._start_session, self._switch, self._configure]
        if self._names:
            kinds += [self._rename, self._activate, self._begin, self._begin, self._begin]
            kinds += [self._reserve, self._switch_auto, self._pin]
        if self._begun:
            kinds += [self._compact, self._skip]
        if self._made:
            kinds.append(self._undo)
        if set(self._names) - {self._active}:
            kinds.append(self._delete)
        if self._open:
            kinds += [self._end] * 3
        self._draw(st.sampled_from(kinds))()

    def _one_session(self, without: int | None = None) -> int:
        return self._draw(st.sampled_from([number for number in self._names if number != without]))

    def _start_session(self) -> None:
        self._sessions += 1
        name = self._draw(_NAMES)
        self._names[self._sessions] = name
        self.events.append(session(self._sessions, name))

    def _rename(self) -> None:
        number, name = self._one_session(), self._draw(_NAMES)
        self.events.append(SessionRenamed(session_id=number, from_=self._names[number], to=name))
        self._names[number] = name

    def _activate(self) -> None:
        number = self._one_session()
        self.events.append(SessionActivated(session_id=number, previous_id=self._active))
        self._active = number

    def _delete(self) -> None:
        number = self._one_session(without=self._active)
        del self._names[number]
        self.events.append(SessionDeleted(session_id=number))

    def _switch(self) -> None:
        self._auto = not self._auto
        self.events.append(AutoSessionEnabled() if self._auto else AutoSessionDisabled())

    def _configure(self) -> None:
        self.events.append(ConfigurationLoaded(values={}, hash=f"{len(self.events):064x}"))

    def _begin(self) -> None:
        number, exchange_id = self._one_session(), len(self._begun) + 1
        event = started(
            exchange_id,
            number,
            model_requested=self._draw(_REQUESTED),
            model_sent=self._draw(_MODELS),
            resolution=Resolution(rule="hash_chain", branch=self._draw(_BRANCHES)),
            received=self._list(number, f"r{exchange_id}"),
            sent=self._list(number, f"s{exchange_id}") if self._draw(st.booleans()) else None,
            over_threshold=self._draw(st.sampled_from([None, True])),
        )
        self.events.append(event)
        self._begun.append(event)
        self._open.append(event)

    def _compact(self) -> None:
        """On an exchange that is there or, by itself, on the one that comes next."""
        begun = self._draw(st.sampled_from(self._begun))
        self._numbers += 1
        before, auto = self._draw(st.integers(1, 900)), self._draw(st.booleans())
        event = self._draw(st.sampled_from([compacted, compressed]))(
            self._numbers,
            begun.session_id,
            len(self._begun) + 1 if auto else begun.exchange_id,
            tokens_before=before,
            tokens_after=self._draw(st.integers(0, before - 1)),
            trigger_reason="auto_threshold" if auto else "manual",
        )
        self.events.append(event)
        self._made.append(event)

    def _undo(self) -> None:
        made = self._draw(st.sampled_from(self._made))
        self._made.remove(made)
        saved = made.tokens_before - made.tokens_after
        if isinstance(made, CompactionPerformed):
            self.events.append(undone(made.history_id, made.session_id, tokens=saved))
        else:
            self.events.append(undone(made.log_id, made.session_id, kind="compression", tokens=saved))

    def _skip(self) -> None:
        number = self._draw(st.sampled_from(self._begun)).session_id
        self.events.append(AutoCompactionSkipped(session_id=number, reason="cooldown", tokens=9, threshold_tokens=8))

    def _reserve(self) -> None:
        self.events.append(TokensReserved(session_id=self._one_session(), from_=0, to=self._draw(st.integers(0, 99))))

    def _switch_auto(self) -> None:
        switch = self._draw(st.sampled_from([AutoCompactionEnabled, AutoCompactionDisabled]))
        self.events.append(switch(session_id=self._one_session()))

    def _pin(self) -> None:
        pin = self._one_session(), self._draw(st.sampled_from(["m1", "m2"]))
        event = MessageUnpinned if pin in self._pins else MessagePinned
        self._pins ^= {pin}
        self.events.append(event(session_id=pin[0], ref=pin[1]))

    def _list(self, session_id: int, new: str) -> MessageRefs:
        """A message list, often one that goes on from an earlier exchange of the session."""
        bases = [event for event in self._begun if event.session_id == session_id]
        base = self._draw(st.sampled_from([None, *bases]))
        length = min(base.received.count, (base.sent or base.received).count) if base else 0
        keep = self._draw(st.integers(0, length)) if base else 0
        added = tuple(f"{new}-{index}" for index in range(self._draw(st.integers(0, 3))))
        return MessageRefs(
            base_exchange=base.exchange_id if base else None,
            keep=keep,
            added=added,
            count=keep + len(added),
            tokens=self._draw(st.integers(0, 500)),
        )

    def _end(self) -> None:
        begun = self._draw(st.sampled_from(self._open))
        self._open.remove(begun)
        last = self._draw(_LAST)
        sent_last = SentLast(provider="other", model=last, envelope_ref="e-last") if last else None
        end = self._draw(_ENDS)
        self.events.append(end(begun.exchange_id, begun.session_id, self._usage(), sent_last=sent_last))

    def _usage(self) -> Usage:
        source = self._draw(_SOURCES)
        if source == "none":
            return Usage()
        prompt, completion = self._draw(st.integers(0, 900)), self._draw(st.integers(0, 90))
        total = prompt + completion if self._draw(st.booleans()) else 0  # some upstreams leave it out
        return Usage(source=source, prompt_tokens=prompt, completion_tokens=completion, total_tokens=total)


@st.composite
def histories(draw: st.DrawFn, *, most: int = 40) -> list[Recorded]:
    """Up to `most` events, as the log would hand them out."""
    history = History(draw)
    for _ in range(draw(st.integers(0, most))):
        history.step()
    return record(history.events)
