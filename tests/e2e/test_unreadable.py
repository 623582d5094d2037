"""A log with an event that cannot be read is served all the same: what needs that event says so, the rest goes on."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.processes import MockProcess, ProxyProcess, config_for
from tests.e2e.test_cli import inside

SAID = [{"role": "user", "content": "hello"}]
DAMAGES = {
    "a type that nobody knows": ("ExchangeStarted", "type = 'FutureEvent'", "does not know FutureEvent"),
    "a later version": ("ExchangeStarted", "type_version = 9", "does not know ExchangeStarted version 9"),
    "no JSON": ("ExchangeStarted", "data = '{'", "its data is damaged"),
    "sealed bytes": ("SessionStarted", "sealed = zeroblob(80)", "its sealed part does not open"),
}


@pytest.fixture(scope="module")
def recorded(mock: MockProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a session of two exchanges, stopped."""
    directory = tmp_path_factory.mktemp("recorded")
    with ProxyProcess(config_for(mock.base_url), directory) as proxy:
        answer = said(proxy, SAID)
        proxy.finished(answer.headers["x-exchange-id"])
        message = answer.json()["choices"][0]["message"]
        again = said(proxy, [*SAID, message, {"role": "user", "content": "go on"}])
        assert again.headers["x-session-id"] == answer.headers["x-session-id"]
        proxy.finished(again.headers["x-exchange-id"])
        proxy.stop()
    return directory


@pytest.fixture(params=DAMAGES)
def damaged(request: pytest.FixtureRequest, recorded: Path, tmp_path: Path) -> Iterator[tuple[Path, int, str]]:
    """The directory, the position of the event, and the reason."""
    shutil.copytree(recorded, tmp_path / "d")
    name, change, reason = DAMAGES[request.param]
    yield tmp_path / "d", damage(tmp_path / "d" / "data", name, change), reason


def damage(data: Path, name: str, change: str) -> int:
    """Change the first event of this type; its position."""
    with closing(sqlite3.connect(data / "events.sqlite", isolation_level=None)) as db:
        db.execute("DROP TRIGGER events_are_not_changed")
        (position,) = db.execute("SELECT min(position) FROM events WHERE type = ?", (name,)).fetchone()
        db.execute(f"UPDATE events SET {change} WHERE position = ?", (position,))
    return int(position)


def said(proxy: ProxyProcess, messages: list[dict[str, Any]], **headers: str) -> httpx.Response:
    body = {"model": "mock", "messages": messages}
    return httpx.post(f"{proxy.url}/v1/chat/completions", json=body, headers=headers, timeout=30)


@pytest.mark.parametrize("built", [True, False])
def test_the_proxy_serves_and_names_the_event(damaged: tuple[Path, int, str], built: bool) -> None:
    directory, position, reason = damaged
    if not built:
        (directory / "data" / "read.sqlite").unlink()
    with ProxyProcess(None, directory) as proxy:
        answer = said(proxy, SAID)
        assert answer.status_code == 200
        made = httpx.post(f"{proxy.url}/api/sessions", json={"name": "afterwards"}, timeout=30)
        assert (made.status_code, "x-event-position" in made.headers) in ((200, True), (503, True)), made.text
        health = httpx.get(f"{proxy.url}/health").json()
        assert (health["status"], f"event {position} (" in health["error"]) == ("degraded", True)
        assert reason in health["error"]
        assert reason in proxy.log.read_text()
        assert proxy.stop() == 0
    assert "Traceback" not in proxy.log.read_text()


def test_reads_show_what_can_be_read(damaged: tuple[Path, int, str]) -> None:
    directory, position, reason = damaged
    (directory / "data" / "read.sqlite").unlink()
    with ProxyProcess(None, directory) as proxy:
        said(proxy, [{"role": "user", "content": "something else"}])
        events = proxy.get("/api/events", order="asc")["events"]
        assert [each["position"] for each in events] == list(range(1, len(events) + 1))
        assert [each["position"] for each in events if reason in each.get("error", "")] == [position]
        one = proxy.get(f"/api/events/{position}")
        assert (reason in one["error"], one["data"], one["session_id"]) == (True, {}, 1)
        assert "error" not in proxy.get("/api/events/1")
        statuses = {
            path: httpx.get(f"{proxy.url}{path}", timeout=30).status_code
            for path in (
                "/api/sessions",
                "/api/sessions/1",
                "/api/sessions/1/messages",
                "/api/sessions/1/events",
                "/api/sessions/1/timeline",
                "/api/sessions/1/diff?from=1&to=5",
                "/api/export/json?session_id=1&format=jsonl",
                "/api/exchanges",
                "/api/exchanges/1",
                "/api/exchanges/2",
                "/api/sessions/1/pins",
                "/api/compaction/1/preview",
                "/api/usage",
                "/api/log/verify",
                "/metrics",
            )
        }
        assert {path for path, status in statuses.items() if status not in (200, 503)} == set(), statuses
        renamed = httpx.patch(f"{proxy.url}/api/sessions/1", json={"name": "new"}, timeout=30)
        if one["type"] != "ExchangeStarted":  # it may have been anything that a name depends on
            assert (renamed.status_code, renamed.json()["code"]) == (503, "store_unavailable"), renamed.text
            assert f"event {position} (" in renamed.json()["error"]
            assert "x-event-position" not in renamed.headers
        rebuild = httpx.post(f"{proxy.url}/api/projections/rebuild", json={"wait": True}, timeout=60)
        assert (rebuild.status_code, rebuild.json()["code"]) == (503, "projection_failed")
        assert f"event {position} (" in rebuild.json()["error"]


def test_its_conversation_goes_on_in_another_session(damaged: tuple[Path, int, str]) -> None:
    directory, *_ = damaged
    with ProxyProcess(None, directory) as proxy:
        answer = said(proxy, [*SAID, {"role": "assistant", "content": "hi"}, {"role": "user", "content": "and now?"}])
        named = said(proxy, SAID, **{"x-session-id": "1"})
        assert (answer.status_code, named.status_code) == (200, 200)
        assert "1" not in (answer.headers["x-session-id"], named.headers["x-session-id"])
        again = said(proxy, SAID, **{"x-session-id": "1"})
        assert again.headers["x-session-id"] == named.headers["x-session-id"]


def test_the_command_line_names_it(damaged: tuple[Path, int, str], capsys: pytest.CaptureFixture[str]) -> None:
    directory, position, reason = damaged
    data = str(directory / "data")
    assert inside("events", "--data-dir", data) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [str(number) for number in range(1, len(lines) + 1)]
    assert reason in lines[position - 1]
    assert inside("events", "--data-dir", data, "--json", "--from", str(position)) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (first["position"], reason in first["error"], first["data"]) == (position, True, {})
    assert inside("rebuild", "--data-dir", data) == 3
    told = capsys.readouterr().err
    assert f"event {position} (" in told and reason in told
