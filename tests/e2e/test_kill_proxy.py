"""kill -9 of the whole proxy under load: what was answered is in the log, once, and all goes on."""

import asyncio
import random
import signal
import sqlite3
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from schema.exchanges import ExchangeStarted, Finished
from schema.keys import KeyStore
from schema.log import EventLog
from tests.e2e.processes import MockProcess, ProxyProcess, config_for, plan
from tests.projections.building import dump

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX")
_CLIENTS = 12


class Load:
    """Clients that converse and write until the proxy is gone; what they were told."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.answered: list[int] = []  # exchanges whose answer came whole
        self.sessions: dict[str, dict[str, Any]] = {}  # by idempotency key
        self.conversations: dict[int, tuple[list[Any], str]] = {}  # messages that were answered, and their session

    async def run(self, proxy: ProxyProcess, seconds: float) -> None:
        async with httpx.AsyncClient(base_url=self._url, timeout=20, trust_env=False) as client:
            tasks = [asyncio.ensure_future(self._converse(client, number)) for number in range(_CLIENTS)]
            tasks += [asyncio.ensure_future(self._write(client, number)) for number in range(3)]
            await asyncio.sleep(seconds)
            proxy.stop(signal.SIGKILL)
            await asyncio.wait_for(asyncio.gather(*tasks), 30)

    async def _converse(self, client: httpx.AsyncClient, number: int) -> None:
        messages: list[Any] = [{"role": "system", "content": f"client {number} of {self._url}"}]
        try:
            while True:
                messages.append({"role": "user", "content": f"turn {len(messages)}"})
                body = {"model": "mock", "messages": messages, "stream": number % 2 == 0}
                answer = await client.post("/v1/chat/completions", json=body, headers=plan(text="yes", chunks=4))
                assert answer.status_code == 200
                assert answer.text.endswith("data: [DONE]\n\n") if number % 2 == 0 else answer.json()
                self.answered.append(int(answer.headers["x-exchange-id"]))
                messages.append({"role": "assistant", "content": "yes"})
                self.conversations[number] = ([*messages], answer.headers["x-session-id"])
        except httpx.HTTPError:
            return  # it was killed

    async def _write(self, client: httpx.AsyncClient, number: int) -> None:
        try:
            while True:
                key = f"{self._url} {number} {len(self.sessions)}".replace(" ", "-")
                answer = await client.post("/api/sessions", json={"name": key}, headers={"Idempotency-Key": key})
                assert answer.status_code == 200
                self.sessions[key] = answer.json()
        except httpx.HTTPError:
            return


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=pytest.mark.extra)])
def test_nothing_that_was_answered_is_lost_or_doubled(mock: MockProcess, rounds: int) -> None:
    moment = random.Random()
    answered: list[int] = []
    with ProxyProcess(config_for(mock.base_url), fresh=True) as proxy:
        for _ in range(rounds):
            load = Load(proxy.url)
            asyncio.run(load.run(proxy, moment.uniform(0.4, 1.4)))
            assert load.answered and load.sessions
            answered += load.answered
            proxy.start()
            writes_stand(proxy, load)
            conversations_go_on(proxy, load)
        proxy.stop()
        log_is_whole(proxy.data, answered)
        tables_equal_a_rebuild(proxy)


def writes_stand(proxy: ProxyProcess, load: Load) -> None:
    """Each acknowledged session is there, and its key gives the same answer without another event."""
    head = httpx.get(f"{proxy.url}/health").json()["position"]
    for key, session in load.sessions.items():
        again = httpx.post(f"{proxy.url}/api/sessions", json={"name": key}, headers={"Idempotency-Key": key})
        assert (again.status_code, again.json()) == (200, session)
        assert again.headers["idempotent-replayed"] == "true"
    assert httpx.get(f"{proxy.url}/health").json()["position"] == head
    names = Counter(session["name"] for session in proxy.get("/api/sessions"))
    assert {name: names[name] for name in load.sessions} == dict.fromkeys(load.sessions, 1)


def conversations_go_on(proxy: ProxyProcess, load: Load) -> None:
    """A client that continues is known by its messages; the answer of an exchange that a kill closed may be missing,
    then it is known by the exchange before."""
    for messages, session in load.conversations.values():
        body = {"model": "mock", "messages": [*messages, {"role": "user", "content": "go on"}]}
        answer = httpx.post(f"{proxy.url}/v1/chat/completions", json=body, headers=plan(text="yes"))
        assert (answer.status_code, answer.headers["x-session-id"]) == (200, session)


def log_is_whole(data: Path, answered: list[int]) -> None:
    keys = KeyStore(data / "keys.sqlite")
    log = EventLog(data / "events.sqlite", keys)
    events = list(log.scan())
    log_ok = log.chain_break()
    log.close()
    keys.close()
    assert log_ok is None
    assert [recorded.position for recorded in events] == list(range(1, len(events) + 1))
    begun = Counter(event.event.exchange_id for event in events if isinstance(event.event, ExchangeStarted))
    ended = Counter(event.event.exchange_id for event in events if isinstance(event.event, Finished))
    assert begun == ended
    assert set(begun.values()) == {1}
    assert len(answered) == len(set(answered))
    assert set(answered) <= begun.keys()


def tables_equal_a_rebuild(proxy: ProxyProcess) -> None:
    """The read tables that lived through the kills, and those made anew from the same log."""
    lived = tables(proxy.data)
    (proxy.data / "read.sqlite").unlink()
    proxy.start()
    proxy.until_ready()
    proxy.stop()
    assert tables(proxy.data) == lived


def tables(data: Path) -> dict[str, list[tuple[object, ...]]]:
    db = sqlite3.connect(data / "read.sqlite")
    try:
        return dump(db)
    finally:
        db.close()
