"""What can be done with memories on their page, over real clicks."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from benchmarks import story
from tests.dashboard.browsing import Watched, sync_api
from tests.dashboard.test_actions import receipt
from tests.e2e.processes import ProxyProcess

pytestmark = pytest.mark.extra
Open = Callable[..., Watched]
expect: Any = sync_api.expect
PORT = "The staging database of the billing service and its replica listen behind port number"
LONG = "\n".join(
    f"Line {number} says that handler_{number} in src/part_{number}.py was changed." for number in range(9)
)


@pytest.fixture
def proxy(upstream: story.Provider) -> Iterator[ProxyProcess]:
    """Session 1 with five memories, three of which say the same."""
    with ProxyProcess(story.config(upstream.base_url)) as process:
        with httpx.Client(base_url=process.url, timeout=30) as client:
            story.Agent(client, "work").work(2)
            for text in (f"{PORT} 5433", f"{PORT} 5433!", f"{PORT}: 5433", LONG, "Cats sleep on sofas."):
                assert client.post("/api/memory/store?session_id=1", json={"content": text}).status_code == 200
            for _ in range(2):
                client.post("/api/memory/store?session_id=1", json={"content": "Cats sleep on sofas."})
        yield process


def of_session(page: Any, name: str) -> Any:
    card = page.locator('section[aria-label="Memory of a session"]')
    card.get_by_label("Session").fill("1")
    card.locator(f'[data-do="{name}"]').click()
    return card


def test_groups_and_promotion(open_page: Open, proxy: ProxyProcess) -> None:
    page = open_page("memory", url=proxy.url).page
    card = of_session(page, "cluster")
    expect(card.locator("tbody tr")).to_have_count(1)
    expect(card.locator("tbody tr").first).to_contain_text("3")
    of_session(page, "promote")
    receipt(page, "MemoryPromoted")
    expect(page.locator("#receipts")).to_contain_text("1 memory was promoted")
    row = page.locator('section[aria-label="Memories by use"] tbody tr', has_text="Cats sleep")
    row.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Undo the promotion").click()
    receipt(page, "MemoryDemoted")
    expect(dialog.get_by_role("button", name="Undo the promotion")).to_have_count(0)


def test_old_ones_are_cleaned_up(open_page: Open, proxy: ProxyProcess) -> None:
    page = open_page("memory", url=proxy.url).page
    page.locator('[data-do="cleanup"]').click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Older than (days)").fill("0")
    dialog.get_by_role("button", name="Clean up").click()
    receipt(page, "MemoryForgotten")
    expect(page.locator("#receipts")).to_contain_text("4 memories forgotten")
    assert len(proxy.get("/api/memory/frequent", min_access_count=0)) == 1


def test_they_are_made_shorter_and_put_together(open_page: Open, proxy: ProxyProcess) -> None:
    for text in (f"{PORT} 5433.", f"{PORT} 5434!"):
        stored = httpx.post(f"{proxy.url}/api/memory/store?session_id=1", json={"content": text}, timeout=30)
        assert stored.status_code == 200
    page = open_page("memory", url=proxy.url).page
    form = page.locator("#memory-compress")
    do = form.locator('[data-do="compress"]')
    expect(do).to_be_hidden()
    form.get_by_role("button", name="Preview").click()
    expect(form.locator("tbody tr")).to_have_count(1)
    expect(form.locator("tbody tr")).to_contain_text("handler_0")
    assert proxy.get("/api/events", type="MemoryForgotten")["total"] == 0
    form.get_by_label("How").select_option("semantic")
    expect(do).to_be_hidden()  # what was shown is not what would be done
    form.get_by_label("Share that may stay").fill("0.3")
    form.get_by_label("Session").fill("1")
    form.get_by_role("button", name="Preview").click()
    expect(form).to_contain_text("7 memories would become 3")
    do.click()
    receipt(page, "MemoryStored")
    expect(page.locator("#receipts")).to_contain_text("7 memories became 3")
    kept = [each["content"] for each in proxy.get("/api/memory/frequent", session_id=1, min_access_count=0)]
    assert [sum(port in text for text in kept) for port in ("5433", "5434")] == [1, 1]  # what differs is kept
    form.get_by_label("Session").fill("99")
    form.get_by_role("button", name="Preview").click()
    expect(page.locator("#receipts .bad")).to_contain_text("no session 99")


def test_a_memory_says_what_is_nearly_the_same(open_page: Open, proxy: ProxyProcess) -> None:
    page = open_page("memory", url=proxy.url).page
    page.locator('section[aria-label="Memories by use"] tbody tr', has_text="5433!").click()
    expect(page.get_by_role("dialog")).to_contain_text("Nearly the same: #1")
