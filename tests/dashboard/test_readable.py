"""What stands on a page can be read: words are whole, times stand where they were, receipts cover no form, text of
others turns no words around, and every table can be taken along."""

import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
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
TURNED = "\u202eevil\u2066 name"
TOOL = "resolve_library_identifier_from_documentation_index"
BUDGETS = "[budgets.day]\nusd = 5\n"


@pytest.fixture(scope="module")
def proxy(upstream: story.Provider) -> Iterator[ProxyProcess]:
    """Session 1 with a compaction, memories, calls of MCP servers."""
    with ProxyProcess(story.config(upstream.base_url, window=40_000, more=BUDGETS)) as process:
        with httpx.Client(base_url=process.url, timeout=30) as client:
            story.Agent(client, "work", model="atlas-small").work(12)
            for kind in ("episodic", "semantic"):
                body = {"content": "Every credit note of a closed period needs an entry.", "memory_type": kind}
                client.post("/api/memory/store?session_id=1", json=body).raise_for_status()
            for name in (TURNED, TOOL):
                call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": {}}}
                client.post("/api/mcp-gateway/pruner/rpc", json=call)
            client.patch("/api/sessions/1", json={"name": "Rounding demo/echo"}).raise_for_status()
        process.get("/api/sessions")
        yield process


TORN = """
() => {
  const torn = [];
  const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    for (const { 0: word, index } of node.data.matchAll(/[\\p{L}\\d_\\/]{2,24}/gu)) {
      if (/\\S{25}/.test(node.data.slice(Math.max(0, index - 24), index + word.length + 24))) continue;
      const range = document.createRange();
      range.setStart(node, index);
      range.setEnd(node, index + word.length);
      const boxes = [...range.getClientRects()].filter((box) => box.width > 0.5);
      if (new Set(boxes.map((box) => Math.round(box.top))).size > 1) torn.push(word);
    }
  }
  return torn;
}
"""


@pytest.mark.parametrize("width", [1440, 390])
def test_words_are_not_torn(open_page: Open, proxy: ProxyProcess, width: int) -> None:
    watched = open_page("models", url=proxy.url, viewport={"width": width, "height": 900})
    for place in ("memory", "sessions", "mcp"):
        page = watched.go(place)
        page.wait_for_load_state("networkidle")
        assert page.evaluate(TORN) == [], place
        assert page.evaluate("document.documentElement.scrollWidth") <= width, place
    tool = watched.page.locator('section[aria-label="Last calls"] code', has_text=TOOL)
    assert tool.bounding_box()["width"] > 80


def test_text_of_others_turns_no_words_around(open_page: Open, proxy: ProxyProcess) -> None:
    (event,) = [
        each for each in proxy.get("/api/events", type="McpCallRefused")["events"] if "evil" in each["summary"]
    ] or [each for each in proxy.get("/api/events", limit=1000)["events"] if "evil" in each["summary"]]
    assert TURNED in event["summary"]
    watched = open_page("mcp", url=proxy.url)
    expect(watched.page.locator('section[aria-label="Last calls"]')).to_contain_text("\u27e8U+202E\u27e9evil")
    for place in ("mcp", "audit", f"event/{event['position']}"):
        page = watched.go(place)
        page.wait_for_load_state("networkidle")
        expect(page.locator("main")).to_contain_text("\u27e8U+202E\u27e9evil\u27e8U+2066\u27e9 name")
        assert not re.search("[\u200e\u200f\u202a-\u202e\u2066-\u2069]", page.locator("main").inner_text()), place


def test_receipts_leave_the_form_to_its_reader(open_page: Open, proxy: ProxyProcess) -> None:
    page = open_page("memory", url=proxy.url).page
    form = page.locator("#memory-store")
    form.locator("textarea").fill(" " * 12)
    form.get_by_label("Session").fill("1")
    keep = form.get_by_role("button", name="Keep")
    keep.click()
    said = page.locator("#receipts .bad")
    expect(said).to_contain_text("content: must have at least 10 characters")
    assert "Value error" not in said.inner_text() and "body." not in said.inner_text()
    taken = said.bounding_box()
    for control in form.locator("textarea, input, select, button").all():
        box = control.bounding_box()
        apart_x = box["x"] + box["width"] <= taken["x"] or taken["x"] + taken["width"] <= box["x"]
        apart_y = box["y"] + box["height"] <= taken["y"] or taken["y"] + taken["height"] <= box["y"]
        assert apart_x or apart_y, (box, taken)
    form.locator("textarea").fill("Credit notes are posted on the last day.")
    keep.click(timeout=3_000)
    receipt(page, "MemoryStored")


def test_receipts_make_room_on_the_next_page(open_page: Open, proxy: ProxyProcess) -> None:
    watched = open_page("memory", url=proxy.url, viewport={"width": 390, "height": 844})
    page = watched.page
    form = page.locator("#memory-store")
    form.locator("textarea").fill(" " * 12)
    form.get_by_label("Session").fill("1")
    form.get_by_role("button", name="Keep").click()
    expect(page.locator("#receipts .bad")).to_be_visible()
    assert page.locator("#receipts").bounding_box()["y"] < 400  # the form is below
    page.evaluate("location.hash = '#/sessions'")
    watched.ready("sessions")
    expect(page.locator("#receipts .bad")).to_be_visible()
    box, taken = page.locator("#new-session").bounding_box(), page.locator("#receipts").bounding_box()
    assert taken["x"] >= 15
    assert box["y"] + box["height"] <= taken["y"] or taken["y"] + taken["height"] <= box["y"]


def test_times_stand_where_they_were(open_page: Open, proxy: ProxyProcess) -> None:
    page = open_page("models", url=proxy.url).page
    script = """
    async (byTime) => {
      const { places, timeLabels } = await import('/static/chart/scale.js');
      const times = [0, 1000, 2000, 900000, 1000000];
      return timeLabels(places(times, byTime), times, 4, byTime).map(({ place, time }) => [place, time]);
    }
    """
    assert page.evaluate(script, True) == [[0, 0], [0.25, 250_000], [0.5, 500_000], [0.75, 750_000], [1, 1_000_000]]
    assert page.evaluate(
        script.replace("timeLabels(places(times, byTime), times, 4", "timeLabels(places(times, byTime), times, 3"),
        False,
    ) == [[0, 0], [0.25, 1000], [0.75, 900_000], [1, 1_000_000]]


def test_an_undone_compaction_is_no_share(open_page: Open, proxy: ProxyProcess) -> None:
    for _ in range(2):
        body = {"force": True, "preserve_messages": 2}
        httpx.post(f"{proxy.url}/api/compaction/1", json=body).raise_for_status()
    watched = open_page("session/1/compactions", url=proxy.url)
    card = watched.page.locator('section[aria-label="Savings by compaction"]')
    expect(card).to_contain_text("share of the last")
    expect(card.get_by_text("no share")).to_be_hidden()
    httpx.post(f"{proxy.url}/api/compaction/1/revert", json={}).raise_for_status()
    expect(card.get_by_text("the last was undone: no share")).to_be_visible()
    assert "-" not in card.locator(".legend").inner_text()


def saved(page: Any, card: Any, label: str, tmp_path: Path) -> str:
    with page.expect_download() as download:
        card.locator(".tools").get_by_text(label, exact=True).click()
    path = tmp_path / f"{label}.txt"
    download.value.save_as(path)
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("place", "name", "key", "same"),
    [
        ("mcp", "Last calls", "calls", "position"),
        ("models", "Providers", "", "key"),
        ("system", "Read tables", "projections", "name"),
        ("", "Events", "events", "position"),
        ("audit", "Events", "events", "position"),
        ("usage", "By day and model", "", "name"),
    ],
)
def test_both_files_of_a_table_say_the_same(
    open_page: Open, proxy: ProxyProcess, tmp_path: Path, place: str, name: str, key: str, same: str
) -> None:
    if place == "usage":
        history(proxy.directory, [item(1)])
        httpx.post(f"{proxy.url}/api/cline/import").raise_for_status()
    page = open_page(place, url=proxy.url).page
    page.wait_for_load_state("networkidle")
    card = page.locator(f'section[aria-label="{name}"]')
    told = json.loads(saved(page, card, "JSON", tmp_path))
    rows = told[key] if key else [*told["day"], *told["model"]] if isinstance(told, dict) else told
    lines = list(csv.DictReader(saved(page, card, "CSV", tmp_path).splitlines()))
    assert len(lines) == len(rows) > 0
    assert [line[same] for line in lines] == [str(row[same]) for row in rows]


def test_the_page_speaks_french_where_it_can(open_page: Open, proxy: ProxyProcess) -> None:
    watched = open_page("models", url=proxy.url, locale="fr-FR")
    of_day = proxy.get("/api/budgets")["budgets"]
    of_key = [{**each, "name": "key ci"} for each in of_day]
    watched.page.route("**/api/budgets", lambda route: route.fulfill(json={"budgets": [*of_day, *of_key]}))
    names = watched.go("usage").locator('section[aria-label="Budgets"] tbody td:first-child')
    expect(names).to_have_text(["la journée", "clé ci"])
    page = watched.go("audit")
    expect(page.locator("tbody td [lang=en]").first).to_be_visible()
