"""The dashboard in a real browser: `python -m benchmarks.dashboard`, with Playwright and Chromium.

A proxy with a session of 5,000 events as a process of its own. Measured are what the first view weighs on the wire and
when it can be used, cold and warm; how long an event takes from the request that makes it until its figure is painted;
how long a step of the slider takes until it is painted; and what an update costs the server for each client that
listens. Times are of a shared machine: what to compare is the goal beside each.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.processes import Process, free_port, start
from tests.dashboard.browsing import chromium

_EVENTS = 5_000
_LOADS, _UPDATES, _STEPS = 6, 40, 60
_CLIENTS, _TOLD = 50, 100
_WATCH = """(name) => {
  window.painted = [];
  const page = document.querySelector(".page");
  new MutationObserver(() => requestAnimationFrame(() => setTimeout(() => window.painted.push(Date.now()), 0)))
    .observe(page, { attributes: true, attributeFilter: [name] });
  document.addEventListener("input", (event) => {
    const begun = performance.now();
    requestAnimationFrame(() => setTimeout(() => (window.steps ??= []).push(performance.now() - begun), 0));
  }, true);
}"""


@contextmanager
def proxy(directory: Path) -> Iterator[tuple[Process, str]]:
    written = [sys.executable, "-m", "benchmarks.long_session", str(directory / "data"), str(_EVENTS)]
    subprocess.run(written, check=True)
    port = free_port()
    command = [sys.executable, "-m", "chronoproxy", "serve", "--port", str(port), "--data-dir", str(directory / "data")]
    process = start("chronoproxy", command, port, directory / "log", None)
    url = f"http://127.0.0.1:{port}"
    try:
        while httpx.get(f"{url}/health/ready", timeout=120).status_code != 200:
            time.sleep(0.05)
        yield process, url
    finally:
        process.stop()


def loads(browser: Any, url: str) -> str:
    """What the first view weighs, and when it is ready."""
    cold, warm, sizes = [], [], []
    for _ in range(_LOADS):
        context = browser.new_context()
        page = context.new_page()
        network = context.new_cdp_session(page)
        network.send("Network.enable")
        got: list[float] = []
        network.on("Network.loadingFinished", lambda event, got=got: got.append(event["encodedDataLength"]))
        cold.append(_ready_ms(page, url))
        sizes.append((sum(got) / 1_000, len(got)))
        warm.append(_ready_ms(page, f"{url}/?again"))
        context.close()
    size, requests = median(size for size, _ in sizes), sizes[0][1]
    return (
        f"first view: {size:.0f} KB on the wire in {requests} requests (goal <= 120 KB);"
        f" usable after {median(cold):.0f} ms, warm {median(warm):.0f} ms (goal <= 800 ms)"
    )


def _ready_ms(page: Any, url: str) -> float:
    page.goto(f"{url}/" if "?" not in url else url)
    page.locator("body[data-ready]").wait_for(state="attached")
    return float(page.evaluate("performance.getEntriesByName('ready')[0].startTime"))


def updates(browser: Any, url: str) -> str:
    """From before the request that makes an event until its figure is painted."""
    page = browser.new_page()
    page.goto(f"{url}/")
    page.locator("body[data-ready][data-connection=live]").wait_for(state="attached")
    page.evaluate(_WATCH, "data-shown")
    waits = []
    with httpx.Client(base_url=url) as client:
        for number in range(_UPDATES):
            begun = time.time()
            client.post("/api/compaction/1/reserved", json={"reserved_tokens": 1_000 + number}).raise_for_status()
            while page.evaluate("painted.length") <= number:
                time.sleep(0.002)
            waits.append(page.evaluate("painted.at(-1)") - begun * 1_000)
            time.sleep(0.03)
    page.close()
    return f"event to pixels: {_spread(waits)} (goal p95 <= 80 ms)"


def steps(browser: Any, url: str) -> str:
    page = browser.new_page()
    page.goto(f"{url}/#/session/1")
    page.locator("body[data-ready]").wait_for(state="attached")
    page.evaluate(_WATCH, "data-at")
    page.locator("#scrub").focus()
    for _ in range(_STEPS):
        page.keyboard.press("ArrowLeft")
        time.sleep(0.03)
    found = page.evaluate("steps")
    page.close()
    return f"slider step to paint: {_spread(found)} (goal p95 <= 60 ms)"


def _spread(values: list[float]) -> str:
    return f"p50 {median(values):.0f}, p95 {quantiles(values, n=20)[-1]:.0f} ms"


async def listeners(process: Process, url: str) -> str:
    """CPU of the same writes with and without clients that listen, for each update and client."""
    alone = await _written(process, url)
    before = process.resident_mib()
    clients = [await connect(f"{url.replace('http', 'ws')}/ws?feed=events", max_queue=None) for _ in range(_CLIENTS)]
    reading = [asyncio.ensure_future(_read(client)) for client in clients]
    await process.settle()
    memory = (process.resident_mib() - before) * 1_024 / _CLIENTS
    together = await _written(process, url)
    for client in clients:
        await client.close()
    await asyncio.gather(*reading)
    each = (together - alone) / 1e6 / _TOLD / _CLIENTS
    return f"an update for a client: {each:.3f} ms CPU (goal <= 0.3); a client: {memory:.0f} KB (goal <= 100)"


async def _read(client: ClientConnection) -> None:
    async for _ in client:
        pass


async def _written(process: Process, url: str) -> int:
    await process.settle()
    begun = process.cpu_ns()
    async with httpx.AsyncClient(base_url=url) as client:
        for number in range(_TOLD):
            await client.post("/api/compaction/1/reserved", json={"reserved_tokens": 2_000 + number % 2})
    await process.settle()
    return process.cpu_ns() - begun


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="chronoproxy-") as folder, proxy(Path(folder)) as (process, url):
        print(asyncio.run(listeners(process, url)))
        with chromium() as browser:
            for measure in (loads, updates, steps):
                print(measure(browser, url))


if __name__ == "__main__":
    main()
