"""Lines of CSV files that a spreadsheet may open: CRLF, and no cell that it would take for a formula."""

import csv
import io
from collections.abc import Iterable, Sequence

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def lines(rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue()


def safe(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
