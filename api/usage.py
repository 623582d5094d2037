"""What was used and what it cost: in all, and by day, model, provider, session or client."""

import sqlite3
from datetime import UTC, date, datetime
from typing import Annotated, Literal

import msgspec
from annotated_types import Interval
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from api import usage_shapes
from api.csv_lines import lines, safe
from api.details import invalid
from api.errors import InvalidFieldError
from api.fields import FROM_TEXT, Offset, QueryId, QueryText, TextFlag
from api.reading import PAST, Reads
from api.services import Use
from api.session_answers import living_session
from api.times import iso, parse_time
from projections.sessions import session_names, session_parents
from projections.usage import usage
from projections.usage_entries import HOUR_MS, HOURS_OF_A_DAY, Asked, Entry, Grouping
from proxy.providers import Catalogue

router = APIRouter(prefix="/api/usage", tags=["usage"], dependencies=PAST)

_DAY_MS = HOURS_OF_A_DAY * HOUR_MS
_CSV = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}
_COLUMNS = ("key", "name", "source", *usage_shapes.Used.model_fields)
Moment = Annotated[str | None, Query(max_length=64, description="A day (2026-11-27, UTC) or an ISO-8601 time")]


class Usage(BaseModel):
    """`totals` are of all that was asked for, `groups` a page of them: days from the last one, others from the dearest.
    `total` counts all groups. `from` and `to` are cut to full hours; null: since the beginning, or until now."""

    group_by: Grouping | None
    rollup: bool
    since: str | None
    until: str | None
    totals: usage_shapes.Totals
    groups: list[usage_shapes.Group]
    total: int


class Found(msgspec.Struct, frozen=True):
    """Entries by their group's key, and the names of sessions."""

    groups: dict[str, list[Entry]]
    names: dict[int, str]


@router.get("", response_model=Usage, responses=_CSV)  # type: ignore[arg-type]
async def get(
    reads: Reads,
    services: Use,
    group_by: Grouping | None = None,
    from_: Annotated[Moment, Query(alias="from")] = None,
    to: Moment = None,
    session_id: QueryId = None,
    provider: QueryText = None,
    model: QueryText = None,
    client_family: QueryText = None,
    rollup: Annotated[TextFlag, Query()] = False,
    limit: Annotated[int, Interval(ge=1, le=1_000), FROM_TEXT, Query()] = 100,
    offset: Offset = 0,
    form: Annotated[Literal["json", "csv"], Query(alias="format")] = "json",
) -> Usage | Response:
    """Usage and cost of the exchanges that began in the hours from `from` to `to` (inclusive). With `rollup`, sessions
    of sub-agents and forks are counted with the session that they came from. `model` is a name as it goes upstream, as
    groups have it (`provider/name`), or as the configuration does. As CSV all groups, a line for each kind of count."""
    first, last = _hour(from_, "from", 0), _hour(to, "to", HOURS_OF_A_DAY - 1)
    if first is not None and last is not None and last < first:
        raise InvalidFieldError([invalid("moment", ("query", "to"), "Input should not be before `from`", to)])
    asked = Asked(
        group_by=group_by,
        from_hour=0 if first is None else first,
        to_hour=Asked(group_by=None).to_hour if last is None else last,
        provider=provider,
        model=model,
        meant=_meant(services.catalogue, model) if model is not None else (),
        client_family=client_family,
    )
    found = await reads.run(find, asked, session_id, rollup)
    keys = sorted(found.groups, key=lambda key: _order(group_by, key, found.groups[key]))
    groups = [usage_shapes.group(_shown(group_by, key), _name(group_by, key, found), found.groups[key]) for key in keys]
    if form == "csv":
        headers = {"Content-Disposition": "attachment; filename=usage.csv", **reads.moment_header}
        return Response(_csv(groups), 200, headers, "text/csv; charset=utf-8")
    return Usage(
        group_by=group_by,
        rollup=rollup,
        since=None if first is None else iso(first * HOUR_MS),
        until=None if last is None else iso((last + 1) * HOUR_MS - 1),
        totals=usage_shapes.totals([entry for key in keys for entry in found.groups[key]]),
        groups=groups[offset : offset + limit] if group_by is not None else [],
        total=len(groups) if group_by is not None else 0,
    )


def _meant(catalogue: Catalogue, model: str) -> tuple[tuple[str, str], ...]:
    """Providers and their names for it, beside all that have this very name."""
    provider, slash, name = model.partition("/")
    configured = [(each.provider, each.model) for each in catalogue.models() if each.key == model]
    return tuple(dict.fromkeys([*configured, *([(provider, name)] if slash else [])]))


def find(db: sqlite3.Connection, asked: Asked, session_id: int | None, rollup: bool, *, at: int) -> Found:
    """Raises NotFoundError where `session_id` names no session."""
    parents = session_parents(db, at=at) if rollup else {}
    if session_id is not None:
        living_session(db, session_id, at=at)
        asked = msgspec.structs.replace(asked, sessions=_family(session_id, parents))
    names = session_names(db, at=at) if asked.group_by == "session" else {}
    entries = usage(db, asked, at=at)
    if rollup and asked.group_by == "session":
        entries = [msgspec.structs.replace(entry, key=_root(entry.key, parents, session_id)) for entry in entries]
    return Found(usage_shapes.by_key(entries), names)


def _family(session_id: int, parents: dict[int, int]) -> tuple[int, ...]:
    """The session and all that came from it."""
    found = [session_id]
    for number in found:
        found += [child for child, parent in parents.items() if parent == number and child not in found]
    return tuple(found)


def _root(key: str, parents: dict[int, int], top: int | None) -> str:
    """The session that it came from in the end, no further than `top`; a circle, which should not be, ends where it
    began."""
    if not key:
        return key  # what a ledger says is of no session
    number, seen = int(key), set[int]()
    while number in parents and number != top and number not in seen:
        seen.add(number)
        number = parents[number]
    return str(number)


def _hour(text: str | None, name: str, add: int) -> int | None:
    """The hour since the epoch; of a day the first one, and `add`."""
    if text is None:
        return None
    try:
        if len(text) == len("2026-11-27"):
            day = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
            return int(day.timestamp()) * 1_000 // HOUR_MS + add
        return parse_time(text) // HOUR_MS
    except ValueError:
        message = "Input should be a day (2026-11-27) or an ISO-8601 time with its offset"
        raise InvalidFieldError([invalid("moment", ("query", name), message, text)]) from None


def _order(group_by: Grouping | None, key: str, entries: list[Entry]) -> tuple[object, ...]:
    if group_by == "day":
        return (-int(key),)
    return -sum(entry.cost for entry in entries), -sum(entry.input + entry.output for entry in entries), key


def _shown(group_by: Grouping | None, key: str) -> str:
    return iso(int(key) * _DAY_MS)[:10] if group_by == "day" else key


def _name(group_by: Grouping | None, key: str, found: Found) -> str | None:
    return found.names.get(int(key)) if group_by == "session" and key else None


def _csv(groups: list[usage_shapes.Group]) -> str:
    rows: list[list[object]] = [list(_COLUMNS)]
    for each in groups:
        for kind in usage_shapes.SOURCES:
            part = getattr(each.sources, kind)
            if part.exchanges:
                name = safe(each.name or "")
                rows.append([safe(each.key), name, kind, *(_cell(value) for value in part.model_dump().values())])
    return lines(rows)


def _cell(value: object) -> object:
    """Money without an exponent."""
    return f"{value:.6f}" if isinstance(value, float) else value
