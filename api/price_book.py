"""The price book: what the configuration says of its models, and a file of dated prices beside it.

Prices are written in USD for a million tokens, with up to six decimals, and kept in whole micro-dollars for a million:
no figure is ever rounded on its way into the book.
"""

import hashlib
import tomllib
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from api.configuration_file import ConfigurationError
from api.configuration_warnings import dotted
from proxy.providers import Model, Price
from schema.prices import PriceRow

_MICRO = 1_000_000
RATES = ("input", "output", "cache_read", "cache_write", "cache_write_1h")
_Name = Annotated[str, Field(min_length=1, max_length=256)]
_Rate = Annotated[Decimal | None, Field(ge=0, le=1_000_000)]


class FileRow(BaseModel):
    """An entry `[[prices]]` of the file."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    model: _Name
    provider: _Name | None = None
    from_: date | None = Field(default=None, alias="from")
    service_tier: _Name | None = None
    above: int = Field(default=0, ge=0, le=1 << 40)
    input: _Rate = None
    output: _Rate = None
    cache_read: _Rate = None
    cache_write: _Rate = None
    cache_write_1h: _Rate = None

    @field_validator(*RATES, mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        """TOML writes 2 and 2.0; both are prices."""
        return Decimal(value) if type(value) is int else value


class PriceFile(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    prices: list[FileRow] = []


def price_book(models: Iterable[Model], file: Path | None) -> tuple[PriceRow, ...]:
    """All rows, in an order of their own. A model's price in the configuration goes before an undated one of the file.

    Raises ConfigurationError, which names the file and the entry, or the key."""
    rows: dict[tuple[Any, ...], PriceRow] = {}
    for model in models:
        if model.price is not None:
            row = _configured(model, model.price)
            rows[_place(row)] = row
    for row in _of_file(file) if file is not None else ():
        rows.setdefault(_place(row), row)
    return tuple(rows[place] for place in sorted(rows))


def book_hash(rows: Sequence[PriceRow]) -> str:
    """sha256 of the content, 64 hex."""
    return hashlib.sha256(msgspec.json.encode(rows, order="sorted")).hexdigest()


def usd(rate: int | None) -> float | None:
    """A rate as it is written: USD for a million tokens."""
    return None if rate is None else rate / _MICRO


def micros(price: Decimal) -> int:
    """Raises ValueError where the price has more than six decimals."""
    value = price * _MICRO
    if value != value.to_integral_value():
        raise ValueError("a price has at most six decimals")
    return int(value)


def _configured(model: Model, price: Price) -> PriceRow:
    rates: dict[str, Any] = {}
    for name in RATES:
        value = getattr(price, name)
        try:
            rates[name] = None if value is None else micros(Decimal(repr(float(value))))
        except ValueError as error:
            raise ConfigurationError(f"{dotted(('models', model.key, 'price', name))}: {error}") from None
    return PriceRow(model=model.model, provider=model.provider, **rates)


def _of_file(path: Path) -> list[PriceRow]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"), parse_float=Decimal)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"prices.file: {path}: {error}") from None
    try:
        entries = PriceFile.model_validate(values).prices
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ConfigurationError(f"prices.file: {path}: {place}: {first['msg']}") from None
    return _rows(path, entries)


def _rows(path: Path, entries: Sequence[FileRow]) -> list[PriceRow]:
    found: dict[tuple[Any, ...], PriceRow] = {}
    for number, entry in enumerate(entries):
        try:
            row = _row(entry)
        except ValueError as error:
            raise ConfigurationError(f"prices.file: {path}: prices.{number}: {error}") from None
        if _place(row) in found:
            raise ConfigurationError(f"prices.file: {path}: prices.{number}: says again what stands before")
        found[_place(row)] = row
    return list(found.values())


def _row(entry: FileRow) -> PriceRow:
    rates: dict[str, Any] = {name: None if (value := getattr(entry, name)) is None else micros(value) for name in RATES}
    return PriceRow(
        model=entry.model,
        provider=entry.provider,
        from_=entry.from_.isoformat() if entry.from_ is not None else None,
        service_tier=entry.service_tier.lower() if entry.service_tier is not None else None,
        above=entry.above,
        **rates,
    )


def _place(row: PriceRow) -> tuple[Any, ...]:
    return row.model, row.provider or "", row.service_tier or "", row.from_ or "", row.above
