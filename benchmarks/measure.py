"""Interleaved rounds over all programs under test."""

import time
from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple
from zlib import crc32

from benchmarks.contenders import NAIVE, PLAIN
from benchmarks.load import Request, connect, drive
from benchmarks.processes import Process
from benchmarks.scenarios import FIGURES, Scenario

DIRECT = "direct"
_NAIVE_SHARE = 4  # the naive proxy gets a quarter of the requests: it is slow, and its figures need no more


_TOLD_APART = frozenset(figure.key for figure in FIGURES if figure.plain)


class Block(NamedTuple):
    """One scenario through one program once: CPU us per request (0 for the mock itself), median times in ms, and the
    requests answered per second."""

    cpu_us: float
    first_ms: float
    total_ms: float
    per_second: float


class Results:
    """All blocks by program and scenario."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[str, str], list[Block]] = defaultdict(list)

    def add(self, program: str, scenario: str, block: Block) -> None:
        self._blocks[program, scenario].append(block)

    def of(self, program: str, scenario: str) -> list[Block]:
        return self._blocks[program, scenario]


async def measure(upstream: int, processes: Sequence[Process], scenarios: Sequence[Scenario], rounds: int) -> Results:
    """Each scenario through each program in turn, `rounds` times; the order turns, so that a slow spell hits all.

    Raises WrongAnswerError when any answer differs from what the mock sent.
    """
    results = Results()
    for number in range(rounds):
        for index, scenario in enumerate(scenarios):
            lanes = make_lanes(scenario, number)
            results.add(DIRECT, scenario.key, await _block(upstream, None, _shorter(lanes)))
            turn = (number + index) % len(processes)
            for process in (*processes[turn:], *processes[:turn]):
                if process.name == PLAIN and scenario.key not in _TOLD_APART:
                    continue
                given = _shorter(lanes) if process.name == NAIVE else lanes
                results.add(process.name, scenario.key, await _block(process.port, process, given))
    return results


def make_lanes(scenario: Scenario, number: int) -> list[list[Request]]:
    """New conversations for every round, so that nothing is known from the one before."""
    seeds = [crc32(f"{scenario.key} {number} {lane}".encode()) for lane in range(scenario.connections)]
    return [
        list(scenario.lane(seed, scenario.requests + 1, f"{scenario.key}-{lane}")) for lane, seed in enumerate(seeds)
    ]


def _shorter(lanes: list[list[Request]]) -> list[list[Request]]:
    return [lane[: 1 + max(2, len(lane) // _NAIVE_SHARE)] for lane in lanes]


async def _block(port: int, process: Process | None, lanes: list[list[Request]]) -> Block:
    connections = await connect(port, len(lanes))
    await drive(connections, [lane[:1] for lane in lanes])
    cpu = await _settled(process)
    begun = time.perf_counter()
    timings = await drive(connections, [lane[1:] for lane in lanes])
    seconds = time.perf_counter() - begun
    spent = await _settled(process) - cpu
    for connection in connections:
        connection.close()
    count = len(timings)
    first, total = median(each.first for each in timings), median(each.total for each in timings)
    return Block(spent / count / 1000, first, total, count / seconds)


async def _settled(process: Process | None) -> int:
    """CPU ns of a process at rest; 0 without one."""
    if process is None:
        return 0
    await process.settle()
    return process.cpu_ns()
