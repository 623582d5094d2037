"""Which chain holds most, kept without looking at all of them: as one who looks at all would find."""

from hypothesis import given
from hypothesis import strategies as st

from projections.chain_tokens import ChainTokens, Held

CHAINS = st.integers(1, 4)
STEPS = st.one_of(
    st.tuples(st.just("put"), CHAINS, st.integers(0, 3)),
    st.tuples(st.just("leave"), CHAINS, st.just(0)),
    st.tuples(st.just("clear"), st.just(0), st.just(0)),
)


@given(st.lists(STEPS))
def test_the_longest_is_found_after_anything(steps: list[tuple[str, int, int]]) -> None:
    kept = ChainTokens({})
    for number, (step, chain, tokens) in enumerate(steps):
        if step == "put":
            kept.put(chain, tokens, number)
        elif step == "leave":
            kept.leave(chain)
        else:
            kept.clear()
        most = max(kept.by_chain, key=lambda each: (kept.by_chain[each].tokens, each), default=None)
        assert kept.longest() == (None if most is None else kept.by_chain[most])


def test_as_many_tokens_as_the_most_makes_nobody_look_again() -> None:
    kept = ChainTokens({number: Held(7, number) for number in range(1, 5)})
    assert kept.longest() == Held(7, 4)
    kept.by_chain[9] = Held(9, 9)  # seen only by who looks at all
    kept.put(5, 7, 5)
    kept.leave(1)
    assert kept.longest() == Held(7, 5)
