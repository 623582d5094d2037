"""Usage that clients on this machine wrote down themselves, of every tool whose ledgers can be read."""

import asyncio
import sqlite3
from typing import Annotated

from annotated_types import Interval
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from api.bodies import RequestBody, documented, read
from api.cline import LedgerPath
from api.fields import FROM_TEXT, Offset, TextFlag
from api.ledger_desk import there
from api.ledger_shapes import Imported, TaskUsages, ToolTotals, import_answer, task_usage, tool_totals
from api.reading import PAST, Reads
from api.services import Use
from api.times import iso
from api.writing import Writes
from commands.workspace import Acknowledge
from ledgers.catalogue import TOOLS, Ledger
from projections.ledger_rows import ImportRow, LedgerTotals, TaskRow, last_imports, ledger_totals, list_tasks
from projections.paging import Page
from schema.ledgers import Tool

router = APIRouter(prefix="/api/ledgers", tags=["ledgers"])


class LastImport(BaseModel):
    """The last import that found something other than before."""

    imported_at: str
    rows: int
    skipped: int
    errors: int
    latest_ts: int | None
    problems: list[str]
    position: int


class LedgerPlace(BaseModel):
    """`exists` as it is now."""

    tool: Tool
    kind: str
    path: str
    exists: bool
    last_import: LastImport | None


class Ledgers(BaseModel):
    """`tools` are those of which something is on record."""

    ledgers: list[LedgerPlace]
    tools: list[ToolTotals]
    total: int


class ImportToolBody(RequestBody):
    """The ledgers of a tool, or the one at a path; without both, all of them. `dry_run` appends nothing and says what
    would be."""

    tool: Tool | None = None
    path: LedgerPath | None = None
    dry_run: bool = False


@router.get("", dependencies=PAST)
async def places(reads: Reads, services: Use) -> Ledgers:
    """All ledgers that may be read, and sums of what was taken over that count nothing twice."""
    imports, totals = await reads.run(_read)
    ledgers = await asyncio.to_thread(_places, services.ledgers.ledgers, {each.ledger: each for each in imports})
    return Ledgers(ledgers=ledgers, tools=[tool_totals(row) for row in totals], total=len(ledgers))


@router.get("/usage", dependencies=PAST)
async def usage(
    reads: Reads,
    tool: Annotated[Tool | None, Query()] = None,
    matched: Annotated[
        TextFlag | None, Query(description="Only those that went through this proxy, or did not")
    ] = None,
    limit: Annotated[int, Interval(ge=1, le=1_000), FROM_TEXT, Query()] = 100,
    offset: Offset = 0,
) -> TaskUsages:
    """Tasks, used last first."""
    tools = (tool,) if tool is not None else ()
    page: Page[TaskRow] = await reads.run(list_tasks, tools=tools, matched=matched, limit=limit, offset=offset)
    return TaskUsages(items=[task_usage(row) for row in page.rows], limit=limit, offset=offset, total=page.total)


@router.post("/import", openapi_extra=documented(ImportToolBody))
async def take_over(
    body: Annotated[ImportToolBody, Depends(read(ImportToolBody))], services: Use, writes: Writes
) -> Imported:
    """Take over what clients have written down: numbers, no texts. What is on record already appends nothing."""
    names = services.ledgers.names(body.path) if body.path is not None else None
    if body.dry_run:
        await writes.append(Acknowledge())
        return await services.ledgers.tried(body.tool, body.path)
    outcome = await writes.append(lambda: services.ledgers.work(body.tool, body.path, writes.metadata, writes.part))
    tools = (body.tool,) if body.tool is not None else TOOLS
    return await writes.read(outcome, import_answer, names, tools, outcome.count)


def _read(db: sqlite3.Connection, *, at: int) -> tuple[list[ImportRow], list[LedgerTotals]]:
    return last_imports(db, at=at), ledger_totals(db, at=at)


def _places(ledgers: tuple[Ledger, ...], imports: dict[str, ImportRow]) -> list[LedgerPlace]:
    return [
        LedgerPlace(
            tool=ledger.tool,
            kind=ledger.kind.name,
            path=ledger.shown,
            exists=there(ledger),
            last_import=_last(imports.get(ledger.shown)),
        )
        for ledger in ledgers
    ]


def _last(row: ImportRow | None) -> LastImport | None:
    if row is None:
        return None
    return LastImport(
        imported_at=iso(row.imported_at),
        rows=row.rows,
        skipped=row.skipped,
        errors=row.errors,
        latest_ts=row.latest_ts,
        problems=list(row.problems),
        position=row.position,
    )
