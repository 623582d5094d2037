"""Any moment of a long log, and a rebuild under traffic: `python -m benchmarks.time_travel [events]`.

Writes a short log (1,000 events) and a long one (default 100,000, and a session of 10,000 events more), starts the
proxy on each as a process of its own, and asks the same lists and statistics of both: as they are, and as of 50 random
positions. Then the read tables of the long one are rebuilt while four clients go on reading and one goes on writing.
Times are of whole answers at the client, in milliseconds; what to compare is the ratio of the long log to the short.
"""

import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from uvloop import new_event_loop

from benchmarks.processes import Process, free_port, start
from benchmarks.projections import history
from benchmarks.projections_rebuild import long_session, write
from schema.appending import Appender
from schema.keys import KeyStore
from schema.log import EventLog
from schema.sessions import SessionStarted

LONG_SESSION = 1_000_000
_SHORT = 1_000
_POSITIONS = 50
_READERS = 4
_EVERYWHERE = (
    "/api/sessions?limit=50",
    "/api/sessions/3",
    "/api/exchanges?limit=50",
    "/api/sessions/3/timeline",
    "/api/compaction/3/stats",
    "/api/compaction/stats",
    "/api/sanitizer/stats",
    "/api/events?limit=50",
)
_OF_LONG = ("", "/timeline", "/events?limit=50")


async def written(directory: Path, count: int, *, long: bool) -> int:
    """Write a log; its head."""
    keys = KeyStore(directory / "keys.sqlite")
    log = EventLog(directory / "events.sqlite", keys)
    appender = Appender(log)
    appender.start(lambda batch: None)
    source = history()
    await write(appender, (next(source) for _ in range(count)))
    if long:
        begun = SessionStarted(session_id=LONG_SESSION, name="long", provider="demo", model="demo/echo", origin="auto")
        await write(appender, iter([begun]))
        await write(appender, long_session(count))
    await appender.close()
    head = log.head()
    log.close()
    keys.close()
    return head


def proxy(directory: Path) -> Process:
    """Raises StartError."""
    port = free_port()
    command = [sys.executable, "-m", "chronoproxy", "serve", "--data-dir", str(directory), "--port", str(port)]
    return start("chronoproxy", command, port, directory / "output", None)


async def until_ready(client: httpx.AsyncClient) -> float:
    """Seconds."""
    begun = time.perf_counter()
    while (await client.get("/health/ready")).status_code != 200:
        await asyncio.sleep(0.05)
    return time.perf_counter() - begun


async def timed(client: httpx.AsyncClient, path: str) -> float:
    """Milliseconds. Raises httpx.HTTPStatusError."""
    begun = time.perf_counter()
    (await client.get(path)).raise_for_status()
    return (time.perf_counter() - begun) * 1_000


def outcome(answer: httpx.Response) -> str:
    """The status, and of a refusal what was asked and why."""
    if answer.is_success:
        return str(answer.status_code)
    return f"{answer.status_code} to {answer.request.method} {answer.request.url.path}: {answer.json()['code']}"


async def moments(client: httpx.AsyncClient, path: str, positions: list[int]) -> tuple[float, float, float]:
    """Median as it is, first and median as of the positions."""
    now = [await timed(client, path) for _ in range(20)]
    sign = "&" if "?" in path else "?"
    then = [await timed(client, f"{path}{sign}at={position}") for position in positions]
    return median(now), then[0], median(then)


async def everywhere(client: httpx.AsyncClient, head: int) -> dict[str, tuple[float, float, float]]:
    drawn = random.Random(head)
    positions = [drawn.randint(head // 10, head) for _ in range(_POSITIONS)]
    return {path: await moments(client, path, positions) for path in _EVERYWHERE}


async def rebuild_under_traffic(client: httpx.AsyncClient) -> str:
    statuses: Counter[str] = Counter()
    slowest, written_ids, done = 0.0, list[int](), asyncio.Event()
    seen: list[float] = []

    async def read(number: int) -> None:
        nonlocal slowest
        while not done.is_set():
            begun = time.perf_counter()
            answer = await client.get(_EVERYWHERE[number])
            statuses[outcome(answer)] += 1
            slowest = max(slowest, time.perf_counter() - begun)

    async def change() -> None:
        while not done.is_set():
            answer = await client.post("/api/sessions", json={"name": "while it is rebuilt"})
            statuses[outcome(answer)] += 1
            if answer.is_success:
                written_ids.append(answer.json()["id"])
            await asyncio.sleep(0.05)

    async def watch() -> None:
        while not done.is_set():
            parts: list[dict[str, Any]] = (await client.get("/api/projections")).json()["projections"]
            seen.extend(part["progress"] for part in parts if part["progress"] is not None)
            await asyncio.sleep(0.25)

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(_READERS):
            group.create_task(read(number))
        group.create_task(change())
        group.create_task(watch())
        answer = (await client.post("/api/projections/rebuild", json={"wait": True})).raise_for_status().json()
        done.set()
    seconds = time.perf_counter() - begun
    found = [(await client.get(f"/api/sessions/{number}")).status_code for number in written_ids]
    return (
        f"rebuild of {answer['events']:,} events under traffic: {seconds:.1f} s, equal {answer['equal']};"
        f" answers {dict(statuses)}, slowest {slowest * 1_000:.0f} ms, {len(written_ids)} writes,"
        f" {sum(status != 200 for status in found)} lost; {len(set(seen))} different values of progress seen"
    )


async def run(count: int) -> list[str]:
    lines, figures = [], list[dict[str, tuple[float, float, float]]]()
    for size in (_SHORT, count):
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            head = await written(directory, size, long=size == count)
            process = proxy(directory)
            try:
                async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{process.port}", timeout=600) as client:
                    lines.append(f"{head:,} events: ready after {await until_ready(client):.1f} s")
                    figures.append(await everywhere(client, head))
                    if size == count:
                        lines += await long_one(client, head)
                        lines.append(await rebuild_under_traffic(client))
            finally:
                process.stop()
    lines += ["", f"| ms | {_SHORT:,} | {count:,} | x | {_SHORT:,} at | {count:,} at | x |", "|--|--|--|--|--|--|--|"]
    for path, short in figures[0].items():
        long = figures[1][path]
        lines.append(
            f"| {path} | {short[0]:.1f} | {long[0]:.1f} | {long[0] / short[0]:.1f}"
            f" | {short[2]:.1f} | {long[2]:.1f} | {long[2] / short[2]:.1f} |"
        )
    return lines


async def long_one(client: httpx.AsyncClient, head: int) -> list[str]:
    """A session of 10,000 events."""
    drawn = random.Random(1)
    positions = [drawn.randint(head - 9_000, head) for _ in range(_POSITIONS)]
    lines = []
    for part in _OF_LONG:
        now, first, then = await moments(client, f"/api/sessions/{LONG_SESSION}{part}", positions)
        lines.append(f"session of 10,000 events{part}: now {now:.1f} ms, at: first {first:.1f} ms, then {then:.1f} ms")
    return lines


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        lines = runner.run(run(count))
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
