"""What was compacted, how full contexts are, and when they are compacted by themselves (contract 43-46, 51, 52)."""

import asyncio
import sqlite3
from typing import Annotated, Literal

import msgspec
from annotated_types import Interval
from fastapi import APIRouter, Query

from api import compaction_shapes as shapes
from api import views
from api.compaction_chart import chart
from api.compaction_stats_shapes import (
    AutoAlert,
    AutoStatus,
    Chart,
    GlobalStats,
    GlobalTotals,
    History,
    PreviewUi,
    SessionAutoStatus,
    SessionStats,
    SessionTotals,
    StatsConfig,
    Ui,
    UsedContext,
)
from api.fields import FROM_TEXT, Offset, PathId
from api.live_alerts import auto_alert
from api.reading import LIVE, PAST, Reads
from api.services import Use
from api.session_answers import living_session
from api.times import iso_or_none
from commands.errors import CommandError
from projections.compaction import (
    DecisionRow,
    SessionSaving,
    Totals,
    decision_totals,
    list_decisions,
    savings_by_session,
)
from projections.paging import Page
from projections.session_stats import session_stats
from projections.sessions import SessionRow
from projections.timeline import get_event
from projections.workspace import active_session_id
from schema.compaction import Kind

router = APIRouter(prefix="/api/compaction", tags=["compaction"])

_NEWEST = 10
_SESSIONS = 100
_CHARTED = ("CompactionPerformed", "CompactionReverted")


class Found(msgspec.Struct, frozen=True):
    """A session with its newest compactions, its tokens, and the time that it is seen from (None: now)."""

    session: SessionRow
    newest: list[DecisionRow]
    tokens: int
    now: int | None


class FoundAll(msgspec.Struct, frozen=True):
    totals: Totals
    sessions: list[SessionSaving]
    active: Found | None


@router.get("/stats", dependencies=PAST)
async def stats(reads: Reads, services: Use) -> GlobalStats:
    """Of all sessions."""
    found, section = await reads.run(_all), services.compaction
    totals, active = found.totals, found.active
    everywhere = {
        "global": GlobalTotals(
            total_compactions=totals.count,
            total_tokens_saved=totals.saved,
            avg_compaction_ratio=None if totals.ratio is None else round(totals.ratio, 2),
            last_compaction_at=iso_or_none(totals.last_at),
        ),
        "sessions": [
            SessionTotals(session_id=each.session_id, compaction_count=each.count, session_tokens_saved=each.saved)
            for each in found.sessions
        ],
    }
    return GlobalStats.model_validate(
        {
            "global": everywhere,
            "config": section.model_dump(include=set(StatsConfig.model_fields)),
            "active_session": shapes.comp_state(active.session, active.newest) if active is not None else None,
        }
    )


@router.get("/config/ui", dependencies=LIVE)
async def ui(services: Use) -> Ui:
    """How a page shows all this."""
    section = services.compaction
    return Ui(
        show_compact_button=section.ui.show_compact_button,
        manual_button_threshold=section.ui.manual_button_threshold,
        show_detailed_tooltips=section.ui.show_detailed_tooltips,
        show_notifications=section.ui.show_compaction_notifications,
        threshold_percentage=section.threshold_percentage,
        critical_threshold=section.critical_threshold,
        preview=PreviewUi(**section.preview.model_dump()),
    )


@router.get("/{session_id}/stats", dependencies=PAST)
async def session_totals(session_id: PathId, reads: Reads, services: Use) -> SessionStats:
    """Of one session: its newest compactions, and how full its context is."""
    found = await reads.run(_found, session_id)
    row = found.session
    return SessionStats(
        session_id=row.id,
        compaction=shapes.comp_state(row, found.newest),
        context=views.context(row, found.tokens, services.catalogue.max_context(row.provider, row.model)),
    )


@router.get("/{session_id}/history", dependencies=PAST)
async def history(
    session_id: PathId,
    reads: Reads,
    limit: Annotated[int, Interval(ge=1, le=1000), FROM_TEXT, Query()] = 50,
    offset: Offset = 0,
    kind: Literal["compaction", "compression", "all"] = "compaction",
) -> History:
    """Compactions, newest first, also those undone since; or compressions, or both."""
    page = await reads.run(_history, session_id, None if kind == "all" else kind, limit, offset)
    rows = [
        shapes.HistoryRow.model_validate({**shapes.hist_fields(row), "kind": row.kind, "cumulative_saved": saved})
        for row, saved in page.rows
    ]
    return History(session_id=session_id, history=rows, total_entries=page.total)


@router.get("/{session_id}/history-chart", dependencies=PAST)
async def history_chart(
    session_id: PathId,
    reads: Reads,
    services: Use,
    limit: Annotated[int, Interval(ge=1, le=500), FROM_TEXT, Query()] = 50,
) -> Chart:
    """Replayed from the events themselves."""
    await reads.run(living_session, session_id)
    events = await asyncio.to_thread(services.log.read, upto=reads.at, session_id=session_id, types=_CHARTED)
    return chart(session_id, events, limit)


@router.get("/{session_id}/auto-status", dependencies=PAST)
async def auto_status(session_id: PathId, reads: Reads, services: Use) -> SessionAutoStatus:
    """Whether and when the session is compacted by itself."""
    found = await reads.run(_found, session_id, past=reads.past)
    row, auto = found.session, services.compaction.auto
    window = services.catalogue.max_context(row.provider, row.model)
    used = found.tokens + row.reserved_tokens
    remaining = _remaining(row, auto.auto_compact_cooldown, services.clock() if found.now is None else found.now)
    enabled = row.defaults.enabled and row.auto_compaction_enabled
    alert = auto_alert(used, window)
    possible = row.context.skip_reason != "nothing_to_compact"
    free = remaining == 0 and row.context.consecutive < auto.max_consecutive_auto_compactions
    return SessionAutoStatus(
        session_id=row.id,
        status=AutoStatus(
            enabled=enabled,
            session_auto_enabled=row.auto_compaction_enabled,
            threshold=row.defaults.threshold,
            cooldown_minutes=int(auto.auto_compact_cooldown),
            cooldown_remaining_seconds=remaining,
            max_consecutive=auto.max_consecutive_auto_compactions,
            consecutive_count=row.context.consecutive,
            is_pending=enabled and free and possible and used >= row.defaults.threshold * window,
            last_compaction_at=iso_or_none(row.context.last_at),
            total_compactions=row.context.compactions,
        ),
        context=UsedContext(
            current_tokens=found.tokens,
            max_context=window,
            usage_ratio=round(found.tokens / window, 4) if window else 0.0,
            usage_percentage=views.percent(found.tokens, window),
        ),
        alert=AutoAlert(**alert) if alert is not None else None,
    )


def _remaining(row: SessionRow, minutes: float, now: int) -> float:
    """Seconds until the session may be compacted by itself again."""
    last = row.context.last_auto_at
    return 0.0 if last is None else max(round((last + minutes * 60_000 - now) / 1_000, 3), 0.0)


def _found(db: sqlite3.Connection, session_id: int, *, at: int, past: bool = False) -> Found:
    session = living_session(db, session_id, at=at)
    newest = list_decisions(db, session_id, "compaction", at=at, limit=_NEWEST)
    event = get_event(db, at, at=at) if past else None
    tokens = session_stats(db, session_id, at=at).context_tokens
    return Found(session, [row for row, _ in newest.rows], tokens, event.timestamp if event is not None else None)


def _all(db: sqlite3.Connection, *, at: int) -> FoundAll:
    sessions = savings_by_session(db, at=at, limit=_SESSIONS)
    return FoundAll(decision_totals(db, "compaction", at=at), sessions, _active(db, at=at))


def _active(db: sqlite3.Connection, *, at: int) -> Found | None:
    """None where no session is active, or that one is gone."""
    active = active_session_id(db, at=at)
    try:
        return _found(db, active, at=at) if active is not None else None
    except CommandError:
        return None


def _history(
    db: sqlite3.Connection, session_id: int, kind: Kind | None, limit: int, offset: int, *, at: int
) -> Page[tuple[DecisionRow, int]]:
    living_session(db, session_id, at=at)
    return list_decisions(db, session_id, kind, at=at, limit=limit, offset=offset)
