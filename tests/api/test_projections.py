"""The read tables' state, made anew under traffic, and the log's verification."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import sys
from asyncio.subprocess import PIPE
from concurrent.futures import Future
from pathlib import Path

import msgspec
import pytest

from api.rebuilds import Rebuilds
from projections import rebuild_process
from projections.catalogue import PROJECTIONS
from schema.workspace import ReadModelRebuilt
from tests.api.house import House


async def test_the_state_of_each_projection(house: House) -> None:
    await house.client.post("/api/sessions", json={"name": "a"})
    answer = await house.client.get("/api/projections")
    found = answer.json()
    assert (answer.status_code, found["head"]) == (200, 2)
    assert {each["name"] for each in found["projections"]} == {each.name for each in PROJECTIONS}
    for each in found["projections"]:
        assert (each["state"], each["position"], each["lag_events"], each["lag_ms"]) == ("live", 2, 0, 0)
    rows = {each["name"]: each["rows"] for each in found["projections"]}
    assert (rows["timeline"], rows["exchanges"]) == (2, 0)


async def test_a_rebuild_under_traffic(house: House) -> None:
    for number in range(20):
        await house.client.post("/api/sessions", json={"name": f"session {number}"})
    before = (await house.client.get("/api/sessions")).json()
    answer, *others = await asyncio.gather(
        house.client.post("/api/projections/rebuild", json={"wait": True}),
        *(house.client.get("/api/sessions/1") for _ in range(30)),
        *(house.client.patch("/api/sessions/2", json={"name": f"renamed {number}"}) for number in range(10)),
    )
    assert {other.status_code for other in others} == {200}
    done = answer.json()
    assert (answer.status_code, done["equal"], done["checksum_before"]) == (200, True, done["checksum_after"])
    assert done["events"] >= 40
    after = (await house.client.get("/api/sessions")).json()
    assert [session["id"] for session in after] == [session["id"] for session in before]
    (rebuilt,) = [recorded.event for recorded in house.events() if recorded.type == "ReadModelRebuilt"]
    assert isinstance(rebuilt, ReadModelRebuilt)
    assert (rebuilt.equal, len(rebuilt.names)) == (True, len(PROJECTIONS))
    await house.client.post("/api/sessions", json={"name": "afterwards"})
    assert (await house.client.get("/api/sessions")).json()[0]["name"] == "afterwards"


async def test_writes_are_shown_while_the_tables_are_made_anew(house: House) -> None:
    """Of a long log that takes longer than a writer waits to read its own write: the process that makes them stands."""
    await house.client.post("/api/sessions", json={"name": "before"})
    async with asyncio.TaskGroup() as group:
        rebuild = group.create_task(house.client.post("/api/projections/rebuild", json={"wait": True}))
        child = await rebuilding_process()
        os.kill(child, signal.SIGSTOP)
        made = await house.client.post("/api/sessions", json={"name": "meanwhile"})
        listed = await house.client.get("/api/sessions")
        renamed = await house.client.patch("/api/sessions/1", json={"name": "renamed"})
        assert not rebuild.done()
        os.kill(child, signal.SIGCONT)
    assert (made.status_code, renamed.status_code) == (200, 200)
    assert [session["name"] for session in listed.json()] == ["meanwhile", "before"]
    assert (rebuild.result().status_code, rebuild.result().json()["equal"]) == (200, True)
    assert [session["name"] for session in (await house.client.get("/api/sessions")).json()] == ["meanwhile", "renamed"]
    await house.client.post("/api/sessions", json={"name": "afterwards"})
    assert (await house.client.get("/api/sessions")).json()[0]["name"] == "afterwards"


async def test_a_process_that_dies_is_told_and_leaves_nothing(house: House) -> None:
    await house.client.post("/api/sessions", json={"name": "a"})
    async with asyncio.TaskGroup() as group:
        rebuild = group.create_task(house.client.post("/api/projections/rebuild", json={"wait": True}))
        os.kill(await rebuilding_process(), signal.SIGKILL)
    answer = rebuild.result()
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert not list(house.log.path.parent.glob("read.new*"))
    assert (await house.client.get("/api/sessions")).json()[0]["name"] == "a"
    assert (await house.client.post("/api/projections/rebuild", json={"wait": True})).json()["equal"] is True


async def test_the_process_ends_with_the_server(house: House) -> None:
    await house.client.post("/api/sessions", json={"name": "a"})
    command = (sys.executable, "-m", rebuild_process.__name__, str(house.log.path.parent))
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert process.stdout is not None and process.stdin is not None
    async with asyncio.timeout(30):
        said = [msgspec.json.decode(await process.stdout.readline()) for _ in range(2)]
        assert [each["type"] for each in said] == ["Applied", "Built"]
        process.stdin.close()
        assert await process.wait() == 1


async def rebuilding_process() -> int:
    """The one that this process has started."""
    async with asyncio.timeout(20):
        while True:
            for path in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    if (path / "stat").read_text().rsplit(")", 1)[1].split()[1] == str(os.getpid()) and (
                        b"rebuild_process" in (path / "cmdline").read_bytes()
                    ):
                        return int(path.name)
            await asyncio.sleep(0.01)


async def test_tables_that_were_changed_are_told(house: House) -> None:
    await house.client.post("/api/sessions", json={"name": "a"})
    path = house.log.path.with_name("read.sqlite")
    db = sqlite3.connect(path, isolation_level=None, timeout=10)
    db.execute("UPDATE session_versions SET name = 'forged'")
    db.close()
    assert (await house.client.get("/api/sessions/1")).json()["session"]["name"] == "forged"
    done = (await house.client.post("/api/projections/rebuild", json={"wait": True})).json()
    assert (done["equal"], done["checksum_before"]) == (False, None)
    assert (await house.client.get("/api/sessions/1")).json()["session"]["name"] == "a"


async def test_without_waiting_it_is_started(house: House) -> None:
    answer = await house.client.post("/api/projections/rebuild", json={"names": ["timeline"]})
    assert (answer.status_code, answer.json()) == (202, {"started": True, "names": ["timeline"]})
    async with asyncio.timeout(10):
        while "ReadModelRebuilt" not in house.types():
            await asyncio.sleep(0.01)


async def test_one_at_a_time(house: House) -> None:
    calls = [house.client.post("/api/projections/rebuild", json={"wait": True}) for _ in range(3)]
    answers = await asyncio.gather(*calls)
    refused = [answer for answer in answers if answer.status_code != 200]
    assert {(answer.status_code, answer.json()["code"]) for answer in refused} <= {(409, "rebuild_running")}
    assert len(refused) < 3


@pytest.mark.parametrize("body", [{"names": ["nothing"]}, {"names": []}, {"names": "timeline"}, {"wait": 1}])
async def test_bad_requests(house: House, body: dict[str, object]) -> None:
    answer = await house.client.post("/api/projections/rebuild", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_field")
    assert house.types() == []


async def test_the_log_is_verified(house: House) -> None:
    await house.client.post("/api/sessions", json={"name": "a"})
    found = (await house.client.get("/api/log/verify")).json()
    assert (found["ok"], found["from"], found["to"], found["checked"]) == (True, 1, 2, 2)
    assert found["head_hash"] == house.events()[-1].hash
    part = (await house.client.get("/api/log/verify?from=2&to=2")).json()
    assert (part["ok"], part["checked"]) == (True, 1)
    assert (await house.client.get("/api/log/verify?to=99")).json()["to"] == 2
    for query, name in (("from=3", "from"), ("from=99999&to=99999", "from"), ("from=2&to=1", "to")):
        answer = await house.client.get(f"/api/log/verify?{query}")
        assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["query", name])
    for query in ("from=0", "to=x", "from=1e3", "at=1"):
        assert (await house.client.get(f"/api/log/verify?{query}")).status_code == 422


async def test_room_is_given_back_to_the_disk(house: House) -> None:
    await house.client.post("/api/sessions", json={})
    answer = await house.client.post("/api/sessions/vacuum", headers={"Idempotency-Key": "v"})
    body = answer.json()
    assert (answer.status_code, set(body), house.types()[-1]) == (200, {"message", "database"}, "DatabaseVacuumed")
    database = body["database"]
    assert set(database) == {
        "path", "size_before_bytes", "size_after_bytes", "space_saved_bytes", "space_saved_mb",
    }  # fmt: skip
    assert database["space_saved_bytes"] == database["size_before_bytes"] - database["size_after_bytes"]
    assert 0 < database["size_after_bytes"] < database["size_before_bytes"]  # the write-ahead logs are gone
    assert answer.headers["x-event-position"] == "3"
    again = await house.client.post("/api/sessions/vacuum", headers={"Idempotency-Key": "v"})
    assert (again.json(), again.headers["idempotent-replayed"], house.log.head()) == (body, "true", 3)
    assert (await house.client.get("/api/sessions")).json()[0]["id"] == 1
    assert (await house.client.post("/api/sessions", json={})).status_code == 200


async def test_free_pages_are_given_back(house: House) -> None:
    def fill(db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE filler(data BLOB)")
        db.execute("INSERT INTO filler VALUES (zeroblob(3000000))")
        db.execute("DROP TABLE filler")

    await house.appender.between(fill)
    await asyncio.wrap_future(house.runner.between(fill))
    database = (await house.client.post("/api/sessions/vacuum")).json()["database"]
    assert database["space_saved_bytes"] > 6_000_000


async def test_no_vacuum_on_a_full_disk(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    failed: Future[None] = Future()
    failed.set_exception(full)
    monkeypatch.setattr(house.runner, "between", lambda work: failed)
    answer = await house.client.post("/api/sessions/vacuum")
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert answer.json()["error"] == "The files cannot be made smaller: database or disk is full."


async def test_no_vacuum_beside_a_rebuild(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rebuilds, "running", True)
    answer = await house.client.post("/api/sessions/vacuum")
    assert (answer.status_code, answer.json()["code"], house.types()) == (409, "rebuild_running", [])


async def test_work_between_commits_tells_how_it_ended(house: House) -> None:
    def fail(db: sqlite3.Connection) -> None:
        db.execute("SELECT missing FROM sqlite_schema")

    with pytest.raises(sqlite3.OperationalError, match="no such column"):
        await house.appender.between(fail)
    with pytest.raises(sqlite3.OperationalError, match="no such column"):
        await asyncio.wrap_future(house.runner.between(fail))
