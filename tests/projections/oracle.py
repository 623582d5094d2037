"""The answers of the read side, folded from the events in the plainest way: what the queries are compared with."""

from collections.abc import Sequence

from commands.compaction import number_of
from schema.compaction import (
    AutoCompactionDisabled,
    AutoCompactionEnabled,
    CompactionPerformed,
    CompactionReverted,
    CompressionPerformed,
    MessagePinned,
    MessageUnpinned,
    TokensReserved,
)
from schema.exchanges import ExchangeStarted, Finished, MessageRefs
from schema.recorded import Recorded
from schema.registry import Event
from schema.sessions import SessionDeleted, SessionRenamed, SessionStarted
from schema.workspace import AutoSessionDisabled, AutoSessionEnabled, SessionActivated


class Oracle:
    """The world after `events`."""

    def __init__(self, events: Sequence[Recorded]) -> None:
        self.active: int | None = None
        self.auto = True
        self.names: dict[int, str] = {}
        self.positions: dict[int, int] = {}  # of the last decision about each session
        self.deleted: set[int] = set()
        self.scales: dict[int, float] = {}  # of decisions: tokens as counted to tokens as estimated
        self.begun: dict[int, ExchangeStarted] = {}
        self.ended: dict[int, Finished] = {}
        self.lines: list[Recorded] = []
        self.go_on(events)

    def go_on(self, events: Sequence[Recorded]) -> None:
        """To the world after these, too."""
        self.lines += events
        for recorded in events:
            self._fold(recorded)

    def _fold(self, recorded: Recorded) -> None:
        match recorded.event:
            case AutoSessionEnabled() | AutoSessionDisabled() as event:
                self.auto = isinstance(event, AutoSessionEnabled)
            case SessionStarted(session_id=number, name=name) | SessionRenamed(session_id=number, to=name):
                self.names[number] = name or ""
                self.positions[number] = recorded.position
            case SessionActivated(session_id=number):
                self.active = number
                self.positions[number] = recorded.position
            case SessionDeleted(session_id=number):
                self.deleted.add(number)
                self.positions[number] = recorded.position
            case (
                CompactionPerformed(session_id=number)
                | CompressionPerformed(session_id=number)
                | CompactionReverted(session_id=number)
                | TokensReserved(session_id=number)
                | AutoCompactionEnabled(session_id=number)
                | AutoCompactionDisabled(session_id=number)
                | MessagePinned(session_id=number)
                | MessageUnpinned(session_id=number)
            ):
                self.positions[number] = recorded.position
            case ExchangeStarted() as event:
                self.begun[event.exchange_id] = event
            case Finished() as event:
                self.ended[event.exchange_id] = event

    def listed(self, q: str = "") -> list[int]:
        """Ids of the sessions that a list shows, newest first."""
        found = [number for number, name in self.names.items() if q.casefold() in name.casefold()]
        return sorted((number for number in found if number not in self.deleted), reverse=True)

    def outcome(self, exchange_id: int) -> str:
        end = self.ended.get(exchange_id)
        return "running" if end is None else type(end).__name__.removeprefix("Exchange").lower()

    def model(self, exchange_id: int) -> str:
        """That of the last provider which was asked."""
        end = self.ended.get(exchange_id)
        return end.sent_last.model if end and end.sent_last else self.begun[exchange_id].model_sent

    def exchanges(self, session_id: int | None, outcome: str | None, model: str | None) -> list[int]:
        """Ids of the matching exchanges, newest first."""
        return [
            number
            for number, event in reversed(self.begun.items())
            if session_id in (None, event.session_id)
            and outcome in (None, self.outcome(number))
            and model in (None, self.model(number), event.model_requested)
        ]

    def refs(self, exchange_id: int, *, sent: bool) -> tuple[str, ...]:
        """The full list of refs."""
        event = self.begun[exchange_id]
        sent = sent and event.sent is not None
        written: MessageRefs = event.sent if sent and event.sent is not None else event.received
        if written.base_exchange is None:
            return written.added
        return (*self.refs(written.base_exchange, sent=sent)[: written.keep], *written.added)

    def usages(self, session_id: int) -> list[tuple[int, int, int]]:
        """(prompt, completion, total) of the session's ends with known usage, in order."""
        ends = [recorded.event for recorded in self.lines if isinstance(recorded.event, Finished)]
        used = [end.usage for end in ends if end.session_id == session_id and end.usage.source != "none"]
        pairs = [(usage.prompt_tokens, usage.completion_tokens) for usage in used]
        return [(*pair, usage.total_tokens or sum(pair)) for pair, usage in zip(pairs, used, strict=True)]

    def context(self, session_id: int) -> int:
        """Tokens of the session's longest chain as of its last end with known usage."""
        chains: dict[int, int] = {}  # exchange -> the exchange that began its chain
        tokens: dict[int, int] = {}
        shown = 0
        for recorded in self.lines:
            event = recorded.event
            if isinstance(event, ExchangeStarted) and event.session_id == session_id:
                if event.resolution.branch == "client_compaction":
                    tokens.clear()
                if event.resolution.branch == "fork" and event.received.base_exchange in chains:
                    tokens.pop(chains[event.received.base_exchange], None)
                chains[event.exchange_id] = self._chain(event, chains)
            elif isinstance(event, Finished) and event.session_id == session_id and event.usage.source != "none":
                used = event.usage.prompt_tokens + event.usage.completion_tokens
                tokens[chains[event.exchange_id]] = used
                shown = max(tokens.values())
            else:
                shown = self._changed(event, session_id, chains, tokens, shown)
        return shown

    def _changed(
        self, event: Event, session_id: int, chains: dict[int, int], tokens: dict[int, int], shown: int
    ) -> int:
        """The same after a compaction or its undoing."""
        if not isinstance(event, CompactionPerformed | CompressionPerformed | CompactionReverted):
            return shown
        made = self.decision(event) if isinstance(event, CompactionReverted) else event
        chain = chains.get(made.decided_on)
        if made is event:
            held = tokens.get(chain) if chain is not None and event.session_id == session_id else None
            self.scales[number_of(made)] = held / made.tokens_before if held is not None else 1.0
        if event.session_id != session_id or chain not in tokens:
            return shown
        scale = self.scales[number_of(made)]
        saved = (
            event.tokens_restored if isinstance(event, CompactionReverted) else made.tokens_after - made.tokens_before
        )
        more = round(saved * scale)
        tokens[chain] = max(tokens[chain] + more, 0)
        return max(tokens.values())

    def decision(self, undone: CompactionReverted) -> CompactionPerformed | CompressionPerformed:
        """What was undone."""
        for recorded in self.lines:
            event = recorded.event
            if isinstance(event, CompactionPerformed) and event.history_id == undone.history_id:
                return event
            if isinstance(event, CompressionPerformed) and event.log_id == undone.log_id:
                return event
        raise LookupError(undone)

    def compactions(self, session_id: int) -> list[tuple[int, int, bool]]:
        """(number, tokens saved, in force) of the session's compactions, newest first."""
        events = [recorded.event for recorded in self.lines]
        gone = {event.history_id for event in events if isinstance(event, CompactionReverted)}
        made = [event for event in events if isinstance(event, CompactionPerformed) and event.session_id == session_id]
        return [(e.history_id, e.tokens_before - e.tokens_after, e.history_id not in gone) for e in reversed(made)]

    def consecutive(self, session_id: int) -> int:
        """Automatic compactions since the context was last found below the threshold."""
        count = 0
        for recorded in self.lines:
            event = recorded.event
            if isinstance(event, CompactionPerformed) and event.session_id == session_id:
                count += event.trigger_reason == "auto_threshold"
            elif isinstance(event, ExchangeStarted) and event.session_id == session_id and not event.over_threshold:
                count = 0
        return count

    def pins(self, session_id: int) -> set[str]:
        found: set[str] = set()
        for recorded in self.lines:
            event = recorded.event
            if isinstance(event, MessagePinned | MessageUnpinned) and event.session_id == session_id:
                found ^= {event.ref}
        return found

    def _chain(self, event: ExchangeStarted, chains: dict[int, int]) -> int:
        base = event.received.base_exchange
        if base is None or event.resolution.branch == "fork":
            return event.exchange_id
        return chains[base] if self.begun[base].received.count <= event.received.keep else event.exchange_id
