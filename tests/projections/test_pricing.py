"""What an exchange costs: by the right row of the right book, rounded once."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.pricing import Adopted, Consumption, Pricing, Repriced, Served, cost
from schema.prices import PriceRow

DAY = 86_400_000
_TOKENS = st.integers(0, 2**40)
_RATES = st.none() | st.integers(0, 10**9)


def _pricing(*rows: PriceRow) -> Pricing:
    return Pricing([Adopted(1, "a")], [], {"a": rows})


def _served(day: int = 0, provider: str = "p", tier: str | None = None, position: int = 2) -> Served:
    return Served(position, day * DAY, provider, "m", tier)


def test_each_kind_of_token_has_its_price() -> None:
    row = PriceRow(
        model="m",
        input=1_000_000,
        output=10_000_000,
        cache_read=100_000,
        cache_write=1_250_000,
        cache_write_1h=2_000_000,
    )
    assert cost(row, Consumption(100, 10)) == 200
    assert cost(row, Consumption(100, 10, cached=50)) == 155
    assert cost(row, Consumption(100, 0, cached=50, cache_write=40)) == 10 + 5 + 50
    assert cost(row, Consumption(100, 0, cached=50, cache_write=40, cache_write_1h=40)) == 10 + 5 + 80


def test_a_cache_without_a_price_costs_as_input() -> None:
    row = PriceRow(model="m", input=1_000_000, output=0)
    assert cost(row, Consumption(100, 10, cached=50, cache_write=20, cache_write_1h=10)) == 100


def test_what_has_no_price_is_unknown_and_not_nothing() -> None:
    assert cost(PriceRow(model="m", input=1_000_000), Consumption(1, 1)) is None
    assert cost(PriceRow(model="m", input=1_000_000), Consumption(1, 0)) == 1
    assert cost(PriceRow(model="m", input=0, output=0), Consumption(7, 7)) == 0
    assert _pricing(PriceRow(model="other", input=1)).cost(_served(), Consumption(1, 0)) is None
    assert not Pricing([], [], {})
    assert Pricing([], [], {}).cost(_served(), Consumption(1, 0)) is None


@pytest.mark.parametrize(("tokens", "expected"), [(1, 0), (4, 0), (5, 1), (14, 1), (15, 2)])
def test_half_a_micro_dollar_is_rounded_up(tokens: int, expected: int) -> None:
    assert cost(PriceRow(model="m", input=100_000), Consumption(tokens, 0)) == expected


@given(_TOKENS, _TOKENS, _TOKENS, _TOKENS, _TOKENS, st.tuples(*[_RATES] * 5))
def test_it_is_the_exact_sum_rounded_once(
    plain: int, cached: int, five: int, hour: int, output: int, rates: tuple[int | None, ...]
) -> None:
    read, write, write_1h = rates[2], rates[3], rates[4]
    row = PriceRow(
        model="m", input=rates[0], output=rates[1], cache_read=read, cache_write=write, cache_write_1h=write_1h
    )
    found = cost(row, Consumption(plain + cached + five + hour, output, cached, five + hour, hour))
    read = rates[0] if read is None else read
    write = rates[0] if write is None else write
    write_1h = write if write_1h is None else write_1h
    parts = ((plain, rates[0]), (cached, read), (five, write), (hour, write_1h), (output, rates[1]))
    if any(tokens and rate is None for tokens, rate in parts):
        assert found is None
    else:
        exact = sum((Fraction(tokens * (rate or 0), 1_000_000) for tokens, rate in parts), Fraction(0))
        assert found is not None
        assert -Fraction(1, 2) < exact - found <= Fraction(1, 2) or exact + Fraction(1, 2) == found


def test_the_latest_day_that_has_come_holds() -> None:
    prices = _pricing(
        PriceRow(model="m", input=1_000_000),
        PriceRow(model="m", from_="1970-01-03", input=2_000_000),
        PriceRow(model="m", from_="1970-01-05", input=3_000_000),
    )
    assert [prices.cost(_served(day), Consumption(1, 0)) for day in range(6)] == [1, 1, 2, 2, 3, 3]


def test_long_requests_and_tiers_of_service() -> None:
    prices = _pricing(
        PriceRow(model="m", input=1_000_000),
        PriceRow(model="m", above=200, input=2_000_000),
        PriceRow(model="m", above=1_000, input=4_000_000),
        PriceRow(model="m", service_tier="flex", input=500_000),
    )
    assert [prices.cost(_served(), Consumption(n, 0)) for n in (200, 201, 1_000, 1_001)] == [200, 402, 2_000, 4_004]
    assert prices.cost(_served(tier="Flex"), Consumption(2, 0)) == 1
    assert prices.cost(_served(tier="default"), Consumption(2, 0)) == 2
    assert prices.cost(_served(tier="priority"), Consumption(2, 0)) is None


def test_a_providers_own_price_goes_before_that_of_any() -> None:
    prices = _pricing(
        PriceRow(model="m", from_="1970-01-02", input=9_000_000), PriceRow(model="m", provider="p", input=1_000_000)
    )
    assert prices.cost(_served(3), Consumption(1, 0)) == 1
    assert prices.cost(_served(3, provider="q"), Consumption(1, 0)) == 9
    assert prices.cost(_served(0, provider="q"), Consumption(1, 0)) is None


def test_the_book_is_that_of_its_time_until_it_is_priced_anew() -> None:
    rows = {name: (PriceRow(model="m", input=rate),) for name, rate in (("a", 1_000_000), ("b", 2_000_000))}
    adopted = [Adopted(2, "a"), Adopted(5, "b")]

    def costs(*repriced: Repriced) -> list[int | None]:
        prices = Pricing(adopted, repriced, rows)
        return [prices.cost(_served(position=position), Consumption(1, 0)) for position in range(1, 10)]

    assert costs() == [None, 1, 1, 1, 2, 2, 2, 2, 2]
    assert costs(Repriced(7, 1, "b")) == [2, 2, 2, 2, 2, 2, 2, 2, 2]
    assert costs(Repriced(7, 3, "a")) == [None, 1, 1, 1, 1, 1, 1, 2, 2]
    assert costs(Repriced(7, 3, "a"), Repriced(8, 6, "b")) == [None, 1, 1, 1, 1, 2, 2, 2, 2]
