"""Is it alive, is it ready, how busy is it (contract 3.3, decisions 3.13)."""

import sqlite3
from typing import Literal

from eventsourcing.persistence import PersistenceError
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from api import shapes, views
from api.reading import LIVE
from api.request_context import Context
from api.services import Services, Use
from api.shapes import Refused
from projections.sessions import SessionRow, get_session
from projections.unreadable import UnreadableEvents, all_unreadable, unreadable_events
from projections.workspace import active_session_id
from proxy.limiter import Used

router = APIRouter(tags=["health"], dependencies=LIVE)

_LEVELS = ((95.0, "critical"), (87.5, "warning"), (50.0, "elevated"))


class RateLimit(BaseModel):
    current_rpm: int
    max_rpm: int
    percentage: float


class Limit(RateLimit):
    """A limit of its own: of a provider, of a named key, or of all requests."""

    name: str


class RateLimitStatus(RateLimit):
    """`limits` are those that are counted by themselves; `waiting` are requests that are delayed now."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "current_rpm": 21,
                    "max_rpm": 40,
                    "percentage": 52.5,
                    "status": "elevated",
                    "mode": "wait",
                    "waiting": 0,
                    "limits": [{"name": "provider openai", "current_rpm": 10, "max_rpm": 20, "percentage": 50.0}],
                }
            ]
        }
    )

    status: str
    mode: str
    waiting: int
    limits: list[Limit]


class LogWatcher(BaseModel):
    status: Literal["running", "stopped"]
    log_file_exists: bool
    log_path: str | None


class Health(BaseModel):
    """`degraded` also answers 200: the process is alive. `max_context` is the active session's, else the default
    model's."""

    status: Literal["ok", "degraded"]
    max_context: int
    active_session: shapes.Session | None
    log_watcher: LogWatcher
    rate_limit: RateLimit
    version: str
    position: int
    error: str | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="Why it is degraded; not there while all is ok.",
    )


class Checks(BaseModel):
    """`ok`, or what is wrong."""

    event_store: str
    writer: str
    projections: str


class Readiness(BaseModel):
    ready: bool
    checks: Checks
    position: int
    lag_events: int


@router.get("/health")
async def health(services: Use, context: Context) -> Health:
    """Alive: this process answers. Who sends no credentials does not see the session."""
    state = _state(services)
    row, error = await _active(services)
    trouble = "; ".join(filter(None, (*_trouble(state.checks), error, *services.health.lost))) or None
    known = services.catalogue
    label = (row.provider, row.model) if row is not None else (services.default_provider, services.default_model)
    return Health(
        status="ok" if trouble is None else "degraded",
        max_context=known.max_context(*label),
        active_session=views.session(row) if row is not None and context.authorized else None,
        log_watcher=_watcher(services, shown=context.authorized),
        rate_limit=_rate(services),
        version=services.version,
        position=state.position,
        error=trouble,
    )


@router.get("/health/ready", responses={503: {"model": Readiness | Refused}})
async def ready(services: Use, response: Response) -> Readiness:
    """Ready: the log can be read and written, and the read tables are up with it; else 503."""
    state = _state(services)
    response.status_code = 200 if state.ready else 503
    return state


@router.get("/api/rate-limit")
async def rate_limit(services: Use) -> RateLimitStatus:
    """Completions of the last 60 seconds that were let through."""
    rate, limiter = _rate(services), services.limiter
    return RateLimitStatus(
        **rate.model_dump(),
        status=next((name for least, name in _LEVELS if rate.percentage >= least), "normal"),
        mode=services.rate_limit.mode,
        waiting=limiter.waiting if limiter is not None else 0,
        limits=[_limit(used) for used in (limiter.used() if limiter is not None else ())],
    )


def _limit(used: Used) -> Limit:
    percentage = views.percent(used.current_rpm, used.max_rpm)
    return Limit(name=used.name, current_rpm=used.current_rpm, max_rpm=used.max_rpm, percentage=percentage)


def _watcher(services: Services, *, shown: bool) -> LogWatcher:
    watcher = services.log_watcher
    return LogWatcher(
        status="running" if watcher.running else "stopped",
        log_file_exists=watcher.exists(),
        log_path=watcher.path if shown else None,
    )


def _rate(services: Services) -> RateLimit:
    current, most = services.rate.current(), services.rate_limit.max_rpm
    return RateLimit(current_rpm=current, max_rpm=most, percentage=views.percent(current, most))


def _state(services: Services) -> Readiness:
    parts = services.health.projections()
    store, position = _head(services)
    failed = [f"{part.name}: {part.error or part.state}" for part in parts if part.error or part.state == "failed"]
    behind = [] if services.health.ready() else ["being built"]
    missed = services.waiter.missed
    if missed is not None and missed <= position:
        behind.append(f"event {missed:,} is not shown yet")
    checks = Checks(
        event_store=store,
        writer=services.health.writer_trouble() or "ok",
        projections="; ".join((*failed, *behind)) or "ok",
    )
    lag = position - min((part.position for part in parts), default=position)
    return Readiness(ready=not _trouble(checks), checks=checks, position=position, lag_events=max(lag, 0))


def _trouble(checks: Checks) -> list[str]:
    """What is not as it should be, by name."""
    return [f"{name}: {text}" for name, text in checks if text != "ok"]


def _head(services: Services) -> tuple[str, int]:
    try:
        return "ok", services.log.head()
    except (PersistenceError, sqlite3.Error) as error:
        return f"cannot be read: {type(error).__name__}", 0


async def _active(services: Services) -> tuple[SessionRow | None, str | None]:
    """The active session, and what is wrong with the events or the tables: the process is alive all the same."""
    try:
        row, found = (await services.reads.run(_seen)).value
    except sqlite3.Error as error:
        return None, f"read tables: {error}"
    unreadable = all_unreadable(found, services.log.unreadable)
    return row, None if unreadable is None else f"event_store: {unreadable}"


def _seen(db: sqlite3.Connection, *, at: int) -> tuple[SessionRow | None, UnreadableEvents | None]:
    unreadable, number = unreadable_events(db, at=at), active_session_id(db, at=at)
    return None if number is None else get_session(db, number, at=at), unreadable
