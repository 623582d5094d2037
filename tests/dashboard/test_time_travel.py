"""The scrubber: it drives every panel, its place is in the address, and keys are enough."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.dashboard.browsing import Watched, sync_api
from tests.e2e.processes import ProxyProcess

pytestmark = pytest.mark.extra
Open = Callable[..., Watched]


def expect(locator: Any) -> Any:
    return sync_api.expect(locator)


def positions(proxy: ProxyProcess, session: int = 1, **query: Any) -> list[int]:
    events = proxy.get(f"/api/sessions/{session}/events", order="asc", limit=1000, **query)["events"]
    return [event["position"] for event in events]


def test_one_position_drives_every_panel(open_page: Open, told: ProxyProcess) -> None:
    compacted = positions(told, type="CompactionPerformed")
    assert len(compacted) > 1
    page = open_page(f"session/1?at={compacted[0]}").page
    page.locator(f'.page[data-exact="{compacted[0]}"]').wait_for()
    then = told.get("/api/sessions/1", at=compacted[0], metrics_limit=0)
    expect(page.locator(".gauge .figure")).to_have_text(f"{then['context']['current_tokens']:,}")
    expect(page.locator(".tiles .value").nth(0)).to_have_text(str(then["stats"]["total_requests"]))
    expect(page.locator(f'[data-event="{compacted[0]}"]')).to_contain_text("CompactionPerformed")
    expect(page.locator('tr[aria-current="true"]')).to_contain_text(f"#{compacted[0]}")
    expect(page.locator("#scrub-where")).to_contain_text(f"Event {compacted[0]}")
    expect(page.locator(".note.past")).to_contain_text("You are in the past")
    assert "in-past" in page.locator(".scrubber").get_attribute("class")

    page.locator("#scrub-forward-compaction").click()
    page.locator(f'.page[data-exact="{compacted[1]}"]').wait_for()
    expect(page.locator(f'[data-event="{compacted[1]}"]')).to_be_visible()
    assert page.url.endswith(f"?at={compacted[1]}")
    page.locator("#scrub-live").click()
    expect(page.locator(".note.past")).to_have_count(0)
    expect(page.locator("#scrub-live")).to_be_disabled()
    page.wait_for_url("**/#/session/1")


def test_keys_step_and_rows_and_charts_seek(open_page: Open, told: ProxyProcess) -> None:
    all_of_it = positions(told)
    page = open_page(f"session/1?at={all_of_it[20]}").page
    slider = page.locator("#scrub")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    page.locator(f'.page[data-at="{all_of_it[19]}"]').wait_for()
    assert f"Event {all_of_it[19]}" in slider.get_attribute("aria-valuetext")
    page.keyboard.press(".")
    page.locator(f'.page[data-at="{all_of_it[20]}"]').wait_for()
    page.keyboard.press("]")
    page.keyboard.press("[")
    page.keyboard.press("0")
    page.locator(f'.page[data-at="{all_of_it[-1]}"]').wait_for()
    row = page.locator(f'tbody tr[data-key="{all_of_it[-5]}"]')
    row.click()
    page.locator(f'.page[data-exact="{all_of_it[-5]}"]').wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator(f'.page[data-exact="{all_of_it[-6]}"]').wait_for()
    chart = page.locator(".chart canvas.over").first
    width = chart.bounding_box()["width"]
    middle = len(all_of_it) // 2
    chart.click(position={"x": 56 + (width - 112) * middle / (len(all_of_it) - 1), "y": 60})
    page.locator(f'.page[data-exact="{all_of_it[middle]}"]').wait_for()
    page.locator('[data-axis="time"]').click()
    assert page.locator('[data-axis="time"]').get_attribute("aria-pressed") == "true"


def test_the_cursors_of_both_charts_and_the_thumb_stand_in_one_line(open_page: Open, told: ProxyProcess) -> None:
    all_of_it = positions(told)
    watched = open_page(f"session/1?at={all_of_it[30]}")
    script = """() => {
      const line = (canvas) => {
        const { data, width } = canvas.getContext("2d").getImageData(0, Math.round(canvas.height / 3), canvas.width, 1);
        let best = -1;
        const orange = (x) => data[4 * x] > 150 && data[4 * x + 2] < 90 && data[4 * x + 3] > 200;
        for (let x = 0; x < width; x++) if (orange(x)) best = x;
        return canvas.getBoundingClientRect().left + best * canvas.clientWidth / width;
      };
      const range = document.querySelector("#scrub"), box = range.getBoundingClientRect();
      const thumb = box.left + 8 + (box.width - 16) * range.value / range.max;
      return [...document.querySelectorAll("canvas.over")].map(line).concat(thumb);
    }"""
    watched.page.locator(f'.page[data-exact="{all_of_it[30]}"]').wait_for()
    first, second, thumb = watched.page.evaluate(script)
    assert abs(first - second) < 1.5 and abs(first - thumb) < 3, (first, second, thumb)


def test_the_messages_of_the_context_then(open_page: Open, told: ProxyProcess) -> None:
    compacted = positions(told, type="CompactionPerformed")[0]
    page = open_page(f"session/1?at={compacted - 1}").page
    page.get_by_text("Messages of the context at this moment").click()
    then = told.get("/api/sessions/1/messages", view="sent", at=compacted - 1, limit=1)["total"]
    expect(page.locator("details[open]").first).to_contain_text(f"{then} message")
    page.get_by_role("button", name="As the client sent it").click()
    then = told.get("/api/sessions/1/messages", view="received", at=compacted - 1, limit=1)["total"]
    expect(page.locator("details[open]").first).to_contain_text(f"{then} message")


def test_types_are_filtered(open_page: Open, told: ProxyProcess) -> None:
    page = open_page("session/1").page
    page.get_by_role("group", name="Types of events").get_by_role("button", name="CompactionPerformed").click()
    compacted = positions(told, type="CompactionPerformed")
    rows = page.locator('section[aria-label="Events"] tbody tr')
    expect(rows).to_have_count(len(compacted))


def test_replay_runs_to_the_present(open_page: Open, told: ProxyProcess) -> None:
    page = open_page(f"session/2?at={positions(told, 2)[0]}").page
    expect(page.locator("#scrub-live")).to_be_enabled()
    page.get_by_label("Events per second").select_option("64")
    page.locator("#scrub-play").click()
    expect(page.locator("#scrub-live")).to_be_disabled()
