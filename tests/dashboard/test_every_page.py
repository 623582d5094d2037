"""Every page, in both themes and on a narrow screen: it comes up, asks no other host, and axe-core finds nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.dashboard.browsing import AXE, Watched

pytestmark = pytest.mark.extra
PAGES = (
    "",
    "sessions",
    "session/1",
    "session/1?at=40",
    "session/1?at=abc",
    "sessions?at=40",
    "models?at=40",
    "session/1/compactions",
    "session/1/compactions?at=40",
    "session/1/exchanges",
    "exchange/30",
    "audit",
    "event/3",
    "content",
    "memory",
    "mcp",
    "usage",
    "models",
    "system",
)
Open = Callable[..., Watched]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(open_page: Open, theme: str) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: make setup-extra")
    watched = open_page("models", color_scheme=theme, reduced_motion="reduce")
    for place in PAGES:
        page = watched.go(place)
        page.wait_for_load_state("networkidle")
        assert watched.violations() == [], place
        assert page.locator("h1").count() == 1, place
        assert page.locator(".note.bad[role=alert]").count() == 0, place
    page = watched.page
    page.keyboard.press("?")
    assert watched.violations() == []


def test_narrow_screens_show_all_without_scrolling_sideways(open_page: Open) -> None:
    watched = open_page("models", viewport={"width": 390, "height": 844}, has_touch=True)
    for place in PAGES:
        page = watched.go(place)
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, place


@pytest.mark.parametrize("width", [820, 1920, 2560])
def test_other_widths(open_page: Open, width: int) -> None:
    watched = open_page("session/1?at=40", viewport={"width": width, "height": 900})
    page = watched.page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    thumb = page.locator("#scrub").bounding_box()
    assert thumb["x"] >= 0 and thumb["x"] + thumb["width"] <= width + 8


def test_the_language_and_theme_are_kept(open_page: Open) -> None:
    watched = open_page("sessions", locale="fr-FR")
    page: Any = watched.page
    assert page.locator("html").get_attribute("lang") == "fr"
    page.get_by_role("link", name="Journal").wait_for()
    page.get_by_label("Langue").select_option("en")
    page.get_by_role("link", name="Audit").wait_for()
    page.locator("#theme").click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.reload()
    watched.ready("sessions")
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark == "rgb(15, 18, 22)"


def test_an_address_that_is_none(open_page: Open) -> None:
    watched = open_page("nowhere")
    watched.page.get_by_role("heading", name="There is nothing at this address.").wait_for()
    watched.go("session/999")
    assert "no session 999" in watched.page.locator(".note.bad").inner_text()
