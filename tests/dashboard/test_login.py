"""A proxy that wants its token: a form, kept for the tab, also for the socket and for files."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.dashboard.browsing import Watched, sync_api
from tests.e2e.processes import ProxyProcess

pytestmark = pytest.mark.extra
Open = Callable[..., Watched]
TOKEN = "a-token-of-the-test"


def test_the_token_is_asked_for_and_used(browser: Any) -> None:
    expect: Any = sync_api.expect
    with ProxyProcess(f'[server]\ntoken = "{TOKEN}"\n') as proxy:
        watched = Watched(browser, proxy.url)
        page = watched.page
        page.goto(f"{proxy.url}/#/sessions")
        page.locator("#token").fill("wrong")
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("not the token")
        page.locator("#token").fill(TOKEN)
        page.get_by_role("button", name="Show").click()
        expect(page.locator("dialog")).to_have_count(0)
        page.locator('body[data-connection="live"]').wait_for()
        page.locator("#new-session").click()
        page.get_by_role("button", name="Create").click()
        expect(page.locator("tbody tr")).to_have_count(1)
        with page.expect_download() as download:
            page.get_by_text("JSON", exact=True).click()
        assert download.value.suggested_filename == "sessions.json"
        page.reload()
        expect(page.locator("tbody tr")).to_have_count(1)
        assert TOKEN not in page.content()
        watched.close()
        assert [each for each in watched.wrong if "/ws" not in each] == []


def test_what_no_header_carries_is_not_the_token(browser: Any) -> None:
    expect: Any = sync_api.expect
    with ProxyProcess(f'[server]\ntoken = "{TOKEN}"\n') as proxy:
        watched = Watched(browser, proxy.url)
        page = watched.page
        page.goto(f"{proxy.url}/#/sessions")
        page.locator("#token").fill("日本語")
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_role("dialog").get_by_role("alert")).to_have_text("This is not the token.")
        page.locator("#token").fill(TOKEN)
        page.get_by_role("button", name="Show").click()
        expect(page.locator("dialog")).to_have_count(0)
        watched.close()
