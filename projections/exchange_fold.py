"""Events of exchanges to their rows, a batch at a time: one that begins and ends within a batch is written once."""

import sqlite3

import msgspec

from projections.exchange_rows import COLUMNS, FINISHED, STARTED, Outcome
from projections.exchange_totals import INSERT_MODEL, INSERT_TOTALS, RunningTotals
from projections.homes import home_condition, move, move_all
from projections.prices import adopted, repriced
from projections.refs import INSERT_REFS, refs_row
from projections.rows import Row, Rows
from projections.usage_parts import cache_write_1h, service_tier
from projections.usage_totals import INSERT_KEY, INSERT_USAGE, Begun, UsageTotals
from schema.erasure import SessionErased
from schema.exchanges import (
    ExchangeCancelled,
    ExchangeCompleted,
    ExchangeFailed,
    ExchangeInterrupted,
    ExchangeStarted,
    Finished,
)
from schema.moving import ExchangeReassigned, SessionsMerged
from schema.prices import PriceBookAdopted, RepricedFrom
from schema.recorded import Recorded

OUTCOMES: dict[type[Finished], Outcome] = {
    ExchangeCompleted: "completed",
    ExchangeFailed: "failed",
    ExchangeCancelled: "cancelled",
    ExchangeInterrupted: "interrupted",
}
_encode = msgspec.json.Encoder().encode


def _marks(columns: str) -> str:
    return ", ".join("?" * len(columns.split(", ")))


_BEGIN = f"INSERT INTO exchanges({STARTED}) VALUES ({_marks(STARTED)})"
_WHOLE = f"INSERT INTO exchanges({COLUMNS}) VALUES ({_marks(COLUMNS)})"
_HEAD = (
    "SELECT started_position, started_at, session_id, provider, model_sent, coalesce(client_family, ''),"
    " coalesce(branch, '') = 'retry' FROM exchanges WHERE exchange_id = ?"
)
_FINISH = f"UPDATE exchanges SET ({FINISHED}) = ({_marks(FINISHED)}) WHERE exchange_id = ?"


class ExchangeRows:
    """Rows of `exchanges`, their lists and their totals."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._rows = Rows(
            db,
            *(INSERT_MODEL, _BEGIN, _WHOLE, _FINISH, INSERT_REFS, INSERT_TOTALS, INSERT_KEY, INSERT_USAGE),
            full=(INSERT_REFS, INSERT_TOTALS, INSERT_USAGE),
        )
        self._whole, self._refs = self._rows.of(_WHOLE), self._rows.of(INSERT_REFS)
        self._begun: dict[int, Row] = {}  # of this batch, not finished yet
        self._heads: dict[int, Begun] = {}  # of exchanges that have begun and not ended
        self._totals = RunningTotals(db, self._rows)
        self._usage = UsageTotals(db, self._rows)

    def started(self, recorded: Recorded, event: ExchangeStarted) -> None:
        number, sent = event.exchange_id, event.sent
        if number in self._begun:
            raise ValueError(f"exchange {number} begins twice")
        self._begun[number] = _started_row(recorded, event)
        self._heads[number] = Begun(
            recorded.position,
            recorded.timestamp,
            event.session_id,
            event.provider,
            event.model_sent,
            event.client_family or "",
            event.resolution.branch == "retry",
        )
        self._refs.append(refs_row(number, event.received, sent=False))
        if sent:
            self._refs.append(refs_row(number, sent, sent=True))
        self._totals.started(event.model_sent)

    def finished(self, recorded: Recorded, event: Finished) -> None:
        outcome = OUTCOMES[type(event)]
        row = _finished_row(recorded, event, outcome)
        begun = self._begun.pop(event.exchange_id, None)
        if begun is not None:
            self._whole.append(begun + row)
        else:
            self._rows.add(_FINISH, (*row, event.exchange_id))
        head = self._head(event.exchange_id)
        last = event.sent_last.model if event.sent_last else head.model
        if last == head.model:
            self._totals.finished(recorded.position, head.model, outcome)
        else:
            self._totals.fell_back(recorded.position, head.model, last, outcome)
        self._usage.finished(recorded.position, head, row, outcome)

    def erased(self, recorded: Recorded, event: SessionErased) -> None:
        """Texts are gone: as if the rows were made from the log now."""
        self.write()
        condition = home_condition(self._db, event.session_id) or "session_id = :session_id"
        self._db.execute(
            f"UPDATE exchanges SET preview = NULL, error_message = NULL WHERE {condition}",
            {"session_id": event.session_id, "at": recorded.position},
        )

    def reassigned(self, recorded: Recorded, event: ExchangeReassigned) -> None:
        """Its texts are now those that are sealed for the session that it belongs to."""
        self.write()
        self._usage.moved(recorded.position, event.exchange_id, event.to)
        move(self._db, event.exchange_id, event.to, recorded.position)
        query = "UPDATE exchanges SET preview = ?, error_message = ? WHERE exchange_id = ?"
        self._db.execute(query, (event.preview, event.error_message, event.exchange_id))

    def merged(self, recorded: Recorded, event: SessionsMerged) -> None:
        self.write()
        for source in event.source_ids:
            self._usage.merged(recorded.position, source, event.target_id)
            move_all(self._db, source, event.target_id, recorded.position)

    def adopted(self, recorded: Recorded, event: PriceBookAdopted) -> None:
        adopted(self._db, recorded, event)
        self._usage.priced_otherwise()

    def repriced(self, recorded: Recorded, event: RepricedFrom) -> None:
        self.write()
        repriced(self._db, recorded, event)
        self._usage.repriced(recorded.position, event.from_)

    def write(self) -> None:
        for row in self._begun.values():
            self._rows.add(_BEGIN, row)
        self._begun.clear()
        self._rows.write()
        self._usage.written()

    def forget(self) -> None:
        self._begun.clear()
        self._heads.clear()
        self._rows.clear()
        self._totals.forget()
        self._usage.forget()

    def _head(self, exchange_id: int) -> Begun:
        """Raises LookupError where the exchange never started."""
        head = self._heads.pop(exchange_id, None)
        if head is not None:
            return head
        self.write()  # it may be one of this batch
        row = self._db.execute(_HEAD, (exchange_id,)).fetchone()
        if row is None:
            raise LookupError(f"exchange {exchange_id} never began")
        return Begun(*row)


def _started_row(recorded: Recorded, event: ExchangeStarted) -> Row:
    """In the order of STARTED."""
    sent, resolution, received = event.sent, event.resolution, event.received
    return (
        recorded.position,
        event.exchange_id,
        event.session_id,
        recorded.timestamp,
        event.api,
        event.model_requested,
        event.model_sent,
        event.provider,
        int(event.stream),
        resolution.rule,
        resolution.branch,
        resolution.parent_id,
        event.client_family,
        received.count,
        received.tokens,
        (sent or received).system_tokens,
        (sent or received).memory_tokens,
        sent.count if sent else None,
        sent.tokens if sent else None,
        event.envelope_ref,
        event.sent_envelope_ref,
        event.skipped_reason,
        _encode(event.steps).decode() if event.steps else None,
        event.preview,
    )


def _finished_row(recorded: Recorded, event: Finished, outcome: Outcome) -> Row:
    """In the order of FINISHED."""
    usage, timings, last = event.usage, event.timings, event.sent_last
    failed = event if isinstance(event, ExchangeFailed) else None
    return (
        recorded.position,
        recorded.timestamp,
        outcome,
        usage.source,
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.total_tokens,
        usage.cached_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
        timings.overhead_ms,
        timings.ttft_ms,
        timings.duration_ms,
        event.answer_ref,
        " ".join(event.other_refs),
        event.finish_reason,
        event.http_status,
        event.attempts,
        event.model_answered,
        event.upstream_request_id,
        failed.error_code if failed else None,
        failed.error_message if failed else None,
        _encode(event.tries).decode() if event.tries else None,
        last.provider if last else None,
        last.model if last else None,
        last.envelope_ref if last else None,
        cache_write_1h(event.usage_raw),
        service_tier(event),
    )
