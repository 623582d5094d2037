"""What `chronoproxy reconcile` may be told. Apart from the command, so that the help does not load all of it."""

import argparse
from decimal import Decimal, InvalidOperation
from pathlib import Path

from api.invoices import MICRO


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("invoice", type=Path, help="a CSV file with a day, a model and an amount in USD in each line")
    parser.add_argument("--provider", metavar="KEY", help="only what went to this provider")
    parser.add_argument("--tolerance", type=_dollars, default=10_000, metavar="USD", help="of a line (default 0.01)")
    parser.add_argument("--map", action="append", default=[], metavar="THEIRS=OURS", help="another name of a model")
    parser.add_argument("--date-column", metavar="NAME", help="the column of days, where it is not found")
    parser.add_argument("--model-column", metavar="NAME", help="that of models")
    parser.add_argument("--amount-column", metavar="NAME", help="that of amounts")
    parser.add_argument("--date-format", metavar="FORMAT", help="of days, as in strptime: %%m/%%d/%%Y")


def _dollars(text: str) -> int:
    try:
        value = Decimal(text) * MICRO
    except InvalidOperation:
        value = Decimal(-1)
    if not value.is_finite() or value < 0:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no amount of money")
    return round(value)
