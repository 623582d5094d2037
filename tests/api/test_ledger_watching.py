"""Ledgers and logs that are watched, and what clients of /ws hear of it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.configuration_sections import Polling
from api.ledger_polling import LedgerPolling
from commands.errors import UnavailableError
from commands.handling import Outcome
from ledgers.catalogue import Ledger
from schema.ledgers import Tool
from tests.api.house import House
from tests.api.ledger_files import FIRST_MS, history, item
from tests.api.sockets import served
from tests.api.test_live import page
from tests.ledgers.test_core_log import BLOCK


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
async def address(house: House) -> AsyncIterator[str]:
    async with served(house.front) as url:
        yield url.replace("http", "ws")


def polling(house: House, *tools: Tool) -> LedgerPolling:
    return LedgerPolling(house.app.state.services.ledgers, tools, Polling(enabled=True))


async def test_clients_hear_of_imports(house: House, home: Path, address: str) -> None:
    async with page(address) as client:
        await client.nothing_more()
        history(home, [item(1), item(2)])
        await house.client.post("/api/cline/import")
        told = await client.next()
        assert {**told, "timestamp": ""} == {
            "type": "cline_usage_updated", "position": 3, "latest_ts": FIRST_MS + 1_002, "latest_count": 2,
            "imported_count": 2, "timestamp": "",
        }  # fmt: skip
        (home / ".claude/projects").mkdir(parents=True)
        (home / ".claude/projects/s.jsonl").write_text("[]\n")
        await house.client.post("/api/ledgers/import", json={"tool": "claude_code"})
        told = await client.next()
        assert (told["type"], told["tool"], told["ledger"]) == (
            "ledger_usage_updated", "claude_code", "~/.claude/projects",
        )  # fmt: skip
        await client.nothing_more()


async def test_a_ledger_is_read_when_it_changed(house: House, home: Path) -> None:
    watch = polling(house, "cline", "claude_code")
    assert await watch.once() == 0
    history(home, [item(1)])
    assert await watch.once() == 1
    assert house.types() == ["TaskUsageImported", "LedgerImported"]
    assert (house.events()[0].actor, house.events()[0].by) == ("system", "polling")
    assert await watch.once() == 0
    history(home, [item(1), item(2)])
    assert await watch.once() == 1
    (home / ".claude/projects/p").mkdir(parents=True)
    assert await watch.once() == 0
    (home / ".claude/projects/p/s.jsonl").write_text("{}\n")
    assert await watch.once() == 1
    assert await watch.once() == 0


class Broken:
    """A desk whose log cannot be written the first times."""

    def __init__(self, house: House, failures: int) -> None:
        self._desk, self._failures = house.app.state.services.ledgers, failures

    def of(self, tool: Tool | None = None) -> list[Ledger]:
        found: list[Ledger] = self._desk.of(tool)
        return found

    async def take_over(self, *_: object) -> Outcome:
        self._failures -= 1
        if self._failures >= 0:
            raise UnavailableError("store_unavailable", "no room")
        return Outcome(0, 0)


async def test_polling_waits_longer_after_what_fails(house: House, home: Path) -> None:
    history(home, [item(1)])
    pauses: list[float] = []

    async def wait(pause: float) -> None:
        pauses.append(pause)
        if len(pauses) == 6:
            raise asyncio.CancelledError

    times = iter(range(0, 1_000, 7))  # each look takes 7 s
    polled = LedgerPolling(Broken(house, 5), ("cline",), Polling(enabled=True), wait, lambda: next(times))
    with pytest.raises(asyncio.CancelledError):
        await polled.run()
    assert pauses == [120, 240, 480, 600, 600, 140]


async def test_the_log_of_continue(house: House, home: Path, address: str) -> None:
    watcher = house.app.state.services.log_watcher
    health = (await house.client.get("/health")).json()["log_watcher"]
    assert (health["status"], health["log_file_exists"]) == ("stopped", False)
    home.mkdir()
    log = home / "core.log"
    log.write_bytes(b"prompt tokens: 1\n")
    task = asyncio.get_running_loop().create_task(watcher.run())
    try:
        async with page(address) as client:
            await client.nothing_more()
            health = (await house.client.get("/health")).json()["log_watcher"]
            assert (health["status"], health["log_file_exists"]) == ("running", True)
            assert health["log_path"].endswith("core.log")
            async with asyncio.timeout(10):
                while not watcher.looked:  # at what was there before
                    await asyncio.sleep(0)
            with log.open("ab") as file:
                file.write(BLOCK + b"\n")
            told = await client.next()
            assert (told["type"], told["source"], told["session_id"]) == ("log_metric", "compile_chat", None)
            assert told["metrics"] == {
                "prompt_tokens": 0, "completion_tokens": 0, "tools_tokens": 12_000, "system_message_tokens": 800,
                "total_tokens": 12_800, "context_length": 32_768, "max_context": 32_768, "percentage": 39.06,
            }  # fmt: skip
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert not watcher.running
    assert house.events() == []
