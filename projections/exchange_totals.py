"""How many exchanges there were at a position, without counting them: running totals for each model.

One row per end of an exchange, so that any position is one lookup for each model, and a count of those that have begun
since: how long the log is matters not.
"""

import sqlite3

import msgspec

from projections.exchange_rows import Outcome
from projections.rows import Rows

TOTALS_TABLES = (
    "CREATE TABLE exchange_models(model TEXT PRIMARY KEY) STRICT, WITHOUT ROWID",
    "CREATE TABLE exchange_totals("
    "model TEXT NOT NULL, position INTEGER NOT NULL, started INTEGER NOT NULL, completed INTEGER NOT NULL,"
    " failed INTEGER NOT NULL, cancelled INTEGER NOT NULL, interrupted INTEGER NOT NULL,"
    " PRIMARY KEY(model, position)) STRICT, WITHOUT ROWID",
)
_TOTALS = (
    "SELECT position, started, completed, failed, cancelled, interrupted FROM exchange_totals"
    " WHERE model = ? AND position <= ? ORDER BY position DESC LIMIT 1"
)
INSERT_MODEL = "INSERT INTO exchange_models VALUES (?)"
INSERT_TOTALS = "INSERT INTO exchange_totals VALUES (?, ?, ?, ?, ?, ?, ?)"
_BEGUN = "SELECT count(*) FROM exchanges WHERE model_sent = ? AND started_position > ? AND started_position <= ?"
_KNOWN = "SELECT 1 FROM exchange_models WHERE model = ?"
_ANY = (1 << 63) - 1  # as of the last position
_PLACE: dict[Outcome, int] = {"completed": 1, "failed": 2, "cancelled": 3, "interrupted": 4}


class Totals(msgspec.Struct, frozen=True):
    """Exchanges that had started, and how many of them had ended in which way."""

    started: int
    completed: int
    failed: int
    cancelled: int
    interrupted: int

    def of(self, outcome: Outcome | None) -> int:
        """The exchanges with that outcome, or all."""
        if outcome is None:
            return self.started
        if outcome == "running":
            return self.started - self.completed - self.failed - self.cancelled - self.interrupted
        return int(getattr(self, outcome))


def totals(db: sqlite3.Connection, *, at: int, model: str | None = None) -> Totals:
    """The totals as of `at`, of one model or of all."""
    models = [model] if model is not None else [name for (name,) in db.execute("SELECT model FROM exchange_models")]
    found = [_of_model(db, name, at) for name in models]
    return Totals(*map(sum, zip((0, 0, 0, 0, 0), *found, strict=True)))


def _of_model(db: sqlite3.Connection, model: str, at: int) -> list[int]:
    position, *counts = db.execute(_TOTALS, (model, at)).fetchone() or (0, 0, 0, 0, 0, 0)
    counts[0] += db.execute(_BEGUN, (model, position, at)).fetchone()[0]
    return counts


class RunningTotals:
    """The totals while events come in; `rows` takes what is to be written."""

    def __init__(self, db: sqlite3.Connection, rows: Rows) -> None:
        self._db, self._rows = db, rows
        self._lines = rows.of(INSERT_TOTALS)
        self._latest: dict[str, list[int]] = {}

    def started(self, model: str) -> None:
        """One more exchange of `model`."""
        latest = self._of(model)
        if latest is None:
            self._rows.add(INSERT_MODEL, (model,))
            latest = self._latest[model] = [0, 0, 0, 0, 0]
        latest[0] += 1

    def finished(self, position: int, model: str, outcome: Outcome) -> None:
        """One more end of that outcome. Raises LookupError for a model without a beginning."""
        latest = self._of(model)
        if latest is None:
            raise LookupError(f"no exchange of {model} ever began")
        self._add(position, model, latest, _PLACE[outcome])

    def fell_back(self, position: int, first: str, last: str, outcome: Outcome) -> None:
        """One more end, of an exchange that began with model `first` and belongs to `last` from here on. Raises
        LookupError where `first` has no beginning."""
        latest = self._of(first)
        if latest is None:
            raise LookupError(f"no exchange of {first} ever began")
        self._add(position, first, latest, 0, -1)
        served = self._of(last)
        if served is None:
            self._rows.add(INSERT_MODEL, (last,))
            served = self._latest[last] = [0, 0, 0, 0, 0]
        served[0] += 1
        self._add(position, last, served, _PLACE[outcome])

    def forget(self) -> None:
        self._latest.clear()

    def _add(self, position: int, model: str, latest: list[int], place: int, more: int = 1) -> None:
        latest[place] += more
        self._lines.append((model, position, *latest))

    def _of(self, model: str) -> list[int] | None:
        latest = self._latest.get(model)
        if latest is None and self._db.execute(_KNOWN, (model,)).fetchone() is not None:
            latest = self._latest[model] = _of_model(self._db, model, _ANY)
        return latest
