"""Which part of a task went through the proxy."""

from typing import Any

from ledgers.matching import NEAR_MS, match, span
from ledgers.tasks import Call, Task, summed
from projections.wire_calls import WireCall

T = 1_795_390_431_123


def wire(number: int, prompt: int, completion: int, **fields: Any) -> WireCall:
    given: dict[str, Any] = {
        "session_id": 1, "started_at": T + number * 1_000, "model_requested": "gpt-5", "model_sent": "gpt-5",
        "model_answered": "gpt-5-2025-08-07", "client_family": "openai-node", "cached_tokens": 0, **fields,
    }  # fmt: skip
    given.setdefault("finished_at", given["started_at"] + 500)
    return WireCall(id=number, prompt_tokens=prompt, completion_tokens=completion, **given)


def call(prompt: int, completion: int, at: int = T + 1_200, **fields: Any) -> Call:
    return Call(at=at, model="openai/gpt-5", tokens_in=prompt, tokens_out=completion, **fields)


def task(tokens_in: int, tokens_out: int, **fields: Any) -> Task:
    given: dict[str, Any] = {"started_at": T, "ts": T + 60_000, "model_id": "gpt-5", "total_cost": 1.0, **fields}
    return Task(task_id="t", tokens_in=tokens_in, tokens_out=tokens_out, **given)


def test_requests_are_found_by_their_counts() -> None:
    done = summed("t", [call(100, 10, cost=0.25), call(200, 20), call(300, 30)], includes_cache=True)
    found = match("llm", done, [wire(1, 100, 10), wire(2, 200, 20), wire(3, 301, 30), wire(4, 300, 31)])
    assert found is not None
    assert (found.rule, found.exchange_ids, found.calls) == ("calls", (1, 2), 2)
    assert (found.tokens_in, found.tokens_out, found.total_cost) == (300, 30, 0.25)
    assert (found.wire_tokens_in, found.wire_tokens_out) == (300, 30)


def test_each_exchange_is_one_request_the_nearest() -> None:
    done = summed("t", [call(100, 10, T), call(100, 10, T + 90_000)])
    found = match("llm", done, [wire(5, 100, 10), wire(80, 100, 10), wire(60, 100, 10)])
    assert found is not None and found.exchange_ids == (5, 80)
    alone = match("llm", done, [wire(5, 100, 10)])
    assert alone is not None and (alone.exchange_ids, alone.tokens_in) == ((5,), 100)


def test_what_came_from_the_cache_may_be_counted_apart() -> None:
    apart = summed("t", [call(20, 10, cache_read=70, cache_write=10)])
    found = match("opencode", apart, [wire(1, 100, 10, cached_tokens=70)])
    assert found is not None and (found.tokens_in, found.wire_tokens_in) == (20, 20)
    reasoning = summed("t", [call(100, 4, reasoning=6)])
    assert match("opencode", reasoning, [wire(1, 100, 10)]) is not None


def test_another_time_or_model_is_another_request() -> None:
    done = summed("t", [call(100, 10)])
    late = wire(1, 100, 10, started_at=T + NEAR_MS + 2_000)
    other = wire(2, 100, 10, model_requested="big", model_sent="acme/big", model_answered=None)
    assert match("opencode", done, [other]) is None
    assert match("llm", done, [late]) is not None  # by their sums
    assert match("llm", done, [wire(3, 100, 11)]) is None


def test_a_name_that_somebody_gave_to_a_model_says_nothing() -> None:
    done = summed("t", [Call(at=T + 1_200, model="through", tokens_in=100, tokens_out=10)])
    assert match("opencode", done, [wire(1, 100, 10)]) is None
    found = match("llm", done, [wire(1, 100, 10)])
    assert found is not None and found.rule == "calls"
    known = summed("t", [Call(at=T + 1_200, model="gpt-5", tokens_in=100, tokens_out=10)])
    other = wire(2, 100, 10, model_requested="big", model_sent="big", model_answered=None)
    assert match("llm", known, [wire(1, 100, 11), other]) is None


def test_sums_of_one_session() -> None:
    exchanges = [wire(1, 100, 10), wire(2, 200, 20), wire(3, 999, 99, session_id=2)]
    found = match("cline", task(300, 30), exchanges)
    assert found is not None and (found.rule, found.exchange_ids) == ("task", (1, 2))
    assert (found.tokens_in, found.wire_tokens_in, found.total_cost) == (300, 300, 1.0)
    near = match("cline", task(302, 30), exchanges)
    assert near is not None and (near.tokens_in, near.wire_tokens_in) == (302, 300)
    assert match("cline", task(310, 31, model_id=None), exchanges[:2]) is None
    rounded = match("aider", task(310, 31, precision="rounded"), exchanges)
    assert rounded is not None and rounded.exchange_ids == (1, 2)


def test_sums_of_one_kind_of_client() -> None:
    """Its conversation was told apart in two."""
    exchanges = [wire(1, 100, 10), wire(2, 200, 20, session_id=2), wire(3, 300, 30, session_id=3, client_family="x")]
    found = match("cline", task(300, 30), exchanges[:2])
    assert found is not None and found.exchange_ids == (1, 2)
    found = match("cline", task(300, 30), exchanges)  # one session, or two of a kind: the first is simpler
    assert found is not None and found.exchange_ids == (3,)


def test_sums_without_the_cache() -> None:
    cached = [wire(1, 1_000, 10, cached_tokens=900)]
    found = match("cline", task(100, 10, cache_read_tokens=900), cached)
    assert found is not None and (found.rule, found.tokens_in) == ("task", 100)


def test_a_part_went_through() -> None:
    exchanges = [wire(1, 100, 10), wire(2, 50, 5, session_id=2)]
    found = match("cline", task(400, 40), exchanges)
    assert found is not None and (found.rule, found.exchange_ids) == ("part", (1,))
    assert (found.tokens_in, found.tokens_out, found.total_cost) == (100, 10, 0.25)
    assert match("cline", task(400, 40, model_id=None), exchanges) is None
    assert match("cline", task(400, 40, started_at=None), exchanges) is None
    assert match("cline", task(400, 40), [wire(1, 100, 10, client_family="zed")]) is None
    assert match("cline", task(400, 40), [wire(-1, 100, 10)]) is None
    assert match("cline", task(50, 40), exchanges[:1]) is None


def test_a_part_is_counted_as_the_ledger_counts() -> None:
    """Its cached tokens stand beside its prompts; at the wire they are parts of them."""
    exchanges = [wire(1, 11_000, 100, cached_tokens=1_000, cache_write_tokens=500)]
    cached = {"cache_read_tokens": 1_000, "cache_write_tokens": 500}
    whole = match("cline", task(9_500, 100, **cached), exchanges)
    assert whole is not None
    assert (whole.rule, whole.tokens_in, whole.wire_tokens_in) == ("task", 9_500, 9_500)
    grown = match("cline", task(14_500, 300, **cached), exchanges)
    assert grown is not None
    assert (grown.rule, grown.tokens_in, grown.wire_tokens_in) == ("part", 9_500, 9_500)
    assert (grown.cache_read_tokens, grown.cache_write_tokens) == (1_000, 500)


def test_what_the_exchanges_say_is_theirs() -> None:
    found = match("opencode", summed("t", [call(100, 4, reasoning=6)]), [wire(1, 100, 10)])
    assert found is not None and (found.tokens_out, found.wire_tokens_out) == (4, 10)


def test_requests_that_were_found_are_told_by_their_hours() -> None:
    later = T + 3_600_000
    calls = [call(100, 10, cost=0.5), call(7, 7), call(200, 20, later)]
    done = summed("t", [*calls, Call(at=later, model="alias", tokens_in=5, tokens_out=5)])
    found = match("llm", done, [wire(1, 100, 10), wire(3_600, 200, 20), wire(3_601, 5, 5)])
    assert found is not None
    assert [(each.hour, each.model_id, each.tokens_in, each.total_cost) for each in found.hours] == [
        (T // 3_600_000, "openai/gpt-5", 100, 0.5),
        (later // 3_600_000, "alias", 5, None),
        (later // 3_600_000, "openai/gpt-5", 200, None),
    ]


def test_what_overlaps_is_not_looked_for() -> None:
    assert match("continue", task(300, 30, overlaps=True), [wire(1, 300, 30)]) is None
    assert match("continue", task(300, 30), []) is None
    assert match("continue", task(0, 0), [wire(1, 300, 30)]) is None


def test_the_span() -> None:
    assert span(task(1, 1)) == (T - NEAR_MS, T + 60_000 + NEAR_MS)
    assert span(Task(task_id="t", ts=T, until=T + 5)) == (T - NEAR_MS, T + 5 + NEAR_MS)
