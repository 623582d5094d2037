"""A provider's invoice as CSV: days, models and amounts, whatever its columns are called.

Known are the cost exports of OpenAI (`start_time_iso, amount_value, line_item`) and Anthropic (`usage_date_utc, model,
cost_usd`), and anything with a column for each of day, model and amount in USD. Pure.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TypeVar

import msgspec

T = TypeVar("T")
MICRO = 1_000_000
_DATES = (
    "usage_date_utc",
    "date",
    "day",
    "usage_date",
    "start_time_iso",
    "start_time",
    "timestamp",
    "time",
    "created_at",
)
_MODELS = ("model", "line_item", "model_name", "model_id", "snapshot_id", "sku", "description", "name")
_AMOUNTS = (
    "amount_value",
    "cost_usd",
    "amount_usd",
    "amount",
    "cost",
    "total_cost",
    "cost_in_usd",
    "total",
    "usd",
    "price",
)
_CURRENCIES = ("amount_currency", "currency")
_SNAPSHOT = re.compile(r"-(\d{4}-\d\d-\d\d|\d{8})$")
_LONGEST_MS = 10_000_000_000  # seconds above this are milliseconds
_MOST_FIELD = 1 << 20


class InvoiceError(ValueError):
    """The file cannot be read as an invoice; the message names the line."""


class Columns(msgspec.Struct, frozen=True):
    """Names of columns and the form of its days (strptime), None to find them out."""

    day: str | None = None
    model: str | None = None
    amount: str | None = None
    day_format: str | None = None


class Invoice(msgspec.Struct, frozen=True):
    """Micro-dollars by day (YYYY-MM-DD) and model, as far as a micro-dollar shows it; `skipped` lines are totals and
    blanks."""

    amounts: Mapping[tuple[str, str], int]
    lines: int
    skipped: int


def read_invoice(lines: Iterable[str], columns: Columns) -> Invoice:
    """Raises InvoiceError."""
    rows = iter(_rows(lines))
    try:
        header = next(rows)
    except StopIteration:
        raise InvoiceError("the file is empty") from None
    names = [_plain(name) for name in header]
    places = tuple(
        _place(names, given, known, what)
        for given, known, what in (
            (columns.day, _DATES, "day"),
            (columns.model, _MODELS, "model"),
            (columns.amount, _AMOUNTS, "amount"),
        )
    )
    currency = next((names.index(name) for name in _CURRENCIES if name in names), None)
    return _summed(rows, places, currency, columns.day_format)


def canonical(model: str) -> str:
    """A model's name as it is compared: without the date of a snapshot, spaces and dots as in ids. `GPT-5 mini` and
    `gpt-5-mini-2025-08-07, input` are one."""
    name = re.sub(r"[\s._]+", "-", model.split(",")[0].strip().lower())
    return _SNAPSHOT.sub("", name.rpartition("/")[2])


def _summed(
    rows: Iterable[Sequence[str]], places: Sequence[int], currency: int | None, day_format: str | None
) -> Invoice:
    totals: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    count = skipped = 0
    for number, row in enumerate(rows, 2):
        day, model, amount = (row[place].strip() if place < len(row) else "" for place in places)
        if not day or not amount:
            skipped += 1
            continue
        if currency is not None and currency < len(row) and row[currency].strip().lower() not in ("usd", "$", ""):
            raise InvoiceError(f"line {number}: {row[currency].strip()[:10]!r} is not USD")
        totals[_at(number, _day, day, day_format), model or "(no model)"] += _at(number, _amount, amount)
        count += 1
    amounts = {key: round(total * MICRO) for key, total in sorted(totals.items())}
    return Invoice(amounts, count, skipped)


def _at(number: int, read: Callable[..., T], *given: object) -> T:
    try:
        return read(*given)
    except (ValueError, InvalidOperation, OverflowError, OSError):
        raise InvoiceError(f"line {number}: {str(given[0])[:40]!r} is no {read.__name__.lstrip('_')}") from None


def _day(text: str, form: str | None) -> str:
    """The day in UTC. Raises ValueError."""
    if form is not None:
        return datetime.strptime(text, form).date().isoformat()
    if text.isascii() and text.isdigit() and len(text) > len("20261127"):
        seconds = int(text)
        return datetime.fromtimestamp(seconds / 1_000 if seconds > _LONGEST_MS else seconds, UTC).date().isoformat()
    if len(text) <= len("2026-11-27"):
        return date.fromisoformat(text).isoformat()
    moment = datetime.fromisoformat(text.replace(" UTC", "Z"))
    return (moment.astimezone(UTC) if moment.tzinfo is not None else moment).date().isoformat()


def _amount(text: str) -> Decimal:
    """Dollars: `$1,234.50`, `-3`, `(3.00)`. Raises ValueError and InvalidOperation."""
    negative = text.startswith("(") and text.endswith(")")
    plain = text.strip("()").replace("$", "").replace("US", "").replace("D", "").replace(" ", "").replace("_", "x")
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", plain):
        plain = plain.replace(",", "")
    value = Decimal(plain)
    if not value.is_finite() or abs(value) > MICRO * 1_000:
        raise ValueError("no amount of money")
    return -value if negative else value


def _place(names: Sequence[str], given: str | None, known: Sequence[str], what: str) -> int:
    wanted = [_plain(given)] if given is not None else known
    for name in wanted:
        if name in names:
            return names.index(name)
    said = f"no column {given!r}" if given is not None else f"no column that is a {what}"
    raise InvoiceError(f"{said}; there are: {', '.join(names)[:200]}")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")


def _rows(lines: Iterable[str]) -> Iterable[list[str]]:
    """Separated by what stands most often in the header. Raises InvoiceError."""
    source = iter(lines)
    header = next(source, "")
    separator = max(",;\t", key=header.count)
    csv.field_size_limit(_MOST_FIELD)
    reader = csv.reader([header, *source], delimiter=separator)
    try:
        yield from (row for row in reader if row)
    except csv.Error as error:
        raise InvoiceError(f"line {reader.line_num}: {error}") from None
