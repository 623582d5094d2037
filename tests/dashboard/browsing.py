"""Chromium, driven by Playwright: one browser for all, a context for each test, and a watch over what a page does."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make setup-extra")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MS = 20_000
sync_api.expect.set_options(timeout=WAIT_MS)
_ROOT = Path(__file__).resolve().parents[2]
AXE = _ROOT / "tests/node/node_modules/axe-core/axe.min.js"


@contextmanager
def chromium(*more: str) -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *more])
        yield browser
        browser.close()


class Watched:
    """A page, and what went wrong on it: errors it wrote or threw, addresses of other hosts it asked for."""

    def __init__(self, browser: Any, url: str, **context: Any) -> None:
        self.url = url
        options = {"viewport": {"width": 1440, "height": 900}, "locale": "en-US", **context}
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(WAIT_MS)
        self.page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.wrong.append(f"thrown: {error}"))
        self.page.on("request", self._asked)
        self.page.on("dialog", self._alerted)

    def _said(self, message: Any) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.wrong.append(f"said: {message.text}")

    def _asked(self, request: Any) -> None:
        if request.url.startswith(("blob:", "data:")):
            return
        if urlsplit(request.url).netloc != urlsplit(self.url).netloc:
            self.wrong.append(f"asked: {request.url}")

    def _alerted(self, dialog: Any) -> None:
        self.wrong.append(f"alerted: {dialog.message}")
        dialog.dismiss()

    def go(self, place: str = "") -> Any:
        """To an address of the dashboard, until the page says that it is there."""
        self.page.goto(f"{self.url}/#/{place}")
        return self.ready(place)

    def ready(self, place: str) -> Any:
        """Where the page stands is what was asked for."""
        path = place.split("?")[0] or "live"
        self.page.locator(f'body[data-ready="{path}"]').wait_for(state="attached")
        return self.page

    def violations(self) -> list[str]:
        """What axe-core objects to, as `rule: first place`."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate("async () => (await axe.run()).violations")
        return [f"{each['id']}: {each['nodes'][0]['target']} {each['nodes'][0]['html'][:120]}" for each in found]

    def close(self) -> None:
        self.context.close()


def head(url: str) -> int:
    """The position of the last event."""
    return int(httpx.get(f"{url}/health").json()["position"])


def until_caught_up(page: Any, url: str, *, seconds: float = 20) -> None:
    """Until the page shows the last event, which ends an exchange: that may be recorded a moment after its answer."""
    until = time.monotonic() + seconds
    while True:
        (last,) = httpx.get(f"{url}/api/events", params={"limit": 1}).json()["events"]
        shown = page.locator(".page").get_attribute("data-shown")
        if last["type"] == "ExchangeCompleted" and shown == str(last["position"]):
            return
        assert time.monotonic() < until, f"the page shows {shown} of {last}"
        page.wait_for_timeout(50)
