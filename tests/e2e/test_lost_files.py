"""A data directory that lost a file, or a part of one: what can be gone on from is, and nothing is made worse."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from schema.keys import KeyStore
from schema.log import EventLog
from tests.e2e.processes import ProxyProcess
from tests.e2e.test_cli import inside

NAMED = {"name": "by hand"}


@pytest.fixture
def stopped() -> Iterator[ProxyProcess]:
    """A proxy that has ended; sessions 1 and 2, an exchange in each."""
    with ProxyProcess() as proxy:
        for number in ("1", "2"):
            httpx.post(f"{proxy.url}/api/sessions", json=NAMED, timeout=30)
            proxy.finished(chat(proxy, number).headers["x-exchange-id"])
        proxy.stop()
        yield proxy


def chat(proxy: ProxyProcess, session_id: str) -> httpx.Response:
    body = {"model": "demo/echo", "messages": [{"role": "user", "content": f"in {session_id}"}]}
    return httpx.post(f"{proxy.url}/v1/chat/completions", json=body, headers={"X-Session-Id": session_id}, timeout=30)


def run(proxy: ProxyProcess, *statements: str, name: str = "events") -> None:
    with closing(sqlite3.connect(proxy.data / f"{name}.sqlite", isolation_level=None)) as db:
        triggers = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for trigger, _ in triggers:
            db.execute(f"DROP TRIGGER {trigger}")
        for statement in (*statements, *(sql for _, sql in triggers)):
            db.execute(statement)


def empty(path: Path) -> None:
    for beside in path.parent.glob(f"{path.name}-*"):
        beside.unlink()
    path.write_bytes(b"")


def doctor(proxy: ProxyProcess, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    capsys.readouterr()
    code = inside("doctor", "--offline", "--json", "--data-dir", str(proxy.data))
    return code, " ".join(each["text"] for each in json.loads(capsys.readouterr().out) if each["state"] == "fail")


@pytest.mark.parametrize("name", ["events", "keys"])
@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("rebuild",)])
def test_what_cannot_be_gone_on_from_is_refused_and_left_as_it_is(
    stopped: ProxyProcess, name: str, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    empty(stopped.data / f"{name}.sqlite")
    tables = (stopped.data / "read.sqlite").read_bytes()
    code, said = doctor(stopped, capsys)
    assert (code, f"{name}.sqlite is empty" in said) == (1, True)
    assert inside(*command, "--data-dir", str(stopped.data)) == 3
    assert f"the data directory cannot be used: {name}.sqlite is empty" in capsys.readouterr().err
    assert (stopped.data / f"{name}.sqlite").read_bytes() == b""
    assert (stopped.data / "read.sqlite").read_bytes() == tables


def test_a_log_that_was_emptied_is_not_taken_for_a_new_one(
    stopped: ProxyProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty(stopped.data / "events.sqlite")
    with closing(KeyStore(tmp_path / "keys.sqlite")) as others:
        EventLog(stopped.data / "events.sqlite", others).close()
    run(stopped, "DELETE FROM heads", "DELETE FROM secrets", name="keys")
    places = ("--data-dir", str(stopped.data))
    assert inside("verify", *places) == 1
    assert "no event is in the log, but keys.sqlite knows one" in capsys.readouterr().out
    for command in (("events",), ("backup", str(tmp_path / "copy"))):
        assert inside(*command, *places) == 3
        assert "events.sqlite is empty, but keys.sqlite knows a log" in capsys.readouterr().err
    assert not (tmp_path / "copy").exists()
    assert inside("restore", str(stopped.data), "--data-dir", str(tmp_path / "back")) == 1


def test_tables_are_not_emptied_where_nothing_is_left_of_their_log(
    stopped: ProxyProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("events", "keys"):
        empty(stopped.data / f"{name}.sqlite")
    tables = (stopped.data / "read.sqlite").read_bytes()
    assert inside("rebuild", "--data-dir", str(stopped.data)) == 3
    assert "its log holds no event, its read tables had reached event" in capsys.readouterr().err
    assert (stopped.data / "read.sqlite").read_bytes() == tables


def test_a_log_that_lost_its_end_is_gone_on_from_with_new_ids(
    stopped: ProxyProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(stopped.data / "events.sqlite")) as db:
        head = db.execute("SELECT max(position) FROM events").fetchone()[0]
    left = head - 4
    run(stopped, f"DELETE FROM events WHERE position > {left}", f"DELETE FROM blobs WHERE position > {left}")
    code, said = doctor(stopped, capsys)
    assert (code, f"events {left + 1} to {head}, which were there" in said) == (1, True)
    stopped.start()
    assert httpx.get(f"{stopped.url}/health", timeout=30).json()["status"] == "degraded"
    stopped.until_ready()
    assert f"events {left + 1} to {head}," in stopped.get("/health")["error"]
    gap = stopped.get(f"/api/events/{left + 1}")
    assert (gap["type"], gap["data"]["count"], gap["data"]["upto"]) == ("RecordingGap", 4, head)
    assert int(httpx.post(f"{stopped.url}/api/sessions", json=NAMED, timeout=30).json()["id"]) > head
    assert int(chat(stopped, "1").headers["x-exchange-id"]) > head
    stopped.stop()
    assert f"events {left + 1} to {head}, which were there" in stopped.log.read_text(encoding="utf-8")
    stopped.start()
    assert httpx.get(f"{stopped.url}/health", timeout=30).json()["status"] == "ok"


def test_a_session_without_its_key_is_left_alone_and_others_go_on(
    stopped: ProxyProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    run(stopped, "DELETE FROM session_keys WHERE session_id = 1", name="keys")
    code, said = doctor(stopped, capsys)
    assert (code, "the keys of sessions 1 are missing from keys.sqlite" in said) == (1, True)
    check_goes_on_without(stopped, "1", "2")


def test_secrets_that_are_gone_are_told_of(stopped: ProxyProcess, capsys: pytest.CaptureFixture[str]) -> None:
    run(stopped, "DELETE FROM secrets", name="keys")
    code, said = doctor(stopped, capsys)
    assert (code, "the secrets for client keys, idempotency keys, mcp sessions, message hashes" in said) == (1, True)
    assert inside("verify", "--data-dir", str(stopped.data)) == 1
    assert "changed_secret: keys.sqlite: the secret for idempotency keys is missing" in capsys.readouterr().out
    stopped.start()
    assert "the secrets for client keys" in stopped.get("/health")["error"]
    stopped.stop()
    stopped.start()
    assert stopped.get("/health")["status"] == "ok"
    stopped.stop()
    assert inside("verify", "--data-dir", str(stopped.data)) == 1


def test_going_on_without_any_key_is_asked_for(stopped: ProxyProcess) -> None:
    for path in stopped.data.glob("keys.sqlite*"):
        path.unlink()
    assert inside("serve", "--port", "0", "--data-dir", str(stopped.data)) == 3
    stopped.start(0, "--without-keys")
    new = str(httpx.post(f"{stopped.url}/api/sessions", json=NAMED, timeout=30).json()["id"])
    stopped.stop()
    check_goes_on_without(stopped, "1", new)


def check_goes_on_without(proxy: ProxyProcess, lost: str, other: str) -> None:
    proxy.start()
    proxy.until_ready()
    assert httpx.get(f"{proxy.url}/health", timeout=30).json()["status"] == "degraded"
    assert chat(proxy, lost).status_code == 200
    kept = chat(proxy, other)
    assert proxy.finished(kept.headers["x-exchange-id"])["outcome"] == "completed"
    refused = httpx.patch(f"{proxy.url}/api/sessions/{lost}", json={"name": "another"}, timeout=30)
    assert (refused.status_code, f"session {lost} has no key" in refused.text) == (503, True)
    with closing(sqlite3.connect(proxy.data / "keys.sqlite")) as db:
        assert int(lost) not in {row[0] for row in db.execute("SELECT session_id FROM session_keys")}
    wanted = {"confirm": True, "reason": "its key is lost"}
    erased = httpx.post(f"{proxy.url}/api/sessions/{lost}/erase", json=wanted, timeout=30)
    assert erased.status_code == 200, erased.text


@pytest.mark.parametrize("content", [b"", b"no database at all" * 500])
def test_a_copy_is_put_in_the_place_of_a_log_that_is_gone_or_damaged(
    stopped: ProxyProcess, content: bytes, tmp_path: Path
) -> None:
    copy, places = str(tmp_path / "copy"), ("--data-dir", str(stopped.data))
    assert inside("backup", copy, *places) == 0
    empty(stopped.data / "events.sqlite")
    (stopped.data / "events.sqlite").write_bytes(content)
    if content:
        assert inside("restore", copy, *places) == 2
    assert inside("restore", copy, *places, *(("--accept-head",) if content else ())) == 0
    assert inside("verify", *places) == 0


def test_a_copy_without_write_ahead_logs_is_read_and_taken_back(
    stopped: ProxyProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As another program makes it with `VACUUM INTO`."""
    copy, back = tmp_path / "copy", tmp_path / "back"
    copy.mkdir()
    for name in ("events.sqlite", "keys.sqlite"):
        with closing(sqlite3.connect(stopped.data / name)) as db:
            db.execute("VACUUM INTO ?", (str(copy / name),))
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    for arguments in (("verify",), ("events",), ("backup", str(tmp_path / "again")), ("doctor", "--offline")):
        inside(*arguments, "--data-dir", str(copy), "--json")
        said = capsys.readouterr()
        assert "cannot be" not in said.out + said.err, (arguments, said)
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before
    assert inside("restore", str(copy), "--data-dir", str(back)) == 0
    assert inside("verify", "--data-dir", str(back)) == 0


@pytest.mark.parametrize("name", ["keys", "read"])
def test_it_starts_where_another_program_locks_a_file(stopped: ProxyProcess, name: str) -> None:
    with closing(sqlite3.connect(stopped.data / f"{name}.sqlite", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        stopped.start()
        assert chat(stopped, "1").status_code == 200
    stopped.until_ready()
    assert len(stopped.get("/api/exchanges")["exchanges"]) == 3
    stopped.stop()
    assert inside("verify", "--data-dir", str(stopped.data)) == 0


def test_an_end_that_only_the_read_tables_remember(stopped: ProxyProcess, capsys: pytest.CaptureFixture[str]) -> None:
    run(stopped, "DELETE FROM events WHERE position > 6", "DELETE FROM blobs WHERE position > 6")
    run(stopped, "DELETE FROM heads", name="keys")
    code, said = doctor(stopped, capsys)
    assert (code, "it lost its end" in said, "events 7 to " in said) == (1, True, True)
    assert inside("rebuild", "--data-dir", str(stopped.data)) == 0
    told = capsys.readouterr().out
    assert "there were no tables of this position to compare with" in told and "events 7 to " in told
