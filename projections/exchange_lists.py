"""Pages of exchanges. What a page costs depends on the page, not on the length of the log."""

import sqlite3
from typing import Literal

import msgspec

from projections.exchange_rows import SHOWN, ExchangeRow, Outcome, exchange_row
from projections.exchange_totals import totals
from projections.homes import at_home, home_condition
from projections.paging import Page
from projections.prices import priced

_Branch = Literal["began", "fell_back", "requested"]
_OF_MODEL: dict[_Branch, str] = {
    "began": "model_sent = :model AND (last_model IS NULL OR last_model = :model OR finished_position > :at)",
    "fell_back": "last_model = :model AND model_sent <> :model AND finished_position <= :at",
    "requested": (
        "model_requested = :model AND (model_requested <> model_sent OR last_model IS NOT NULL)"
        " AND CASE WHEN finished_position <= :at THEN coalesce(last_model, model_sent) ELSE model_sent END <> :model"
    ),
}


class _Filter(msgspec.Struct, frozen=True):
    """What a list asks: exchanges as of `at`; None means any."""

    at: int
    session_id: int | None
    home: str | None  # where exchanges were moved: what those of the session fulfil
    outcome: Outcome | None
    model: str | None

    @property
    def values(self) -> dict[str, int | str | None]:
        return {"at": self.at, "session_id": self.session_id, "model": self.model, "outcome": self.outcome}

    def where(self, branch: _Branch) -> str:
        """The condition; of a model in three parts that have nothing in common: those that went to it first, those that
        fell back to it, and those that were asked of it by this name and went elsewhere, or under another name."""
        where = ["started_position <= :at"]
        if self.session_id is not None:
            where.append(self.home or "session_id = :session_id")
        if self.model is not None:
            where.append(_OF_MODEL[branch])
        if self.outcome == "running":
            where.append("(finished_position IS NULL OR finished_position > :at)")
        elif self.outcome is not None:
            where.append("outcome = :outcome AND finished_position <= :at")
        return " AND ".join(where)


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
    """Exchanges newest first; `model` is the name that the client used, or that went upstream (with fallback, the last
    one), `outcome` that as of `at`."""
    home = home_condition(db, session_id) if session_id is not None else None
    asked = _Filter(at, session_id, home, outcome, model)
    total = _total(db, asked)
    wanted = min(limit, total - offset)
    if wanted <= 0:
        return Page([], total)  # else the walk would go on to the first exchange in search of more
    query = f"{_union(db, asked, SHOWN)} ORDER BY started_position DESC LIMIT :limit OFFSET :offset"
    rows = db.execute(query, {**asked.values, "limit": wanted, "offset": offset})
    return Page(priced(db, at_home(db, [exchange_row(row, at=at) for row in rows], at=at), at=at), total)


def _total(db: sqlite3.Connection, asked: _Filter) -> int:
    if asked.session_id is not None:
        return sum(count for (count,) in db.execute(_union(db, asked, "count(*)"), asked.values))
    total = totals(db, at=asked.at, model=asked.model).of(asked.outcome)
    if asked.model is None:
        return total
    (requested,) = db.execute(_requested(asked, "count(*)"), asked.values).fetchone()
    return total + int(requested)


def _union(db: sqlite3.Connection, asked: _Filter, columns: str) -> str:
    """What is asked, with a model of each branch; each walks an index in its order, so that SQLite merges them as far
    as the page goes."""
    query = f"SELECT {columns} FROM exchanges {_walk(db, asked)} WHERE {asked.where('began')}"
    if asked.model is None:
        return query
    others = f"SELECT {columns} FROM exchanges INDEXED BY exchanges_fell_back WHERE {asked.where('fell_back')}"
    return f"{query} UNION ALL {others} UNION ALL {_requested(asked, columns)}"


def _requested(asked: _Filter, columns: str) -> str:
    """Of a session its own exchanges are fewer than all that were asked for by one name."""
    walk = "INDEXED BY exchanges_of_requested"
    if asked.session_id is not None:
        walk = "INDEXED BY exchanges_of_session" if asked.home is None else "NOT INDEXED"
    return f"SELECT {columns} FROM exchanges {walk} WHERE {asked.where('requested')}"


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
