"""Usage that Cline wrote down itself (contract 26-28)."""

import asyncio
import sqlite3
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from api.bodies import RequestBody, documented, read
from api.fields import FROM_TEXT, MAX_INT, UNICODE
from api.ledger_desk import there
from api.ledger_shapes import Imported, import_answer
from api.reading import PAST, Reads
from api.services import Use
from api.times import iso
from api.writing import Writes
from ledgers.catalogue import Ledger
from projections.ledger_rows import TaskRow, latest_use, list_tasks, task_count
from projections.paging import Page
from schema.ledgers import Tool

router = APIRouter(prefix="/api/cline", tags=["ledgers"])

CLINE: tuple[Tool, ...] = ("cline",)
_MOST = 1_000
LedgerPath = Annotated[str, Field(min_length=1, max_length=4_096), UNICODE]
AnyInt = Annotated[int, FROM_TEXT, Query()]


class KnownLedger(BaseModel):
    path: str
    kind: str
    exists: bool


class ClineStatus(BaseModel):
    """`latest_ts` is the last use on record, in milliseconds since the epoch; `ledgers` are the places that may be
    read, `exists` as it is now; `total` is the number of tasks on record."""

    latest_ts: int | None
    ledgers: list[KnownLedger]
    total: int


class ClineTask(BaseModel):
    """`ts` in milliseconds since the epoch, `total_cost` in USD as Cline worked it out, 0 where it did not."""

    task_id: str
    ts: int
    model_id: str | None
    tokens_in: int
    tokens_out: int
    total_cost: float
    imported_at: str


class ClineUsage(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "items": [
                        {
                            "task_id": "1795390400000",
                            "ts": 1795390431123,
                            "model_id": "gpt-5",
                            "tokens_in": 81200,
                            "tokens_out": 2310,
                            "total_cost": 0.1246,
                            "imported_at": "2026-11-22T23:33:51.123Z",
                        }
                    ],
                    "limit": 100,
                    "offset": 0,
                    "total": 1,
                }
            ]
        }
    )

    items: list[ClineTask]
    limit: int
    offset: int
    total: int


class ImportBody(RequestBody):
    """`path` is one of the ledgers of the status; without it, all of them are read."""

    path: LedgerPath | None = None


@router.get("/status", dependencies=PAST)
async def status(reads: Reads, services: Use) -> ClineStatus:
    """Which ledgers of Cline there may be, and what was taken over of them."""
    latest, count = await reads.run(_latest)
    ledgers = await asyncio.to_thread(_known, services.ledgers.of("cline"))
    return ClineStatus(latest_ts=latest, ledgers=ledgers, total=count)


@router.get("/usage", dependencies=PAST)
async def usage(reads: Reads, limit: AnyInt = 100, offset: AnyInt = 0) -> ClineUsage:
    """Tasks, used last first. `limit` is brought to 0 to 1000, `offset` to 0 or more."""
    limit, offset = min(max(limit, 0), _MOST), min(max(offset, 0), MAX_INT)
    page: Page[TaskRow] = await reads.run(list_tasks, tools=CLINE, limit=limit, offset=offset)
    return ClineUsage(items=[_task(row) for row in page.rows], limit=limit, offset=offset, total=page.total)


@router.post("/import", openapi_extra=documented(ImportBody))
async def take_over(body: Annotated[ImportBody, Depends(read(ImportBody))], services: Use, writes: Writes) -> Imported:
    """Take over what Cline has written down: numbers, no texts. What is on record already appends nothing."""
    names = services.ledgers.names(body.path) if body.path is not None else None
    outcome = await writes.append(lambda: services.ledgers.work("cline", body.path, writes.metadata, writes.part))
    return await writes.read(outcome, import_answer, names, CLINE, outcome.count)


def _latest(db: sqlite3.Connection, *, at: int) -> tuple[int | None, int]:
    return latest_use(db, "cline", at=at), task_count(db, "cline", at=at)


def _known(ledgers: list[Ledger]) -> list[KnownLedger]:
    return [KnownLedger(path=each.shown, kind=each.kind.name, exists=there(each)) for each in ledgers]


def _task(row: TaskRow) -> ClineTask:
    return ClineTask(
        task_id=row.task_id,
        ts=row.ts,
        model_id=row.model_id,
        tokens_in=row.tokens_in,
        tokens_out=row.tokens_out,
        total_cost=row.total_cost or 0.0,
        imported_at=iso(row.imported_at),
    )
