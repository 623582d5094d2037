"""What the commands write: lines and JSON to stdout, progress to stderr where a person looks at it."""

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

_WIDTH = 30
_EVERY_S = 0.1
_MOST = 1_000  # characters of a line
# what a terminal obeys, what turns text around, what ends a line, and halves of characters
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")

Progressed = Callable[[int, int], None]


class UsageError(Exception):
    """The command cannot be carried out as it was given: exit code 2."""


class OutputError(Exception):
    """What the command says cannot be written: exit code 2, because the data directory has no part in that."""


def printable(text: str) -> str:
    """One line that a terminal shows as it is: others have written what stands in the log."""
    cut = text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], cut)


def line(text: str = "") -> None:
    """Raises OutputError, and BrokenPipeError where nobody reads any more; so do the others."""
    _write(printable(text) + "\n")


def json_line(value: Any, *, indent: int | None = None) -> None:
    """Exactly what it is: for programs."""
    _write(json.dumps(value, ensure_ascii=False, indent=indent) + "\n")


def table(rows: list[tuple[str, ...]]) -> None:
    """Columns as wide as their longest cell; the last one is not padded."""
    rows = [tuple(map(printable, row)) for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)] if rows else []
    for row in rows:
        line("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip())


def progress(title: str) -> Progressed:
    """A bar on one line of stderr, at most ten times a second; nothing where stderr is no terminal."""
    terminal: TextIO | None = sys.stderr
    if terminal is None or not terminal.isatty():
        return lambda done, total: None
    last = [0.0]

    def show(done: int, total: int) -> None:
        now = time.monotonic()
        if now - last[0] < _EVERY_S and done < total:
            return
        last[0] = now
        full = _WIDTH * done // total if total else _WIDTH
        end = "\n" if done >= total else ""
        terminal.write(f"\r{title} [{'#' * full}{'.' * (_WIDTH - full)}] {done:,} of {total:,}{end}")
        terminal.flush()

    return show


def finish() -> None:
    """Write what waits. Raises OutputError and BrokenPipeError."""
    output: TextIO | None = sys.stdout
    if output is not None:
        with _told():
            output.flush()


def discard() -> None:
    """What is written from now on, and what could not be written, goes nowhere."""
    output: TextIO | None = sys.stdout
    if output is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())


def _write(text: str) -> None:
    output: TextIO | None = sys.stdout  # none where it was closed before the start
    if output is None:
        raise OutputError("the output is closed")
    with _told():
        output.write(text)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"the output cannot be written: {error.strerror}") from None
