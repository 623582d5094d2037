"""What the commands write: lines and JSON to stdout, progress to stderr where a person looks at it."""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

_WIDTH = 30
_EVERY_S = 0.1

Progressed = Callable[[int, int], None]


class UsageError(Exception):
    """The command cannot be carried out as it was given: exit code 2."""


def line(text: str = "") -> None:
    sys.stdout.write(text + "\n")


def json_line(value: Any, *, indent: int | None = None) -> None:
    line(json.dumps(value, ensure_ascii=False, indent=indent))


def table(rows: list[tuple[str, ...]]) -> None:
    """Columns as wide as their longest cell; the last one is not padded."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)] if rows else []
    for row in rows:
        line("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip())


def progress(title: str) -> Progressed:
    """A bar on one line of stderr, at most ten times a second; nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        return lambda done, total: None
    last = [0.0]

    def show(done: int, total: int) -> None:
        now = time.monotonic()
        if now - last[0] < _EVERY_S and done < total:
            return
        last[0] = now
        full = _WIDTH * done // total if total else _WIDTH
        end = "\n" if done >= total else ""
        sys.stderr.write(f"\r{title} [{'#' * full}{'.' * (_WIDTH - full)}] {done:,} of {total:,}{end}")
        sys.stderr.flush()

    return show
