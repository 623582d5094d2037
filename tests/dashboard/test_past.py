"""An address with a moment: each page shows what was then or says that it does not, and never another moment."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from benchmarks import story
from tests.dashboard.browsing import Watched, head, sync_api
from tests.dashboard.test_actions import receipt
from tests.dashboard.test_time_travel import positions
from tests.e2e.processes import ProxyProcess

pytestmark = pytest.mark.extra
Open = Callable[..., Watched]
expect: Any = sync_api.expect


@pytest.fixture(scope="module")
def proxy(upstream: story.Provider) -> Iterator[ProxyProcess]:
    """Session 1 is renamed, compacted, masked and no longer active; session 2 comes after it."""
    with ProxyProcess(story.config(upstream.base_url, window=60_000)) as process:
        with httpx.Client(base_url=process.url, timeout=30) as client:
            client.patch(f"/api/sessions/{_begin(client)}", json={"name": "the old name"}).raise_for_status()
            memory = {"content": "Rounding happens before conversion."}
            client.post("/api/memory/store?session_id=1", json=memory).raise_for_status()
            client.post("/api/sessions/1/fork", json={}).raise_for_status()
            client.post("/api/compaction/1", json={"force": True}).raise_for_status()
            client.patch("/api/sessions/1", json={"name": "the new name"}).raise_for_status()
            client.post("/api/sessions/2/activate").raise_for_status()
            memory = {"content": "Credit notes keep the old rounding."}
            client.post("/api/memory/store?session_id=1", json=memory).raise_for_status()
            story.Agent(client, "second", 2).work(2)
        process.get("/api/sessions")
        yield process


def _begin(client: httpx.Client) -> int:
    story.Agent(client, "first").work(14)
    return int(client.get("/api/sessions/active").json()["session"]["id"])


@pytest.fixture(scope="module")
def then(proxy: ProxyProcess) -> int:
    """The event before the fork: one session, not compacted, one memory."""
    (forked,) = [event["position"] for event in proxy.get("/api/events", type="SessionForked")["events"]]
    return int(forked) - 2


def past(page: Any, at: int) -> None:
    expect(page.locator(".note.past")).to_contain_text("You are in the past")
    expect(page.locator(".note.past")).to_contain_text(f"event {at}")


def test_lists_are_as_they_were(open_page: Open, proxy: ProxyProcess, then: int) -> None:
    watched = open_page(f"sessions?at={then}", url=proxy.url)
    page = watched.page
    past(page, then)
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("the old name")
    expect(page.locator("#new-session")).to_be_disabled()
    expect(page.get_by_role("button", name="Rename #1")).to_have_count(0)
    assert page.url.endswith(f"at={then}")
    page.locator("tbody a.name").click()
    page.locator(f'.page[data-exact="{then}"]').wait_for()
    page = watched.go(f"memory?at={then}")
    past(page, then)
    expect(page.locator('section[aria-label="Memories by use"] tbody tr')).to_have_count(1)
    expect(page.locator("#memory-store button")).to_be_disabled()
    page = watched.go(f"usage?at={then}")
    past(page, then)
    expect(page.locator('section[aria-label="Through this proxy"] tbody tr').first).to_contain_text("14")
    expect(page.locator("#import")).to_be_disabled()
    page = watched.go("content?at=4")
    past(page, 4)
    expect(page.locator(".tiles .value").first).to_have_text("0")
    expect(page.locator("#toggle-sanitizer")).to_be_disabled()
    page = watched.go(f"audit?at={then}")
    past(page, then)
    expect(page.locator('section[aria-label="Events"] tbody tr').first).to_contain_text(f"#{then}")
    assert page.url.endswith(f"at={then}")
    page.locator("#to-present").click()
    expect(page.locator('section[aria-label="Events"] tbody tr').first).to_contain_text(f"#{head(proxy.url)}")
    expect(page.locator(".note.past")).to_have_count(0)


def test_the_pages_of_a_session_keep_the_moment(open_page: Open, proxy: ProxyProcess, then: int) -> None:
    page = open_page(f"session/1?at={then}", url=proxy.url).page
    page.locator(f'.page[data-exact="{then}"]').wait_for()
    page.locator('.tabs a:has-text("Compactions")').click()
    past(page, then)
    expect(page.locator("h1")).to_have_text("the old name")
    expect(page.get_by_text("Nothing has been compacted")).to_be_visible()
    expect(page.locator("#compact-button, #undo-button")).to_have_count(0)
    expect(page.locator("#toggle-auto")).to_be_disabled()
    before = proxy.get("/api/compaction/1/preview", at=then)["estimate"]["tokens_saved"]
    page.locator("#preview-button").click()
    expect(page.locator("#preview")).to_contain_text(f"{before:,} saved")
    page.get_by_role("button", name="Close", exact=True).last.click()
    page.locator('.tabs a:has-text("Exchanges")').click()
    past(page, then)
    expect(page.locator("tbody tr")).to_have_count(14)
    page.locator("tbody tr").first.click()
    page.get_by_role("heading", name="Exchange").wait_for()
    past(page, then)
    expect(page.get_by_role("button", name="Move to another session")).to_be_disabled()
    page.locator("dl.facts a").first.click()
    page.locator(f'.page[data-exact="{then}"]').wait_for()


def test_an_exchange_is_as_it_was(open_page: Open, proxy: ProxyProcess) -> None:
    started = proxy.get("/api/exchanges/3")["positions"]["started"]
    page = open_page(f"exchange/3?at={started}", url=proxy.url).page
    past(page, started)
    expect(page.locator(".head .mark")).to_have_text("running")


def test_a_page_of_the_present_says_so(open_page: Open, proxy: ProxyProcess) -> None:
    watched = open_page("?at=5", url=proxy.url)
    for place in ("?at=5", "models?at=5", "system?at=5", "mcp?at=5"):
        page = watched.go(place)
        expect(page.locator(".note.warn")).to_contain_text("asks for 5; this page shows the present")
        page.locator("#to-present").click()
        expect(page.locator("#to-present")).to_have_count(0)
    page = watched.go("event/5?at=3")
    assert page.locator("#to-present").count() == 0


def test_in_the_past_time_travel_names_and_saves_what_was(open_page: Open, proxy: ProxyProcess, then: int) -> None:
    page = open_page(f"session/1?at={then}", url=proxy.url).page
    expect(page.locator("h1")).to_have_text("the old name")
    expect(page.locator(".head .badge")).to_have_text("active")
    tools = page.locator('section[aria-label="Events"] header')
    for place in (page.locator(".head"), tools):
        for link in place.locator("a[download]").all():
            assert f"at={then}" in link.get_attribute("href")
    with page.expect_download() as saved:
        tools.get_by_text("CSV", exact=True).click()
    numbers = [int(line.split(",")[0]) for line in saved.value.path().read_text().splitlines()[1:]]
    assert max(numbers) == then
    page.locator("#scrub-live").click()
    expect(page.locator("h1")).to_have_text("the new name")
    expect(page.locator(".head .badge")).to_have_count(0)
    assert not any("&at=" in link.get_attribute("href") for link in page.locator("header a[download], .head a").all())
    assert "at=" not in page.locator('.tabs a:has-text("Exchanges")').get_attribute("href")


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("abc", "is no moment"),
        ("-1", "is no moment"),
        ("99999", "There is no event 99999 yet"),
        ("0", "session 1 had not begun"),
        ("2020-01-01T00:00:00Z", "session 1 had not begun"),
    ],
)
def test_a_moment_that_is_none_is_said(open_page: Open, proxy: ProxyProcess, asked: str, why: str) -> None:
    watched = open_page(f"session/1?at={asked}", url=proxy.url)
    page = watched.page
    newest = positions(proxy)[-1]
    page.locator(f'.page[data-exact="{newest}"]').wait_for()
    expect(page.locator(".note.bad")).to_contain_text(why)
    expect(page.locator(".note.bad")).to_contain_text("This page shows the present")
    assert page.url.endswith(f"?at={asked}")
    page.locator("#scrub-back").click()
    expect(page.locator(".note.bad")).to_have_count(0)
    expect(page.locator(".note.past")).to_be_visible()
    if "begun" not in why:
        page = watched.go(f"sessions?at={asked}")
        expect(page.locator(".note.bad")).to_contain_text(why)
        expect(page.locator("#new-session")).to_be_enabled()


def test_going_on_from_a_moment_in_a_new_session(open_page: Open, proxy: ProxyProcess, then: int) -> None:
    page = open_page(f"session/1?at={then}", url=proxy.url).page
    page.locator(f'.page[data-exact="{then}"]').wait_for()
    page.locator("#fork-button").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(f"Go on from event {then}")
    dialog.get_by_label("Name").fill("another try")
    dialog.get_by_role("button", name="Go on").click()
    receipt(page, "SessionForked")
    made = next(each for each in proxy.get("/api/sessions") if each["name"] == "another try")
    assert (made["parent_id"], made["is_active"]) == (1, False)
    assert proxy.get("/api/events", type="SessionForked")["events"][0]["session_id"] == made["id"]
    page.locator("#receipts").get_by_role("link", name="another try").click()
    expect(page.locator("h1")).to_have_text("another try")
