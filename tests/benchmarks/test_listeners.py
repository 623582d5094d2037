"""A short run of the benchmark of those who listen to /ws."""

import re

from benchmarks.listeners import compare


async def test_it_says_what_listeners_cost() -> None:
    alone, together, each = await compare(3, rounds=2)
    assert re.fullmatch(r" +0 clients: 8 completions p50 [\d.]+, p99 [\d.]+ ms; [\d.]+ s CPU; \d+ messages each", alone)
    assert re.fullmatch(r" +3 clients: 8 completions .* s CPU; [1-9]\d* messages each", together)
    assert re.fullmatch(r"a message for a client: -?[\d.]+ us CPU", each)
