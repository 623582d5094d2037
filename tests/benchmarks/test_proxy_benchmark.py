"""The benchmark's parts, and a short run of it against the real proxy."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.load import Request, WrongAnswerError, connect, drive
from benchmarks.measure import DIRECT, Block, Results
from benchmarks.mock_upstream import CHUNK_BYTES, Plan, json_body, sse_events, start_mock
from benchmarks.report import costs
from benchmarks.scenarios import FIGURES, SCENARIOS, Figure
from benchmarks.traffic import AGENT_MESSAGES, agent_constant, agent_growing, small, streamed

ROOT = Path(__file__).resolve().parent.parent.parent


def messages_of(request: Request) -> list[dict[str, object]]:
    messages: list[dict[str, object]] = json.loads(request.data.partition(b"\r\n\r\n")[2])["messages"]
    return messages


async def test_the_mock_answers_what_the_requests_expect() -> None:
    lanes = [
        list(small(1, 3, session="s")),
        list(agent_constant(2, 2, session="s")),
        list(streamed(3, 2, Plan(5, paced=True), session=None)),
        list(streamed(4, 2, Plan(5, paced=False), session=None)),
    ]
    async with await start_mock() as mock:
        connections = await connect(mock.sockets[0].getsockname()[1], len(lanes))
        timings = await drive(connections, lanes)
        for connection in connections:
            connection.close()
    assert len(timings) == 9
    assert all(0 < each.first <= each.total for each in timings)


async def test_another_answer_is_noticed() -> None:
    (request,) = small(1, 1, session=None)
    async with await start_mock() as mock:
        (connection,) = await connect(mock.sockets[0].getsockname()[1], 1)
        with pytest.raises(WrongAnswerError):
            await connection.exchange(request._replace(expected=json_body() + b" "))
        connection.close()


def test_the_traffic_is_of_the_sizes_that_it_claims() -> None:
    (first,) = small(1, 1, session=None)
    assert len(first.data.partition(b"\r\n\r\n")[2]) == 200
    assert {len(event) for event in sse_events(10)[:-1]} == {CHUNK_BYTES}
    agent, other = agent_constant(1, 2, session=None)
    assert 90_000 < len(agent.data) < 100_000
    assert messages_of(agent)[:-1] == messages_of(other)[:-1] and messages_of(agent) != messages_of(other)


def test_a_growing_conversation_keeps_its_messages() -> None:
    turns = [messages_of(request) for request in agent_growing(7, 3)]
    assert [len(turn) for turn in turns] == [AGENT_MESSAGES, AGENT_MESSAGES + 2, AGENT_MESSAGES + 4]
    assert turns[2][: len(turns[1])] == turns[1]


def test_a_chunks_cost_is_the_slope_between_two_streams() -> None:
    results = Results()
    for key, cpu in (("long", 900.0), ("short", 100.0)):
        results.add(DIRECT, key, Block(cpu, 0, 0, 0))
    assert costs(Figure("chunk", "long", "", "short", 100), results, DIRECT) == [8.0]


def test_every_figure_has_its_scenarios() -> None:
    keys = {scenario.key for scenario in SCENARIOS}
    assert {figure.key for figure in FIGURES} | {figure.base for figure in FIGURES if figure.base} <= keys


@pytest.mark.extra
@pytest.mark.skipif(sys.platform != "linux", reason="reads CPU clocks of other processes")
def test_a_short_run_prints_every_figure() -> None:
    command = [sys.executable, "-m", "benchmarks.proxy", "--rounds", "1", "--share", "0.1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr
    for figure in FIGURES:
        for title in (figure.title, *([f"{figure.title}, reduction off"] if figure.plain else [])):
            assert re.search(re.escape(title) + r" \| -?[\d.,]+ \(-?[\d.,]+\)", done.stdout), done.stdout
