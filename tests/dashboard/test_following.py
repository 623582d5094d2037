"""Pages that stay open follow what happens: figures, names, ages; none of them has to be loaded anew."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from benchmarks import story
from tests.api.ledger_files import history, item
from tests.dashboard.browsing import Watched, sync_api
from tests.e2e.processes import ProxyProcess

pytestmark = pytest.mark.extra
Open = Callable[..., Watched]
expect: Any = sync_api.expect
LIMITS = "[budgets.day]\nusd = 5\n[rate_limit]\nmax_rpm = 40\n"


@pytest.fixture
def proxy(upstream: story.Provider) -> Iterator[ProxyProcess]:
    """Two sessions with a few exchanges."""
    with ProxyProcess(story.config(upstream.base_url, more=LIMITS)) as process:
        with httpx.Client(base_url=process.url, timeout=30) as client:
            story.Agent(client, "work").work(3)
            story.Agent(client, "other", 2, "atlas-small").work(1)
        process.get("/api/sessions")
        yield process


def work(proxy: ProxyProcess, session: str, turns: int = 2) -> None:
    with httpx.Client(base_url=proxy.url, timeout=30) as client:
        story.Agent(client, session, 5).work(turns)


def test_what_went_through_stands_apart_from_what_was_imported(open_page: Open, proxy: ProxyProcess) -> None:
    page = open_page("usage", url=proxy.url).page
    tiles = page.locator(".tiles").first.locator(".value")
    card = page.locator('section[aria-label="Through this proxy"]')
    expect(tiles.nth(0)).to_have_text("4")
    before = [tiles.nth(index).inner_text() for index in range(4)]
    history(proxy.directory, [item(number, ts=1_700_000_000_000 + number) for number in range(3)])
    httpx.post(f"{proxy.url}/api/cline/import").raise_for_status()  # by somebody else
    expect(tiles.nth(4)).to_have_text("3")
    assert [tiles.nth(index).inner_text() for index in range(4)] == before
    found = proxy.get("/api/usage", group_by="day")
    assert found["totals"]["exchanges"] == 7
    rows = card.locator("tbody tr")
    expect(rows).to_have_count(2)  # the day of the tasks, and that of the requests
    for row, group in zip(rows.all(), found["groups"], strict=True):
        cells = row.locator("td")
        imported = group["sources"]["imported"]
        expect(cells.nth(1)).to_have_text(str(group["exchanges"] - imported["exchanges"]))
        expect(cells.nth(6)).to_have_text(str(imported["exchanges"]))
        expect(cells.nth(7)).to_have_text(f"${imported['cost_usd']:.2f}" if imported["exchanges"] else "\u2013")
    work(proxy, "work")
    expect(tiles.nth(0)).to_have_text("6")
    expect(page.locator('section[aria-label="Budgets"] tbody tr td').nth(3)).to_contain_text("6")


def test_requests_per_minute_are_counted_on(open_page: Open, proxy: ProxyProcess) -> None:
    page = open_page("models", url=proxy.url).page
    card = page.locator('section[aria-label="Requests per minute"]')
    expect(card).to_contain_text("4 of 40")
    work(proxy, "work")
    expect(card).to_contain_text("6 of 40")


def test_an_exchange_follows_to_another_session(open_page: Open, proxy: ProxyProcess) -> None:
    page = open_page("exchange/1", url=proxy.url).page
    facts = page.locator('section[aria-label="Facts"]')
    expect(facts.locator("dd").first).to_have_text("1")
    httpx.post(f"{proxy.url}/api/exchanges/1/reassign", json={"session_id": 2}).raise_for_status()
    expect(facts.locator("dd").first).to_have_text("2 ← 1")
    expect(page.locator('section[aria-label="Received → sent"] .message').first).to_be_visible()


@pytest.mark.parametrize("place", ["", "session/1", "session/1/compactions", "session/1/exchanges"])
def test_a_new_name_is_seen_on_every_page_of_the_session(open_page: Open, proxy: ProxyProcess, place: str) -> None:
    httpx.post(f"{proxy.url}/api/sessions/1/activate").raise_for_status()
    page = open_page(place, url=proxy.url).page
    page.locator('body[data-connection="live"]').wait_for()
    httpx.patch(f"{proxy.url}/api/sessions/1", json={"name": "<b>named anew</b>"}).raise_for_status()
    expect(page.locator("h1")).to_have_text("<b>named anew</b>")


def test_ages_grow_while_a_page_is_open(open_page: Open, proxy: ProxyProcess) -> None:
    httpx.post(f"{proxy.url}/api/sessions/1/activate").raise_for_status()
    watched = open_page("models", url=proxy.url)
    page = watched.page
    page.clock.install()
    watched.go("")
    last = page.locator(".tiles .value time")
    expect(last).to_have_text(re.compile("^(now|.* sec. ago)$"))
    page.clock.fast_forward(3 * 60_000)
    expect(last).to_have_text(re.compile("min. ago$"))


@pytest.mark.parametrize(
    ("locale", "text"), [("en-US", "The proxy does not answer."), ("fr-FR", "Le proxy ne répond pas.")]
)
def test_a_page_that_was_never_loaded_comes_once_the_proxy_is_back(
    open_page: Open, proxy: ProxyProcess, locale: str, text: str
) -> None:
    page = open_page("models", url=proxy.url, locale=locale).page
    page.locator('body[data-connection="live"]').wait_for()
    port = int(proxy.url.rsplit(":", 1)[1])
    proxy.stop()
    page.locator('#rail a[data-name="audit"]').click()
    expect(page.locator("main .note.bad")).to_contain_text(text)
    assert "import" not in page.locator("main").inner_text()
    proxy.start(port)
    expect(page.locator("main tbody tr").first).to_be_visible()
