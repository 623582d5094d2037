"""Proxying, measured: `python -m benchmarks.proxy [--rounds N] [--share F]`.

The mock provider and the client share one core and one process, each proxy has the other core. The primary figure is
CPU time per unit of work of all threads and children; rounds are interleaved; every byte of every answer is checked.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import uvloop

from benchmarks.contenders import contenders
from benchmarks.load import WrongAnswerError
from benchmarks.measure import measure
from benchmarks.mock_upstream import start_mock
from benchmarks.processes import StartError
from benchmarks.report import report
from benchmarks.scenarios import SCENARIOS, Scenario


def shortened(share: float) -> list[Scenario]:
    """The scenarios with a share of their requests."""
    return [scenario._replace(requests=max(2, round(scenario.requests * share))) for scenario in SCENARIOS]


def cores() -> tuple[int | None, int | None]:
    """One core for the client and the mock, one for the programs under test; None for both on a single core."""
    available = sorted(os.sched_getaffinity(0))
    return (available[0], available[-1]) if len(available) > 1 else (None, None)


async def run(directory: Path, rounds: int, share: float) -> list[str]:
    """The lines to print. Raises StartError and WrongAnswerError."""
    ours, theirs = cores()
    mock = await start_mock()
    upstream = int(mock.sockets[0].getsockname()[1])
    with contenders(upstream, directory, theirs) as processes:
        if ours is not None:
            os.sched_setaffinity(0, {ours})
        results = await measure(upstream, processes, shortened(share), rounds)
        lines = report(results, processes)
    mock.close()
    shape = "one core each for client and proxy" if theirs is not None else "client and proxy on the same single core"
    return [*lines, f"{rounds} rounds, {shape}, Python {platform.python_version()}, {platform.machine()}"]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.proxy", description="CPU per request and SSE chunk")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (default 5)")
    parser.add_argument("--share", type=float, default=1.0, help="share of the requests of a round (default 1.0)")
    options = parser.parse_args(arguments)
    if sys.platform != "linux":
        sys.stderr.write("This benchmark reads CPU clocks of other processes, which works on Linux only.\n")
        return 2
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as directory:
        try:
            lines = uvloop.run(run(Path(directory), options.rounds, options.share))
        except* (StartError, WrongAnswerError) as failures:
            sys.stderr.write("\n".join(str(failure) for failure in failures.exceptions) + "\n")
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0 if lines else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
