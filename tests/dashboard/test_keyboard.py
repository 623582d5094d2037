"""Without a mouse: compact, preview, undo and scrub; lists are one stop each."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from benchmarks import story
from tests.dashboard.browsing import Watched, sync_api
from tests.e2e.processes import ProxyProcess

pytestmark = pytest.mark.extra
Open = Callable[..., Watched]
expect: Any = sync_api.expect


def tab_to(page: Any, name: str, most: int = 40) -> None:
    """Tab until what has the focus says `name`."""
    for _ in range(most):
        page.keyboard.press("Tab")
        said = page.evaluate("document.activeElement.ariaLabel || document.activeElement.textContent")
        if said.strip() == name:
            return
    raise AssertionError(f"{name} was not reached with {most} tabs")


def test_compact_preview_undo_and_scrub(open_page: Open, upstream: story.Provider) -> None:
    with ProxyProcess(story.config(upstream.base_url)) as proxy:
        with httpx.Client(base_url=proxy.url, timeout=30) as client:
            story.Agent(client, "keys").work(12)
        page = open_page("session/1/compactions", url=proxy.url).page
        tab_to(page, "Preview")
        page.keyboard.press("Enter")
        expect(page.locator("#preview")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("dialog")).to_have_count(0)
        tab_to(page, "Compact now")
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_be_visible()
        tab_to(page, "Compact")
        page.keyboard.press("Enter")
        expect(page.locator("tbody tr").first).to_contain_text("in force")
        tab_to(page, "Time travel")
        page.keyboard.press("Enter")
        page.locator("#scrub").wait_for()
        tab_to(page, "Moment of the session")
        page.keyboard.press("ArrowLeft")
        expect(page.locator(".note.past")).to_be_visible()
        page.keyboard.press("[")
        page.keyboard.press("0")
        expect(page.locator(".note.past")).to_have_count(0)
        page.keyboard.press("g")
        page.keyboard.press("l")
        expect(page.locator('a[aria-current="page"]')).to_have_text("Live")
        page.go_back()
        page.locator("#scrub").wait_for()  # the page before is there again
        page.locator('.tabs a:has-text("Compactions")').focus()
        page.keyboard.press("Enter")
        page.locator("tbody tr").first.wait_for()
        page.keyboard.press("z")
        tab_to(page, "Undo")
        page.keyboard.press("Enter")
        expect(page.locator("tbody tr").first).to_contain_text("undone")


def test_a_list_is_one_stop_and_arrows_go_through_it(open_page: Open) -> None:
    page = open_page("audit").page
    rows = page.locator('section[aria-label="Events"] tbody tr')
    rows.first.wait_for()
    assert page.locator('tbody [tabindex="0"]').count() == 1
    rows.first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    key = rows.nth(1).get_attribute("data-key")
    expect(page.locator(f'[data-event="{key}"]')).to_be_visible()
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.tagName") == "A"
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.tagName") == "TR"


def test_help_names_the_keys(open_page: Open) -> None:
    page = open_page("models").page
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Compaction before, after")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
