"""The pages: their headers, and that they need nothing from elsewhere (contract 1.6)."""

import json
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
        assert (await house.client.get(address)).status_code == 200, address
    for path in STATIC.rglob("*.js"):
        answer = await house.client.get(f"/static/{path.relative_to(STATIC)}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
        assert answer.text == path.read_text(encoding="utf-8")


async def test_files_are_compressed_and_not_sent_again(house: House) -> None:
    whole = await house.client.get("/static/app.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in whole.headers
    small = await house.client.get("/static/app.js", headers={"Accept-Encoding": "gzip"})
    assert small.headers["content-encoding"] == "gzip" and small.text == whole.text
    assert int(small.headers["content-length"]) < int(whole.headers["content-length"])
    known = {"Accept-Encoding": "gzip", "If-None-Match": f'"other", {small.headers["etag"]}'}
    again = await house.client.get("/static/app.js", headers=known)
    assert (again.status_code, again.content) == (304, b"")


async def test_only_files_of_the_folder(house: House) -> None:
    for name in ("", "nothing.js", "core", "..%2fpages.py", "%2e%2e/pages.py", "a%00b", "x" * 5000):
        answer = await house.client.get(f"/static/{name}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), name
    assert (await house.client.post("/static/app.js")).status_code == 405


@pytest.mark.parametrize(
    "path", sorted(path for path in STATIC.rglob("*.*") if path.is_file()), ids=lambda path: path.name
)
def test_nothing_comes_from_elsewhere_and_nothing_is_inline(path: Path) -> None:
    text = path.read_bytes().decode("latin-1")
    assert not re.search(r"https?://|innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    if path.suffix == ".html":
        assert not re.search(r"<style|style=|<script[^>]*>[^<]| on[a-z]+=", text)


def texts(language: str) -> dict[str, str]:
    """The module is JSON between its first and its last brace, but for a comma."""
    source = (STATIC / "texts" / f"{language}.js").read_text(encoding="utf-8")
    body = source[source.index("export const TEXTS = {") + len("export const TEXTS = ") : source.rindex("}")]
    found: dict[str, str] = json.loads(body.rstrip().rstrip(",") + "}")
    return found


def test_each_language_says_the_same() -> None:
    english, french = texts("en"), texts("fr")
    assert list(english) == list(french)
    for key, text in english.items():
        assert text and french[key], key
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", french[key])), key
        assert text.count("|") == french[key].count("|"), key


def test_no_text_is_missing_and_none_is_left_over() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in STATIC.rglob("*.js") if path.parent.name != "texts")
    called = set(re.findall(r'\bt\("([^"]+)"', source))
    assert called <= set(texts("en")), called - set(texts("en"))
    begun = tuple(set(re.findall(r"\bt\(`([^`$]+)\$", source)))
    left = {key for key in texts("en") if f'"{key}"' not in source and not key.startswith(begun)}
    assert left == set()


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
