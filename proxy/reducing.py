"""A request as it goes upstream: earlier replacements where they belong, and new ones where they pay.

The folds of the conversations that went on last are kept; after a restart they come from the messages and what the log
says was replaced, and are the same.
"""

from collections import OrderedDict
from collections.abc import Sequence

import msgspec

from context.messages import decode_message
from context.reduction import ContextFold, Count
from context.replacements import Decision, Known, ReductionSettings, Replacement
from proxy.facts import CANON_BYTES, FactsCache, RequestFacts
from proxy.json_members import members, replaced
from proxy.memory import REF_BYTES, SessionMemory, common
from proxy.replaced import Held
from schema.blobs import content_ref
from schema.context import ContentMasked, OutputsMasked, ReplacedOutput
from schema.exchanges import ReductionStep
from schema.recorded import Body
from schema.registry import Event

_MOST_TOKENS = 2_000_000  # of all conversations whose folds are kept: about 40 MB
_OF_SESSION = 4  # conversations
_PREVIEW = 200  # characters
_encode = msgspec.json.Encoder().encode


class Reduced(msgspec.Struct, frozen=True):
    """`messages` and their refs as they go upstream, and the tokens that this saves; new `events` with the `bodies`
    that they speak of, and the `new` replacements themselves; `after` are the tokens of each message that was
    replaced, by index."""

    messages: list[bytes | msgspec.Raw]
    refs: bytes
    saved: int
    steps: tuple[ReductionStep, ...]
    events: tuple[Event, ...] = ()
    bodies: tuple[Body, ...] = ()
    new: tuple[Held, ...] = ()
    after: dict[int, int] = {}


class _Kept(msgspec.Struct, eq=False):
    """A conversation's fold, over the messages `refs`; `held` are the replacements in force, by index."""

    fold: ContextFold
    refs: bytes
    held: dict[int, Held]
    at: float = 0.0
    tokens: int = 0  # as they are counted among those kept
    prepared: bool = False  # its messages have been looked at, but no request has gone upstream
    summary: "_Summary | None" = None  # of `held`, None where that has changed


class _Summary(msgspec.Struct, frozen=True):
    """What the replacements in force come to: refs of the messages up to the last one that is replaced, as received and
    as sent; the steps, and what they save in all; the tokens of each replaced message afterwards."""

    received: bytes
    sent: bytes
    steps: tuple[ReductionStep, ...]
    saved: int
    after: dict[int, int]


class Prepared(msgspec.Struct, frozen=True):
    """A fold that was made for a session, None for one that is to be started."""

    session_id: int | None
    kept: _Kept


class Reducer:
    """Runs on the event loop."""

    def __init__(self, settings: ReductionSettings, facts: FactsCache, count: Count) -> None:
        self._settings, self._facts, self._count = settings, facts, count
        self._kept: dict[int, OrderedDict[bytes, _Kept]] = {}  # by session and refs
        self._order: OrderedDict[int, None] = OrderedDict()  # the sessions, the one that went on last at the end
        self._tokens = 0

    def drop(self, session_id: int) -> None:
        """The log does not hold what was decided last."""
        self._order.pop(session_id, None)
        for kept in self._kept.pop(session_id, {}).values():
            self._tokens -= kept.tokens

    def reduce(
        self,
        session_id: int,
        memory: SessionMemory,
        messages: Sequence[bytes | msgspec.Raw],
        facts: RequestFacts,
        *,
        ratio: float,
        now: float,
        decide: bool,
        fresh: int | None = None,
    ) -> Reduced | None:
        """None where all goes upstream as it came. Without `decide` nothing new is replaced; the last `fresh` messages
        have not gone upstream yet, where they are not the same as in the latest exchanges."""
        kept = self._continued(session_id, facts.refs)
        begun = 0 if kept.prepared else kept.fold.length
        kept.prepared = False
        for index in range(kept.fold.length, facts.count):
            self._add(kept, memory, messages[index], facts, index)
        if decide:
            idle = begun > 0 and now - kept.at > self._settings.idle_seconds
            if begun or fresh is None:
                went = begun or memory.received.shared(facts.refs)  # after a restart the log knows what went upstream
                fresh = facts.count - went
            decision = kept.fold.decide(ratio, idle=idle, fresh=fresh)
        else:
            decision = Decision()
        new, events, bodies = self._new(session_id, kept, memory, messages, facts, decision)
        kept.refs, kept.at = facts.refs, now
        self._keep(session_id, kept)
        if not kept.held:
            return None
        reduced = self._reduced(kept, messages, facts)
        return msgspec.structs.replace(reduced, events=events, bodies=bodies, new=new) if new else reduced

    def knows(self, session_id: int) -> bool:
        """Whether anything of the session is kept."""
        return bool(self._kept.get(session_id))

    def prepared(
        self,
        session_id: int | None,
        memory: SessionMemory,
        messages: Sequence[bytes | msgspec.Raw],
        facts: RequestFacts,
    ) -> Prepared:
        """The fold of a long conversation that nothing is kept of. For a thread; `adopt` takes it."""
        kept = _Kept(ContextFold(self._settings, self._count), facts.refs, {}, prepared=True)
        for index in range(facts.count):
            self._add(kept, memory, messages[index], facts, index)
        return Prepared(session_id, kept)

    def adopt(self, session_id: int, prepared: Prepared) -> None:
        if not self.knows(session_id):
            self._keep(session_id, prepared.kept)

    def _continued(self, session_id: int, refs: bytes) -> _Kept:
        """The fold of a conversation that `refs` go on, or part from behind its last assistant message, taken out; else
        an empty one."""
        known = self._kept.setdefault(session_id, OrderedDict())
        names = sorted(known, key=lambda name: common(refs, name), reverse=True) if len(known) > 1 else list(known)
        for name in names:
            kept = known[name]
            if refs.startswith(name) or kept.fold.rewind(common(refs, name)):
                self._tokens -= known.pop(name).tokens
                return kept
        return _Kept(ContextFold(self._settings, self._count), b"", {})

    def _keep(self, session_id: int, kept: _Kept) -> None:
        of_session = self._kept.setdefault(session_id, OrderedDict())
        of_session[kept.refs] = kept
        kept.tokens = kept.fold.size
        self._tokens += kept.tokens
        self._order[session_id] = None
        self._order.move_to_end(session_id)
        while len(of_session) > _OF_SESSION:
            self._tokens -= of_session.popitem(last=False)[1].tokens
        while self._tokens > _MOST_TOKENS and len(self._order) > 1:
            self.drop(next(iter(self._order)))

    def _add(
        self, kept: _Kept, memory: SessionMemory, message: bytes | msgspec.Raw, facts: RequestFacts, index: int
    ) -> None:
        known: list[Known] = []
        pinned = bool(memory.pins) and facts.refs[index * REF_BYTES : (index + 1) * REF_BYTES] in memory.pins
        if memory.replaced and not pinned:
            for held in memory.replaced.of(self._key(facts, index)):
                found = held.known() if self._belongs(held, facts) else None
                if found is not None:
                    known.append(found)
                    kept.held[index] = held
                    kept.summary = None
        kept.fold.add(decode_message(message), facts.each[index].tokens, known, pinned=pinned)

    def _belongs(self, held: Held, facts: RequestFacts) -> bool:
        """Whether it was decided in this conversation, and not in one that went on from an earlier message of it."""
        at = held.output.at
        return at <= facts.count and self._key(facts, at - 1).hex() == held.output.within

    def _key(self, facts: RequestFacts, index: int) -> bytes:
        """Of the message at its place in the conversation."""
        return self._facts.hash(facts.canons[: (index + 1) * CANON_BYTES])

    def _new(
        self,
        session_id: int,
        kept: _Kept,
        memory: SessionMemory,
        messages: Sequence[bytes | msgspec.Raw],
        facts: RequestFacts,
        decision: Decision,
    ) -> tuple[tuple[Held, ...], tuple[Event, ...], tuple[Body, ...]]:
        new: list[Held] = []
        events: list[Event] = []
        bodies: list[Body] = []
        previews: list[str] = []
        batch: list[ReplacedOutput] = []
        for found in (*decision.replacements, *decision.masked):
            raw = bytes(messages[found.index])
            message = with_content(raw, found.text)
            output = self._output(facts, found, content_ref(message), kept.fold.answered)
            kept.held[found.index] = Held(found.stage, output, message)
            kept.summary = None
            memory.replaced.put(kept.held[found.index])
            new.append(kept.held[found.index])
            bodies.append(Body(output.replacement_ref, message))
            preview = self._preview(raw)
            if found.stage == "mask":
                batch.append(output)
                previews.append(preview)
            else:
                events.append(ContentMasked(session_id=session_id, stage=found.stage, output=output, preview=preview))
        if batch and decision.trigger is not None:
            saved = sum(output.tokens_before - output.tokens_after for output in batch)
            events.append(
                OutputsMasked(
                    session_id=session_id,
                    outputs=tuple(batch),
                    tokens_saved=saved,
                    trigger=decision.trigger,
                    previews=_encode(previews).decode(),
                )
            )
        return tuple(new), tuple(events), tuple(bodies)

    def _output(self, facts: RequestFacts, found: Replacement, replacement_ref: str, answered: int) -> ReplacedOutput:
        index = found.index
        return ReplacedOutput(
            key=self._key(facts, index).hex(),
            hash=found.hash,
            ref=facts.refs[index * REF_BYTES : (index + 1) * REF_BYTES].hex(),
            replacement_ref=replacement_ref,
            at=answered,
            within=self._key(facts, answered - 1).hex(),
            tool=found.tool[:_PREVIEW],
            tokens_before=found.tokens_before,
            tokens_after=found.tokens_after,
        )

    def _preview(self, raw: bytes) -> str:
        return self._facts.shown(str(decode_message(raw).get("content", "")), _PREVIEW)

    def _reduced(
        self,
        kept: _Kept,
        messages: Sequence[bytes | msgspec.Raw],
        facts: RequestFacts,
    ) -> Reduced:
        sent: list[bytes | msgspec.Raw] = list(messages)
        for index, held in kept.held.items():
            sent[index] = held.message or messages[index]
        summary = kept.summary
        if summary is None or not facts.refs.startswith(summary.received):
            summary = kept.summary = _summary(kept.held, facts)
        refs = summary.sent + facts.refs[len(summary.sent) :]
        return Reduced(sent, refs, summary.saved, summary.steps, after=summary.after)


def _summary(held: dict[int, Held], facts: RequestFacts) -> _Summary:
    received = facts.refs[: (max(held) + 1) * REF_BYTES]
    refs = bytearray(received)
    steps: dict[str, list[int]] = {}
    for index, each in held.items():
        output = each.output
        refs[index * REF_BYTES : (index + 1) * REF_BYTES] = bytes.fromhex(output.replacement_ref)
        step = steps.setdefault(each.stage, [0, 0])
        step[0] += 1
        step[1] += facts.each[index].tokens - output.tokens_after
    return _Summary(
        received,
        bytes(refs),
        tuple(ReductionStep(stage, *steps[stage]) for stage in sorted(steps)),
        sum(step[1] for step in steps.values()),
        {index: each.output.tokens_after for index, each in held.items()},
    )


def with_content(message: bytes, text: str) -> bytes:
    """The message with another content, otherwise byte for byte."""
    found = [member for member in members(message) if member.key == "content"]
    return replaced(message, found, _encode(text))
