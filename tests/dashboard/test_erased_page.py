"""An erased session: what is left is shown, what is gone is said to be gone, and nothing is offered that cannot be."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from benchmarks import story
from tests.dashboard.browsing import Watched, sync_api
from tests.e2e.processes import ProxyProcess

pytestmark = pytest.mark.extra
Open = Callable[..., Watched]
expect: Any = sync_api.expect


@pytest.fixture
def proxy(upstream: story.Provider) -> Iterator[ProxyProcess]:
    with ProxyProcess(story.config(upstream.base_url, window=60_000)) as process:
        with httpx.Client(base_url=process.url, timeout=30) as client:
            agent = story.Agent(client, "work")
            agent.work(14)
            client.post("/api/compaction/1", json={"force": True}).raise_for_status()
            agent.work(1)
            ref = client.get("/api/sessions/1/messages", params={"view": "received"}).json()["messages"][0]["ref"]
            client.post("/api/sessions/1/pins", json={"refs": [ref]}).raise_for_status()
            client.patch("/api/sessions/1", json={"name": "a secret name"}).raise_for_status()
            client.patch("/api/sessions/1", json={"name": "another one"}).raise_for_status()
            remembered = {"content": "a secret to remember"}
            client.post("/api/memory/store?session_id=1", json=remembered).raise_for_status()
            client.post("/api/sessions/1/erase", json={"confirm": True}).raise_for_status()
        process.get("/api/sessions")
        yield process


def test_nothing_is_offered_that_cannot_be(open_page: Open, proxy: ProxyProcess) -> None:
    watched = open_page("session/1/compactions", url=proxy.url)
    page = watched.page
    expect(page.locator(".note.warn").first).to_contain_text("were erased for good")
    expect(page.locator("#toggle-auto")).to_be_visible()
    names = ["#preview-button", "#compact-button", "#undo-button", "#toggle-auto", "#reserved", "#compress-button"]
    (row,) = proxy.get("/api/compaction/1/history")["history"]
    for control in (*(page.locator(name) for name in names), page.get_by_label(f"Undo #{row['id']}")):
        expect(control).to_be_disabled()
        expect(control).to_have_attribute("title", "The session is erased")
    expect(page.get_by_role("button", name="Set")).to_be_disabled()
    page.keyboard.press("c")
    page.keyboard.press("v")
    expect(page.locator("dialog")).to_have_count(0)
    page = watched.go("session/1")
    expect(page.locator(".note.warn").first).to_contain_text("were erased for good")
    for name in ("#preview-button", "#compact-button", "#fork-button"):
        expect(page.locator(name)).to_be_disabled()
    page = watched.go("session/1?at=20")
    expect(page.locator(".note.past")).to_be_visible()
    expect(page.locator("#fork-button")).to_be_disabled()
    page = watched.go("exchange/1")
    expect(page.locator(".note.warn").first).to_contain_text("were erased for good")
    expect(page.get_by_role("button", name="Move to another session")).to_be_disabled()


def test_what_is_null_is_said_to_be_erased(open_page: Open, proxy: ProxyProcess) -> None:
    (asked,) = proxy.get("/api/events", type="SessionErasureRequested")["events"]
    reduced = next(each for each in proxy.get("/api/exchanges", limit=500)["exchanges"] if each["reduction"]["applied"])
    diff = proxy.get(f"/api/exchanges/{reduced['id']}")["diff"]
    watched = open_page("content", url=proxy.url)
    masks = watched.page.get_by_role("table", name="Masked outputs")
    expect(masks.locator("tbody bdi.clamp").first).to_have_text("Erased.")
    page = watched.go(f"memory?at={asked['position'] - 1}")
    expect(page.get_by_text("Erased.", exact=True).first).to_be_visible()
    page = watched.go(f"sessions?at={asked['position'] - 1}")
    expect(page.locator("tbody .badge.bad").first).to_have_text("erased")
    page = watched.go(f"exchange/{reduced['id']}")
    gone = page.get_by_role("region", name="What the proxy changed").locator("article.message.removed")
    expect(gone).to_have_count(min(len(diff["removed"]), 4))
    expect(gone.first).to_contain_text("Erased.")


def test_an_event_says_that_its_contents_were_erased(open_page: Open, proxy: ProxyProcess) -> None:
    renamed = proxy.get("/api/events", type="SessionRenamed")["events"][0]["position"]
    assert proxy.get(f"/api/events/{renamed}")["changes"] == []
    watched = open_page(f"event/{renamed}", url=proxy.url)
    expect(watched.page.locator("[data-event]")).to_contain_text("Its contents were erased for good")
    expect(watched.page.locator("[data-event]")).not_to_contain_text("It changed nothing")
    page = watched.go("event/1")
    expect(page.locator("[data-event]")).not_to_contain_text("erased")
