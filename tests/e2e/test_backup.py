"""A copy made while the proxy works, and its way back."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from schema.keys import KeyStore
from schema.log import EventLog
from tests.e2e.processes import ROOT, MockProcess, ProxyProcess, config_for
from tests.schema.writing import Writing, session


def command(*arguments: str) -> tuple[int, Any]:
    """The exit code, and what was printed as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "chronoproxy", *arguments, "--json"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def ask(proxy: ProxyProcess, text: str) -> None:
    body = {"model": "mock", "messages": [{"role": "user", "content": text}]}
    assert httpx.post(f"{proxy.url}/v1/chat/completions", json=body, timeout=30).status_code == 200


def test_a_copy_under_load_is_whole_and_answers_as_of_its_head(mock: MockProcess, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    with ProxyProcess(config_for(mock.base_url)) as proxy:
        stop = threading.Event()

        def load() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                ask(proxy, f"question {number}")

        threads = [threading.Thread(target=load) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            while httpx.get(f"{proxy.url}/health", timeout=30).json()["position"] < 60:
                pass
            code, made = command("backup", str(target), "--data-dir", str(proxy.data))
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert (code, made["ok"]) == (0, True)
        assert made["head"] >= 60
        head = httpx.get(f"{proxy.url}/health").json()["position"]
        assert made["head"] < head
        expected = proxy.get("/api/exchanges", at=made["head"], limit=500)
    assert {path.name for path in target.iterdir()} >= {"events.sqlite", "keys.sqlite", "backup.json"}
    assert [path.stat().st_mode & 0o077 for path in target.iterdir() if path.suffix == ".sqlite"] == [0, 0]
    assert command("verify", "--data-dir", str(target), "--head", f"{made['head']}:{made['hash']}")[0] == 0

    with ProxyProcess(config_for(mock.base_url)) as other:
        ask(other, "something else")
        locked, text = command("restore", str(target), "--data-dir", str(other.data))
        assert (locked, other.url in text) == (2, True)
        other.stop()
        refused, text = command("restore", str(target), "--data-dir", str(other.data))
        assert (refused, "--accept-head" in text) == (2, True)
        code, done = command("restore", str(target), "--data-dir", str(other.data), "--accept-head")
        assert (code, done["head"]) == (0, made["head"])
        assert (Path(done["aside"]) / "events.sqlite").is_file()
        other.start()
        other.until_ready()
        shown = other.get("/api/exchanges", limit=500, at=made["head"])
        assert [each["id"] for each in shown["exchanges"]] == [each["id"] for each in expected["exchanges"]]
        first = other.get("/api/sessions/1/messages", content="full")["messages"][0]["content"]
        assert first.startswith("question ")
        assert other.get("/api/log/verify")["ok"] is True


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process")
def test_a_copy_that_was_broken_off_is_told_from_other_files(tmp_path: Path) -> None:
    target, data = tmp_path / "copy", tmp_path / "data"
    data.mkdir()
    keys = KeyStore(data / "keys.sqlite")
    log = EventLog(data / "events.sqlite", keys)
    with Writing(log) as writing:
        writing.commit(*map(session, range(1, 301)))
    log.close()
    keys.close()
    program = 'ulimit -f 128; exec "$0" -m chronoproxy backup "$1" --data-dir "$2"'  # files of 64 KiB
    full = ["/bin/sh", "-c", program, sys.executable, str(target), str(data)]
    assert subprocess.run(full, capture_output=True, cwd=ROOT, timeout=60).returncode == 3
    code, text = command("backup", str(target), "--data-dir", str(data))
    assert (code, "holds a backup that was broken off, which can be deleted" in text) == (2, True)
    for name in ("events.sqlite.part", "backup.json.part"):
        (target / name).unlink()
    (target / "events.sqlite").write_bytes(b"")
    assert "is not empty" in command("backup", str(target), "--data-dir", str(data))[1]
    (target / "backup.json.part").write_bytes(b"")
    (target / "mine").write_bytes(b"")
    assert "is not empty" in command("backup", str(target), "--data-dir", str(data))[1]
    code, text = command("backup", str(target / "mine" / "copy"), "--data-dir", str(data))
    assert (code, "mine/copy cannot be used: " in text) == (2, True)


def test_a_copy_that_was_changed_is_not_taken_back(mock: MockProcess, tmp_path: Path) -> None:
    target, empty = tmp_path / "copy", tmp_path / "empty"
    with ProxyProcess(config_for(mock.base_url)) as proxy:
        ask(proxy, "question")
        assert command("backup", str(target), "--data-dir", str(proxy.data))[0] == 0
        code, text = command("backup", str(target), "--data-dir", str(proxy.data))
        assert (code, "not empty" in text) == (2, True)
    path = target / "events.sqlite"
    data = path.read_bytes()
    path.write_bytes(data.replace(b"SessionStarted", b"SessionStartex", 1))
    assert command("restore", str(target), "--data-dir", str(empty))[0] != 0
    assert not (empty / "events.sqlite").exists()
    path.write_bytes(data)
    assert command("restore", str(target), "--data-dir", str(empty))[0] == 0
    assert command("verify", "--data-dir", str(empty))[0] == 0
    assert command("restore", str(tmp_path / "nowhere"), "--data-dir", str(tmp_path / "x"))[0] == 2
