"""`chronoproxy reconcile`: a provider's invoice beside what was counted here, and what nothing explains."""

import argparse
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from api.cli_output import UsageError, json_line, line, table
from api.cli_places import configuration_of
from api.cli_tables import tables
from api.invoices import MICRO, Columns, Invoice, InvoiceError, canonical, read_invoice
from projections.usage import usage
from projections.usage_entries import HOURS_OF_A_DAY, Asked

_LARGEST = 64 << 20
_EPOCH = date(1970, 1, 1).toordinal()


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """Micro-dollars of one day and model; None where one side does not know of it. `unpriced` exchanges of ours have no
    price, so that some of the remainder is theirs."""

    day: str
    model: str
    invoice: int | None
    ours: int | None
    unpriced: int = 0

    @property
    def remainder(self) -> int:
        return (self.invoice or 0) - (self.ours or 0)


class Ours(msgspec.Struct):
    cost: int = 0
    exchanges: int = 0
    unpriced: int = 0


def run(arguments: argparse.Namespace) -> int:
    """Exit code 1 where a line differs by more than the tolerance. Raises UsageError."""
    invoice = _invoice(arguments)
    names = dict(_named(arguments.map))
    theirs: dict[tuple[str, str], int] = defaultdict(int)
    for (day, model), amount in invoice.amounts.items():
        name = canonical(model)
        theirs[day, names.get(name, name)] += amount
    days = sorted({day for day, _ in theirs})
    ours = _ours(arguments, days)
    lines = list(compare(theirs, ours))
    differs = [each for each in lines if abs(each.remainder) > arguments.tolerance]
    if arguments.json:
        json_line(_document(invoice, lines, differs), indent=2)
    else:
        _print(invoice, lines, differs)
    return 1 if differs else 0


def compare(theirs: Mapping[tuple[str, str], int], ours: Mapping[tuple[str, str], Ours]) -> Iterator[Line]:
    """By day and model."""
    for day, model in sorted({*theirs, *ours}):
        mine = ours.get((day, model))
        cost = mine.cost if mine is not None and mine.exchanges > mine.unpriced else None
        yield Line(
            day=day,
            model=model,
            invoice=theirs.get((day, model)),
            ours=cost,
            unpriced=mine.unpriced if mine is not None else 0,
        )


def _ours(arguments: argparse.Namespace, days: Sequence[str]) -> dict[tuple[str, str], Ours]:
    """What was counted on the days of the invoice, whoever counted it."""
    found: dict[tuple[str, str], Ours] = defaultdict(Ours)
    with tables(arguments) as (db, head):
        _check_provider(arguments, db, head)
        for day in days:
            first = (date.fromisoformat(day).toordinal() - _EPOCH) * HOURS_OF_A_DAY
            asked = Asked(
                group_by="model", from_hour=first, to_hour=first + HOURS_OF_A_DAY - 1, provider=arguments.provider
            )
            for entry in usage(db, asked, at=head):
                mine = found[day, canonical(entry.key)]
                mine.cost += entry.cost
                mine.exchanges += entry.exchanges if entry.source != "none" else 0
                mine.unpriced += entry.unpriced
    return {key: mine for key, mine in found.items() if mine.exchanges}


def _check_provider(arguments: argparse.Namespace, db: sqlite3.Connection, head: int) -> None:
    """One that nobody knows would leave all of the invoice unexplained. Raises UsageError."""
    wanted = arguments.provider
    if wanted is None:
        return
    known = {entry.key for entry in usage(db, Asked(group_by="provider"), at=head)}
    if wanted in known:
        return
    known |= {provider.key for provider in configuration_of(arguments).providers}
    if wanted not in known:
        names = ", ".join(sorted(known))
        raise UsageError(f"no provider {wanted[:80]!r} is configured or in the log; there are {names}")


def _invoice(arguments: argparse.Namespace) -> Invoice:
    columns = Columns(arguments.date_column, arguments.model_column, arguments.amount_column, arguments.date_format)
    path: Path = arguments.invoice
    try:
        if path.stat().st_size > _LARGEST:
            raise UsageError(f"{path}: more than {_LARGEST >> 20} MiB")
        with path.open(encoding="utf-8-sig", newline="") as file:
            invoice = read_invoice(file, columns)
    except (OSError, UnicodeDecodeError, InvoiceError) as error:
        raise UsageError(f"{path}: {error}") from None
    if not invoice.amounts:
        raise UsageError(f"{path}: no line has a day and an amount")
    return invoice


def _named(given: Sequence[str]) -> Iterator[tuple[str, str]]:
    for text in given:
        theirs, equals, ours = text.partition("=")
        if not (theirs and equals and ours):
            raise UsageError(f"--map {text[:60]!r}: not THEIRS=OURS")
        yield canonical(theirs), canonical(ours)


def _document(invoice: Invoice, lines: Sequence[Line], differs: Sequence[Line]) -> dict[str, Any]:
    return {
        "lines": [_shown(each) for each in lines],
        "totals": _shown(_total(lines)),
        "read": invoice.lines,
        "skipped": invoice.skipped,
        "differing": len(differs),
        "equal": not differs,
    }


def _shown(each: Line) -> dict[str, Any]:
    return {
        "day": each.day,
        "model": each.model,
        "invoice_usd": _usd(each.invoice),
        "ours_usd": _usd(each.ours),
        "remainder_usd": _usd(each.remainder),
        "unpriced": each.unpriced,
    }


def _total(lines: Sequence[Line]) -> Line:
    return Line(
        day="total",
        model="",
        invoice=sum(each.invoice or 0 for each in lines),
        ours=sum(each.ours or 0 for each in lines),
        unpriced=sum(each.unpriced for each in lines),
    )


def _print(invoice: Invoice, lines: Sequence[Line], differs: Sequence[Line]) -> None:
    rows: list[tuple[str, ...]] = [("day", "model", "invoice", "ours", "unexplained", "")]
    for each in (*lines, _total(lines)):
        marks = [f"{each.unpriced:,} without a price"] if each.unpriced else []
        if each in differs:
            marks.insert(0, "differs")
        money = (_text(each.invoice), _text(each.ours), _text(each.remainder))
        rows.append((each.day, each.model, *money, ", ".join(marks)))
    table(rows)
    said = f"{len(differs):,} of {len(lines):,} differ" if differs else "no line differs"
    line(f"{invoice.lines:,} lines read, {invoice.skipped:,} skipped; {said}")


def _usd(micros: int | None) -> float | None:
    return None if micros is None else micros / MICRO


def _text(micros: int | None) -> str:
    return "-" if micros is None else f"{micros / MICRO:.6f}"
