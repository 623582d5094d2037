"""Pictures of the dashboard for README and docs: `python -m docs.pictures [FOLDER]`, with Playwright and Chromium.

A proxy is told the story of benchmarks/story.py, then each page is pictured in both themes. With a folder all of them
are written there, to be looked at; without one the few that the docs show are written to docs/img.
"""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks import story
from benchmarks.processes import free_port, start
from tests.dashboard.browsing import chromium

_HERE = Path(__file__).parent / "img"
_TURNS = 90
_SETTLE_MS = 900
PAGES = {
    "live": "",
    "sessions": "sessions",
    "travel": "session/1?at=AT",
    "compactions": "session/1/compactions",
    "exchanges": "session/1/exchanges",
    "exchange": "exchange/60",
    "audit": "audit?event=AT",
    "event": "event/AT",
    "content": "content",
    "memory": "memory",
    "mcp": "mcp",
    "usage": "usage",
    "models": "models",
    "system": "system",
}
SHOWN = (("travel", "light"), ("travel", "dark"), ("live", "light"), ("compactions", "dark"), ("exchange", "light"))


@contextmanager
def told() -> Iterator[str]:
    """A proxy with the story in its log; its address."""
    with tempfile.TemporaryDirectory(prefix="chronoproxy-") as folder, story.provider() as upstream:
        settings = Path(folder, "config.toml")
        settings.write_text(story.config(upstream.base_url, window=24_000), encoding="utf-8")
        port = free_port()
        command = [sys.executable, "-m", "chronoproxy", "serve", "--config", str(settings), "--port", str(port)]
        command += ["--data-dir", str(Path(folder, "data"))]
        process = start("chronoproxy", command, port, Path(folder, "log"), None)
        url = f"http://127.0.0.1:{port}"
        try:
            _tell(url)
            yield url
        finally:
            process.stop()


def _tell(url: str) -> None:
    with httpx.Client(base_url=url, timeout=30) as client:
        story.Agent(client, "one").work(_TURNS)
        story.Agent(client, "two", 2, "atlas-small").work(9)
        story.Agent(client, "three", 3).work(4)
        for number, name in ((1, "Billing: rounding rules"), (2, "Nightly review"), (3, "Export, two currencies")):
            client.patch(f"/api/sessions/{number}", json={"name": name})
        for text in (
            "Rounding happens before conversion.",
            "Credit notes keep the old rounding.",
            "Tests run with make.",
        ):
            client.post("/api/memory/store?session_id=1", json={"content": text})


def _compaction(url: str) -> int:
    """The position of the compaction in the middle, which is what the pictures are about."""
    head = str(httpx.get(f"{url}/health").json()["position"])
    wanted = {"type": "CompactionPerformed", "order": "asc"}
    answer = httpx.get(f"{url}/api/sessions/1/events", params=wanted, headers={"X-Min-Position": head})
    events = answer.json()["events"]
    return int(events[len(events) // 2]["position"])


def picture(browser: Any, url: str, place: str, theme: str, path: Path, width: int = 1280, height: int = 860) -> None:
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=theme, locale="en-GB")
    page.goto(f"{url}/#/{place}")
    page.locator("body[data-ready]").wait_for(state="attached")
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(_SETTLE_MS)
    page.screenshot(path=path)
    page.close()


def main() -> None:
    everything = len(sys.argv) > 1
    folder = Path(sys.argv[1]) if everything else _HERE
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [(name, theme) for name in PAGES for theme in ("light", "dark")] if everything else SHOWN
    with told() as url, chromium("--hide-scrollbars", "--force-color-profile=srgb") as browser:
        at = _compaction(url)
        for name, theme in wanted:
            picture(browser, url, PAGES[name].replace("AT", str(at)), theme, folder / f"{name}-{theme}.png")
        picture(browser, url, f"session/1?at={at}", "light", folder / "travel-narrow.png", 390, 780)


if __name__ == "__main__":
    main()
