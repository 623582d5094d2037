"""Events as the log would hand them out, and what reads them: the designed seams of the read side, in memory."""

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from projections import tracking
from projections.applying import Progress, apply_batch, no_contents
from projections.declaration import Contents, Projection
from schema.compaction import (
    CompactionPerformed,
    CompactionReverted,
    CompressionPerformed,
    Inserted,
    Kind,
    PrefixEdit,
)
from schema.context import ReplacedOutput
from schema.exchanges import (
    ExchangeCancelled,
    ExchangeCompleted,
    ExchangeFailed,
    ExchangeInterrupted,
    ExchangeStarted,
    MessageRefs,
    Resolution,
    Timings,
    Usage,
)
from schema.recorded import Recorded
from schema.registry import Event
from schema.sessions import SessionStarted

UNKNOWN = Usage()
START_MS = 1_700_000_000_000  # the time of position 0; each event is a second later


def record(events: Iterable[Event], *, after: int = 0) -> list[Recorded]:
    """`events` at the positions that follow `after`, one second apart."""
    return [_recorded(event, position) for position, event in enumerate(events, after + 1)]


def _recorded(event: Event, position: int) -> Recorded:
    exchange_id = getattr(event, "exchange_id", None)
    return Recorded(
        position=position,
        stream="workspace" if exchange_id is None else f"exchange-{exchange_id}",
        version=position,
        type=type(event).__name__,
        type_version=1,
        session_id=getattr(event, "session_id", None),
        exchange_id=exchange_id,
        timestamp=START_MS + position * 1000,
        actor="api" if exchange_id is None else "proxy",
        by="cline",
        correlation_id=f"request-{position}",
        causation_position=None,
        hash=hashlib.sha256(f"{position} {event}".encode()).hexdigest(),
        prev_hash="0" * 64,
        event=event,
    )


def session(session_id: int, name: str | None = None, **fields: Any) -> SessionStarted:
    given: dict[str, Any] = {"provider": "demo", "model": "demo/echo", "origin": "manual", **fields}
    return SessionStarted(session_id=session_id, name=f"Session {session_id}" if name is None else name, **given)


def refs(*added: str, base: int | None = None, keep: int = 0, tokens: int = 0) -> MessageRefs:
    return MessageRefs(base_exchange=base, keep=keep, added=added, count=keep + len(added), tokens=tokens)


def started(exchange_id: int, session_id: int = 1, **fields: Any) -> ExchangeStarted:
    given: dict[str, Any] = {
        "model_requested": "demo/echo",
        "model_sent": "echo",
        "provider": "demo",
        "resolution": Resolution(rule="hash_chain"),
        "received": refs(f"m{exchange_id}", tokens=10),
        "envelope_ref": "e1",
        **fields,
    }
    return ExchangeStarted(session_id=session_id, exchange_id=exchange_id, **given)


def replaced_output(name: str, ref: str | None = None, *, after: int) -> ReplacedOutput:
    return ReplacedOutput(
        key=name.encode().hex(),
        hash=f"hash-{name}",
        ref=f"ref-{name}",
        replacement_ref=ref or f"for-{name}",
        at=9,
        within="0" * 32,
        tool="bash",
        tokens_before=100,
        tokens_after=after,
    )


def compacted(number: int, session_id: int = 1, decided_on: int = 1, **fields: Any) -> CompactionPerformed:
    return CompactionPerformed(session_id=session_id, history_id=number, **_decision(decided_on, fields))


def compressed(number: int, session_id: int = 1, decided_on: int = 1, **fields: Any) -> CompressionPerformed:
    return CompressionPerformed(session_id=session_id, log_id=number, **_decision(decided_on, fields))


def _decision(decided_on: int, fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "decided_on": decided_on,
        "trigger_reason": "manual",
        "edit": PrefixEdit(cut=2, within="0" * 32, removed=((0, 2),), inserted=(Inserted(2, "digest"),)),
        "removed_refs": ("a", "b"),
        "summary_ref": "digest",
        "tokens_before": 100,
        "tokens_after": 40,
        "messages_before": 6,
        "messages_after": 5,
        "system_preserved": 1,
        "recent_preserved": 2,
        "summary": "shorter",
        **fields,
    }


def undone(number: int, session_id: int = 1, *, kind: Kind = "compaction", tokens: int = 60) -> CompactionReverted:
    return CompactionReverted(
        session_id=session_id,
        kind=kind,
        history_id=number if kind == "compaction" else None,
        log_id=number if kind == "compression" else None,
        restored_refs=("a", "b"),
        tokens_restored=tokens,
    )


def measured(prompt: int, completion: int, **fields: Any) -> Usage:
    given: dict[str, Any] = {"source": "measured", "total_tokens": prompt + completion, **fields}
    return Usage(prompt_tokens=prompt, completion_tokens=completion, **given)


def _end(exchange_id: int, session_id: int, usage: Usage, fields: dict[str, Any]) -> dict[str, Any]:
    ids = {"exchange_id": exchange_id, "session_id": session_id}
    return {**ids, "usage": usage, "timings": Timings(overhead_ms=0.5, ttft_ms=20.0, duration_ms=90.0), **fields}


def completed(exchange_id: int, session_id: int = 1, usage: Usage | None = None, **fields: Any) -> ExchangeCompleted:
    used = usage or measured(10, 5)
    return ExchangeCompleted(**_end(exchange_id, session_id, used, {"http_status": 200, **fields}))


def failed(exchange_id: int, session_id: int = 1, usage: Usage = UNKNOWN, **fields: Any) -> ExchangeFailed:
    given = {"error_code": "upstream_timeout", "error_message": "no answer in 60 s", **fields}
    return ExchangeFailed(**_end(exchange_id, session_id, usage, given))


def cancelled(exchange_id: int, session_id: int = 1, usage: Usage = UNKNOWN, **fields: Any) -> ExchangeCancelled:
    return ExchangeCancelled(**_end(exchange_id, session_id, usage, fields))


def interrupted(exchange_id: int, session_id: int = 1, usage: Usage = UNKNOWN, **fields: Any) -> ExchangeInterrupted:
    return ExchangeInterrupted(**_end(exchange_id, session_id, usage, {"cause": "found_open", **fields}))


class FakeLog:
    """A log in memory. Set `refuses` to an error to have every call raise it."""

    def __init__(self, events: Sequence[Recorded] = ()) -> None:
        self.events = list(events)
        self.stored: dict[int, dict[str, bytes]] = {}  # bodies by position
        self.refuses: Exception | None = None

    def head(self) -> int:
        if self.refuses is not None:
            raise self.refuses
        return self.events[-1].position if self.events else 0

    def read(self, after: int = 0, *, limit: int | None = None) -> list[Recorded]:
        if self.refuses is not None:
            raise self.refuses
        found = [event for event in self.events if event.position > after]
        return found if limit is None else found[:limit]

    def bodies(self, position: int) -> dict[str, bytes]:
        return self.stored.get(position, {})


def memory() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None)


def apply(
    db: sqlite3.Connection,
    projections: Sequence[Projection],
    events: Sequence[Recorded],
    *,
    batch: int = 1_000,
    contents: Contents = no_contents,
) -> list[Progress]:
    """Build the projections' tables in `db`, where they are missing, and apply `events` in batches."""
    positions = tracking.prepare(db, projections, FakeLog(events))
    progress = [Progress(each, positions[each.name], contents=contents) for each in projections]
    for first in range(0, len(events), batch):
        apply_batch(db, progress, events[first : first + batch])
    return progress


def dump(db: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, the tracking included; without the pages of a text index, which depend on the order of
    writes."""
    query = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' ORDER BY name"
    names = [name for (name,) in db.execute(query) if not name.startswith("sqlite")]
    return {name: sorted(db.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in names}
