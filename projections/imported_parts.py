"""What an imported task counts for, by hour and model: all that did not go through this proxy. Pure.

A ledger that knows the times of its requests says itself what lies where. Of one with sums only, what a task had used
when it was imported before stays in its hours, and what it grew by is of the hour of its last use.
"""

from collections.abc import Iterator, Sequence

import msgspec

from projections.usage_entries import HOUR_MS
from schema.ledgers import HourUsage, ModelUsage, TaskUsageImported, WireMatch

MICRO = 1_000_000
_GROWING = ("input", "output", "cached", "cache_write", "reasoning")


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """`input` holds `cached` and `cache_write`; `cost` in micro-dollars, as the client says it. `since` is the position
    of the event that said so first: its book of prices holds where the client says none."""

    hour: int
    model: str | None
    calls: int
    input: int
    output: int
    cached: int
    cache_write: int
    reasoning: int
    cost: int | None
    since: int = 0


def parts(before: Sequence[Part], event: TaskUsageImported, position: int) -> list[Part]:
    """What a task counts for from `position` on; `before` is what it counted for until then."""
    now = _merged(_counted(event))
    if event.hours:
        return [_since(before, part, position) for part in now]
    if not event.models:
        return [each for part in now for each in _grown(before, part, position)]
    return [each for part in now for each in _grown([old for old in before if _like(old, part)], part, position)]


def _like(one: Part, other: Part) -> bool:
    return (one.model, one.cost is None) == (other.model, other.cost is None)


def _merged(found: Sequence[Part]) -> list[Part]:
    """One of each hour and model, apart where the client says no cost."""
    by_key: dict[tuple[int, str | None, bool], list[Part]] = {}
    for part in found:
        by_key.setdefault((part.hour, part.model, part.cost is None), []).append(part)
    return [_sum(each) for each in by_key.values()]


def micro_usd(cost: float | None) -> int | None:
    """Millionths of a dollar."""
    return None if cost is None else round(cost * MICRO)


def _since(before: Sequence[Part], part: Part, position: int) -> Part:
    for old in before:
        if msgspec.structs.replace(old, since=0) == part:
            return old
    return msgspec.structs.replace(part, since=position)


def _grown(before: Sequence[Part], part: Part, position: int) -> list[Part]:
    """What was stays where it was, unless there is less now."""
    new = msgspec.structs.replace(part, since=position)
    if not before or any((old.cost is None) != (part.cost is None) for old in before):
        return [new]
    more = {name: getattr(part, name) - sum(getattr(old, name) for old in before) for name in _GROWING}
    cost = None if part.cost is None else part.cost - sum(old.cost or 0 for old in before)
    if min(*more.values(), cost or 0) < 0:
        return [new]
    if not any(more.values()) and not cost:
        return list(before)
    calls = max(part.calls - sum(old.calls for old in before), 1)
    delta = msgspec.structs.replace(new, calls=calls, cost=cost, **more)
    same = [old for old in before if (old.hour, old.model) == (delta.hour, delta.model)]
    return [*(old for old in before if old not in same), _sum([*same, delta])]


def _sum(added: Sequence[Part]) -> Part:
    """As one, which is like the last."""
    sums = {name: sum(getattr(part, name) for part in added) for name in ("calls", *_GROWING)}
    cost = None if added[-1].cost is None else sum(part.cost or 0 for part in added)
    return msgspec.structs.replace(added[-1], cost=cost, **sums)


def _counted(event: TaskUsageImported) -> list[Part]:
    if event.overlaps:
        return []
    shares, match = _shares(event), event.match
    if match is None:
        left = shares
    elif match.hours and event.hours:
        left = _less(shares, match.hours)
    else:
        left = _rest(event, shares, match)
    return [_part(event, share) for share in left if match is None or _holds_any(share)]


def _holds_any(share: HourUsage) -> bool:
    return any((share.tokens_in, share.tokens_out, share.cache_read_tokens, share.cache_write_tokens))


def _shares(event: TaskUsageImported) -> list[HourUsage]:
    """The whole task."""
    sums = event.tokens_in, event.tokens_out
    hour = event.ts // HOUR_MS
    if event.hours and _sums(event.hours) == sums:
        return list(event.hours)
    if event.models and _sums(event.models) == sums:
        return list(_by_model(event, hour))
    return [
        HourUsage(
            hour=hour,
            model_id=event.model_id,
            calls=event.calls or 1,
            tokens_in=event.tokens_in,
            tokens_out=event.tokens_out,
            cache_read_tokens=event.cache_read_tokens,
            cache_write_tokens=event.cache_write_tokens,
            reasoning_tokens=event.reasoning_tokens or 0,
            total_cost=event.total_cost,
        )
    ]


def _sums(shares: Sequence[HourUsage | ModelUsage]) -> tuple[int, int]:
    return sum(share.tokens_in for share in shares), sum(share.tokens_out for share in shares)


def _by_model(event: TaskUsageImported, hour: int) -> Iterator[HourUsage]:
    """Requests and reasoning are not told apart: they are spread as the tokens are."""
    calls = _spread([used.tokens_in + used.tokens_out for used in event.models], event.calls or 1)
    reasoning = _spread([used.tokens_out for used in event.models], event.reasoning_tokens or 0)
    for used, number, thought in zip(event.models, calls, reasoning, strict=True):
        yield HourUsage(
            hour=hour,
            model_id=used.model_id,
            calls=max(number, 1),
            tokens_in=used.tokens_in,
            tokens_out=used.tokens_out,
            cache_read_tokens=used.cache_read_tokens,
            cache_write_tokens=used.cache_write_tokens,
            reasoning_tokens=thought,
            total_cost=used.total_cost,
        )


def _less(shares: Sequence[HourUsage], matched: Sequence[HourUsage]) -> list[HourUsage]:
    """Without the requests that went through here."""
    found = {(each.hour, each.model_id, each.total_cost is None): each for each in matched}
    return [_without(share, found.get((share.hour, share.model_id, share.total_cost is None))) for share in shares]


def _without(share: HourUsage, less: HourUsage | None) -> HourUsage:
    if less is None:
        return share
    names = ("tokens_in", "tokens_out", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
    fields = {name: max(getattr(share, name) - getattr(less, name), 0) for name in names}
    cost = None if share.total_cost is None else max(share.total_cost - (less.total_cost or 0), 0.0)
    return msgspec.structs.replace(share, calls=max(share.calls - less.calls, 1), total_cost=cost, **fields)


def _rest(event: TaskUsageImported, shares: Sequence[HourUsage], match: WireMatch) -> list[HourUsage]:
    """Where the part that went through here lies is not known: each share is less by as much of it."""
    taken = max(event.tokens_in - match.tokens_in, 0)
    read, written = match.cache_read_tokens, match.cache_write_tokens
    whole, cost = event.tokens_in, event.total_cost
    left = {
        "calls": max((event.calls or 1) - (match.calls or 0), 1),
        "tokens_in": taken,
        "tokens_out": max(event.tokens_out - match.tokens_out, 0),
        "cache_read_tokens": _left(event.cache_read_tokens, read, taken, whole),
        "cache_write_tokens": _left(event.cache_write_tokens, written, taken, whole),
    }
    spread = {name: _spread([getattr(share, name) for share in shares], rest) for name, rest in left.items()}
    ratio = 1.0 if not cost else max(cost - (match.total_cost or 0), 0.0) / cost
    return [
        msgspec.structs.replace(
            share,
            total_cost=None if share.total_cost is None else share.total_cost * ratio,
            **{name: values[place] for name, values in spread.items()},
        )
        for place, share in enumerate(shares)
    ]


def _left(part: int, matched: int | None, taken: int, whole: int) -> int:
    """Of cached tokens: where it is not known how many went through here, as many as of all."""
    if matched is not None:
        return max(part - matched, 0)
    return part * taken // whole if whole else part


def _spread(weights: Sequence[int], whole: int) -> list[int]:
    """`whole` in proportion to the weights; nothing is lost by rounding."""
    total, sofar, given, found = sum(weights), 0, 0, list[int]()
    for weight in weights:
        sofar += weight
        until = sofar * whole // total if total else 0
        found.append(until - given)
        given = until
    return found


def _part(event: TaskUsageImported, share: HourUsage) -> Part:
    cached, written = share.cache_read_tokens, share.cache_write_tokens
    return Part(
        hour=share.hour,
        model=share.model_id,
        calls=max(share.calls, 1),
        input=share.tokens_in + (0 if event.includes_cache else cached + written),
        output=share.tokens_out,
        cached=cached,
        cache_write=written,
        reasoning=min(share.reasoning_tokens, share.tokens_out),
        cost=micro_usd(share.total_cost),
    )
