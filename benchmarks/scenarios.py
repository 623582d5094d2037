"""What is measured, and how it adds up to the figures of docs/performance.md."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from benchmarks.load import Request
from benchmarks.mock_upstream import Plan
from benchmarks.traffic import agent_constant, agent_growing, small, streamed

Lane = Callable[[int, int, str], Iterator[Request]]  # (seed, count, session key) -> requests, one after another


class Scenario(NamedTuple):
    """`connections` lanes at once, each of `requests` requests and one before them that is not measured."""

    key: str
    connections: int
    requests: int
    lane: Lane


class Figure(NamedTuple):
    """A printed figure: CPU us per request of scenario `key`, or per chunk, as the slope from `base` to `key`; `plain`
    is the goal with reduction off, which only requests with outputs of tools can tell from the other."""

    title: str
    key: str
    goal: str
    base: str | None = None
    chunks: int = 1
    plain: str = ""


def _small(seed: int, count: int, session: str) -> Iterator[Request]:
    return small(seed, count, session=session)


def _constant(seed: int, count: int, session: str) -> Iterator[Request]:
    return agent_constant(seed, count, session=session)


def _growing(seed: int, count: int, session: str) -> Iterator[Request]:
    return agent_growing(seed, count)


def _agent_stream(seed: int, count: int, session: str) -> Iterator[Request]:
    return agent_constant(seed, count, session=session, plan=Plan(100, paced=True))


def _stream(chunks: int, *, paced: bool) -> Lane:
    def lane(seed: int, count: int, session: str) -> Iterator[Request]:
        return streamed(seed, count, Plan(chunks, paced), session=session)

    return lane


SCENARIOS = (
    Scenario("small_c1", 1, 300, _small),
    Scenario("small_c16", 16, 100, _small),
    Scenario("agent_constant", 16, 24, _constant),
    Scenario("agent_growing", 16, 10, _growing),
    Scenario("agent_stream", 4, 4, _agent_stream),
    Scenario("paced_10", 8, 8, _stream(10, paced=True)),
    Scenario("paced_110", 8, 4, _stream(110, paced=True)),
    Scenario("unpaced_10", 8, 16, _stream(10, paced=False)),
    Scenario("unpaced_210", 8, 8, _stream(210, paced=False)),
)

FIGURES = (
    Figure("small (200 B), 1 connection", "small_c1", ""),
    Figure("small (200 B), 16 connections", "small_c16", "<= 170, <= 11x nginx"),
    Figure("agent (95 KB), constant prefix, 16", "agent_constant", "<= 1,500", plain="<= 400, <= 6x nginx"),
    Figure("agent (95 KB), growing by 2, 16", "agent_growing", "<= 1,500", plain="<= 500"),
    Figure("agent + 100 paced SSE chunks, 4", "agent_stream", "<= 5,500"),
    Figure("SSE chunk (250 B), paced, 8", "paced_110", "<= 45, <= 2.8x nginx", "paced_10", 100),
    Figure("SSE chunk (250 B), unpaced, 8", "unpaced_210", "<= 12", "unpaced_10", 200),
)
