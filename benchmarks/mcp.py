"""CPU of the gateway for MCP: `python -m benchmarks.mcp [CALLS]`.

Listing and calling tools in process, beside a plain GET of the same server; a program behind the gateway, beside the
client of the official SDK that calls the same program directly; and what importing that SDK costs.
"""

import asyncio
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import httpx

from benchmarks.processes import free_port

_ROOT = Path(__file__).resolve().parent.parent
_SERVER = _ROOT / "tests" / "servers" / "mcp_stdio.py"
_IMPORT = (
    # The most that a process has used is its parent's where that one had used more: what it uses now is asked instead.
    "import time; began = time.process_time(); pages = lambda: int(open('/proc/self/statm').read().split()[1]);"
    "before = pages();"
    "import mcp.client.client;"
    "print(time.process_time() - began, (pages() - before) * 4096 / 2**20)"
)
_WARM = 50


class Figures(NamedTuple):
    """For each call: CPU of one process in us, and the time until the answer in ms."""

    cpu_us: float
    p50_ms: float
    p99_ms: float


def cpu_ns(pid: int) -> int:
    """Of the process alone, without its children."""
    return time.clock_gettime_ns((~pid << 3) | 2)


async def figures(pid: int, calls: int, call: Callable[[], Awaitable[object]]) -> Figures:
    for _ in range(_WARM):
        await call()
    times, began = [], cpu_ns(pid)
    for _ in range(calls):
        at = time.perf_counter()
        await call()
        times.append((time.perf_counter() - at) * 1_000)
    await asyncio.sleep(0.1)  # what nobody waits for
    spent = cpu_ns(pid) - began
    return Figures(spent / calls / 1_000, median(times), sorted(times)[int(calls * 0.99)])


def show(name: str, found: Figures, than: Figures | None = None) -> None:
    ratio = f"  {found.cpu_us / than.cpu_us:5.2f}x" if than is not None else ""
    print(f"{name:<52} {found.cpu_us:8.0f} us CPU  p50 {found.p50_ms:6.2f} ms  p99 {found.p99_ms:6.2f} ms{ratio}")


async def main(calls: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "config.toml"
        config.write_text(f'[mcp.servers.program]\ncommand = "{sys.executable}"\nargs = ["-S", "{_SERVER}"]\n')
        port = free_port()
        command = ["-m", "chronoproxy", "serve", "--port", str(port), "--data-dir", directory, "--config", str(config)]
        with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, cwd=_ROOT) as proxy:
            assert proxy.stdout is not None
            proxy.stdout.readline()
            try:
                await measured(f"http://127.0.0.1:{port}", proxy.pid, calls)
            finally:
                proxy.terminate()
    cpu, rss = subprocess.check_output([sys.executable, "-c", _IMPORT], text=True).split()
    print(f"{'importing the SDK (the gateway does not)':<52} {float(cpu) * 1_000:8.0f} ms CPU  {float(rss):.0f} MiB")


async def measured(url: str, pid: int, calls: int) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:

        def rpc(server: str, method: str, **params: Any) -> Callable[[], Awaitable[object]]:
            body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
            kind = {"content-type": "application/json"}

            async def call() -> None:
                answer = await client.post(f"/api/mcp-gateway/{server}/rpc", content=body, headers=kind)
                if "result" not in answer.json():
                    raise RuntimeError(answer.text)

            return call

        plain = await figures(pid, calls, lambda: client.get("/api/rate-limit"))
        show("GET /api/rate-limit", plain)
        for server in ("sequential-thinking", "fast-filesystem"):
            show(f"in process, tools/list of {server}", await figures(pid, calls, rpc(server, "tools/list")), plain)
        thought = {"thought": "t", "nextThoughtNeeded": False, "thoughtNumber": 1, "totalThoughts": 1}
        think = rpc("sequential-thinking", "tools/call", name="sequentialthinking", arguments=thought)
        show("in process, tools/call, two events committed", await figures(pid, calls, think), plain)
        echo = rpc("program", "tools/call", name="echo", arguments={"text": "hi"})
        through = await figures(pid, calls, echo)
        direct = await direct_sdk(calls)
        show("a program, by the SDK's own client", direct)
        show("a program, through the gateway (HTTP, recorded)", through, direct)


async def direct_sdk(calls: int) -> Figures:
    """In this process."""
    sdk: Any = importlib.import_module("mcp.client.client")
    stdio: Any = importlib.import_module("mcp.client.stdio")
    parameters = stdio.StdioServerParameters(command=sys.executable, args=["-S", str(_SERVER)])
    async with sdk.Client(parameters, mode="legacy") as client:
        return await figures(os.getpid(), calls, lambda: client.call_tool("echo", {"text": "hi"}))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000))
