"""What the command line says when the files, a text or a signal are in its way: one line, and the exit code for it."""

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from api.cli_output import json_line, line, printable, table
from schema.keys import KeyStore
from schema.lock import DirectoryLock
from schema.log import EventLog
from tests.e2e.processes import ROOT
from tests.e2e.test_cli import command, inside
from tests.schema.writing import Writing, completed, session, started

TRICKS = "up/a\nb\x1b[31m\x9b0m\u202egnp.exe\u2066 \ud800"


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A directory with a log of three events."""
    keys = KeyStore(tmp_path / "keys.sqlite")
    log = EventLog(tmp_path / "events.sqlite", keys)
    with Writing(log) as writing:
        writing.commit(session(1), started(1), completed(1))
    log.close()
    keys.close()
    return tmp_path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield


def test_a_log_that_another_program_locks_is_told_in_one_line(recorded: Path) -> None:
    with locked(recorded / "events.sqlite"):
        answer = command("serve", "--port", "0", "--data-dir", str(recorded), home=recorded)
    told = [each for each in answer.stderr.splitlines() if each.startswith("chronoproxy: ")]
    assert (answer.returncode, len(told), "Traceback" in answer.stderr) == (3, 1, False), answer.stderr
    assert "the data directory cannot be used" in told[0] and "locked" in told[0]


@pytest.mark.parametrize(
    "arguments", [("fork", "1"), ("what-if", "1"), ("replay", "1", "--against", "http://127.0.0.1:9"), ("reprice",)]
)
def test_an_event_that_cannot_be_read_is_told_in_one_line(
    recorded: Path, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(sqlite3.connect(recorded / "events.sqlite", isolation_level=None)) as db:
        db.execute("DROP TRIGGER events_are_not_changed")
        db.execute("UPDATE events SET data = '{' WHERE position = 2")
    code = inside(*arguments, "--data-dir", str(recorded))
    told = capsys.readouterr().err
    assert (code in (2, 3), "Traceback" in told) == (True, False)
    assert any(each.startswith("chronoproxy: ") for each in told.splitlines())


def test_what_others_wrote_is_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    line(f"1  {TRICKS}")
    table([("a", TRICKS, "b")])
    shown = "up/a\\nb\\x1b[31m\\x9b0m\\u202egnp.exe\\u2066 \\ud800"
    assert capsys.readouterr().out == f"1  {shown}\na  {shown}  b\n"
    json_line({"model": TRICKS[:-2]})
    assert capsys.readouterr().out == '{"model": "up/a\\nb\\u001b[31m\x9b0m\u202egnp.exe\u2066"}\n'
    assert printable("x" * 1_000) == "x" * 1_000
    assert printable("x" * 100_000) == "x" * 999 + "…"


def in_shell(redirected: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = f'exec "$0" -m chronoproxy "$@" {redirected}'
    return subprocess.run(
        ["/bin/sh", "-c", program, sys.executable, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=60
    )


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full")
@pytest.mark.parametrize("arguments", [("events",), ("events", "--json"), ("verify",), ("config", "check")])
@pytest.mark.parametrize(
    ("redirected", "told"),
    [
        (">&-", "the output is closed"),
        (">/dev/full", "the output cannot be written: No space left on device"),
    ],
)
def test_what_cannot_be_said_is_no_fault_of_the_data_directory(
    recorded: Path, redirected: str, told: str, arguments: tuple[str, ...]
) -> None:
    answer = in_shell(redirected, *arguments, "--data-dir", str(recorded))
    assert (answer.returncode, answer.stderr) == (2, f"chronoproxy: {told}\n")
    assert in_shell(f"{redirected} 2>&-", *arguments, "--data-dir", str(recorded)).returncode == 2


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full")
@pytest.mark.parametrize("redirected", [">&-", ">/dev/full"])
def test_a_server_serves_also_where_nobody_can_be_told(tmp_path: Path, redirected: str) -> None:
    program = f'exec "$0" -m chronoproxy serve --port 0 --data-dir "$1" {redirected} 2>"$1/told"'
    process = subprocess.Popen(["/bin/sh", "-c", program, sys.executable, str(tmp_path)], cwd=ROOT)
    lock, deadline = tmp_path / "lock", time.monotonic() + 30
    try:
        while not (lock.exists() and "http://" in lock.read_text()) and time.monotonic() < deadline:
            time.sleep(0.02)
        url = f"http{lock.read_text().partition('http')[2].split()[0]}"
        assert httpx.get(f"{url}/health", timeout=30).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    assert "the output" in (tmp_path / "told").read_text()


def test_a_place_that_cannot_be_written_is_named(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (recorded / "file").write_text("")
    there = str(recorded / "file" / "x")
    own = ("--data-dir", str(recorded))
    for arguments in (("config", "init", "--path", there), ("log", "export", there, *own), ("backup", there, *own)):
        assert inside(*arguments) == 2
        told = capsys.readouterr().err
        assert told.startswith(f"chronoproxy: {there}") and "data directory" not in told


@pytest.mark.parametrize(("status", "code"), [(503, 3), (409, 2)])
def test_what_a_running_server_refuses_has_its_own_code(recorded: Path, status: int, code: int) -> None:
    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b'{"error": "database or disk is full"}')

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server, DirectoryLock(recorded) as lock:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        lock.note(f"the process that serves http://127.0.0.1:{server.server_port}")
        answers = [
            command(*arguments, "--data-dir", str(recorded), home=recorded)
            for arguments in (("rebuild",), ("reprice",))
        ]
        server.shutdown()
    assert [(answer.returncode, "disk is full" in answer.stderr) for answer in answers] == [(code, True)] * 2


def test_notes_of_last_events_that_are_gone_are_named(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect(recorded / "keys.sqlite")) as db:
        db.execute("DROP TABLE heads")
    assert inside("verify", "--data-dir", str(recorded)) == 1
    assert "heads" in capsys.readouterr().out


def test_the_data_directory_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data").write_text("")
    assert inside("doctor", "--offline", "--data-dir", str(tmp_path / "data")) == 1
    assert "is no directory" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(
    ("arguments", "number", "code"),
    [
        (("serve", "--port", "0"), signal.SIGTERM, 0),
        (("serve", "--port", "0"), signal.SIGINT, 130),
        (("events",), signal.SIGINT, 130),
    ],
)
def test_a_signal_while_it_is_being_loaded(
    tmp_path: Path, arguments: tuple[str, ...], number: signal.Signals, code: int
) -> None:
    """It comes when the first module of the program is looked for."""
    asked = "import os, sys, runpy; sys.argv = ['chronoproxy', *sys.argv[2:]]\n" + (
        "class Sent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == 'api.cli': os.kill(os.getpid(), {int(number)})\n"
        "sys.meta_path.insert(0, Sent())\n"
        "runpy.run_module('chronoproxy', run_name='__main__', alter_sys=False)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", asked, "-", *arguments, "--data-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (code, "", "")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_signal_while_it_opens_the_log(recorded: Path) -> None:
    """The log's lock keeps the start where it is."""
    with locked(recorded / "events.sqlite"):
        process = subprocess.Popen(
            [sys.executable, "-m", "chronoproxy", "serve", "--port", "0", "--data-dir", str(recorded)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        deadline = time.monotonic() + 30
        while not (recorded / "read.sqlite").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert "Traceback" not in told
