"""read.sqlite, or a table in it, is deleted under a running proxy: what was committed is told, and all comes back."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.api.house import House

_WITHIN_S = 20.0


def gone(path: Path) -> None:
    path.unlink()


def all_of_it_gone(path: Path) -> None:
    for each in path.parent.glob("read.sqlite*"):
        each.unlink()


def replaced(path: Path) -> None:
    path.unlink()
    path.write_bytes(b"")


def overwritten(path: Path) -> None:
    """In place: the file is the same, and its write-ahead log empty."""
    with path.with_name("read.sqlite-wal").open("r+b") as file:
        file.truncate(0)
    with path.open("r+b") as file:
        file.write(b"garbage!" * (path.stat().st_size // 8))


def overwritten_behind_its_log(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"garbage!" * (path.stat().st_size // 8 or 1_000))


def without_a_table(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DROP TABLE session_versions")


def without_tracking(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DROP TABLE positions")


@pytest.mark.parametrize(
    "harm", [gone, all_of_it_gone, replaced, overwritten, overwritten_behind_its_log, without_a_table, without_tracking]
)
async def test_a_write_is_shown_by_tables_that_are_built_anew(
    house: House, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    await house.client.post("/api/sessions", json={"name": "before"})
    harm(tmp_path / "read.sqlite")
    made = await house.client.post("/api/sessions", json={"name": "after"})
    assert (made.status_code, made.headers.get("x-event-position")) in ((200, "4"), (503, "4")), made.text
    await eventually(lambda: listed(house), ["after", "before"])
    assert (await house.client.get("/health")).json()["status"] == "ok"
    assert {each["state"] for each in (await house.client.get("/api/projections")).json()["projections"]} == {"live"}
    rebuilt = await house.client.post("/api/projections/rebuild", json={"wait": True})
    assert (rebuilt.status_code, rebuilt.json()["equal"]) == (200, True)


async def test_a_read_that_fails_has_them_looked_at(house: House, tmp_path: Path) -> None:
    await house.client.post("/api/sessions", json={"name": "before"})
    without_a_table(tmp_path / "read.sqlite")
    first = await house.client.get("/api/sessions")
    assert (first.status_code, first.json()["code"]) == (503, "store_unavailable")
    await eventually(lambda: listed(house), ["before"])


@pytest.mark.parametrize("harm", [all_of_it_gone, overwritten])
async def test_a_rebuild_works_where_they_are_gone(house: House, tmp_path: Path, harm: Callable[[Path], None]) -> None:
    await house.client.post("/api/sessions", json={"name": "before"})
    harm(tmp_path / "read.sqlite")
    rebuilt = await house.client.post("/api/projections/rebuild", json={"wait": True})
    assert (rebuilt.status_code, rebuilt.json()["events"]) == (200, 2)
    assert await listed(house) == ["before"]


async def test_what_is_committed_is_told_while_they_cannot_be_made(house: House, tmp_path: Path) -> None:
    await house.client.post("/api/sessions", json={"name": "before"})
    path = tmp_path / "read.sqlite"
    all_of_it_gone(path)
    (path / "in the way").mkdir(parents=True)
    made = await house.client.post("/api/sessions", json={"name": "after"})
    assert (made.status_code, made.json()["code"]) == (503, "projection_lag")
    assert (made.headers["x-event-position"], house.log.head()) == ("4", 4)
    health = (await house.client.get("/health")).json()
    assert (health["status"], "read.sqlite" in health["error"] or "directory" in health["error"]) == ("degraded", True)
    (path / "in the way").rmdir()
    path.rmdir()
    await eventually(lambda: listed(house), ["after", "before"])
    assert (await house.client.get("/health")).json()["status"] == "ok"


async def listed(house: House) -> list[str] | httpx.Response:
    answer = await house.client.get("/api/sessions")
    return [each["name"] for each in answer.json()] if answer.status_code == 200 else answer


async def eventually(found: Callable[[], Awaitable[object]], wanted: object) -> None:
    end = time.monotonic() + _WITHIN_S
    while (now := await found()) != wanted:
        assert time.monotonic() < end, now
        await asyncio.sleep(0.02)
