"""What happens is seen without a click, also after the server was away; figures move with the events they come with."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from benchmarks import story
from tests.dashboard.browsing import Watched, sync_api, until_caught_up
from tests.e2e.processes import ProxyProcess

pytestmark = pytest.mark.extra
Open = Callable[..., Watched]
expect: Any = sync_api.expect


def test_from_nothing_to_a_session_that_goes_on(open_page: Open, upstream: story.Provider) -> None:
    with ProxyProcess(story.config(upstream.base_url)) as proxy, httpx.Client(timeout=30, base_url=proxy.url) as client:
        watched = open_page("", url=proxy.url)
        page = watched.page
        expect(page.get_by_text("No session is active")).to_be_visible()
        agent = story.Agent(client, "one")
        agent.work(1)
        expect(page.locator(".gauge .figure")).to_be_visible()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        agent.work(3)
        until_caught_up(page, proxy.url)
        used = proxy.get("/api/sessions/active")["context"]["current_tokens"]
        expect(page.locator(".gauge .figure")).to_have_text(f"{used:,}")
        expect(page.locator("tbody tr").first).to_contain_text("ExchangeCompleted")
        expect(page.locator(".tiles .value").first).to_have_text("4")
        assert len([url for url in asked if "/api/" in url]) <= 4, asked  # not one for each event


def test_it_goes_on_after_a_restart(open_page: Open, upstream: story.Provider) -> None:
    """Also with what happened before the page was connected again."""
    with ProxyProcess(story.config(upstream.base_url)) as proxy:
        with httpx.Client(timeout=30, base_url=proxy.url) as client:
            agent = story.Agent(client, "one")
            agent.work(2)
        page = open_page("", url=proxy.url).page
        page.locator('body[data-connection="live"]').wait_for()
        port = int(proxy.url.rsplit(":", 1)[1])
        proxy.stop()
        expect(page.locator("#offline")).to_contain_text("does not answer")
        proxy.start(port)
        proxy.until_ready()
        with httpx.Client(timeout=30, base_url=proxy.url) as client:
            again = story.Agent(client, "one")
            again.messages = agent.messages
            again.work(2)
        page.locator('body[data-connection="live"]').wait_for()
        until_caught_up(page, proxy.url)
        expect(page.locator("#offline")).to_be_hidden()
        expect(page.locator(".tiles .value").first).to_have_text("4")


def test_a_tab_that_reads_nothing_holds_up_nobody(open_page: Open, upstream: story.Provider) -> None:
    with ProxyProcess(story.config(upstream.base_url)) as proxy, httpx.Client(timeout=30, base_url=proxy.url) as client:
        agent = story.Agent(client, "one")
        agent.work(1)
        watched = open_page("", url=proxy.url)
        slow = watched.context.new_cdp_session(watched.page)
        slow.send("Emulation.setCPUThrottlingRate", {"rate": 20})
        for number in range(100):
            client.post("/api/sessions", json={"name": f"session {number}"}).raise_for_status()
            client.post("/api/sessions/1/activate").raise_for_status()
        agent.work(2)
        slow.send("Emulation.setCPUThrottlingRate", {"rate": 1})
        until_caught_up(watched.page, proxy.url, seconds=60)
