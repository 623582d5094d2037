"""The price book out of the configuration and a file of dated prices."""

from pathlib import Path

import pytest

from api.configuration_file import ConfigurationError
from api.price_book import book_hash, price_book
from proxy.providers import Model, Price
from schema.prices import PriceRow

CONFIGURED = Model(key="k", provider="p", model="m", price=Price(input=0.1, output=2.0, cache_read=0.000001))


def _file(directory: Path, text: str) -> Path:
    path = directory / "prices.toml"
    path.write_text(text)
    return path


def test_no_figure_is_rounded(tmp_path: Path) -> None:
    path = _file(tmp_path, '[[prices]]\nmodel = "x"\ninput = 0.3\noutput = 15\ncache_write_1h = 0.000001\n')
    assert price_book([CONFIGURED], path) == (
        PriceRow(model="m", provider="p", input=100_000, output=2_000_000, cache_read=1),
        PriceRow(model="x", input=300_000, output=15_000_000, cache_write_1h=1),
    )


def test_dates_tiers_and_long_requests(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        '[[prices]]\nmodel = "x"\nfrom = 2026-11-01\nservice_tier = "Flex"\nabove = 200000\ninput = 1\n'
        '[[prices]]\nmodel = "x"\ninput = 2\n',
    )
    assert price_book([], path) == (
        PriceRow(model="x", input=2_000_000),
        PriceRow(model="x", from_="2026-11-01", service_tier="flex", above=200_000, input=1_000_000),
    )


def test_the_configuration_goes_before_an_undated_price_of_the_file(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        '[[prices]]\nmodel = "m"\nprovider = "p"\ninput = 9\n'
        '[[prices]]\nmodel = "m"\nprovider = "p"\nfrom = 2026-11-01\ninput = 8\n',
    )
    assert [row.input for row in price_book([CONFIGURED], path)] == [100_000, 8_000_000]


def test_the_hash_is_of_what_it_says_and_of_no_order(tmp_path: Path) -> None:
    one = '[[prices]]\nmodel = "x"\ninput = 1\n'
    other = '[[prices]]\nmodel = "y"\ninput = 1.0\n'
    first, second = (price_book([], _file(tmp_path, text)) for text in (one + other, other + one))
    assert book_hash(first) == book_hash(second) != book_hash(first[:1])


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[[prices]]\ninput = 1\n", "prices.0.model"),
        ('[[prices]]\nmodel = "x"\ninput = -1\n', "prices.0.input"),
        ('[[prices]]\nmodel = "x"\ninput = 1.0000001\n', "prices.0"),
        ('[[prices]]\nmodel = "x"\ninput = "1"\n', "prices.0.input"),
        ('[[prices]]\nmodel = "x"\ninput = inf\n', "prices.0.input"),
        ('[[prices]]\nmodel = "x"\ninput = nan\n', "prices.0.input"),
        ('[[prices]]\nmodel = "x"\ninput = true\n', "prices.0.input"),
        ('[[prices]]\nmodel = "x"\nfrom = "2026-11-01"\n', "prices.0.from"),
        ('[[prices]]\nmodel = "x"\nfrom = 2026-11-01T00:00:00Z\n', "prices.0.from"),
        ('[[prices]]\nmodel = "x"\ninptu = 1\n', "prices.0.inptu"),
        ('[[prices]]\nmodel = "x"\n[[prices]]\nmodel = "x"\ninput = 1\n', "prices.1"),
        ("prices = 1\n", "prices"),
        ("[[prices]\n", "prices.file"),
    ],
)
def test_what_is_refused_is_named(text: str, named: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        price_book([], _file(tmp_path, text))
    assert named in str(raised.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"prices\.file"):
        price_book([], tmp_path / "none.toml")
