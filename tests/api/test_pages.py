"""The pages: their headers, and that they need nothing from elsewhere (contract 1.6)."""

import re
from pathlib import Path

import pytest

from api.gate import GateSettings
from dashboard.pages import STATIC
from tests.api.house import House, open_house

_CSP = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"


async def test_the_page_and_all_that_it_loads(house: House) -> None:
    page = await house.client.get("/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["content-security-policy"] == _CSP
    assert page.headers["x-content-type-options"] == "nosniff"
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text):
        answer = await house.client.get(address)
        assert answer.status_code == 200, address
    scripts = [await house.client.get(f"/static/{name}") for name in ("app.js", "api.js", "dom.js")]
    assert all("javascript" in script.headers["content-type"] for script in scripts)


async def test_the_icon(house: House) -> None:
    answer = await house.client.get("/favicon.ico")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/x-icon")
    assert answer.content[:4] == b"\0\0\1\0" and b"\x89PNG" in answer.content


@pytest.mark.parametrize("path", sorted(STATIC.glob("*.*")), ids=lambda path: path.name)
def test_nothing_comes_from_elsewhere_and_nothing_is_inline(path: Path) -> None:
    text = path.read_bytes().decode("latin-1")
    assert not re.search(r"https?://|innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    if path.suffix == ".html":
        assert not re.search(r"<style|style=|<script[^>]*>[^<]| on[a-z]+=", text)


async def test_the_routes_page_only_where_it_is_wanted(house: House, tmp_path: Path) -> None:
    assert (await house.client.get("/docs")).status_code == 404
    (tmp_path / "other").mkdir()
    async with open_house(tmp_path / "other", docs=True) as other:
        for path in ("/docs", "/redoc"):
            answer = await other.client.get(path)
            assert (answer.status_code, answer.headers["content-security-policy"]) == (200, _CSP)


async def test_the_page_is_open_but_its_facts_are_not(tmp_path: Path) -> None:
    async with open_house(tmp_path, GateSettings(token="t")) as house:
        for path, status in (("/", 200), ("/favicon.ico", 200), ("/static/app.js", 200), ("/api/sessions", 401)):
            assert (await house.client.get(path)).status_code == status
