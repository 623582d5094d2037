"""What events of exchanges say."""

from collections.abc import Mapping

from projections.saying import Summary, Words, model_label, says
from schema.exchanges import (
    ExchangeCancelled,
    ExchangeCompleted,
    ExchangeFailed,
    ExchangeInterrupted,
    ExchangeRefused,
    ExchangeStarted,
    Finished,
)
from schema.registry import Event

_UNITS = {"tokens": "tokens", "requests": "requests", "micro_usd": "millionths of a dollar"}


def _exchange_started(event: ExchangeStarted, label: str) -> tuple[str, Words]:
    size = f"{event.received.count:,} messages, about {event.received.tokens:,} tokens"
    words = (event.model_requested, event.client_family, event.resolution.rule)
    return f"exchange {event.exchange_id} started in session {event.session_id}: {size}, {label}", words


def label_of_beginning(summary: str) -> str:
    """The label that `_exchange_started` was given; none in the line of an event that cannot be read."""
    parts = summary.split(" messages, about ", 1)[-1].split(" tokens, ", 1)
    return parts[1] if len(parts) == 2 else ""


def _refused(event: ExchangeRefused, _: str) -> tuple[str, Words]:
    requests = "a request was" if event.count == 1 else f"{event.count:,} requests were"
    where = f" in session {event.session_id}" if event.session_id is not None else ""
    size = f"{event.tokens:,} tokens, {event.limit:,} allowed"
    if event.scope is not None:
        size = f"{event.scope}, {event.limit:,} {_UNITS[event.unit or 'tokens']} allowed"
    label = model_label(event.provider, event.model_sent)
    return f"{requests} refused{where} ({event.code}): {size}, {label}", (event.code, event.scope)


def _completed(event: ExchangeCompleted, label: str) -> tuple[str, Words]:
    return _ended(event, "completed", label)


def _failed(event: ExchangeFailed, label: str) -> tuple[str, Words]:
    text, words = _ended(event, f"failed ({event.error_code})", label)
    return text, (*words, event.error_message)


def _cancelled(event: ExchangeCancelled, label: str) -> tuple[str, Words]:
    return _ended(event, "cancelled by the client", label)


def _interrupted(event: ExchangeInterrupted, label: str) -> tuple[str, Words]:
    return _ended(event, f"interrupted ({event.cause})", label)


def _ended(event: Finished, how: str, label: str) -> tuple[str, Words]:
    usage = event.usage
    tokens = f"{usage.prompt_tokens:,} + {usage.completion_tokens:,} tokens, " if usage.source != "none" else ""
    about = "about " if usage.source == "estimated" else ""
    last = event.sent_last
    label = f"{label}, then {model_label(last.provider, last.model)}" if last is not None else label
    tries = f", {len(event.tries)} tries" if event.tries else ""
    return f"exchange {event.exchange_id} {how}: {about}{tokens}{label}{tries}", (event.model_answered,)


EXCHANGES: Mapping[type[Event], Summary] = dict(
    (
        says(ExchangeRefused, _refused),
        says(ExchangeStarted, _exchange_started),
        says(ExchangeCompleted, _completed),
        says(ExchangeFailed, _failed),
        says(ExchangeCancelled, _cancelled),
        says(ExchangeInterrupted, _interrupted),
    )
)
