"""How many exchanges there were at a position, without counting them: running totals for each model.

One row per event of an exchange, so that any position is one lookup for each model; how long the log is matters not.
"""

import sqlite3
from operator import add

import msgspec

from projections.exchange_rows import Outcome

TOTALS_TABLES = (
    "CREATE TABLE exchange_models(model TEXT PRIMARY KEY) STRICT, WITHOUT ROWID",
    "CREATE TABLE exchange_totals("
    "model TEXT NOT NULL, position INTEGER NOT NULL, started INTEGER NOT NULL, completed INTEGER NOT NULL,"
    " failed INTEGER NOT NULL, cancelled INTEGER NOT NULL, interrupted INTEGER NOT NULL,"
    " PRIMARY KEY(model, position)) STRICT, WITHOUT ROWID",
)
_TOTALS = (
    "SELECT started, completed, failed, cancelled, interrupted FROM exchange_totals"
    " WHERE model = ? AND position <= ? ORDER BY position DESC LIMIT 1"
)
_ENDS: tuple[Outcome, ...] = ("completed", "failed", "cancelled", "interrupted")


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
    found = [db.execute(_TOTALS, (name, at)).fetchone() for name in models]
    return Totals(*map(sum, zip((0, 0, 0, 0, 0), *filter(None, found), strict=True)))


def count_started(db: sqlite3.Connection, position: int, model: str) -> None:
    """One more exchange of `model`."""
    if not _count(db, position, model, (1, 0, 0, 0, 0)):
        db.execute("INSERT INTO exchange_models VALUES (?)", (model,))
        db.execute("INSERT INTO exchange_totals VALUES (?, ?, 1, 0, 0, 0, 0)", (model, position))


def count_finished(db: sqlite3.Connection, position: int, exchange_id: int, outcome: Outcome) -> None:
    """One more end of that outcome, of the exchange's model. Raises TypeError where the exchange never started."""
    (model,) = db.execute("SELECT model_sent FROM exchanges WHERE exchange_id = ?", (exchange_id,)).fetchone()
    _count(db, position, model, (0, *(int(outcome == end) for end in _ENDS)))


def _count(db: sqlite3.Connection, position: int, model: str, more: tuple[int, ...]) -> bool:
    """Add `more` to the model's totals; False where it has none. Two statements cost half of an INSERT ... SELECT."""
    last = db.execute(_TOTALS, (model, position)).fetchone()
    if last is None:
        return False
    db.execute("INSERT INTO exchange_totals VALUES (?, ?, ?, ?, ?, ?, ?)", (model, position, *map(add, last, more)))
    return True
