import os

from hypothesis import given
from hypothesis import strategies as st

from proxy.memory import SessionMemories, SessionMemory, common, hexed
from schema.exchanges import MessageRefs

REFS = [os.urandom(32) for _ in range(400)]


def joined(*numbers: int) -> bytes:
    return b"".join(REFS[number] for number in numbers)


def expand(history: dict[int, MessageRefs], number: int) -> tuple[str, ...]:
    written = history[number]
    base = expand(history, written.base_exchange)[: written.keep] if written.base_exchange is not None else ()
    return (*base, *written.added)


def test_common() -> None:
    assert common(joined(1, 2, 3), joined(1, 2)) == 2
    assert common(joined(1, 2), joined(1, 2, 3)) == 2
    assert common(joined(1, 2), joined(3)) == 0
    assert common(joined(1, 5, 3), joined(1, 2, 3)) == 1


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 3)), max_size=80))
def test_differences_expand_to_the_lists_they_stand_for(steps: list[tuple[int, int]]) -> None:
    """Growing lists, edits and new beginnings, in any order."""
    memory, history, lists = SessionMemory(), dict[int, MessageRefs](), [list[int]()]
    fresh = 0
    for exchange, (back, grow) in enumerate(steps, 1):
        numbers = lists[-1][: max(0, len(lists[-1]) - back)]
        for _ in range(grow + 1):
            numbers = [*numbers, fresh % len(REFS)]
            fresh += 1
        lists.append(numbers)
        refs = joined(*numbers)
        written = memory.received.difference(refs, exchange - 1 if exchange > 1 else None, 1)
        memory.received.began(exchange, refs, written)
        history[exchange] = written
        assert written.count == len(numbers)
        assert written.base_exchange is None or written.base_exchange < exchange
        assert expand(history, exchange) == hexed(refs)


def test_a_full_list_is_written_at_least_every_33_exchanges() -> None:
    memory = SessionMemory()
    full = []
    for exchange in range(1, 101):
        refs = joined(*range(exchange + 1))
        written = memory.received.difference(refs, exchange - 1 or None, 1)
        memory.received.began(exchange, refs, written)
        full += [exchange] if written.base_exchange is None else []
    assert full == [1, 34, 67, 100]


def test_without_a_named_base_the_list_that_shares_most_is_taken() -> None:
    memory = SessionMemory()
    for exchange, numbers in ((1, (1, 2, 3)), (2, (7, 8))):
        refs = joined(*numbers)
        memory.received.began(exchange, refs, memory.received.difference(refs, None, 1))
    written = memory.received.difference(joined(1, 2, 3, 4), None, 1)
    assert (written.base_exchange, written.keep) == (1, 3)
    assert memory.received.difference(joined(9), 99, 1).base_exchange is None


def test_memories_are_bounded_and_the_latest_stay() -> None:
    memories = SessionMemories()
    for number in range(501):
        memories.put(number, SessionMemory())
    assert memories.get(0) is None
    assert memories.get(500) is not None
    memories.drop(500)
    assert memories.get(500) is None
