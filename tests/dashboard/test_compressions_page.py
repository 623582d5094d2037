"""Compressions stand beside compactions on their page: read whole, and undone one by one."""

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


@pytest.fixture
def proxy(upstream: story.Provider) -> Iterator[ProxyProcess]:
    with ProxyProcess(story.config(upstream.base_url, window=60_000)) as process:
        with httpx.Client(base_url=process.url, timeout=30) as client:
            story.Agent(client, "work").work(14)
            client.post("/api/compress/1", json={"force": True}).raise_for_status()
            body = {"force": True, "preserve_messages": 0}
            client.post("/api/compaction/1", json=body).raise_for_status()
        process.get("/api/sessions")
        yield process


def test_a_compression_is_read_and_undone_by_its_number(open_page: Open, proxy: ProxyProcess) -> None:
    compaction, compression = proxy.get("/api/compaction/1/history", kind="all")["history"]
    page = open_page("session/1/compactions", url=proxy.url).page
    saved = compaction["tokens_saved"] + compression["tokens_saved"]
    expect(page.locator(".tiles .value").nth(1)).to_have_text(f"{saved:,}")
    rows = page.locator('section[aria-label="Compactions"] tbody tr')
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("compression")
    rows.nth(1).click()
    shown = page.locator(f'[data-removed="{len(set(compression["removed_refs"]))}"]')
    expect(shown.locator(".message.added").first).to_contain_text("condensed by the proxy")
    expect(shown.locator(".message.removed").first).to_be_visible()
    shown.get_by_text("Difference, line by line").click()
    expect(shown.locator(".diff .removed").first).to_be_visible()

    dialog = page.get_by_role("dialog")
    page.locator("#undo-button").click()  # the last of either kind, by its name
    expect(dialog).to_contain_text("Undo the compaction?")
    expect(dialog).to_contain_text(f"Compaction {compaction['id']}: {compaction['tokens_before']:,}")
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name=f"Undo #{compression['id']}").click()
    expect(dialog).to_contain_text(f"Compression {compression['id']}: {compression['tokens_before']:,}")
    dialog.get_by_role("button", name="Undo").click()
    expect(page.locator("#receipts .bad")).to_be_visible()  # what goes on from it comes first
    page.locator("#undo-button").click()
    dialog.get_by_role("button", name="Undo").click()
    receipt(page, "CompactionReverted")
    expect(rows.nth(0)).to_contain_text("undone")
    page.get_by_role("button", name=f"Undo #{compression['id']}").click()
    dialog.get_by_role("button", name="Undo").click()
    expect(rows.nth(1)).to_contain_text("undone")
    expect(page.locator(".tiles .value").nth(1)).to_have_text("0")
    expect(page.locator("#undo-button")).to_be_disabled()
    undone = [row["reverted_at"] for row in proxy.get("/api/compaction/1/history", kind="all")["history"]]
    assert None not in undone
