"""Hours in minutes: `python -m benchmarks.soak [MINUTES [STREAMS]]`.

STREAMS (200) clients stream completions one after the other, each through a conversation of its own; beside them 500
clients of /ws listen and 20 have stopped reading. Every half minute: memory, descriptors, events. In the end every
answer must be in the log, complete and once.
"""

import asyncio
import contextlib
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from benchmarks.processes import Process, free_port, start
from tests.servers.mock_provider import MockProvider, Plan, Seen

_LISTENERS, _STALLED = 500, 20
_LOOK_S = 30.0
_PLAN = Plan(chunks=40, chunk_interval_ms=50)
_TURNS = 12
_CONFIG = """
[rate_limit]
max_rpm = 0
[providers.mock]
base_url = "{url}"
[models.mock]
provider = "mock"
"""


class _Forgetful(list[Seen]):
    """The provider need not remember what it was asked."""

    def append(self, _: Seen) -> None:
        return


class Counts:
    """What the clients saw."""

    def __init__(self) -> None:
        self.answers: set[int] = set()
        self.failed = 0
        self.frames = 0
        self.resyncs = 0


async def _converse(client: httpx.AsyncClient, number: int, until: float, counts: Counts) -> None:
    """Conversations of a few turns, one after the other."""
    talk = 0
    while time.monotonic() < until:
        talk += 1
        messages = [{"role": "user", "content": f"client {number}, conversation {talk}"}]
        for turn in range(_TURNS):
            if time.monotonic() > until:
                return
            text = await _stream(client, messages, counts)
            more = {"role": "user", "content": f"turn {turn} " + "x" * 200}
            messages += [{"role": "assistant", "content": text}, more]


async def _stream(client: httpx.AsyncClient, messages: Sequence[object], counts: Counts) -> str:
    body = {"model": "mock", "messages": messages, "stream": True}
    parts: list[str] = []
    done = False
    async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: {"):
                choices = json.loads(line[6:])["choices"]
                parts.append(choices[0]["delta"].get("content") or "" if choices else "")
            done = done or line == "data: [DONE]"
        if answer.status_code == 200 and done:
            counts.answers.add(int(answer.headers["x-exchange-id"]))
        else:
            counts.failed += 1
    return "".join(parts)


async def _listen(port: int, counts: Counts) -> None:
    with contextlib.suppress(ConnectionClosed):
        async with connect(f"ws://127.0.0.1:{port}/ws", compression=None, open_timeout=60) as page:
            async for text in page:
                counts.frames += 1
                counts.resyncs += '"type":"resync"' in str(text[:40])


async def _stall(port: int) -> ClientConnection:
    small = socket.create_connection(("127.0.0.1", port))
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    page = await connect(f"ws://127.0.0.1:{port}/ws?feed=events", sock=small, compression=None)
    page.transport.pause_reading()
    return page


def _state(process: Process, counts: Counts, begun: float) -> str:
    pid = process.pid
    status = Path(f"/proc/{pid}/status").read_text()
    resident = int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1]) / 1024
    descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    return (
        f"{time.monotonic() - begun:6.0f} s  {resident:6.1f} MiB  {descriptors:5} descriptors"
        f"  {len(counts.answers):7,} answers  {counts.frames:10,} frames  {counts.resyncs:5} resyncs"
        f"  {process.cpu_ns() / 1e9:7.1f} s CPU"
    )


async def soak(directory: Path, minutes: float, streams: int) -> list[str]:
    """The looks, and what was lost. Raises StartError."""
    async with MockProvider(_PLAN) as provider:
        port, config = free_port(), directory / "config.toml"
        config.write_text(_CONFIG.format(url=provider.base_url))
        command = [sys.executable, "-m", "chronoproxy", "serve", "--port", str(port), "--config", str(config)]
        process = start("chronoproxy", [*command, "--data-dir", str(directory / "data")], port, directory / "log", None)
        counts, begun = Counts(), time.monotonic()
        until = begun + minutes * 60
        listeners = [asyncio.get_running_loop().create_task(_listen(port, counts)) for _ in range(_LISTENERS)]
        stalled = [await _stall(port) for _ in range(_STALLED)]
        limits = httpx.Limits(max_connections=streams + 10)
        provider.seen = _Forgetful()
        lines: list[str] = []
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", timeout=60, limits=limits, trust_env=False
        ) as client:
            talks = [
                asyncio.get_running_loop().create_task(_converse(client, number, until, counts))
                for number in range(streams)
            ]
            while any(not talk.done() for talk in talks):
                await asyncio.wait(talks, timeout=_LOOK_S)
                lines.append(_state(process, counts, begun))
                sys.stdout.write(lines[-1] + "\n")
                sys.stdout.flush()
            await asyncio.gather(*talks)
            lines.append(await _lost(client, counts))
        for page in stalled:
            page.transport.abort()
        await asyncio.to_thread(process.stop)
        await asyncio.gather(*listeners, return_exceptions=True)
    return lines


async def _lost(client: httpx.AsyncClient, counts: Counts) -> str:
    """Every answer must be recorded as completed, and nothing else."""
    head = (await client.get("/health")).json()["position"]
    headers, recorded, offset = {"X-Min-Position": str(head)}, set[int](), 0
    while True:
        query = {"outcome": "completed", "limit": "500", "offset": str(offset)}
        found = (await client.get("/api/exchanges", params=query, headers=headers)).json()["exchanges"]
        if not found:
            break
        recorded |= {exchange["id"] for exchange in found}
        offset += len(found)
    verdict = (await client.get("/api/log/verify", timeout=600)).json()
    missing, unseen = len(counts.answers - recorded), len(recorded - counts.answers)
    return (
        f"{len(counts.answers):,} answers, {counts.failed} failed; {missing} of them not recorded, {unseen} recorded"
        f" but not seen; log {'verified' if verdict['ok'] else 'BROKEN'}"
    )


def main(arguments: Sequence[str]) -> int:
    minutes = float(arguments[0]) if arguments else 10.0
    streams = int(arguments[1]) if arguments[1:] else 200
    with tempfile.TemporaryDirectory() as name:
        lines = asyncio.run(soak(Path(name), minutes, streams))
    sys.stdout.write(lines[-1] + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
