"""Which part of a task went through this proxy, so that it is not counted twice. Pure.

Clients do not write down the ids that exchanges have, so numbers must tell: times, models and counts of tokens. The
rules, in this order (schema/ledgers.py names them):

calls: the ledger has single requests. One is an exchange with the same counts of both kinds (the prompt with or without
    what came from the cache), a model of the same name, and a time that is not further away than two minutes. Each
    exchange is at most one request, the one nearest in time. Some tools write down names that people gave to models:
    one that no exchange has says nothing.
task: the ledger has sums, or no request was found. Exchanges of the task's time and model, of one session or of one
    kind of client, add up to the sums: to a hundredth, or as closely as the ledger's numbers are rounded or estimated.
part: the ledger has sums only. All exchanges of one session lie in the task's time and have its model, the client is
    of a kind that the tool is known as, and they add up to less: the rest went elsewhere, and is counted.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from ledgers.tasks import Call, Task, by_hour
from projections.wire_calls import WireCall
from schema.ledgers import MatchRule, Precision, Tool, WireMatch

NEAR_MS = 120_000
_TOLERANCE: Mapping[Precision, float] = {"reported": 0.01, "rounded": 0.06, "estimated": 0.2}
_FAMILIES: Mapping[
    Tool, frozenset[str]
] = {  # the User-Agents that tools send to an API that is compatible with OpenAI's
    "cline": frozenset({"cline", "openai-node", "ai-sdk"}),
    "roo": frozenset({"roo-code", "openai-node"}),
    "kilo": frozenset({"kilo-code", "openai-node"}),
    "continue": frozenset({"continue", "openai-node", "node-fetch"}),
    "claude_code": frozenset({"claude-code"}),
    "codex": frozenset({"codex"}),
    "opencode": frozenset({"opencode", "ai-sdk"}),
    "aider": frozenset({"aider", "litellm", "openai-python"}),
    "llm": frozenset({"openai-python"}),
}


_ALIASES: frozenset[Tool] = frozenset({"llm", "continue"})  # which write down names that people gave to models


class _Sums(NamedTuple):
    prompt: int
    completion: int
    cached: int
    written: int


class _Part(NamedTuple):
    """Of a task, counted as its ledger counts."""

    tokens_in: int
    tokens_out: int
    read: int
    written: int
    cost: float | None


def span(task: Task) -> tuple[int, int]:
    """When exchanges of the task can have begun, in ms since the epoch."""
    began = min(task.ts, task.started_at) if task.started_at is not None else task.ts
    return began - NEAR_MS, max(task.ts, task.until or 0) + NEAR_MS


def match(tool: Tool, task: Task, exchanges: Sequence[WireCall]) -> WireMatch | None:
    """`exchanges` are those of the task's span that no other task has."""
    if task.overlaps or not exchanges:
        return None
    whole = task
    if tool in _ALIASES:
        task = _without_aliases(task, exchanges)
    fitting = [each for each in exchanges if _same_model(task.model_id, each)] if task.model_id else list(exchanges)
    if task.requests:
        return _by_calls(task, whole, exchanges) or _by_sums(task, fitting)
    return _by_sums(task, fitting) or _by_part(tool, task, fitting)


def _without_aliases(task: Task, exchanges: Sequence[WireCall]) -> Task:
    """Names that no exchange has say nothing."""
    names = {task.model_id, *(call.model for call in task.requests)}
    known = {name for name in names if name and any(_same_model(name, each) for each in exchanges)}
    calls = (call if call.model in known else msgspec.structs.replace(call, model=None) for call in task.requests)
    model = task.model_id if task.model_id in known else None
    return msgspec.structs.replace(task, model_id=model, requests=tuple(calls))


def _by_calls(task: Task, whole: Task, exchanges: Sequence[WireCall]) -> WireMatch | None:
    """`whole` is the task with all names of models."""
    by_counts: dict[tuple[int, int], list[WireCall]] = {}
    for each in exchanges:
        by_counts.setdefault((each.prompt_tokens, each.completion_tokens), []).append(each)
    used: dict[int, WireCall] = {}
    places: list[int] = []
    for place, call in sorted(enumerate(task.requests), key=lambda item: item[1].at or 0):
        near = [each for each in _candidates(task, call, by_counts) if each.id not in used and _fits(call, each)]
        if near:
            nearest = min(near, key=lambda each: (_distance(call, each), each.id))
            used[nearest.id] = nearest
            places.append(place)
    if not places:
        return None
    found = [task.requests[place] for place in places]
    costs = [call.cost for call in found if call.cost is not None]
    taken = sum(call.tokens_in for call in found)
    return WireMatch(
        rule="calls",
        exchange_ids=tuple(sorted(used)),
        calls=len(found),
        tokens_in=taken,
        tokens_out=sum(call.tokens_out for call in found),
        total_cost=round(sum(costs), 9) if costs else None,
        wire_tokens_in=taken,  # the counts are the same, or they were not found
        wire_tokens_out=sum(each.completion_tokens for each in used.values()),
        cache_read_tokens=sum(call.cache_read for call in found),
        cache_write_tokens=sum(call.cache_write for call in found),
        hours=by_hour(whole.requests, {used.model_id for used in whole.hours}, sorted(places)),
    )


def _candidates(task: Task, call: Call, by_counts: Mapping[tuple[int, int], Sequence[WireCall]]) -> Iterator[WireCall]:
    whole = call.tokens_in if task.includes_cache else call.tokens_in + call.cache_read + call.cache_write
    for prompt in {whole, call.tokens_in}:
        thought = call.reasoning or 0  # within the output, beside it, or taken to be beside it
        for completion in {call.tokens_out, call.tokens_out + thought, call.tokens_out - thought}:
            if prompt and completion > 0:
                yield from by_counts.get((prompt, completion), ())


def _fits(call: Call, exchange: WireCall) -> bool:
    same = call.model is None or _same_model(call.model, exchange)
    return same and _distance(call, exchange) <= NEAR_MS


def _distance(call: Call, exchange: WireCall) -> int:
    """From the time of the exchange, 0 within it."""
    at = call.at or 0
    return max(exchange.started_at - at, at - exchange.finished_at, 0)


def _by_sums(task: Task, exchanges: Sequence[WireCall]) -> WireMatch | None:
    """The group that comes nearest."""
    best: tuple[float, list[WireCall], int] | None = None
    for group in _groups(exchanges):
        sums = _sums(group)
        off_in, wire_in = min(_readings(task, sums))
        off = max(off_in, _relative(sums.completion, task.tokens_out))
        if off <= _TOLERANCE[task.precision] and (best is None or off < best[0]):
            best = off, group, wire_in
    if best is None or not task.tokens_in or not task.tokens_out:
        return None
    _, group, wire_in = best
    part = _Part(
        task.tokens_in, task.tokens_out, task.cache_read_tokens, task.cache_write_tokens, task.total_cost
    )  # fmt: skip
    return _matched("task", group, part, wire_in)


def _readings(task: Task, sums: _Sums) -> Iterator[tuple[float, int]]:
    """How far the exchanges' prompts are from the task's, and how many tokens they are as its ledger counts: it may
    have counted what came from the cache and went to it within its prompts, beside them, or not at all."""
    beside = 0 if task.includes_cache else task.cache_read_tokens + task.cache_write_tokens
    for prompt, apart in ((sums.prompt, beside), (sums.prompt, 0), (sums.prompt - sums.cached, 0)):
        yield _relative(prompt, task.tokens_in + apart), max(prompt - apart, 0)


def _by_part(tool: Tool, task: Task, exchanges: Sequence[WireCall]) -> WireMatch | None:
    """The session that takes most of the task."""
    if task.model_id is None or task.started_at is None:
        return None
    most = 1 + _TOLERANCE[task.precision]
    best: list[WireCall] | None = None
    for group in _by(exchanges, lambda each: each.session_id):
        sums = _sums(group)
        inside = all(task.started_at <= each.started_at <= max(task.ts, task.until or 0) for each in group)
        known = all(each.client_family in _FAMILIES[tool] for each in group)
        less = sums.completion <= task.tokens_out * most and sums.prompt - sums.cached <= task.tokens_in * most
        if inside and known and less and (best is None or sums.prompt > _sums(best).prompt):
            best = group
    if best is None:
        return None
    sums = _sums(best)
    read, written = min(sums.cached, task.cache_read_tokens), min(sums.written, task.cache_write_tokens)
    prompt = sums.prompt
    if not task.includes_cache and task.cache_read_tokens + task.cache_write_tokens:
        prompt -= read + written  # the ledger counts them beside its prompts
    elif prompt > task.tokens_in:
        prompt -= sums.cached
    taken, made = min(prompt, task.tokens_in), min(sums.completion, task.tokens_out)
    share = (taken + made) / max(task.tokens_in + task.tokens_out, 1)
    cost = round(task.total_cost * share, 9) if task.total_cost is not None else None
    return _matched("part", best, _Part(taken, made, read, written, cost), prompt)


def _matched(rule: MatchRule, group: Sequence[WireCall], part: _Part, wire_in: int) -> WireMatch:
    return WireMatch(
        rule=rule,
        exchange_ids=tuple(each.id for each in group),
        calls=len(group),
        tokens_in=part.tokens_in,
        tokens_out=part.tokens_out,
        total_cost=part.cost,
        wire_tokens_in=wire_in,
        wire_tokens_out=_sums(group).completion,
        cache_read_tokens=part.read,
        cache_write_tokens=part.written,
    )


def _groups(exchanges: Sequence[WireCall]) -> Iterator[list[WireCall]]:
    """By session, and where a client's sessions were told apart, by the kind of client."""
    yield from _by(exchanges, lambda each: each.session_id)
    yield from _by(exchanges, lambda each: each.client_family)


def _by(exchanges: Iterable[WireCall], key: Callable[[WireCall], object]) -> Iterator[list[WireCall]]:
    found: dict[object, list[WireCall]] = {}
    for each in exchanges:
        found.setdefault(key(each), []).append(each)
    yield from found.values()


def _sums(group: Iterable[WireCall]) -> _Sums:
    prompt = completion = cached = written = 0
    for each in group:
        prompt += each.prompt_tokens
        completion += each.completion_tokens
        cached += each.cached_tokens
        written += each.cache_write_tokens
    return _Sums(prompt, completion, cached, written)


def _relative(one: int, other: int) -> float:
    return abs(one - other) / max(other, 1)


def _same_model(name: str | None, exchange: WireCall) -> bool:
    """Without the provider before it, and a date behind it."""
    wanted = _plain(name or "")
    names = (exchange.model_requested, exchange.model_sent, exchange.model_answered)
    return any(
        known.startswith(wanted) or wanted.startswith(known) for known in (_plain(each) for each in names if each)
    )


def _plain(name: str) -> str:
    return name.rpartition("/")[2].lower()
