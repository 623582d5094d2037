"""A session of 50,000 events: it comes up, is scrubbed, and each of its events can be reached."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dashboard.browsing import Watched, sync_api
from tests.e2e.processes import ROOT, ProxyProcess

pytestmark = pytest.mark.extra
Open = Callable[..., Watched]
EVENTS = 50_000


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxyProcess]:
    directory: Path = tmp_path_factory.mktemp("long")
    command = [sys.executable, "-m", "benchmarks.long_session", str(directory / "data"), str(EVENTS)]
    subprocess.run(command, check=True, cwd=ROOT, timeout=120)
    with ProxyProcess(directory=directory) as proxy:
        proxy.until_ready(120)
        yield proxy


def test_it_is_scrubbed(open_page: Open, long: ProxyProcess) -> None:
    page = open_page("session/1", url=long.url).page
    expect: Any = sync_api.expect
    slider = page.locator("#scrub")
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    expect(page.locator(".note.past")).to_be_visible()
    page.keyboard.press("Home")
    page.locator('.page[data-exact="1"]').wait_for()
    page.goto(f"{long.url}/#/session/1?at=25001")
    page.locator('.page[data-exact="25001"]').wait_for()
    then = long.get("/api/sessions/1", at=25001, metrics_limit=0)
    expect(page.locator(".gauge .figure")).to_have_text(f"{then['context']['current_tokens']:,}")
    page.locator('tr[data-key="25001"]').wait_for()
    page.keyboard.press(".")  # to the very next one, although the slider's points lie wider
    page.locator('.page[data-exact="25002"]').wait_for()
    page.locator("#scrub-back-compaction").click()
    expect(page.locator("[data-event]")).to_contain_text("CompactionPerformed")
