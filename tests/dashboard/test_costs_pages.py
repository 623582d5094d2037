"""Usage, prices, budgets and ledgers on their pages; and two moments of a session compared."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from benchmarks import story
from tests.api.ledger_files import history, item
from tests.dashboard.browsing import Watched, sync_api
from tests.dashboard.test_actions import receipt
from tests.e2e.processes import ProxyProcess

pytestmark = pytest.mark.extra
Open = Callable[..., Watched]
expect: Any = sync_api.expect
BUDGETS = "[budgets.day]\nusd = 0.5\n[budgets.session]\ntokens = 1000000\n"


@pytest.fixture(scope="module")
def proxy(upstream: story.Provider) -> Iterator[ProxyProcess]:
    with ProxyProcess(story.config(upstream.base_url, more=BUDGETS)) as process:
        with httpx.Client(base_url=process.url, timeout=30) as client:
            story.Agent(client, "work").work(6)
            story.Agent(client, "other", 2, "atlas-small").work(2)
        process.get("/api/sessions")
        yield process


def test_usage_is_asked_for(open_page: Open, proxy: ProxyProcess) -> None:
    page = open_page("usage", url=proxy.url).page
    card = page.locator('section[aria-label="Through this proxy"]')
    for by, count in (("model", 2), ("provider", 1), ("session", 2), ("client_family", 1), ("day", 1)):
        card.locator(f'[data-by="{by}"]').click()
        expect(card.locator("tbody tr")).to_have_count(count)
    card.get_by_label("Model").fill("atlas-small")
    expect(card.locator("tbody tr td").nth(1)).to_have_text("2")
    form = card.locator("#usage-filter")
    form.get_by_label("Model").fill("")
    form.locator('input[name="from"]').fill("2020-01-01")
    form.locator('input[name="to"]').fill("2020-01-02")
    expect(card).to_contain_text("Nothing went through yet")
    form.locator('input[name="to"]').fill("2019-01-01")
    expect(card).to_contain_text("The last day is before the first one")
    form.locator('input[name="to"]').fill("2100-01-01")
    expect(card.locator("tbody tr td").nth(1)).to_have_text("8")
    path = card.get_by_text("CSV", exact=True).get_attribute("href")
    assert httpx.get(f"{proxy.url}{path}").text.startswith("key,name,source,")


def test_budgets_are_shown(open_page: Open, proxy: ProxyProcess) -> None:
    page = open_page("usage", url=proxy.url).page
    shown = page.locator('section[aria-label="Budgets"] tbody tr')
    (day,) = [each for each in proxy.get("/api/budgets")["budgets"] if each["name"] == "the day"]
    row = shown.filter(has_text="the day")
    expect(row).to_contain_text("$0.50")
    expect(row.locator("td").nth(1)).to_contain_text(f"{int(day['tokens']['used']):,}")


def test_ledgers_are_imported(open_page: Open, proxy: ProxyProcess) -> None:
    page = open_page("usage", url=proxy.url).page
    expect(page.locator('section[aria-label="Ledgers"]')).to_contain_text("Nothing has been imported yet")
    history(proxy.directory, [item(1), item(2, modelId="<img src=x onerror=alert(1)>"), item(3, tokensIn=-1)])
    page.locator("#import").click()
    receipt(page, "TaskUsageImported")
    expect(page.locator("#receipts")).to_contain_text("2 imported, 0 known already, 1 unreadable")
    expect(page.locator('section[aria-label="Tasks"] tbody tr')).to_have_count(2)
    expect(page.locator('section[aria-label="By day and model"]')).to_contain_text("<img src=x onerror=alert(1)>")
    page.locator("#import").click()
    expect(page.locator("#receipts")).to_contain_text("0 imported, 2 known already")


def test_history_is_priced_anew(open_page: Open, proxy: ProxyProcess) -> None:
    page = open_page("models", url=proxy.url).page
    prices = page.locator('section[aria-label="Prices"]')
    expect(prices.locator("tbody tr", has_text="atlas-large")).to_contain_text("0.2")
    expect(
        page.locator('section[aria-label="Models"] tbody tr', has_text="atlas-small").locator("td").nth(4)
    ).to_have_text("0.3")
    page.locator("#reprice").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("From event or time").fill("nonsense")
    dialog.get_by_role("button", name="Price anew").click()
    expect(page.locator("#receipts .bad")).to_contain_text("event position or an ISO-8601 time")
    page.locator("#reprice").click()
    dialog.get_by_role("button", name="Price anew").click()
    receipt(page, "RepricedFrom")
    prices.locator("summary").click()
    expect(prices).to_contain_text("history from event 1 priced anew by")


def test_two_moments_are_compared(open_page: Open, proxy: ProxyProcess) -> None:
    page = open_page("session/1", url=proxy.url).page
    page.get_by_text("Compare two moments").click()
    form = page.locator("#compare")
    form.locator('[data-take="to"]').click()
    newest = form.locator('input[name="to"]').input_value()
    page.locator("#scrub-back").click()
    page.locator("#scrub-back").click()
    form.locator('[data-take="from"]').click()
    earlier = form.locator('input[name="from"]').input_value()
    assert 0 < int(earlier) < int(newest)
    form.get_by_role("button", name="Compare").click()
    wanted = proxy.get("/api/sessions/1/diff", **{"from": earlier, "to": newest})
    shown = page.locator(f'[data-compared="{earlier}-{newest}"]')
    expect(shown).to_contain_text(f"context {wanted['tokens']['before']:,} → {wanted['tokens']['after']:,} tokens")
    expect(shown.locator("tbody tr")).to_have_count(len(wanted["changes"]))
    form.locator('input[name="from"]').fill("999999")
    form.get_by_role("button", name="Compare").click()
    expect(page.locator('section[aria-label="Compare two moments"] .note.bad')).to_be_visible()
