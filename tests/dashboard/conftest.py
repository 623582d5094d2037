"""One browser and one proxy with a story in its log for the dashboard's tests; skipped where Chromium is missing."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from benchmarks import story
from tests.dashboard.browsing import CHROMIUM, Watched, chromium
from tests.e2e.processes import ProxyProcess

TURNS = 40


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = "Chromium was not found: make setup-extra says how to get it"
    for item in items:
        if "tests/dashboard" in item.path.as_posix() and CHROMIUM is None:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="module")  # while it is open, its loop runs in this thread: no test after it may need one
def browser() -> Iterator[Any]:
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="package")
def upstream() -> Iterator[story.Provider]:
    with story.provider() as server:
        yield server


@pytest.fixture(scope="package")
def told(upstream: story.Provider) -> Iterator[ProxyProcess]:
    """A proxy whose log holds the story: session 1 with compactions, and two smaller ones."""
    with ProxyProcess(story.config(upstream.base_url, window=12_000)) as proxy:
        with httpx.Client(base_url=proxy.url, timeout=30) as client:
            story.Agent(client, "first").work(TURNS)
            story.Agent(client, "second", 2, "atlas-small").work(4)
            story.Agent(client, "third", 3).work(3)
        proxy.get("/api/sessions")
        yield proxy


@pytest.fixture
def open_page(browser: Any, told: ProxyProcess) -> Iterator[Callable[..., Watched]]:
    """`open_page(place, url=..., **context)`; afterwards nothing may have gone wrong on any page."""
    opened: list[Watched] = []

    def open_one(place: str = "", url: str = "", **context: Any) -> Watched:
        watched = Watched(browser, url or told.url, **context)
        opened.append(watched)
        watched.go(place)
        return watched

    yield open_one
    for watched in opened:
        watched.close()
    assert [each for watched in opened for each in watched.wrong] == []
