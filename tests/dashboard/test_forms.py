"""Forms do what they show: what is confirmed is what was seen, and a field left empty is no zero."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from benchmarks import story
from tests.dashboard.browsing import Watched, head, sync_api
from tests.dashboard.test_actions import receipt
from tests.e2e.processes import ProxyProcess

pytestmark = pytest.mark.extra
Open = Callable[..., Watched]
expect: Any = sync_api.expect
_LONG = {"role": "assistant", "content": "The ledger is rounded twice. " * 400}
FEW = {"model": story.MODEL, "messages": [{"role": "user", "content": "a"}, _LONG, {"role": "user", "content": "b"}]}


@pytest.fixture(scope="module")
def proxy(upstream: story.Provider) -> Iterator[ProxyProcess]:
    with ProxyProcess(story.config(upstream.base_url, window=60_000)) as process:
        with httpx.Client(base_url=process.url, timeout=30) as client:
            story.Agent(client, "work").work(14)
            story.Agent(client, "short", 2).work(2)
            client.post("/v1/chat/completions", json=FEW, headers={"X-Session-Id": "few"}).raise_for_status()
        process.get("/api/sessions")
        yield process


def removed(proxy: ProxyProcess, **query: Any) -> str:
    found = proxy.get("/api/compaction/1/preview", **query)["preview"]
    return f"{found['messages_to_summarize']} of {found['total_messages']} messages"


def test_the_preview_follows_the_field_and_empty_is_as_configured(open_page: Open, proxy: ProxyProcess) -> None:
    page = open_page("session/1/compactions", url=proxy.url).page
    page.locator("#compact-button").click()
    dialog = page.get_by_role("dialog")
    kept, do = dialog.get_by_label("Messages to preserve"), dialog.get_by_role("button", name="Compact")
    default, twenty, none = removed(proxy), removed(proxy, preserve_messages=20), removed(proxy, preserve_messages=0)
    assert len({default, twenty, none}) == 3
    expect(dialog.locator("#preview")).to_contain_text(default)
    held: list[Any] = []

    def hold(route: Any) -> None:
        if "=20" in route.request.url:
            held.append(route)
        else:
            route.continue_()

    page.route("**/preview?*", hold)
    with page.expect_request("**/preview?*"):
        kept.fill("20")
    expect(do).to_be_disabled()  # the preview of 20 has not come yet
    held[0].continue_()
    expect(dialog.locator("#preview")).to_contain_text(twenty)
    expect(do).to_be_enabled()
    kept.fill("500")
    expect(dialog.locator(".note.bad")).to_be_visible()
    expect(do).to_be_disabled()
    kept.fill("")
    expect(dialog.locator("#preview")).to_contain_text(default)
    do.click()
    receipt(page, "CompactionPerformed")
    (row,) = proxy.get("/api/compaction/1/history")["history"]
    assert f"{row['summarized_messages']} of" in default


def test_what_is_below_the_minimums_is_confirmed_only_where_that_was_chosen(
    open_page: Open, proxy: ProxyProcess
) -> None:
    page = open_page("session/3/compactions", url=proxy.url).page
    assert proxy.get("/api/compaction/3/preview")["can_compact"] is False
    page.locator("#compact-button").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Compact")).to_be_disabled()
    dialog.get_by_label("also below the minimums").check()
    dialog.get_by_label("Messages to preserve").fill("0")
    expect(dialog.locator("#preview")).to_be_visible()
    dialog.get_by_role("button", name="Compact").click()
    receipt(page, "CompactionPerformed")


def test_an_empty_field_is_no_zero(open_page: Open, proxy: ProxyProcess) -> None:
    page = open_page("session/2/compactions", url=proxy.url).page
    before = head(proxy.url)
    page.locator("#reserved").fill("")
    page.get_by_role("button", name="Set").click()
    expect(page.locator("#reserved:invalid")).to_be_visible()
    page = open_page("memory", url=proxy.url).page
    form = page.locator("#memory-search")
    form.get_by_placeholder("What is it like?").fill("rounding")
    form.get_by_label("At most").fill("")
    form.get_by_label("Least score").fill("")
    with page.expect_request("**/api/memory/similarity") as sent:
        form.get_by_role("button", name="Search").click()
    assert sent.value.post_data_json == {"query": "rounding"}
    expect(form).to_contain_text("Nothing is like that")
    assert head(proxy.url) == before


def test_a_result_of_other_messages_does_not_stay(open_page: Open, proxy: ProxyProcess) -> None:
    page = open_page("session/1/compactions", url=proxy.url).page
    messages = [{"role": "user", "content": "x" * 9000}, {"role": "assistant", "content": "y" * 9000}] * 6
    card = page.locator('section[aria-label="Simulate"]')
    card.get_by_label("Messages as JSON").fill(json.dumps(messages))
    card.get_by_role("button", name="Simulate").click()
    expect(card.locator(".note")).to_be_visible()
    card.get_by_label("Messages as JSON").fill("[{")
    card.get_by_role("button", name="Simulate").click()
    expect(card.locator(".note")).to_have_count(1)
    expect(card.locator(".note.bad")).to_contain_text("This is not JSON")
    card.get_by_label("Messages as JSON").fill('[{"content": "no role"}]')
    card.get_by_role("button", name="Simulate").click()
    expect(page.locator("#receipts .bad")).to_be_visible()
    expect(card.locator(".note")).to_have_count(0)


def test_a_name_is_more_than_spaces(open_page: Open, proxy: ProxyProcess) -> None:
    page = open_page("sessions", url=proxy.url).page
    before = head(proxy.url)
    page.get_by_role("button", name="Rename #2").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("   ")
    dialog.get_by_role("button", name="Rename").click()
    expect(dialog.locator("input:invalid")).to_be_visible()
    assert head(proxy.url) == before
    dialog.get_by_label("Name").fill("  the short one ")
    dialog.get_by_role("button", name="Rename").click()
    receipt(page, "SessionRenamed")
    assert proxy.get("/api/sessions/2")["session"]["name"] == "the short one"


def test_a_call_by_hand_says_which_event_it_became(open_page: Open, proxy: ProxyProcess) -> None:
    page = open_page("mcp", url=proxy.url).page
    page.locator("#mcp-server").select_option("json-query")
    expect(page.locator("#mcp-tool option").first).to_be_attached()
    page.locator("#mcp-try").get_by_role("button", name="Call").click()
    receipt(page, "McpCallCompleted")
    expect(page.locator("#receipts")).not_to_contain_text("Nothing had to be written")
