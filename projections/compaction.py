"""Prefix decisions (compactions, compressions and their undoing), and the state of each session's context as
versions."""

import sqlite3
from typing import Any

import msgspec

from projections.context_state import ContextState, evolve
from projections.declaration import Projection, on
from projections.paging import Page
from projections.rows import Rows
from projections.sessions import family
from schema.compaction import (
    AutoCompactionDisabled,
    AutoCompactionEnabled,
    AutoCompactionSkipped,
    CompactionPerformed,
    CompactionReverted,
    CompressionPerformed,
    Kind,
    TokensReserved,
    Trigger,
)
from schema.erasure import SessionErased
from schema.exchanges import ExchangeStarted
from schema.forking import CarriedDecision, SessionForked
from schema.moving import SessionsMerged
from schema.recorded import Recorded
from schema.registry import Event

TABLES = (
    "CREATE TABLE context_states("
    "session_id INTEGER NOT NULL, position INTEGER NOT NULL, consecutive INTEGER NOT NULL, state TEXT NOT NULL,"
    " PRIMARY KEY(session_id, position)) STRICT, WITHOUT ROWID",
    "CREATE TABLE prefix_decisions("
    "number INTEGER PRIMARY KEY, position INTEGER NOT NULL, session_id INTEGER NOT NULL, kind TEXT NOT NULL,"
    " exchange_id INTEGER NOT NULL, timestamp INTEGER NOT NULL, trigger TEXT NOT NULL, tokens_before INTEGER NOT NULL,"
    " tokens_after INTEGER NOT NULL, messages_before INTEGER NOT NULL, messages_after INTEGER NOT NULL,"
    " system_preserved INTEGER NOT NULL, recent_preserved INTEGER NOT NULL, removed_refs TEXT NOT NULL,"
    " summary_ref TEXT NOT NULL, summary TEXT, model TEXT, copy_of INTEGER, reverted_position INTEGER,"
    " reverted_at INTEGER) STRICT",  # copy_of: what a fork took with it counts in no total of all sessions
    "CREATE INDEX prefix_decisions_of_session ON prefix_decisions(session_id, kind, position)",
    "CREATE INDEX prefix_decisions_by_position ON prefix_decisions(position)",
)
_INSERT_STATE = "INSERT INTO context_states VALUES (?, ?, ?, ?)"
_ANY = (1 << 63) - 1  # as of the last position
_SHOWN = (
    "number, session_id, kind, timestamp, tokens_before, tokens_after, messages_before, messages_after,"
    " system_preserved, recent_preserved, trigger, position, removed_refs, summary_ref, summary, model,"
    " iif(reverted_position <= :at, reverted_at, NULL), exchange_id"
)
_OF = "FROM prefix_decisions WHERE kind = :kind AND position <= :at"
_OF_BOTH = "FROM prefix_decisions WHERE position <= :at"
_IN_FORCE = "(reverted_position IS NULL OR reverted_position > :at)"
_SAVED = "tokens_before - tokens_after"
_encode = msgspec.json.Encoder().encode


class DecisionRow(msgspec.Struct, frozen=True, array_like=True):
    """A compaction or compression by its `number`; times in ms since the epoch, `reverted_at` None while in force."""

    number: int
    session_id: int
    kind: Kind
    timestamp: int
    tokens_before: int
    tokens_after: int
    messages_before: int
    messages_after: int
    system_preserved: int
    recent_preserved: int
    trigger: Trigger
    position: int
    removed_refs: str
    summary_ref: str
    summary: str | None
    model: str | None
    reverted_at: int | None
    decided_on: int

    @property
    def saved(self) -> int:
        return self.tokens_before - self.tokens_after

    @property
    def refs(self) -> list[str]:
        return self.removed_refs.split()


class Totals(msgspec.Struct, frozen=True, array_like=True):
    """Of all decisions of a kind, and of those in force: their number, sums and means, None without any."""

    count: int
    in_force: int
    saved: int | None
    before: int | None
    after: int | None
    ratio: float | None
    last_at: int | None


class SessionSaving(msgspec.Struct, frozen=True, array_like=True):
    session_id: int
    count: int
    saved: int


def context_state(db: sqlite3.Connection, session_id: int, *, at: int) -> ContextState:
    """As it was made where nothing was decided yet."""
    row = db.execute(
        "SELECT state FROM context_states WHERE session_id = ? AND position <= ? ORDER BY position DESC LIMIT 1",
        (session_id, at),
    ).fetchone()
    return msgspec.json.decode(row[0], type=ContextState) if row else ContextState()


def list_decisions(
    db: sqlite3.Connection, session_id: int, kind: Kind | None, *, at: int, limit: int, offset: int = 0
) -> Page[tuple[DecisionRow, int]]:
    """Newest first, each with the tokens that those in force had saved by then; None: of both kinds."""
    values = {"at": at, "kind": kind, "limit": limit, "offset": offset}
    of = _OF if kind is not None else _OF_BOTH
    where = f"{of} AND session_id IN ({_numbers(family(db, session_id, at=at))})"
    rows = db.execute(
        f"SELECT {_SHOWN}, sum(iif({_IN_FORCE}, {_SAVED}, 0)) OVER (ORDER BY position, number) {where}"
        " ORDER BY position DESC, number DESC LIMIT :limit OFFSET :offset",
        values,
    )
    found = [(DecisionRow(*row[:-1]), int(row[-1])) for row in rows]
    (total,) = db.execute(f"SELECT count(*) {where}", values).fetchone()
    return Page(found, total)


def get_decision(db: sqlite3.Connection, number: int, *, at: int) -> DecisionRow | None:
    row = db.execute(
        f"SELECT {_SHOWN} FROM prefix_decisions WHERE number = :number AND position <= :at",
        {"number": number, "at": at},
    ).fetchone()
    return DecisionRow(*row) if row else None


def decision_at(db: sqlite3.Connection, position: int) -> DecisionRow | None:
    """The decision that the event at `position` is."""
    row = db.execute(
        f"SELECT {_SHOWN} FROM prefix_decisions WHERE position = :position AND copy_of IS NULL",
        {"position": position, "at": position},
    ).fetchone()
    return DecisionRow(*row) if row else None


def decision_totals(db: sqlite3.Connection, kind: Kind, *, at: int, session_id: int | None = None) -> Totals:
    """Of all sessions, or of one."""
    about = (
        " AND copy_of IS NULL"
        if session_id is None
        else f" AND session_id IN ({_numbers(family(db, session_id, at=at))})"
    )
    only = f"FILTER (WHERE {_IN_FORCE})"
    row = db.execute(
        f"SELECT count(*), count(*) {only}, sum({_SAVED}) {only}, sum(tokens_before) {only}, sum(tokens_after) {only},"
        f" avg(100.0 * ({_SAVED}) / max(tokens_before, 1)) {only}, max(timestamp) {_OF}{about}",
        {"at": at, "kind": kind},
    ).fetchone()
    return Totals(*row)


def savings_by_session(db: sqlite3.Connection, *, at: int, limit: int) -> list[SessionSaving]:
    """Of compactions, those that saved most first."""
    rows = db.execute(
        f"SELECT session_id, count(*), sum(iif({_IN_FORCE}, {_SAVED}, 0)) AS saved {_OF}"
        " AND copy_of IS NULL GROUP BY session_id ORDER BY saved DESC, session_id DESC LIMIT :limit",
        {"at": at, "kind": "compaction", "limit": limit},
    )
    return [SessionSaving(*row) for row in rows]


def _numbers(ids: tuple[int, ...]) -> str:
    """For IN: they are our own."""
    return ", ".join(str(int(number)) for number in ids)


class Contexts:
    """The state of sessions' contexts while events come in."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._rows = Rows(db, _INSERT_STATE)
        self._states: dict[int, ContextState] = {}
        self._counting: set[int] | None = None  # the sessions with consecutive automatic compactions

    def started(self, recorded: Recorded, event: ExchangeStarted) -> None:
        if event.session_id in self._counted():
            self._put(recorded, event.session_id, event)

    def decided(self, recorded: Recorded, event: Event) -> None:
        session_id: int = getattr(event, "session_id", 0)
        self._put(recorded, session_id, event)
        if isinstance(event, CompactionPerformed | CompressionPerformed):
            _performed(self._db, recorded, event)
        elif isinstance(event, CompactionReverted):
            _reverted(self._db, recorded, event)

    def forked(self, recorded: Recorded, event: SessionForked) -> None:
        """What held in the session that it goes on from holds here."""
        self._put(recorded, event.session_id, event)
        summaries: list[str | None] = msgspec.json.decode(event.summaries) if event.summaries else []
        for number, each in enumerate(event.decisions):
            summary = summaries[number] if number < len(summaries) else None
            _carried(self._db, recorded.position, event.session_id, each, summary)

    def merged(self, recorded: Recorded, event: SessionsMerged) -> None:
        """What the parts had counted counts for the whole; its settings stay."""
        states = [self._state(number) for number in (event.target_id, *event.source_ids)]
        if all(state == ContextState() for state in states[1:]):
            return
        ends = [state.last_at for state in states if state.last_at is not None]
        after = msgspec.structs.replace(
            states[0],
            compactions=sum(state.compactions for state in states),
            tokens_saved=sum(state.tokens_saved for state in states),
            last_at=max(ends, default=None),
        )
        self._keep(recorded, event.target_id, after)

    def erased(self, recorded: Recorded, event: SessionErased) -> None:
        self._db.execute("UPDATE prefix_decisions SET summary = NULL WHERE session_id = ?", (event.session_id,))

    def write(self) -> None:
        self._rows.write()

    def forget(self) -> None:
        self._rows.clear()
        self._states.clear()
        self._counting = None

    def _put(self, recorded: Recorded, session_id: int, event: Event) -> None:
        before = self._state(session_id)
        after = evolve(before, event, recorded.timestamp)
        if after is not before:
            self._keep(recorded, session_id, after)

    def _state(self, session_id: int) -> ContextState:
        state = self._states.get(session_id)
        if state is None:
            state = self._states[session_id] = context_state(self._db, session_id, at=_ANY)
        return state

    def _keep(self, recorded: Recorded, session_id: int, after: ContextState) -> None:
        self._states[session_id] = after
        counted = self._counted()
        counted.add(session_id) if after.consecutive else counted.discard(session_id)
        self._rows.add(_INSERT_STATE, (session_id, recorded.position, after.consecutive, _encode(after).decode()))

    def _counted(self) -> set[int]:
        if self._counting is None:
            rows = self._db.execute(
                "SELECT session_id FROM context_states s WHERE consecutive > 0 AND position ="
                " (SELECT max(position) FROM context_states WHERE session_id = s.session_id)"
            )
            self._counting = {int(row[0]) for row in rows}
        return self._counting


def _performed(db: sqlite3.Connection, recorded: Recorded, event: CompactionPerformed | CompressionPerformed) -> None:
    compaction = isinstance(event, CompactionPerformed)
    row: tuple[Any, ...] = (
        event.history_id if isinstance(event, CompactionPerformed) else event.log_id,
        recorded.position,
        event.session_id,
        "compaction" if compaction else "compression",
        event.decided_on,
        recorded.timestamp,
        event.trigger_reason,
        event.tokens_before,
        event.tokens_after,
        event.messages_before,
        event.messages_after,
        event.system_preserved,
        event.recent_preserved,
        " ".join(event.removed_refs),
        event.summary_ref,
        event.summary,
        event.model if isinstance(event, CompressionPerformed) else None,
        None,
    )
    _insert(db, row)


def _carried(
    db: sqlite3.Connection, position: int, session_id: int, each: CarriedDecision, summary: str | None
) -> None:
    row = (
        each.number,
        position,
        session_id,
        each.kind,
        each.decided_on,
        each.performed_at,
        each.trigger_reason,
        each.tokens_before,
        each.tokens_after,
        each.messages_before,
        each.messages_after,
        each.system_preserved,
        each.recent_preserved,
        " ".join(each.removed_refs),
        each.summary_ref,
        summary,
        each.model,
        each.copy_of,
    )
    _insert(db, row)


def _insert(db: sqlite3.Connection, row: tuple[Any, ...]) -> None:
    db.execute(f"INSERT INTO prefix_decisions VALUES ({', '.join('?' * len(row))}, NULL, NULL)", row)


def _reverted(db: sqlite3.Connection, recorded: Recorded, event: CompactionReverted) -> None:
    number = event.history_id if event.history_id is not None else event.log_id
    db.execute(
        "UPDATE prefix_decisions SET reverted_position = ?, reverted_at = ? WHERE number = ?",
        (recorded.position, recorded.timestamp, number),
    )


COMPACTION = Projection(
    name="compaction",
    version=3,
    tables=TABLES,
    fold=Contexts,
    handles=dict(
        (
            on(ExchangeStarted, Contexts.started),
            on(SessionErased, Contexts.erased),
            on(SessionsMerged, Contexts.merged),
            on(SessionForked, Contexts.forked),
            *(
                on(cls, Contexts.decided)
                for cls in (
                    CompactionPerformed,
                    CompressionPerformed,
                    CompactionReverted,
                    AutoCompactionSkipped,
                    TokensReserved,
                    AutoCompactionEnabled,
                    AutoCompactionDisabled,
                )
            ),
        )
    ),
)
