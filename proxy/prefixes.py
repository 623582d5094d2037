"""Prefix decisions in force: which beginnings of a session's conversations go upstream in a shorter form, folded from
its events, with the messages that go up in their place."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from proxy.facts import CANON_BYTES, RequestFacts
from schema.compaction import CompactionPerformed, CompactionReverted, CompressionPerformed, PrefixEdit
from schema.exchanges import ReductionStep
from schema.forking import SessionForked
from schema.registry import Event

Hash = Callable[[bytes], bytes]
FactsOf = Callable[[Sequence[bytes | msgspec.Raw]], RequestFacts]


class Prefix(msgspec.Struct):
    """A decision by its number; `bodies` are the inserted messages by ref, missing ones are not there to send."""

    number: int
    stage: str
    edit: PrefixEdit
    bodies: dict[str, bytes]


class Shortened(msgspec.Struct, frozen=True):
    """A message list after prefix decisions: the messages with their facts, what each decision saved, and the number of
    the last decision that was applied."""

    messages: Sequence[bytes | msgspec.Raw]
    facts: RequestFacts
    steps: tuple[ReductionStep, ...] = ()
    last: int | None = None


class Prefixes:
    """In the order of their numbers."""

    def __init__(self) -> None:
        self._prefixes: dict[int, Prefix] = {}

    def __bool__(self) -> bool:
        return bool(self._prefixes)

    def apply(self, event: Event, bodies: Mapping[str, bytes]) -> None:
        """Fold one event; `bodies` are those stored with it, as far as they are known."""
        if isinstance(event, CompactionPerformed):
            self._put(Prefix(event.history_id, "compact", event.edit, dict(bodies)))
        elif isinstance(event, CompressionPerformed):
            self._put(Prefix(event.log_id, "compress", event.edit, dict(bodies)))
        elif isinstance(event, CompactionReverted):
            number = event.history_id if event.history_id is not None else event.log_id
            self._prefixes.pop(number or 0, None)
        elif isinstance(event, SessionForked):
            for carried in event.decisions:
                stage = "compact" if carried.kind == "compaction" else "compress"
                self._put(Prefix(carried.number, stage, carried.edit, dict(bodies)))

    def digests(self) -> set[str]:
        """The refs of all messages that stand for others."""
        return {inserted.ref for prefix in self._prefixes.values() for inserted in prefix.edit.inserted}

    def all(self) -> list[Prefix]:
        return list(self._prefixes.values())

    def shorten(
        self, messages: Sequence[bytes | msgspec.Raw], facts: RequestFacts, hash_: Hash, facts_of: FactsOf
    ) -> Shortened:
        """The list as the decisions leave it, each where its beginning is found."""
        found = Shortened(messages, facts)
        for prefix in self._prefixes.values():
            if _begins(prefix, found.facts, hash_):
                found = _edited(prefix, found, facts_of)
        return found

    def _put(self, prefix: Prefix) -> None:
        self._prefixes[prefix.number] = prefix


def _begins(prefix: Prefix, facts: RequestFacts, hash_: Hash) -> bool:
    edit = prefix.edit
    if edit.cut > facts.count or any(inserted.ref not in prefix.bodies for inserted in edit.inserted):
        return False
    return hash_(facts.canons[: edit.cut * CANON_BYTES]).hex() == edit.within


def _edited(prefix: Prefix, before: Shortened, facts_of: FactsOf) -> Shortened:
    messages = edited(before.messages, prefix.edit, prefix.bodies)
    facts = facts_of(messages)
    removed = sum(end - begin for begin, end in prefix.edit.removed)
    step = ReductionStep(prefix.stage, removed, before.facts.tokens - facts.tokens)
    return Shortened(messages, facts, (*before.steps, step), prefix.number)


def edited(
    messages: Sequence[bytes | msgspec.Raw], edit: PrefixEdit, bodies: Mapping[str, bytes]
) -> list[bytes | msgspec.Raw]:
    """The messages with what the decision leaves out left out, and what it puts in put in."""
    found: list[bytes | msgspec.Raw] = []
    gone = {index for begin, end in edit.removed for index in range(begin, end)}
    inserted: dict[int, list[bytes]] = {}
    for each in edit.inserted:
        inserted.setdefault(each.before, []).append(bodies[each.ref])
    for index in range(edit.cut):
        found += inserted.get(index, ())
        if index not in gone:
            found.append(messages[index])
    return [*found, *inserted.get(edit.cut, ()), *messages[edit.cut :]]
