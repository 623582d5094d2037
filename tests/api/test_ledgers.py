"""Ledgers taken over: what stands there, once, as of any moment, and nothing from anywhere else."""

import asyncio
import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.house import House
from tests.api.ledger_files import CLINE, FIRST_MS, history, item


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


async def take(house: House, route: str = "/api/cline/import", /, **body: Any) -> httpx.Response:
    return await house.client.post(route, json=body)


async def usage(house: House, query: str = "") -> Any:
    return (await house.client.get(f"/api/cline/usage{query}")).json()


async def test_a_history_is_taken_over(house: House, home: Path) -> None:
    assert (await take(house)).json() == {
        "imported_count": 0, "skipped_count": 0, "error_count": 0, "latest_ts": None, "problems": [],
    }  # fmt: skip
    history(home, [item(1), item(2, totalCost=None)])
    answer = await take(house)
    assert answer.status_code == 200
    assert answer.json()["imported_count"] == 2
    assert answer.json()["latest_ts"] == FIRST_MS + 1_002
    assert (answer.headers["x-event-count"], answer.headers["x-event-position"]) == ("3", "3")
    assert house.types() == ["TaskUsageImported", "TaskUsageImported", "LedgerImported"]
    page = await usage(house)
    assert (page["total"], page["limit"], page["offset"]) == (2, 100, 0)
    first = page["items"][0]
    assert {**first, "imported_at": ""} == {
        "task_id": str(FIRST_MS + 2), "ts": FIRST_MS + 1_002, "model_id": "gpt-5", "tokens_in": 102, "tokens_out": 10,
        "total_cost": 0.0, "imported_at": "",
    }  # fmt: skip
    status = (await house.client.get("/api/cline/status")).json()
    assert (status["latest_ts"], status["total"]) == (FIRST_MS + 1_002, 2)
    there = [ledger["path"] for ledger in status["ledgers"] if ledger["exists"]]
    assert there == [f"~/{CLINE}"]


async def test_nothing_that_somebody_wrote_is_kept(house: House, home: Path, tmp_path: Path) -> None:
    history(home, [item(1)])
    await take(house)
    house.log.close()
    for file in tmp_path.glob("*.sqlite*"):
        assert not any(text in file.read_bytes() for text in (b"a secret", b"somebody")), file


async def test_the_same_again_is_nothing(house: House, home: Path) -> None:
    history(home, [item(1), item(2)])
    await take(house)
    answer = await take(house)
    assert (answer.json()["imported_count"], answer.json()["skipped_count"]) == (0, 2)
    assert (answer.headers["x-event-count"], answer.headers["x-event-position"]) == ("0", "3")
    history(home, [item(1), item(2, ts=FIRST_MS + 9_000, tokensIn=500), item(3)])
    answer = await take(house)
    assert (answer.json()["imported_count"], answer.json()["skipped_count"]) == (2, 1)
    assert [each["tokens_in"] for each in (await usage(house))["items"]] == [500, 103, 101]
    assert [each["tokens_in"] for each in (await usage(house, "?at=3"))["items"]] == [102, 101]
    assert (await usage(house, "?at=1"))["total"] == 1
    assert (await usage(house, "?at=0"))["items"] == []
    assert (await house.client.get("/api/cline/status?at=3")).json()["latest_ts"] == FIRST_MS + 1_002


async def test_two_imports_at_once_are_one(house: House, home: Path) -> None:
    history(home, [item(number) for number in range(50)])
    answers = await asyncio.gather(*(take(house) for _ in range(4)))
    assert sorted(answer.json()["imported_count"] for answer in answers) == [0, 0, 0, 50]
    assert len(house.events()) == 51


async def test_a_long_history_comes_in_parts(house: House, home: Path) -> None:
    history(home, [item(number) for number in range(1_800)])
    first = await take(house)
    assert (first.headers["x-event-count"], first.headers["x-event-position"]) == ("1801", "1801")
    answer = first.json()
    assert (answer["imported_count"], answer["skipped_count"]) == (1_800, 0)
    assert house.types().count("LedgerImported") == 1
    assert len(house.events()) == 1_801
    answer = (await take(house)).json()
    assert (answer["imported_count"], answer["skipped_count"]) == (0, 1_800)
    history(home, [item(number) for number in range(1_799)] + [item(1_799, tokensIn=1)])
    assert (await take(house)).json()["imported_count"] == 1
    totals = (await house.client.get("/api/ledgers")).json()["tools"][0]["imported"]
    assert totals["tokens_in"] == sum(100 + number for number in range(1_799)) + 1


async def test_a_task_that_stands_there_twice_counts_once(house: House, home: Path) -> None:
    history(home, [item(1, ts=FIRST_MS + 5_000, tokensIn=7), item(1), item(1), item(2)])
    answer = (await take(house)).json()
    assert (answer["imported_count"], answer["skipped_count"]) == (2, 2)
    assert [each["tokens_in"] for each in (await usage(house))["items"]] == [7, 102]
    assert (await take(house)).headers["x-event-count"] == "0"


async def test_a_ledger_that_is_gone(house: House, home: Path) -> None:
    history(home, [item(1)])
    await take(house)
    (home / CLINE).unlink()
    answer = (await take(house)).json()
    assert (answer["imported_count"], answer["skipped_count"], answer["error_count"]) == (0, 0, 0)
    assert (await usage(house))["total"] == 1
    assert (await take(house)).headers["x-event-count"] == "0"


async def test_what_an_import_changed(house: House, home: Path) -> None:
    history(home, [item(1)])
    await take(house)
    history(home, [item(1, tokensIn=500, ts=FIRST_MS + 9_000)])
    await take(house)
    detail = (await house.client.get("/api/events/3")).json()
    changes = {change["field"]: (change["before"], change["after"]) for change in detail["changes"]}
    assert {change["entity"] for change in detail["changes"]} == {f"task:cline/{FIRST_MS + 1}"}
    assert (changes["tokens_in"], changes["ts"]) == ((101, 500), (FIRST_MS + 1_001, FIRST_MS + 9_000))
    assert detail["summary"] == f"500 tokens in and 10 out of cline task {FIRST_MS + 1} imported"


async def test_a_long_database(house: House, home: Path) -> None:
    """Its reading goes on in other threads than it began in."""
    path = home / ".cline/data/db/sessions.db"
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE sessions(session_id TEXT, started_at TEXT, metadata_json TEXT)")
        rows = [(f"s{number}", "2026-11-22T00:00:00Z", '{"tokensIn":1}') for number in range(1_000)]
        db.executemany("INSERT INTO sessions VALUES (?, ?, ?)", rows)
        db.commit()

    async def others() -> None:
        for _ in range(200):
            await asyncio.gather(*(asyncio.to_thread(time.sleep, 0.001) for _ in range(4)))

    busy = asyncio.get_running_loop().create_task(others())
    answer = (await take(house)).json()
    busy.cancel()
    await asyncio.gather(busy, return_exceptions=True)
    assert (answer["imported_count"], answer["error_count"]) == (1_000, 0)


async def test_pages(house: House, home: Path) -> None:
    history(home, [item(number) for number in range(5)])
    await take(house)
    found = await usage(house, "?limit=2&offset=1")
    assert [each["tokens_in"] for each in found["items"]] == [103, 102]
    assert (found["total"], found["limit"], found["offset"]) == (5, 2, 1)
    assert (await usage(house, "?limit=-3"))["limit"] == 0
    assert (await usage(house, "?limit=100000"))["limit"] == 1_000
    assert (await usage(house, "?offset=-1"))["offset"] == 0
    assert (await usage(house, "?offset=9999999999999999999"))["items"] == []


async def test_a_key_gives_the_same_answer(house: House, home: Path) -> None:
    history(home, [item(1), item(2, tokensIn=-1)])
    for key in ("one", "two"):
        first = await house.client.post("/api/cline/import", headers={"Idempotency-Key": key})
        again = await house.client.post("/api/cline/import", headers={"Idempotency-Key": key})
        assert again.headers["idempotent-replayed"] == "true"
        assert again.json() == first.json()
        assert first.json()["error_count"] == 1
    assert len(house.events()) == 2


async def test_one_ledger(house: House, home: Path) -> None:
    shown, whole = f"~/{CLINE}", str((home / CLINE).resolve())
    for path in (shown, whole):
        missing = await take(house, path=path)
        assert (missing.status_code, missing.json()["code"]) == (404, "ledger_not_found")
        assert missing.json()["detail"] == missing.json()["error"]
    history(home, [item(1)])
    assert (await take(house, path=shown)).json()["imported_count"] == 1
    history(home, [item(2)])
    assert (await take(house, path=whole)).json()["imported_count"] == 1


async def test_other_paths_are_refused(house: House) -> None:
    others = ("/etc/passwd", "~/.cline", "~/.cline/data/state/../../../x", "taskHistory.json", "a\0b", "~root/x", "//")
    for path in others:
        answer = await take(house, path=path)
        assert (answer.status_code, answer.json()["code"]) == (422, "path_not_allowed"), path
        assert answer.json()["detail"][0]["loc"] == ["body", "path"]
    assert house.events() == []


async def test_a_link_out_is_refused(house: House, home: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.json"
    outside.write_text(json.dumps([item(1)]))
    (home / CLINE).parent.mkdir(parents=True)
    (home / CLINE).symlink_to(outside)
    answer = (await take(house)).json()
    assert (answer["imported_count"], answer["error_count"]) == (0, 1)
    assert answer["problems"] == [f"~/{CLINE}: the ledger leads out of the places that may be read"]
    (home / CLINE).unlink()
    (home / CLINE.parent).rmdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / CLINE.name).write_text(json.dumps([item(1)]))
    (home / CLINE.parent).symlink_to(tmp_path / "elsewhere")
    assert (await take(house)).json()["error_count"] == 1
    assert (await usage(house))["total"] == 0


async def test_the_sums_of_a_tool(house: House, home: Path) -> None:
    history(home, [item(1), item(2)])
    answer = await take(house, "/api/ledgers/import", tool="cline")
    assert answer.json()["imported_count"] == 2
    found = (await house.client.get("/api/ledgers")).json()
    (totals,) = found["tools"]
    assert totals["imported"] == {"tokens_in": 203, "tokens_out": 20, "cost": 0.5}
    assert totals["counted"] == totals["imported"]
    assert totals["matched"] == {"tokens_in": 0, "tokens_out": 0, "cost": 0}
    (place,) = [each for each in found["ledgers"] if each["exists"]]
    assert (place["last_import"]["rows"], place["last_import"]["position"]) == (2, 3)
    page = (await house.client.get("/api/ledgers/usage?matched=false")).json()
    assert (page["total"], page["items"][0]["source"], page["items"][0]["counted_in"]) == (2, "imported", 102)
    assert (await house.client.get("/api/ledgers/usage?matched=true")).json()["total"] == 0
    assert (await house.client.get("/api/ledgers/usage?tool=codex")).json()["total"] == 0
    assert (await house.client.get("/api/ledgers/usage?tool=nano")).status_code == 422
    assert (await house.client.get("/api/ledgers?at=0")).json()["tools"] == []


def transcript(home: Path, name: str, *answers: tuple[str, str, str, int]) -> Path:
    """Of Claude Code: each answer's id, day, model and tokens."""
    path = home / f".claude/projects/-x/{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (
        {
            "type": "assistant", "timestamp": f"{day}T10:00:00Z", "sessionId": name, "requestId": f"r-{number}",
            "message": {"id": number, "model": model, "usage": {"input_tokens": tokens, "output_tokens": tokens}},
        }
        for number, day, model, tokens in answers
    )  # fmt: skip
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


async def spent(house: House, query: str) -> dict[str, int]:
    groups = (await house.client.get(f"/api/usage?{query}")).json()["groups"]
    return {group["key"]: group["input_tokens"] for group in groups}


async def test_usage_of_a_session_lies_on_its_days_and_models(house: House, home: Path) -> None:
    transcript(home, "s1", ("a", "2026-11-10", "opus", 1_000), ("b", "2026-11-12", "haiku", 2_000))
    await take(house, "/api/ledgers/import")
    assert await spent(house, "group_by=day") == {"2026-11-10": 1_000, "2026-11-12": 2_000}
    assert await spent(house, "group_by=model") == {"claude_code/opus": 1_000, "claude_code/haiku": 2_000}
    assert await spent(house, "group_by=model&from=2026-11-10&to=2026-11-10") == {"claude_code/opus": 1_000}


async def test_an_answer_counts_once_also_when_its_transcript_is_gone(house: House, home: Path) -> None:
    """Sessions that were resumed hold copies of what came before; clients delete old transcripts."""
    shared = ("a", "2026-11-10", "opus", 1_000)
    first = transcript(home, "s1", shared)
    transcript(home, "s2", shared, ("b", "2026-11-12", "opus", 20))
    await take(house, "/api/ledgers/import")
    first.unlink()
    third = transcript(home, "s3", shared, ("c", "2026-11-12", "opus", 3))
    await take(house, "/api/ledgers/import")
    found = (await house.client.get("/api/ledgers/usage")).json()["items"]
    assert {task["task_id"]: task["tokens_in"] for task in found} == {"s1": 1_000, "s2": 20, "s3": 3}
    head = house.log.head()
    third.unlink()
    await take(house, "/api/ledgers/import")
    assert (await house.client.get("/api/ledgers/usage")).json()["items"] == found
    assert "TaskUsageImported" not in house.types()[head:]


async def test_a_cost_that_no_client_knows_is_null(house: House, home: Path) -> None:
    transcript(home, "s1", ("a", "2026-11-10", "opus", 1_000))
    history(home, [item(1)])
    await take(house, "/api/ledgers/import")
    tools = {each["tool"]: each for each in (await house.client.get("/api/ledgers")).json()["tools"]}
    costs = {tool: [tools[tool][part]["cost"] for part in ("imported", "matched", "counted")] for tool in tools}
    assert costs == {"claude_code": [None, 0.0, None], "cline": [0.25, 0.0, 0.25]}


async def test_the_last_use_of_an_import_by_path_is_that_ledgers(house: House, home: Path) -> None:
    transcript(home, "s1", ("a", "2026-12-10", "opus", 1_000))
    path = history(home, [item(1)])
    await take(house, "/api/ledgers/import")
    for _ in range(2):
        answer = await take(house, "/api/ledgers/import", path=str(path))
        assert answer.json()["latest_ts"] == FIRST_MS + 1_001
