"""`chronoproxy what-if`: what other settings would have sent of a session, from the log alone. Nothing is sent."""

import argparse
from collections.abc import Sequence

import msgspec

from api.cli_output import UsageError, json_line, progress, table
from api.cli_places import configuration_of, reading
from context.messages import decode_message, text_of
from context.replacements import ReductionSettings
from context.tokens import SplintrCounter
from context.turns import call_list
from context.words import naming_words
from proxy.belonging import belonging
from proxy.contents import MissingContentError, SessionContents
from proxy.facts import FactsCache
from proxy.memory import REF_BYTES, SessionMemory, common
from proxy.reducing import Reducer


class Figures(msgspec.Struct):
    """Of all requests of a session: tokens that went upstream, what they cost in tokens of full price where a provider
    has the same beginning in its cache, and the share of the names in answers that were still in the request."""

    tokens: int = 0
    cost: float = 0.0
    names: int = 0
    kept: int = 0

    @property
    def recall(self) -> float:
        return round(100 * self.kept / self.names, 2) if self.names else 100.0


class Side:
    """One way to send the requests."""

    def __init__(self, facts: FactsCache, ratio: float) -> None:
        self._facts, self._ratio = facts, ratio
        self._before = b""
        self.figures = Figures()

    def add(self, messages: Sequence[bytes | msgspec.Raw], asked: set[str]) -> None:
        """A request; `asked` are names that its answer uses and the received messages hold."""
        facts = self._facts.of_long_request(messages)
        same = common(facts.refs, self._before)
        cached = sum(self._facts.of(message).tokens for message in messages[:same])
        self._before = facts.refs[: len(messages) * REF_BYTES]
        self.figures.tokens += facts.tokens
        self.figures.cost += facts.tokens - cached + self._ratio * cached
        sent = "\n".join(_text(bytes(message)) for message in messages)
        self.figures.names += len(asked)
        self.figures.kept += sum(name in sent for name in asked)


def run(arguments: argparse.Namespace) -> int:
    """Compare what was received, what was sent, and what the configuration given would have sent. Raises UsageError."""
    configuration = configuration_of(arguments)
    settings, ratio = configuration.reduction_settings(), arguments.cached_price_ratio
    with reading(arguments) as log:
        held = belonging(log, arguments.session)
        contents, numbers = SessionContents(log, *held.sessions), held.exchange_ids
        if not numbers:
            raise UsageError(f"session {arguments.session} has no exchanges")
        found = _compared(contents, numbers, settings, ratio)
    rows: list[tuple[str, ...]] = [("", "tokens", "cost", "names kept")]
    for name, figures in found.items():
        rows.append((name, f"{figures.tokens:,}", f"{figures.cost:,.0f}", f"{figures.recall:.2f} %"))
    if arguments.json:
        json_line(
            {
                name: {"tokens": each.tokens, "cost": round(each.cost, 1), "recall": each.recall}
                for name, each in found.items()
            },
            indent=2,
        )
    else:
        table(rows)
    return 0


def _compared(
    contents: SessionContents, numbers: Sequence[int], settings: ReductionSettings, ratio: float
) -> dict[str, Figures]:
    count = SplintrCounter()
    facts, memory = FactsCache(1, count, str), SessionMemory()
    reducer = Reducer(settings, facts, count)
    received, sent, what_if = (Side(facts, ratio) for _ in range(3))
    shown = progress("reducing")
    for done, number in enumerate(numbers, 1):
        try:
            messages: Sequence[bytes] = contents.received_messages(number)
            as_sent, answer = contents.sent_messages(number), contents.answer(number)
        except MissingContentError:
            raise UsageError(f"the contents of exchange {number} are not in the log") from None
        asked = _asked(messages, answer)
        reduced = reducer.reduce(
            1, memory, messages, facts.of_long_request(messages), ratio=ratio, now=0.0, decide=True
        )
        received.add(list(messages), asked)
        sent.add(as_sent, asked)
        what_if.add(reduced.messages if reduced is not None else messages, asked)
        shown(done, len(numbers))
    return {"received": received.figures, "sent": sent.figures, "what if": what_if.figures}


def _asked(messages: Sequence[bytes], answer: bytes | None) -> set[str]:
    """Names that the answer uses and the messages hold."""
    if answer is None:
        return set()
    whole = "\n".join(_text(message) for message in messages)
    return {name for name in naming_words(_text(answer)) if name in whole}


def _text(message: bytes) -> str:
    fields = decode_message(message)
    calls = (each.get("function") for each in call_list(fields))
    arguments = [str(each.get("arguments") or "") for each in calls if isinstance(each, dict)]
    return "\n".join([text_of(fields.get("content")), *arguments])
