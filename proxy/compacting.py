"""A context that is too full is compacted by itself, on the way of the request that finds it so."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from commands.compaction import Command, Decide, SkipAutoCompaction
from commands.errors import CommandError
from context.compaction import CompactionSettings, Plan, plan
from context.cuts import Item, keep_tokens
from context.messages import decode_message
from context.tokens import TextCounter
from proxy.facts import CANON_BYTES, FactsCache
from proxy.memory import REF_BYTES, SessionMemory
from proxy.prefixes import Shortened
from schema.blobs import content_ref
from schema.compaction import CompactionPerformed, Inserted, LeftOut, PrefixEdit, SkipReason, Trigger
from schema.recorded import Body, NewEvent

TAIL_TOKENS = 20_000  # what stays at the end, at most (decisions 4.2)
TAIL_SHARE = 0.25  # of the window
_PREVIEW = 200  # characters
_SUMMARY = 100_000  # characters of a summary that an event keeps


class AutoCompaction(msgspec.Struct, frozen=True, kw_only=True):
    """Section [compaction]. `threshold` is a share of the window, `cooldown_ms` the least time between two automatic
    compactions of a session."""

    settings: CompactionSettings = CompactionSettings()
    enabled: bool = True
    auto: bool = True
    threshold: float = 0.85
    cooldown_ms: int = 300_000
    max_consecutive: int = 3
    preserve_messages: int = 2
    reserved_tokens: int = 0


class Compacted(msgspec.Struct, frozen=True):
    """What was decided about a context: events on their way to the log, and whether it is shorter now."""

    events: tuple[NewEvent, ...]
    performed: bool


class Compactor:
    """Runs on the event loop. `decide` is the command handler's; `clock` gives ms since the epoch."""

    def __init__(
        self,
        auto: AutoCompaction,
        facts: FactsCache,
        count: TextCounter,
        decide: Callable[[Command], list[NewEvent]],
        next_id: Callable[[], int],
        clock: Callable[[], int],
    ) -> None:
        self._auto, self._facts, self._count = auto, facts, count
        self._decide, self._next_id, self._clock = decide, next_id, clock

    def shortened(self, memory: SessionMemory, messages: Sequence[msgspec.Raw], found: Shortened) -> Shortened:
        """The list as the decisions in force leave it."""
        if not memory.prefixes:
            return found
        return memory.prefixes.shorten(messages, found.facts, self._facts.hash, self._facts.of_long_request)

    def is_full(self, memory: SessionMemory, tokens: int, window: int) -> bool:
        """Whether `tokens`, as the provider counts, and what is reserved reach the threshold."""
        return self._auto.enabled and tokens * memory.scale + self._reserved(memory) >= self._auto.threshold * window

    def compact(
        self,
        session_id: int,
        exchange_id: int,
        memory: SessionMemory,
        found: Shortened,
        after: dict[int, int],
        tokens: int,
        window: int,
    ) -> Compacted | None:
        """A full context: compact it, or say why not; None where the session is not compacted by itself. `after` are
        the tokens of messages that go upstream shorter, by index."""
        state = memory.context
        if not (self._auto.auto if state.auto is None else state.auto):
            return None
        reason = self._reason(memory)
        if reason is None:
            made = plan(
                items_of(found, after, self._facts, memory),
                keep_tokens(min(TAIL_TOKENS, int(TAIL_SHARE * window)), self._auto.preserve_messages),
                self._auto.settings,
                self._count,
                pinned={ref.hex() for ref in memory.pins},
            )
            if isinstance(made, Plan):
                event = performed(made, found, session_id, exchange_id, "auto_threshold", self._next_id(), self._facts)
                return self._decided(memory, Decide(event, bodies_of(made)), performed=True)
            reason = "nothing_to_compact"
        threshold = int(self._auto.threshold * window)
        return self._decided(memory, SkipAutoCompaction(session_id, reason, tokens, threshold), performed=False)

    def _decided(self, memory: SessionMemory, command: Command, *, performed: bool) -> Compacted | None:
        try:
            events = self._decide(command)
        except CommandError:  # deleted, or decided otherwise, since the session was found
            return None
        for event in events:
            memory.decided(event, self._clock())
        return Compacted(tuple(events), performed)

    def _reason(self, memory: SessionMemory) -> SkipReason | None:
        """Why it is not the time."""
        state = memory.context
        if state.consecutive >= self._auto.max_consecutive:
            return "max_consecutive"
        if state.last_auto_at is not None and self._clock() - state.last_auto_at < self._auto.cooldown_ms:
            return "cooldown"
        return None

    def _reserved(self, memory: SessionMemory) -> int:
        reserved = memory.context.reserved_tokens
        return self._auto.reserved_tokens if reserved is None else reserved


def items_of(found: Shortened, after: dict[int, int], facts: FactsCache, memory: SessionMemory) -> list[Item]:
    """The messages of a context for a plan; `after` are the tokens of those that go upstream shorter, by index."""
    ours = memory.prefixes.digests()
    items: list[Item] = []
    for index, message in enumerate(found.messages):
        whole = facts.of(message).tokens
        ref = found.facts.refs[index * REF_BYTES : (index + 1) * REF_BYTES].hex()
        items.append(Item(decode_message(message), ref, after.get(index, whole), whole, ref in ours))
    return items


def bodies_of(made: Plan) -> tuple[Body, ...]:
    """The inserted messages, each once, and one with all that stands in the place of what was left out."""
    every = dict.fromkeys([message for _, message in made.inserted] + [_summary_message(made)])
    return tuple(Body(content_ref(message), message) for message in every)


def performed(
    made: Plan,
    found: Shortened,
    session_id: int,
    exchange_id: int,
    trigger: Trigger,
    number: int,
    facts: FactsCache,
) -> CompactionPerformed:
    """The event that says what was planned."""
    return CompactionPerformed(
        session_id=session_id, history_id=number, **decision_fields(made, found, exchange_id, trigger, facts)
    )


def decision_fields(
    made: Plan, found: Shortened, exchange_id: int, trigger: Trigger, facts: FactsCache
) -> dict[str, Any]:
    """What both kinds of prefix decisions say."""
    refs = found.facts.refs
    names = {index: refs[index * REF_BYTES : (index + 1) * REF_BYTES].hex() for index in made.removed}
    return {
        "decided_on": exchange_id,
        "trigger_reason": trigger,
        "edit": PrefixEdit(
            cut=made.cut,
            within=facts.hash(found.facts.canons[: made.cut * CANON_BYTES]).hex(),
            removed=made.stretches(),
            inserted=tuple(Inserted(before, content_ref(message)) for before, message in made.inserted),
            builds_on=found.last,
        ),
        "removed_refs": tuple(names.values()),
        "summary_ref": content_ref(_summary_message(made)),
        "outputs": tuple(LeftOut(each.hash, names[each.index], each.tool, each.tokens) for each in made.outputs),
        "tokens_before": made.tokens_before,
        "tokens_after": made.tokens_after,
        "messages_before": made.messages_before,
        "messages_after": made.messages_after,
        "system_preserved": made.system_preserved,
        "recent_preserved": made.recent_preserved,
        "summary": made.summary[:_SUMMARY],
        "previews": _previews(made, found, facts),
    }


def _previews(made: Plan, found: Shortened, facts: FactsCache) -> str:
    contents = (decode_message(found.messages[each.index]).get("content") for each in made.outputs)
    return msgspec.json.encode([facts.shown(str(content), _PREVIEW) for content in contents]).decode()


def _summary_message(made: Plan) -> bytes:
    """The digest itself where there is one only."""
    return msgspec.json.encode({"role": "assistant", "content": made.summary})
