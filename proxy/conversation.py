"""A session's context as its next request would send it, from the log alone, as of any event."""

from collections.abc import Sequence

import msgspec

from context.cuts import Item
from proxy.compacting import items_of
from proxy.contents import SessionContents
from proxy.facts import CANON_BYTES, FactsCache
from proxy.memory import SessionMemory
from proxy.prefixes import Shortened
from proxy.remembering import remembered
from proxy.replaced import Held
from schema.log import EventLog


class Conversation(msgspec.Struct, frozen=True):
    """What an exchange received, and its answer, after the prefix decisions in force; `after` are the tokens of
    messages that go upstream shorter, by index."""

    exchange_id: int
    found: Shortened
    after: dict[int, int]
    memory: SessionMemory

    def items(self, facts: FactsCache) -> list[Item]:
        return items_of(self.found, self.after, facts, self.memory)


def conversation(
    log: EventLog, facts: FactsCache, sessions: Sequence[int], exchange_id: int, *, upto: int, reduced: bool
) -> Conversation:
    """Of a session and its parts, as of event `upto`; `reduced` says whether outputs of tools go upstream replaced.
    Raises MissingContentError."""
    memory = remembered(log, sessions, upto=upto)
    contents = SessionContents(log, *sessions, upto=upto)
    messages: list[bytes | msgspec.Raw] = [*contents.received_messages(exchange_id)]
    answer = contents.answer(exchange_id)
    if answer is not None:
        messages.append(answer)
    found = memory.prefixes.shorten(messages, facts.of_long_request(messages), facts.hash, facts.of_long_request)
    return Conversation(exchange_id, found, _after(memory, found, facts) if reduced else {}, memory)


def _after(memory: SessionMemory, found: Shortened, facts: FactsCache) -> dict[int, int]:
    after: dict[int, int] = {}
    canons = found.facts.canons
    for index in range(found.facts.count if memory.replaced else 0):
        if found.facts.refs[index * 32 : (index + 1) * 32] in memory.pins:
            continue
        for held in memory.replaced.of(facts.hash(canons[: (index + 1) * CANON_BYTES])):
            if _belongs(held, found, facts):
                after[index] = held.output.tokens_after
    return after


def _belongs(held: Held, found: Shortened, facts: FactsCache) -> bool:
    at = held.output.at
    return at <= found.facts.count and facts.hash(found.facts.canons[: at * CANON_BYTES]).hex() == held.output.within
