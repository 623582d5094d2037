"""The log cannot be written for a while: clients go on, writes are told, and all is well again by itself."""

import sqlite3
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from schema.keys import KeyStore
from schema.log import EventLog
from tests.e2e.processes import MockProcess, ProxyProcess, config_for

if sys.platform == "linux":
    import resource

BODY = {"model": "mock", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def served(mock: MockProcess) -> Iterator[ProxyProcess]:
    with ProxyProcess(config_for(mock.base_url)) as proxy:
        httpx.post(f"{proxy.url}/api/sessions", json={"name": "before"})
        yield proxy


@contextmanager
def locked(proxy: ProxyProcess) -> Iterator[None]:
    """Another program holds the log's write lock."""
    db = sqlite3.connect(proxy.data / "events.sqlite", isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        db.close()


@contextmanager
def full_disk(proxy: ProxyProcess) -> Iterator[None]:
    """No file of the proxy may grow: what SQLite sees is a full disk."""
    assert proxy.process is not None
    wal = (proxy.data / "events.sqlite-wal").stat().st_size
    pid, soft = proxy.process.pid, resource.prlimit(proxy.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (wal, soft[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, soft)


TROUBLES: Any = [
    locked,
    pytest.param(full_disk, marks=pytest.mark.skipif(sys.platform != "linux", reason="prlimit is of Linux")),
]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_clients_go_on_and_writes_are_told(served: ProxyProcess, trouble: Any) -> None:
    with trouble(served):
        answers = [httpx.post(f"{served.url}/v1/chat/completions", json=BODY) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200] * 3
        assert all("x-event-position" not in answer.headers for answer in answers)
        refused = httpx.post(f"{served.url}/api/sessions", json={"name": "meanwhile"}, timeout=20)
        assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
        assert httpx.get(f"{served.url}/health").json()["status"] == "degraded"
        not_ready = httpx.get(f"{served.url}/health/ready")
        assert (not_ready.status_code, not_ready.json()["checks"]["writer"] != "ok") == (503, True)
        assert httpx.get(f"{served.url}/api/sessions").status_code == 200
    ended = [served.finished(answer.headers["x-exchange-id"], 20) for answer in answers if recorded(served, answer)]
    assert [exchange["outcome"] for exchange in ended] == ["completed"] * 3
    assert httpx.get(f"{served.url}/health").json()["status"] == "ok"
    made = httpx.post(f"{served.url}/api/sessions", json={"name": "after"})
    assert (made.status_code, made.json()["name"]) == (200, "after")
    names = [session["name"] for session in served.get("/api/sessions")]
    assert "meanwhile" not in names
    served.stop()
    whole(served)


def test_many_writes_are_refused_together(served: ProxyProcess) -> None:
    """Each on its own would have to find out for itself, one after another: a good second each."""

    def write(number: int) -> tuple[int, float]:
        begun = time.monotonic()
        answer = httpx.post(f"{served.url}/api/sessions", json={"name": f"meanwhile {number}"}, timeout=60)
        return answer.status_code, time.monotonic() - begun

    with locked(served), ThreadPoolExecutor(25) as pool:
        told = list(pool.map(write, range(25)))
    assert {status for status, _ in told} == {503}
    assert max(seconds for _, seconds in told) < 12.0
    deadline = time.monotonic() + 20.0
    while httpx.post(f"{served.url}/api/sessions", json={"name": "after"}).status_code != 200:
        assert time.monotonic() < deadline
    assert [session["name"] for session in served.get("/api/sessions")] == ["after", "before"]


def recorded(proxy: ProxyProcess, answer: httpx.Response, timeout_s: float = 20.0) -> bool:
    """Wait until the exchange is in the log."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if httpx.get(f"{proxy.url}/api/exchanges/{answer.headers['x-exchange-id']}").status_code == 200:
            return True
        time.sleep(0.05)
    return False


def whole(proxy: ProxyProcess) -> None:
    keys = KeyStore(proxy.data / "keys.sqlite", read_only=True)
    log = EventLog(proxy.data / "events.sqlite", keys, read_only=True)
    assert log.chain_break() is None
    log.close()
    keys.close()
