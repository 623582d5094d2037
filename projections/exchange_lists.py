"""Pages of exchanges. What a page costs depends on the page, not on the length of the log."""

import sqlite3

import msgspec

from projections.exchange_rows import COLUMNS, ExchangeRow, Outcome, exchange_row
from projections.exchange_totals import totals
from projections.homes import at_home, home_condition
from projections.paging import Page
from projections.prices import priced


class _Filter(msgspec.Struct, frozen=True):
    """What a list asks: exchanges as of `at`; None means any."""

    at: int
    session_id: int | None
    home: str | None  # where exchanges were moved: what those of the session fulfil
    outcome: Outcome | None
    model: str | None

    def where(self) -> tuple[str, dict[str, int | str | None]]:
        """Condition and values."""
        where = ["started_position <= :at"]
        if self.session_id is not None:
            where.append(self.home or "session_id = :session_id")
        if self.model is not None:
            where.append("model_sent = :model")
        if self.outcome == "running":
            where.append("(finished_position IS NULL OR finished_position > :at)")
        elif self.outcome is not None:
            where.append("outcome = :outcome AND finished_position <= :at")
        values = {"at": self.at, "session_id": self.session_id, "model": self.model, "outcome": self.outcome}
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
    home = home_condition(db, session_id) if session_id is not None else None
    asked = _Filter(at, session_id, home, outcome, model)
    total = _total(db, asked)
    wanted = min(limit, total - offset)
    if wanted <= 0:
        return Page([], total)  # else the walk would go on to the first exchange in search of more
    where, values = asked.where()
    query = (
        f"SELECT {COLUMNS} FROM exchanges {_walk(db, asked)} WHERE {where}"
        " ORDER BY started_position DESC LIMIT :limit OFFSET :offset"
    )
    rows = db.execute(query, {**values, "limit": wanted, "offset": offset})
    return Page(priced(db, at_home(db, [exchange_row(row, at=at) for row in rows], at=at), at=at), total)


def _total(db: sqlite3.Connection, asked: _Filter) -> int:
    if asked.session_id is None:
        return totals(db, at=asked.at, model=asked.model).of(asked.outcome)
    where, values = asked.where()
    query = f"SELECT count(*) FROM exchanges {_walk(db, asked)} WHERE {where}"
    return int(db.execute(query, values).fetchone()[0])


def _walk(db: sqlite3.Connection, asked: _Filter) -> str:
    """Which index to walk backwards: the one that leaves least to pass over. SQLite has no statistics to know it."""
    if asked.session_id is not None:
        return "INDEXED BY exchanges_of_session" if asked.home is None else "NOT INDEXED"
    ended = asked.outcome is not None and asked.outcome != "running"
    if asked.model is None:
        return "INDEXED BY exchanges_by_outcome" if ended else "NOT INDEXED"
    all_models, this_model = totals(db, at=asked.at), totals(db, at=asked.at, model=asked.model)
    if ended and all_models.of(asked.outcome) < this_model.started:
        return "INDEXED BY exchanges_by_outcome"
    return "INDEXED BY exchanges_of_model"
