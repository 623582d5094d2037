"""Why a provider could not take the beginning of a request from its cache: the first thing that was not as before."""

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

Cause = Literal["model", "tools", "history", "reduction", "idle", "provider"]
By = Literal["client", "proxy", "provider"]
SMALLEST = 1_024  # tokens: what is shorter, providers do not keep
KEPT_MS = 300_000  # most providers keep a beginning for five minutes
_HIT = 0.5  # of the request before, as whole blocks are kept only


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request as the provider's cache sees it. `tools` tells one set of tools from another (None: not known);
    `cached` is None where the provider does not say. `at` and `ended` in ms."""

    model: str
    tools: str | None
    received: Sequence[str]
    sent: Sequence[str]
    prompt: int
    cached: int | None
    at: int
    ended: int


class Break(msgspec.Struct, frozen=True):
    """`first_changed` is the place of the first message that is not as it was; `lost` tokens were read anew."""

    cause: Cause
    by: By
    first_changed: int | None
    lost: int


def cache_break(before: Asked, now: Asked) -> Break | None:
    """None where the provider read the beginning from its cache, or nothing kept it from doing so."""
    lost = max(before.prompt - (now.cached or 0), 0)
    if before.prompt < SMALLEST or (now.cached is not None and now.cached >= _HIT * before.prompt):
        return None
    if before.model != now.model:
        return Break("model", "client", None, lost)
    if before.tools is not None and now.tools is not None and before.tools != now.tools:
        return Break("tools", "client", None, lost)
    sent = _common(before.sent, now.sent)
    if sent < len(before.sent):
        received = _common(before.received, now.received)
        by_client = received < len(before.received) and received <= sent
        return Break("history" if by_client else "reduction", "client" if by_client else "proxy", sent, lost)
    if now.cached is None:
        return None
    if now.at - before.ended > KEPT_MS:
        return Break("idle", "client", None, lost)
    return Break("provider", "provider", None, lost)


def came_from(others: Iterable[Asked], now: Asked) -> Asked | None:
    """Of the last requests of other lines the one that `now` goes on from with another history: more than half of its
    messages are there still. None where `now` begins something new, as a sub-agent with the same system prompt does."""
    own = set(now.received)
    return next((each for each in others if 2 * len(own.intersection(each.received)) > len(each.received)), None)


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many are the same from the beginning."""
    pairs = zip(one, other, strict=False)
    return next((place for place, (left, right) in enumerate(pairs) if left != right), min(len(one), len(other)))
