"""Every action of every page, over real clicks; each says which event it became."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks import story
from tests.dashboard.browsing import Watched, head, sync_api
from tests.e2e.processes import ProxyProcess

pytestmark = pytest.mark.extra
Open = Callable[..., Watched]
expect: Any = sync_api.expect


@pytest.fixture(scope="module")
def proxy(upstream: story.Provider) -> Iterator[ProxyProcess]:
    """A proxy to be changed: session 1 with a conversation, and others."""
    with ProxyProcess(story.config(upstream.base_url, window=60_000)) as process:
        with httpx.Client(base_url=process.url, timeout=30) as client:
            story.Agent(client, "work").work(14)
            for number in range(2, 9):
                story.Agent(client, f"other-{number}", number).work(1)
        yield process


def receipt(page: Any, event: str) -> None:
    expect(page.locator("#receipts").get_by_text(event).first).to_be_visible()


def test_sessions_are_made_named_and_chosen(open_page: Open, proxy: ProxyProcess) -> None:
    page = open_page("sessions", url=proxy.url).page
    page.locator("#new-session").click()
    page.get_by_role("dialog").get_by_label("Name").fill("made by hand")
    page.get_by_role("dialog").get_by_label("Model").select_option("atlas-small")
    page.get_by_role("button", name="Create").click()
    receipt(page, "SessionStarted")
    row = page.locator("tr", has_text="made by hand")
    expect(row.locator(".badge")).to_have_text("active")
    page.get_by_role("button", name="Activate #2").click()
    receipt(page, "SessionActivated")
    assert proxy.get("/api/sessions/active")["session"]["id"] == 2
    row.get_by_role("button", name="Rename").click()
    page.locator("dialog input").fill("named anew")
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    receipt(page, "SessionRenamed")
    page.get_by_placeholder("Search in names").fill("named anew")
    expect(page.locator("tbody tr")).to_have_count(1)


def test_sessions_are_merged_deleted_and_erased(open_page: Open, proxy: ProxyProcess) -> None:
    page = open_page("sessions", url=proxy.url).page
    for number in (3, 4):
        page.get_by_label(f"Choose session {number}", exact=True).check()
    page.get_by_role("button", name="Merge").click()
    page.get_by_role("dialog").get_by_role("button", name="Merge").click()
    receipt(page, "SessionsMerged")
    for number in (5, 6):
        page.get_by_label(f"Choose session {number}", exact=True).check()
    page.locator("#delete-chosen").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    receipt(page, "SessionDeleted")
    assert not {4, 5, 6} & {row["id"] for row in proxy.get("/api/sessions")}
    page.get_by_role("button", name="Erase #7").click()
    page.get_by_label("Reason (kept)").fill("test")
    page.get_by_label("Type 7 to confirm").fill("7")
    page.get_by_role("dialog").get_by_role("button", name="Erase").click()
    receipt(page, "SessionErased")
    expect(page.locator("tr", has_text="[erased]")).to_be_visible()


def test_a_context_is_previewed_compacted_read_and_undone(open_page: Open, proxy: ProxyProcess) -> None:
    page = open_page("session/1/compactions", url=proxy.url).page
    before = head(proxy.url)
    page.locator("#preview-button").click()
    estimate = proxy.get("/api/compaction/1/preview")
    expect(page.locator("#preview")).to_contain_text(f"{estimate['estimate']['tokens_saved']:,} saved")
    page.get_by_role("button", name="Close", exact=True).last.click()
    assert head(proxy.url) == before
    page.locator("#compact-button").click()
    page.get_by_role("dialog").get_by_role("button", name="Compact").click()
    receipt(page, "CompactionPerformed")
    (row,) = proxy.get("/api/compaction/1/history")["history"]
    expect(page.locator(f'[data-removed="{len(set(row["removed_refs"]))}"]')).to_be_visible()
    page.get_by_text("Difference, line by line").click()
    expect(page.locator(".diff .removed").first).to_be_visible()
    page.get_by_role("button", name=f"Undo #{row['id']}").click()
    page.get_by_role("dialog").get_by_role("button", name="Undo").click()
    receipt(page, "CompactionReverted")
    expect(page.locator("tbody tr").first).to_contain_text("undone")


def test_how_a_session_is_compacted(open_page: Open, proxy: ProxyProcess) -> None:
    page = open_page("session/2/compactions", url=proxy.url).page
    page.locator("#toggle-auto").click()
    receipt(page, "AutoCompactionDisabled")
    page.locator("#reserved").fill("5000")
    page.get_by_role("button", name="Set").click()
    receipt(page, "TokensReserved")
    page.locator("#force-compress").check()
    page.locator("#compress-button").click()
    expect(page.locator("#receipts")).to_contain_text("messages")
    messages = [{"role": "user", "content": "x" * 9000}, {"role": "assistant", "content": "y" * 9000}] * 6
    page.get_by_label("Messages as JSON").fill(json.dumps(messages))
    page.get_by_role("button", name="Simulate").click()
    expect(page.locator('section[aria-label="Simulate"] .note')).to_be_visible()
    status = proxy.get("/api/compaction/2/auto-status")["status"]
    assert status["session_auto_enabled"] is False
    assert proxy.get("/api/sessions/2")["session"]["reserved_tokens"] == 5000


def test_an_exchange_is_read_and_moved(open_page: Open, proxy: ProxyProcess) -> None:
    watched = open_page("session/8/exchanges", url=proxy.url)
    page = watched.page
    page.locator("tbody tr").first.click()
    page.get_by_role("heading", name="Exchange").wait_for()
    expect(page.locator('section[aria-label="As the client sent it"] .message').first).to_be_visible()
    page.get_by_role("button", name="Move to another session").click()
    page.get_by_label("Id of the other session").fill("2")
    page.get_by_role("dialog").get_by_role("button", name="Move").click()
    receipt(page, "ExchangeReassigned")
    expect(page.locator("dl.facts").first).to_contain_text("2 ← 8")


def test_messages_are_pinned(open_page: Open, proxy: ProxyProcess) -> None:
    page = open_page("session/1", url=proxy.url).page
    page.get_by_text("Messages of the context at this moment").click()
    page.get_by_role("button", name="Pin", exact=True).first.click()
    receipt(page, "MessagePinned")
    page.get_by_role("button", name="Unpin").first.click()
    receipt(page, "MessageUnpinned")


def test_switches_tables_and_the_log(open_page: Open, proxy: ProxyProcess) -> None:
    page = open_page("system", url=proxy.url).page
    page.locator("#switch-auto-session").click()
    receipt(page, "AutoSessionDisabled")
    expect(page.locator("#switch-auto-session")).to_have_text("Switch on")
    page.locator("#switch-auto-session").click()
    receipt(page, "AutoSessionEnabled")
    page.locator("#switch-sanitizer").click()
    receipt(page, "SanitizerDisabled")
    page.locator("#verify").click()
    expect(page.locator(".note.ok")).to_contain_text("as they were written")
    page.locator("#rebuild").click()
    receipt(page, "ReadModelRebuilt")
    page.locator("#vacuum").click()
    receipt(page, "DatabaseVacuumed")
    page = open_page("content", url=proxy.url).page
    page.locator("#toggle-sanitizer").click()
    receipt(page, "SanitizerEnabled")


def test_the_log_is_searched_copied_and_saved(open_page: Open, proxy: ProxyProcess, tmp_path: Path) -> None:
    watched = open_page("audit", url=proxy.url, permissions=["clipboard-read", "clipboard-write"])
    page = watched.page
    page.get_by_role("button", name="SessionStarted", exact=True).click()
    page.locator('input[name="session_id"]').fill("1")
    rows = page.locator('section[aria-label="Events"] tbody tr')
    expect(rows).to_have_count(1)
    rows.first.click()
    event = page.locator("[data-event]")
    position = event.get_attribute("data-event")
    expect(event).to_contain_text("What it changed")
    event.get_by_text("Copy as curl").click()
    expect(page.locator("#receipts")).to_contain_text("Copied")
    assert f"/api/events/{position}" in page.evaluate("navigator.clipboard.readText()")
    event.get_by_text("Copy link").click()
    page.wait_for_function(f"async () => (await navigator.clipboard.readText()).endsWith('#/event/{position}')")
    for name in ("JSON", "JSONL", "CSV"):
        with page.expect_download() as download:
            page.locator('section[aria-label="Events"] header').get_by_text(name, exact=True).click()
        path = tmp_path / name
        download.value.save_as(path)
        assert "SessionStarted" in path.read_text()
    link = page.url
    watched.page.goto("about:blank")
    watched.page.goto(link)
    expect(rows).to_have_count(1)
    page.locator("[data-event] dd a.mono").click()
    expect(page.locator('input[name="correlation"]')).not_to_have_value("")
    expect(rows.first).to_be_visible()


def test_memories_are_kept_found_and_forgotten(open_page: Open, proxy: ProxyProcess) -> None:
    page = open_page("memory", url=proxy.url).page
    form = page.locator("#memory-store")
    form.locator("textarea").fill("Rounding of invoices happens before the conversion of currencies.")
    form.get_by_label("Session").fill("1")
    form.get_by_role("button", name="Keep").click()
    receipt(page, "MemoryStored")
    search = page.locator("#memory-search")
    search.get_by_placeholder("What is it like?").fill("rounding of invoices before conversion")
    search.get_by_role("button", name="Search").click()
    search.locator("tbody tr", has_text="Rounding of invoices").click()
    page.get_by_role("dialog").get_by_role("button", name="Forget").click()
    receipt(page, "MemoryForgotten")
    page.get_by_role("dialog").get_by_role("button", name="Restore").click()
    expect(page.get_by_role("dialog").get_by_role("button", name="Forget")).to_be_visible()


def test_a_tool_is_called(open_page: Open, proxy: ProxyProcess) -> None:
    page = open_page("mcp", url=proxy.url).page
    page.locator("#mcp-server").select_option("json-query")
    expect(page.locator("#mcp-tool option").first).to_be_attached()
    page.locator("#mcp-arguments").fill("{}")
    page.locator("#mcp-try").get_by_role("button", name="Call").click()
    expect(page.locator("#mcp-result")).to_be_visible()
    expect(page.locator('section[aria-label="Last calls"] tbody tr').first).to_contain_text("json-query")


def test_an_original_is_read_without_a_trace(open_page: Open, told: ProxyProcess) -> None:
    before = head(told.url)
    page = open_page("content").page
    row = page.locator("tbody tr").first
    text = told.get(f"/api/mask/{row.get_attribute('data-key')}", peek=True)["original_content"]
    row.click()
    expect(page.locator('section[aria-label="Original"] pre')).to_have_text(text)
    assert head(told.url) == before
