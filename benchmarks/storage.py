"""What recording costs on disk: `python -m benchmarks.storage [FOLDER [GROUP ...]]`.

Replays conversations of real agents, or without a folder a made-up one of 60 turns that is 100 KB long in the end,
through the proxy as a process of its own, stops it, and compares its files with the distinct messages compressed one by
one. Then every request, as received and as sent, is put together again from the log and compared with
what went over the wire. FOLDER holds files as benchmarks/trajectories.py reads them.
"""

import asyncio
import hashlib
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import httpx
import msgspec
import zstandard

from benchmarks.processes import Process, free_port, start
from benchmarks.replay_upstream import TICKET, ReplayUpstream
from benchmarks.trajectories import MODEL, Conversation, conversations, made_up
from proxy.contents import SessionContents
from schema.keys import KeyStore
from schema.log import EventLog

_PARALLEL = 8
_CONFIG = """
[providers.replay]
type = "openai"
base_url = "http://127.0.0.1:{upstream}/v1"

[models.{model}]
provider = "replay"
model = "{model}"
max_context_size = 1000000
"""


class Wire(NamedTuple):
    """What went over the wire for one exchange: sha256 of the body that the client sent and that the upstream got."""

    received: bytes
    sent: bytes


async def replay(found: Sequence[Conversation], directory: Path) -> dict[int, Wire]:
    """All conversations through a proxy on `directory`; the exchanges by id. Raises StartError and httpx.HTTPError."""
    upstream = ReplayUpstream()
    process = _proxy(await upstream.listen(), directory)
    wires: dict[int, Wire] = {}
    waiting = list(reversed(found))
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:

        async def work() -> None:
            while waiting:
                await _converse(client, process.port, upstream, waiting.pop(), wires)

        async with asyncio.TaskGroup() as group:
            for _ in range(_PARALLEL):
                group.create_task(work())
    await asyncio.to_thread(process.stop)
    return wires


async def _converse(
    client: httpx.AsyncClient, port: int, upstream: ReplayUpstream, talk: Conversation, wires: dict[int, Wire]
) -> None:
    """One conversation; it names no session: the proxy recognises it by its messages."""
    for number, turn in enumerate(talk.turns):
        ticket = f"{talk.name}-{number}".lower()
        upstream.expect(ticket, turn.answer)
        headers = {"content-type": "application/json", TICKET: ticket}
        answer = await client.post(f"http://127.0.0.1:{port}/v1/chat/completions", content=turn.body, headers=headers)
        answer.raise_for_status()
        exchange = int(answer.headers["x-exchange-id"])
        wires[exchange] = Wire(hashlib.sha256(turn.body).digest(), upstream.seen[ticket])


def _proxy(upstream: int, directory: Path) -> Process:
    port, config = free_port(), directory / "config.toml"
    config.write_text(_CONFIG.format(upstream=upstream, model=MODEL))
    command = [sys.executable, "-m", "chronoproxy", "serve", "--port", str(port), "--config", str(config)]
    return start("chronoproxy", [*command, "--data-dir", str(directory / "data")], port, directory / "log", None)


def altered(directory: Path, wires: dict[int, Wire]) -> tuple[int, int, int]:
    """Exchanges that the log gives back otherwise than they went over the wire, how many it holds, and its sessions."""
    keys = KeyStore(directory / "keys.sqlite")
    log = EventLog(directory / "events.sqlite", keys)
    wrong = held = 0
    sessions = [event.session_id for event in log.read(types=("SessionStarted",)) if event.session_id is not None]
    for session in sessions:
        contents = SessionContents(log, session)
        for exchange in contents.exchange_ids():
            held += 1
            again = Wire(_hash(contents.received(exchange)), _hash(contents.sent(exchange)))
            wrong += again != wires[exchange]
    broken = log.chain_break()
    log.close()
    keys.close()
    if broken is not None:
        raise ValueError(f"the hash chain breaks at event {broken}")
    return wrong, held, len(sessions)


def distinct_bytes(found: Sequence[Conversation]) -> tuple[int, int, int]:
    """Of the distinct messages: how many, their bytes, and those bytes compressed one by one (zstd level 3)."""
    compressor = zstandard.ZstdCompressor()
    encoded = {msgspec.json.encode(message) for talk in found for message in talk.messages}
    return len(encoded), sum(map(len, encoded)), sum(len(compressor.compress(each)) for each in encoded)


def _hash(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


def _size(directory: Path, name: str) -> int:
    return sum(path.stat().st_size for path in directory.glob(f"{name}.sqlite*"))


def report(data: Path, wires: dict[int, Wire], found: Sequence[Conversation], seconds: float) -> list[str]:
    wire = sum(len(turn.body) for talk in found for turn in talk.turns)
    count, plain, packed = distinct_bytes(found)
    wrong, held, sessions = altered(data, wires)
    log, keys, read = (_size(data, name) for name in ("events", "keys", "read"))
    return [
        f"{len(found)} conversations, {len(wires):,} requests in {seconds:.0f} s, {wire / 1e6:,.1f} MB on the wire",
        f"distinct messages: {count:,}, {plain / 1e6:.2f} MB, compressed one by one {packed / 1e6:.2f} MB",
        f"events.sqlite and keys.sqlite: {log + keys:,} bytes, {(log + keys) / packed:.2f} times that"
        f" (goal <= 1.3); {(log + keys) / wire * 100:.2f} % of the wire",
        f"read.sqlite, which can be made again: {read / 1e6:.2f} MB",
        f"{sessions} sessions for {len(found)} conversations; {held:,} exchanges in the log, {wrong} of them altered"
        " (goal 0)",
    ]


def main(arguments: Sequence[str]) -> int:
    if arguments and not Path(arguments[0]).is_dir():
        sys.stderr.write("usage: python -m benchmarks.storage [FOLDER [GROUP ...]]\n")
        return 2
    found = list(conversations(Path(arguments[0]), list(arguments[1:]))) if arguments else [made_up(60, 800)]
    with tempfile.TemporaryDirectory() as name:
        directory, begun = Path(name), time.monotonic()
        wires = asyncio.run(replay(found, directory))
        lines = report(directory / "data", wires, found, time.monotonic() - begun)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
