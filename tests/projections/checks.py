"""What the queries must answer at a position, by a fold that was written independently of them (oracle.py)."""

import sqlite3
from itertools import product

from projections.compaction import context_state, decision_totals, list_decisions, savings_by_session
from projections.exchange_lists import list_exchanges
from projections.exchange_rows import Outcome
from projections.exchanges import exchange_refs, get_exchange, recent_metrics
from projections.pins import list_pins, pinned_refs
from projections.session_stats import session_stats
from projections.sessions import get_session, list_sessions
from projections.timeline import Order, list_events, position_at_time
from projections.workspace import active_session_id, auto_session
from tests.projections.oracle import Oracle

_OUTCOMES: tuple[Outcome | None, ...] = (None, "running", "completed", "failed", "cancelled", "interrupted")
_ORDERS: tuple[Order, ...] = ("asc", "desc")
_QUERIES = ("", "ALPHA", "under", "Ü", "strasse", "%")


def check_workspace_and_sessions(db: sqlite3.Connection, at: int, oracle: Oracle) -> None:
    assert active_session_id(db, at=at) == oracle.active
    assert auto_session(db, at=at).enabled == oracle.auto
    for q in _QUERIES:
        page = list_sessions(db, at=at, q=q, limit=100)
        assert ([row.id for row in page.rows], page.total) == (oracle.listed(q), len(oracle.listed(q)))
    for row in list_sessions(db, at=at, limit=1, offset=1).rows:
        assert row.id == oracle.listed()[1]
    for number, position in oracle.positions.items():
        session = get_session(db, number, at=at)
        assert session is not None
        assert (session.name, session.position) == (oracle.names[number], position)
        assert (session.deleted, session.is_active) == (number in oracle.deleted, number == oracle.active)
        assert not session.erased
    assert get_session(db, len(oracle.names) + 1, at=at) is None


def check_exchanges(db: sqlite3.Connection, at: int, oracle: Oracle, *, every: int = 1) -> None:
    for session_id, outcome, model in product((None, 1, 2), _OUTCOMES, (None, "echo", "big", "spare", "demo/echo")):
        page = list_exchanges(db, at=at, session_id=session_id, outcome=outcome, model=model, limit=3, offset=1)
        matching = oracle.exchanges(session_id, outcome, model)
        assert ([row.id for row in page.rows], page.total) == (matching[1:4], len(matching))
    for number, begun in list(oracle.begun.items())[::every]:
        row = get_exchange(db, number, at=at)
        assert row is not None
        end = oracle.ended.get(number)
        assert row.outcome == oracle.outcome(number)
        assert (row.usage, row.finished_position is None) == (end.usage if end else type(row.usage)(), not end)
        assert row.sent_count == (begun.sent or begun.received).count
        refs = oracle.refs(number, sent=False), oracle.refs(number, sent=True)
        assert exchange_refs(db, number, at=at) == refs
    unknown = len(oracle.begun) + 1
    assert get_exchange(db, unknown, at=at) is None
    assert exchange_refs(db, unknown, at=at) is None


def check_totals_of_sessions(db: sqlite3.Connection, at: int, oracle: Oracle) -> None:
    for number in (1, 2, 3):
        stats, used = session_stats(db, number, at=at), oracle.usages(number)
        begun = oracle.exchanges(number, None, None)
        assert (stats.total_requests, stats.counted_requests) == (len(begun), len(used))
        sums = tuple(sum(column) for column in zip(*used, strict=True)) or (0, 0, 0)
        assert sums == (
            stats.cumulative_input_tokens,
            stats.cumulative_output_tokens,
            stats.cumulative_total_tokens,
        )
        last = (stats.current_input_tokens, stats.current_output_tokens, stats.current_total_tokens)
        assert last == (used[-1] if used else (0, 0, 0))
        assert stats.max_tokens == max((total for _, _, total in used), default=None)
        assert stats.avg_tokens == (sums[2] / len(used) if used else None)
        assert stats.context_tokens == oracle.context(number)
        assert [row.id for row in recent_metrics(db, number, at=at, limit=2)] == begun[:2]


def check_compactions(db: sqlite3.Connection, at: int, oracle: Oracle) -> None:
    saved = 0
    for number in (1, 2, 3):
        page, made = list_decisions(db, number, "compaction", at=at, limit=100), oracle.compactions(number)
        shown = [(row.number, row.saved, row.reverted_at is None) for row, _ in page.rows]
        assert (shown, page.total) == (made, len(made))
        in_force = sum(tokens for _, tokens, force in made if force)
        assert [sums for _, sums in page.rows][:1] == [in_force][: len(made)]
        state = context_state(db, number, at=at)
        assert (state.compactions, state.tokens_saved) == (len(made), in_force)
        assert state.consecutive == oracle.consecutive(number)
        assert pinned_refs(db, number, at=at) == oracle.pins(number)
        assert {row.ref for row in list_pins(db, number, at=at, limit=9, offset=0).rows} == oracle.pins(number)
        saved += in_force
    assert (decision_totals(db, "compaction", at=at).saved or 0) >= saved
    for each in savings_by_session(db, at=at, limit=9):
        assert each.count == len(oracle.compactions(each.session_id))


def check_timeline(db: sqlite3.Connection, at: int, oracle: Oracle, *, every: int = 1) -> None:
    for recorded in oracle.lines[::every]:
        assert position_at_time(db, recorded.timestamp, at=at) == recorded.position
        assert position_at_time(db, recorded.timestamp - 1, at=at) == recorded.position - 1
    for order, session_id, types in product(_ORDERS, (None, 1), ((), ("SessionStarted", "ExchangeStarted"))):
        matching = [
            each.position
            for each in oracle.lines
            if session_id in (None, each.session_id) and (not types or each.type in types)
        ]
        page = list_events(db, at=at, order=order, session_id=session_id, types=types, limit=4)
        wanted = matching if order == "asc" else matching[::-1]
        assert ([row.position for row in page.rows], page.total) == (wanted[:4], len(wanted))
        assert (page.next_cursor is not None) == (len(wanted) > 4)
