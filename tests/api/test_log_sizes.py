"""What the log takes by session, and the room that is left on the disk."""

import logging
import shutil
from pathlib import Path
from typing import Any

import pytest

from api.disk import CRITICAL_BYTES, LOW_BYTES, Disk, DiskWatch, disk_of
from tests.api.house import House
from tests.projections.building import started


async def _sizes(house: House, query: str = "") -> dict[str, Any]:
    answer = await house.client.get(f"/api/log/sizes{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_an_empty_log_takes_nothing(house: House) -> None:
    found = await _sizes(house)
    assert (found["sessions"], found["total"], found["events"], found["stored_bytes"]) == ([], 0, 0, 0)


async def test_the_largest_session_comes_first(house: House) -> None:
    await house.client.post("/api/sessions", json={"name": "small"})
    await house.client.post("/api/sessions", json={"name": "large"})
    before = house.log.head()
    await house.client.post("/api/sessions/toggle-auto", json={"enabled": False})
    for number in range(1, 9):
        await house.record(started(number, 2), stream=f"exchange-{number}")
    found = await _sizes(house)
    large, small = found["sessions"]
    assert (large["session_id"], large["name"], small["session_id"], small["name"]) == (2, "large", 1, "small")
    assert large["stored_bytes"] > small["stored_bytes"] > 0
    assert large["share"] + small["share"] == pytest.approx(100, abs=0.02)
    counts = [await house.client.get(f"/api/sessions/{number}/events") for number in (1, 2)]
    assert [small["events"], large["events"]] == [answer.json()["total"] for answer in counts]
    assert found["events"] == house.log.head()
    assert found["stored_bytes"] > large["stored_bytes"] + small["stored_bytes"]
    assert (await _sizes(house, "?limit=1"))["sessions"] == [large]
    assert (await _sizes(house, f"?at={before}"))["events"] == before
    assert (await _sizes(house, "?at=1"))["total"] == 1


async def test_the_rows_of_many_events_count_too(house: House) -> None:
    for name in ("n" * 100, "many", "few"):
        await house.client.post("/api/sessions", json={"name": name})
    for _ in range(3):
        await house.client.post("/api/sessions/2/activate")
        await house.client.post("/api/sessions/1/activate")
    stored = [each["stored_bytes"] for each in (await _sizes(house))["sessions"]]
    assert len(stored) == 3
    assert stored == sorted(stored, reverse=True)


@pytest.mark.parametrize("query", ["?limit=0", "?limit=501", "?limit=x", "?at=99", "?at=x"])
async def test_what_it_does_not_take(house: House, query: str) -> None:
    assert (await house.client.get(f"/api/log/sizes{query}")).status_code in {400, 422}


def test_the_levels_of_room() -> None:
    sizes = (CRITICAL_BYTES - 1, CRITICAL_BYTES, LOW_BYTES - 1, LOW_BYTES)
    assert [Disk(size).status for size in sizes] == ["critical", "low", "low", "ok"]


def test_the_room_is_that_of_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    class Usage:
        free = 7

    def usage(path: Path) -> Usage:
        asked.append(path)
        return Usage()

    monkeypatch.setattr(shutil, "disk_usage", usage)
    assert disk_of(tmp_path).free_bytes == 7
    assert asked == [tmp_path]


def test_each_change_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    watch = DiskWatch(tmp_path)
    with caplog.at_level(logging.INFO, "chronoproxy.disk"):
        for free in (LOW_BYTES, LOW_BYTES - 1, LOW_BYTES - 2, 5, 6, LOW_BYTES, LOW_BYTES + 1):
            watch.look(Disk(free))
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR", "INFO"]
    assert str(tmp_path) in caplog.text
