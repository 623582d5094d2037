"""What clients of /ws cost those who ask: `python -m benchmarks.listeners [CLIENTS]`.

200 completions of the embedded demo, four at a time, with nobody listening and with CLIENTS (500) who do: how long they
take, the CPU of the proxy, and what of it is for each message and client. The clients are a process of their own.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median, quantiles

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benchmarks.processes import Process, free_port, start

_CLIENTS = 500
_ROUNDS, _AT_ONCE, _PAUSE_S = 50, 4, 0.05
_LISTEN = "--listen"
_HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
_CONFIG = '[rate_limit]\nmax_rpm = 0\n[providers.demo]\ntype = "echo"\n[models."demo/echo"]\nprovider = "demo"\n'


class Figures(msgspec.Struct, frozen=True):
    """Of one run: seconds of each request, CPU of the proxy in nanoseconds, messages that a client was sent."""

    waits: list[float]
    cpu_ns: int
    messages: int

    def line(self, clients: int) -> str:
        p50, p99 = median(self.waits) * 1e3, quantiles(self.waits, n=100)[-1] * 1e3
        return (
            f"{clients:4} clients: {len(self.waits)} completions p50 {p50:.1f}, p99 {p99:.1f} ms;"
            f" {self.cpu_ns / 1e9:.2f} s CPU; {self.messages} messages each"
        )


@contextmanager
def proxy(directory: Path) -> Iterator[tuple[Process, str]]:
    port, config = free_port(), directory / "config.toml"
    config.write_text(_CONFIG)
    command = [sys.executable, "-m", "chronoproxy", "serve", "--port", str(port), "--config", str(config)]
    process = start("chronoproxy", [*command, "--data-dir", str(directory / "data")], port, directory / "log", None)
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.stop()


@contextmanager
def listening(port: int, clients: int) -> Iterator[None]:
    """So many clients, who take what comes."""
    command = [sys.executable, "-m", "benchmarks.listeners", _LISTEN, str(port), str(clients)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as listeners:
        assert listeners.stdin is not None and listeners.stdout is not None
        listeners.stdout.readline()  # all are there
        yield
        listeners.stdin.close()


async def _listen(port: int, clients: int) -> None:
    taking = [asyncio.ensure_future(_take(port)) for _ in range(clients)]
    while (await asyncio.to_thread(httpx.get, f"http://127.0.0.1:{port}/health/ready")).status_code != 200:
        await asyncio.sleep(0.1)
    while f"chronoproxy_ws_clients {float(clients)}" not in httpx.get(f"http://127.0.0.1:{port}/metrics").text:
        await asyncio.sleep(0.1)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    for each in taking:
        each.cancel()
    await asyncio.gather(*taking, return_exceptions=True)


async def _take(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_HANDSHAKE)
    while await reader.read(1 << 16):
        pass


async def measured(process: Process, url: str, rounds: int) -> Figures:
    async with connect(f"{url.replace('http', 'ws')}/ws", max_queue=None) as page:
        counting = asyncio.ensure_future(_count(page))
        await process.settle()
        begun, waits = process.cpu_ns(), list[float]()
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            for _ in range(rounds):
                waits += await asyncio.gather(*(_ask(client, len(waits) + number) for number in range(_AT_ONCE)))
                await asyncio.sleep(_PAUSE_S)
        await process.settle()
        spent = process.cpu_ns() - begun
    return Figures(waits, spent, await counting)


async def _ask(client: httpx.AsyncClient, number: int) -> float:
    begun = time.perf_counter()
    messages = [{"role": "user", "content": f"What is {begun} and {number}?"}]
    answer = await client.post("/v1/chat/completions", json={"model": "demo/echo", "messages": messages})
    answer.raise_for_status()
    return time.perf_counter() - begun


async def _count(page: ClientConnection) -> int:
    messages = 0
    with suppress(ConnectionClosed):
        while True:
            messages += '"type":"init"' not in str(await page.recv())[:30]
    return messages


async def compare(clients: int, rounds: int = _ROUNDS) -> list[str]:
    """What it prints. Raises StartError."""
    with tempfile.TemporaryDirectory(prefix="chronoproxy-") as folder, proxy(Path(folder)) as (process, url):
        await measured(process, url, rounds)  # what the first requests load
        alone = await measured(process, url, rounds)
        with listening(process.port, clients):
            together = await measured(process, url, rounds)
        each = (together.cpu_ns - alone.cpu_ns) / 1e3 / max(together.messages, 1) / clients
    return [alone.line(0), together.line(clients), f"a message for a client: {each:.1f} us CPU"]


def main(arguments: Sequence[str]) -> int:
    if arguments[:1] == [_LISTEN]:
        asyncio.run(_listen(int(arguments[1]), int(arguments[2])))
        return 0
    clients = int(arguments[0]) if arguments else _CLIENTS
    print("\n".join(asyncio.run(compare(clients))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
