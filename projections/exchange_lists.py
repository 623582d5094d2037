"""Pages of exchanges. What a page costs depends on the page, not on the length of the log."""

import sqlite3

import msgspec

from projections.exchange_rows import COLUMNS, ExchangeRow, Outcome, exchange_row
from projections.exchange_totals import totals
from projections.paging import Page


class _Filter(msgspec.Struct, frozen=True):
    """What a list asks: exchanges as of `at`; None means any."""

    at: int
    session_id: int | None
    outcome: Outcome | None
    model: str | None

    def where(self) -> tuple[str, list[int | str]]:
        """Condition and values."""
        where, values = ["started_position <= ?"], [self.at]  # type: list[str], list[int | str]
        if self.session_id is not None:
            where.append("session_id = ?")
            values.append(self.session_id)
        if self.model is not None:
            where.append("model_sent = ?")
            values.append(self.model)
        if self.outcome == "running":
            where.append("(finished_position IS NULL OR finished_position > ?)")
            values.append(self.at)
        elif self.outcome is not None:
            where.append("outcome = ? AND finished_position <= ?")
            values += self.outcome, self.at
        return " AND ".join(where), values


def list_exchanges(
    db: sqlite3.Connection,
    *,
    at: int,
    session_id: int | None = None,
    outcome: Outcome | None = None,
    model: str | None = None,
    limit: int,
    offset: int = 0,
) -> Page[ExchangeRow]:
    """Exchanges newest first; `model` is the name that went upstream, `outcome` that as of `at`."""
    asked = _Filter(at, session_id, outcome, model)
    total = _total(db, asked)
    wanted = min(limit, total - offset)
    if wanted <= 0:
        return Page([], total)  # else the walk would go on to the first exchange in search of more
    where, values = asked.where()
    query = (
        f"SELECT {COLUMNS} FROM exchanges {_walk(db, asked)} WHERE {where}"
        " ORDER BY started_position DESC LIMIT ? OFFSET ?"
    )
    return Page([exchange_row(row, at=at) for row in db.execute(query, (*values, wanted, offset))], total)


def _total(db: sqlite3.Connection, asked: _Filter) -> int:
    if asked.session_id is None:
        return totals(db, at=asked.at, model=asked.model).of(asked.outcome)
    where, values = asked.where()
    query = f"SELECT count(*) FROM exchanges {_walk(db, asked)} WHERE {where}"
    return int(db.execute(query, values).fetchone()[0])


def _walk(db: sqlite3.Connection, asked: _Filter) -> str:
    """Which index to walk backwards: the one that leaves least to pass over. SQLite has no statistics to know it."""
    if asked.session_id is not None:
        return "INDEXED BY exchanges_of_session"
    ended = asked.outcome is not None and asked.outcome != "running"
    if asked.model is None:
        return "INDEXED BY exchanges_by_outcome" if ended else "NOT INDEXED"
    all_models, this_model = totals(db, at=asked.at), totals(db, at=asked.at, model=asked.model)
    if ended and all_models.of(asked.outcome) < this_model.started:
        return "INDEXED BY exchanges_by_outcome"
    return "INDEXED BY exchanges_of_model"
