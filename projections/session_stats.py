"""Running totals of a session: one row per event of its exchanges, so that any position is one lookup.

A session holds several chains of exchanges (main thread, sub-agents, title generation). An exchange continues the
chain of the exchange whose whole message list its own begins with; sharing less (a system prompt) begins a chain. The
session's context is that of its longest chain; a client that compacted its history by itself begins anew.
"""

import sqlite3

import msgspec

from projections.bounds import bounded
from projections.chain_tokens import ChainTokens, Held
from projections.declaration import Projection, on
from projections.rows import Row, Rows
from schema.compaction import CompactionPerformed, CompactionReverted, CompressionPerformed, PrefixDecision
from schema.exchanges import (
    ExchangeCancelled,
    ExchangeCompleted,
    ExchangeFailed,
    ExchangeInterrupted,
    ExchangeStarted,
    Finished,
    Usage,
)
from schema.forking import SessionForked
from schema.moving import ExchangeReassigned, SessionsMerged
from schema.recorded import Recorded

TABLES = (
    "CREATE TABLE session_stats("
    "session_id INTEGER NOT NULL, position INTEGER NOT NULL, total_requests INTEGER NOT NULL,"
    " counted_requests INTEGER NOT NULL, max_tokens INTEGER, current_input_tokens INTEGER NOT NULL,"
    " current_output_tokens INTEGER NOT NULL, current_total_tokens INTEGER NOT NULL,"
    " cumulative_input_tokens INTEGER NOT NULL, cumulative_output_tokens INTEGER NOT NULL,"
    " cumulative_total_tokens INTEGER NOT NULL, context_tokens INTEGER NOT NULL, context_exchange INTEGER,"
    " PRIMARY KEY(session_id, position))"
    " STRICT, WITHOUT ROWID",
    "CREATE TABLE exchange_chains(exchange_id INTEGER PRIMARY KEY, chain INTEGER NOT NULL, messages INTEGER NOT NULL,"
    " session_id INTEGER NOT NULL, ended INTEGER, prompt INTEGER, completion INTEGER, total INTEGER) STRICT",
    "CREATE TABLE decision_exchanges(number INTEGER PRIMARY KEY, exchange_id INTEGER NOT NULL, scale REAL NOT NULL)"
    " STRICT",
    "CREATE TABLE chain_tokens(session_id INTEGER NOT NULL, chain INTEGER NOT NULL, tokens INTEGER NOT NULL,"
    " exchange_id INTEGER NOT NULL,"
    " PRIMARY KEY(session_id, chain)) STRICT, WITHOUT ROWID",
    "CREATE TABLE session_forks(session_id INTEGER PRIMARY KEY, position INTEGER NOT NULL, source_id INTEGER NOT NULL,"
    " source_at INTEGER NOT NULL, exchange_id INTEGER, tokens INTEGER NOT NULL) STRICT",
)
_TOTALS = (
    "total_requests, counted_requests, max_tokens, current_input_tokens, current_output_tokens, current_total_tokens,"
    " cumulative_input_tokens, cumulative_output_tokens, cumulative_total_tokens, context_tokens,"
    " context_exchange"
)
_INSERT = f"INSERT INTO session_stats VALUES (?, ?, {', '.join('?' * len(_TOTALS.split(', ')))})"
_INSERT_CHAIN = "INSERT INTO exchange_chains(exchange_id, chain, messages, session_id) VALUES (?, ?, ?, ?)"
_INSERT_ENDED = "INSERT INTO exchange_chains VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_END = "UPDATE exchange_chains SET ended = ?, prompt = ?, completion = ?, total = ? WHERE exchange_id = ?"
_CLEAR_TOKENS = "DELETE FROM chain_tokens WHERE session_id = ?"
_SET_TOKENS = "INSERT OR REPLACE INTO chain_tokens VALUES (?, ?, ?, ?)"
_LEAVE = "DELETE FROM chain_tokens WHERE session_id = ? AND chain = ?"
_ANY = (1 << 63) - 1  # as of the last position
_REMEMBERED = 20_000


class ForkRow(msgspec.Struct, frozen=True, array_like=True):
    """What a session goes on from: another one as of `source_at`, whose context stood at `exchange_id` and held
    `tokens`."""

    source_id: int
    source_at: int
    exchange_id: int | None
    tokens: int


class StatsRow(msgspec.Struct, frozen=True, array_like=True):
    """Totals of one session. `counted_requests` ended with known usage, measured or estimated; the others count as
    requests only. `current_*` is the last of the counted ones; `context_tokens` are those of the longest chain, which
    stands at `context_exchange`."""

    total_requests: int = 0
    counted_requests: int = 0
    max_tokens: int | None = None
    current_input_tokens: int = 0
    current_output_tokens: int = 0
    current_total_tokens: int = 0
    cumulative_input_tokens: int = 0
    cumulative_output_tokens: int = 0
    cumulative_total_tokens: int = 0
    context_tokens: int = 0
    context_exchange: int | None = None

    @property
    def avg_tokens(self) -> float | None:
        """Mean of the counted requests' totals."""
        return self.cumulative_total_tokens / self.counted_requests if self.counted_requests else None


def session_stats(db: sqlite3.Connection, session_id: int, *, at: int) -> StatsRow:
    """The session's totals, all zero before its first exchange; a deleted session keeps them."""
    row = db.execute(
        f"SELECT {_TOTALS} FROM session_stats WHERE session_id = ? AND position <= ? ORDER BY position DESC LIMIT 1",
        (session_id, at),
    ).fetchone()
    return StatsRow(*row) if row else StatsRow()


def forked_from(db: sqlite3.Connection, session_id: int, *, at: int) -> ForkRow | None:
    """None for a session that began by itself."""
    row = db.execute(
        "SELECT source_id, source_at, exchange_id, tokens FROM session_forks WHERE session_id = ? AND position <= ?",
        (session_id, at),
    ).fetchone()
    return ForkRow(*row) if row else None


def context_exchange(db: sqlite3.Connection, session_id: int, *, at: int) -> int | None:
    """The exchange whose messages are the session's context: the last of its longest chain, else its latest one; None
    where it has had none."""
    found = session_stats(db, session_id, at=at).context_exchange
    if found is not None:
        return found
    row = db.execute(
        "SELECT max(exchange_id) FROM exchanges WHERE session_id = ? AND started_position <= ?", (session_id, at)
    ).fetchone()
    return int(row[0]) if row[0] is not None else None


def last_of_line(db: sqlite3.Connection, exchange_id: int, *, at: int) -> int | None:
    """The last exchange that had ended of the line of conversation that an exchange belongs to, in its session."""
    row = db.execute(
        "SELECT max(exchange_id) FROM exchange_chains WHERE ended <= :at AND (chain, session_id) ="
        " (SELECT chain, session_id FROM exchange_chains WHERE exchange_id = :id)",
        {"id": exchange_id, "at": at},
    ).fetchone()
    return int(row[0]) if row[0] is not None else None


class SessionTotals:
    """The sessions' totals and their chains while events come in."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        inserts = (_INSERT, _INSERT_CHAIN, _INSERT_ENDED)
        self._rows = Rows(db, *inserts, _END, _CLEAR_TOKENS, _LEAVE, _SET_TOKENS, full=inserts)
        self._lines, self._ended = self._rows.of(_INSERT), self._rows.of(_INSERT_ENDED)
        self._begun: dict[int, Row] = {}  # of this batch, not ended yet
        self._stats: dict[int, StatsRow] = {}
        self._chains: dict[int, tuple[int, int]] = {}  # of an exchange: its chain and its messages
        self._tokens: dict[int, ChainTokens] = {}

    def started(self, recorded: Recorded, event: ExchangeStarted) -> None:
        session_id, chain, received, branch = (
            event.session_id,
            event.exchange_id,
            event.received,
            event.resolution.branch,
        )
        if chain in self._begun:
            raise ValueError(f"exchange {chain} begins twice")
        before = self._stats_of(session_id)
        if branch == "client_compaction":
            self._tokens_of(session_id).clear()
        continued = self._chain_of(received.base_exchange) if received.base_exchange is not None else None
        if continued is not None and branch == "fork":
            self._tokens_of(session_id).leave(continued[0])
        elif continued is not None and continued[1] <= received.keep:
            chain = continued[0]
        self._chains[event.exchange_id] = (chain, received.count)
        self._begun[event.exchange_id] = (event.exchange_id, chain, received.count, session_id)
        self._append(recorded, session_id, _with_request(before))

    def finished(self, recorded: Recorded, event: Finished) -> None:
        usage = event.usage
        if usage.source == "none":
            return
        chain = self._chain_of(event.exchange_id)
        if chain is None:
            raise LookupError(f"exchange {event.exchange_id} never began")
        used = usage.prompt_tokens + usage.completion_tokens
        row = (recorded.position, usage.prompt_tokens, usage.completion_tokens, usage.total_tokens or used)
        begun = self._begun.pop(event.exchange_id, None)
        if begun is not None:
            self._ended.append(begun + row)
        else:
            self._rows.add(_END, (*row, event.exchange_id))
        tokens = self._tokens_of(event.session_id)
        tokens.put(chain[0], used, event.exchange_id)
        after = _with_usage(self._stats_of(event.session_id), usage, used, tokens.longest())
        self._append(recorded, event.session_id, after)

    def decided(self, recorded: Recorded, event: PrefixDecision) -> None:
        """The context is less from here on. One that was decided on the way of its exchange is counted with that."""
        number = event.history_id if isinstance(event, CompactionPerformed) else getattr(event, "log_id", 0)
        held = self._held(event.session_id, event.decided_on)
        scale = held.tokens / event.tokens_before if held is not None and event.tokens_before else 1.0
        self._db.execute("INSERT INTO decision_exchanges VALUES (?, ?, ?)", (number, event.decided_on, scale))
        less = round((event.tokens_after - event.tokens_before) * scale)
        self._change(recorded, event.session_id, event.decided_on, less)

    def reverted(self, recorded: Recorded, event: CompactionReverted) -> None:
        number = event.history_id if event.history_id is not None else event.log_id
        query = "SELECT exchange_id, scale FROM decision_exchanges WHERE number = ?"
        row = self._db.execute(query, (number,)).fetchone()
        if row is not None:
            self._change(recorded, event.session_id, int(row[0]), round(event.tokens_restored * row[1]))

    def forked(self, recorded: Recorded, event: SessionForked) -> None:
        """It holds what the other one held, and has used nothing."""
        number = event.exchange.exchange_id if event.exchange is not None else None
        row = (event.session_id, recorded.position, event.source_id, event.at, number, event.context_tokens)
        self._db.execute("INSERT INTO session_forks VALUES (?, ?, ?, ?, ?, ?)", row)
        for each in event.decisions:
            self._db.execute(
                "INSERT INTO decision_exchanges SELECT ?, ?, coalesce((SELECT scale FROM decision_exchanges"
                " WHERE number = ?), 1.0)",
                (each.number, each.decided_on, each.copy_of),
            )
        self._inherit(event.session_id)
        self._append(recorded, event.session_id, _with_context(StatsRow(), self._tokens_of(event.session_id).longest()))

    def _inherit(self, session_id: int) -> None:
        """The line of conversation that a fork goes on with."""
        fork = forked_from(self._db, session_id, at=_ANY)
        chain = self._chain_of(fork.exchange_id) if fork is not None and fork.exchange_id is not None else None
        if fork is not None and fork.exchange_id is not None and chain is not None:
            self._tokens_of(session_id).put(chain[0], fork.tokens, fork.exchange_id)

    def reassigned(self, recorded: Recorded, event: ExchangeReassigned) -> None:
        self._move("exchange_id = ?", event.exchange_id, event.to)
        for session_id in (event.from_, event.to):
            self._recount(recorded, session_id)

    def merged(self, recorded: Recorded, event: SessionsMerged) -> None:
        for source in event.source_ids:
            self._move("session_id = ?", source, event.target_id)
        self._recount(recorded, event.target_id)

    def _move(self, where: str, number: int, session_id: int) -> None:
        self.write()
        self._db.execute(f"UPDATE exchange_chains SET session_id = ? WHERE {where}", (session_id, number))

    def _recount(self, recorded: Recorded, session_id: int) -> None:
        """All totals of a session from its exchanges: rare, and as long as the table of exchanges."""
        rows = self._db.execute(
            "SELECT chain, ended, prompt, completion, total, exchange_id FROM exchange_chains WHERE session_id = ?"
            " ORDER BY exchange_id",
            (session_id,),
        ).fetchall()
        tokens = self._tokens_of(session_id)
        tokens.clear()
        self._inherit(session_id)
        counted = sorted((row for row in rows if row[1] is not None), key=lambda row: int(row[1]))
        for chain, _, prompt, completion, _, number in (row for row in rows if row[1] is not None):
            tokens.put(chain, prompt + completion, number)
        last = counted[-1] if counted else (0, 0, 0, 0, 0)
        totals = StatsRow(
            total_requests=len(rows),
            counted_requests=len(counted),
            max_tokens=max((row[4] for row in counted), default=None),
            current_input_tokens=last[2],
            current_output_tokens=last[3],
            current_total_tokens=last[4],
            cumulative_input_tokens=bounded(sum(row[2] for row in counted)),
            cumulative_output_tokens=bounded(sum(row[3] for row in counted)),
            cumulative_total_tokens=bounded(sum(row[4] for row in counted)),
        )
        self._append(recorded, session_id, _with_context(totals, tokens.longest()))

    def _change(self, recorded: Recorded, session_id: int, exchange_id: int, more: int) -> None:
        """The chain of an exchange holds more tokens, or less."""
        chain, held = self._chain_of(exchange_id), self._held(session_id, exchange_id)
        if chain is None or held is None:
            return
        tokens = self._tokens_of(session_id)
        tokens.put(chain[0], bounded(max(held.tokens + more, 0)), held.exchange_id)
        self._append(recorded, session_id, _with_context(self._stats_of(session_id), tokens.longest()))

    def _held(self, session_id: int, exchange_id: int) -> Held | None:
        """What the chain of an exchange holds, as the provider counts; None where it does not count."""
        chain = self._chain_of(exchange_id)
        return self._tokens_of(session_id).by_chain.get(chain[0]) if chain is not None else None

    def write(self) -> None:
        for row in self._begun.values():
            self._rows.add(_INSERT_CHAIN, row)
        self._begun.clear()
        for session_id, tokens in self._tokens.items():
            if tokens.cleared:
                self._rows.add(_CLEAR_TOKENS, (session_id,))
            for chain in tokens.changed:
                held = tokens.by_chain.get(chain)
                if held is None:
                    self._rows.add(_LEAVE, (session_id, chain))
                else:
                    self._rows.add(_SET_TOKENS, (session_id, chain, held.tokens, held.exchange_id))
            tokens.written()
        self._rows.write()
        if len(self._stats) + len(self._chains) + len(self._tokens) > _REMEMBERED:
            self.forget()

    def forget(self) -> None:
        self._begun.clear()
        self._rows.clear()
        self._stats.clear()
        self._chains.clear()
        self._tokens.clear()

    def _append(self, recorded: Recorded, session_id: int, totals: StatsRow) -> None:
        self._stats[session_id] = totals
        self._lines.append((session_id, recorded.position, *msgspec.structs.astuple(totals)))

    def _stats_of(self, session_id: int) -> StatsRow:
        stats = self._stats.get(session_id)
        if stats is None:
            stats = self._stats[session_id] = session_stats(self._db, session_id, at=_ANY)
        return stats

    def _chain_of(self, exchange_id: int) -> tuple[int, int] | None:
        chain = self._chains.get(exchange_id)
        if chain is None:
            query = "SELECT chain, messages FROM exchange_chains WHERE exchange_id = ?"
            row = self._db.execute(query, (exchange_id,)).fetchone()
            if row is not None:
                chain = self._chains[exchange_id] = (int(row[0]), int(row[1]))
        return chain

    def _tokens_of(self, session_id: int) -> ChainTokens:
        tokens = self._tokens.get(session_id)
        if tokens is None:
            query = "SELECT chain, tokens, exchange_id FROM chain_tokens WHERE session_id = ?"
            rows = self._db.execute(query, (session_id,))
            tokens = self._tokens[session_id] = ChainTokens({chain: Held(*held) for chain, *held in rows})
        return tokens


def _with_request(before: StatsRow) -> StatsRow:
    return msgspec.structs.replace(before, total_requests=before.total_requests + 1)


def _with_context(before: StatsRow, longest: Held | None) -> StatsRow:
    return msgspec.structs.replace(
        before,
        context_tokens=longest.tokens if longest is not None else 0,
        context_exchange=longest.exchange_id if longest is not None else None,
    )


def _with_usage(before: StatsRow, usage: Usage, used: int, longest: Held | None) -> StatsRow:
    total = usage.total_tokens or used
    return StatsRow(
        total_requests=before.total_requests,
        counted_requests=before.counted_requests + 1,
        max_tokens=max(before.max_tokens or 0, total),
        current_input_tokens=usage.prompt_tokens,
        current_output_tokens=usage.completion_tokens,
        current_total_tokens=total,
        cumulative_input_tokens=bounded(before.cumulative_input_tokens + usage.prompt_tokens),
        cumulative_output_tokens=bounded(before.cumulative_output_tokens + usage.completion_tokens),
        cumulative_total_tokens=bounded(before.cumulative_total_tokens + total),
        context_tokens=longest.tokens if longest is not None else 0,
        context_exchange=longest.exchange_id if longest is not None else None,
    )


SESSION_STATS = Projection(
    name="session_stats",
    version=7,
    tables=TABLES,
    fold=SessionTotals,
    handles=dict(
        (
            on(ExchangeStarted, SessionTotals.started),
            on(CompactionPerformed, SessionTotals.decided),
            on(CompressionPerformed, SessionTotals.decided),
            on(CompactionReverted, SessionTotals.reverted),
            on(ExchangeReassigned, SessionTotals.reassigned),
            on(SessionsMerged, SessionTotals.merged),
            on(SessionForked, SessionTotals.forked),
            *(
                on(cls, SessionTotals.finished)
                for cls in (ExchangeCompleted, ExchangeFailed, ExchangeCancelled, ExchangeInterrupted)
            ),
        )
    ),
)
