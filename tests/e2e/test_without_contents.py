"""With `recording.contents = false` nothing that was said is in any file or answer: hashes and counts only."""

import httpx

from tests.e2e.processes import MockProcess, ProxyProcess, config_for

SAID = "PLAINCONTENT-that-somebody-said"


def test_nothing_that_was_said_is_kept(mock: MockProcess) -> None:
    config = config_for(mock.base_url, "[recording]\ncontents = false\n")
    messages = [{"role": "user", "content": f"Remember: {SAID}, always."}]
    with ProxyProcess(config) as proxy, httpx.Client(timeout=30, base_url=proxy.url) as client:
        asked = client.post("/v1/chat/completions", json={"model": "mock", "messages": messages})
        assert asked.status_code == 200
        shown_from = {"X-Min-Position": asked.headers["x-event-position"]}
        session = client.get(f"/api/sessions/{asked.headers['x-session-id']}", headers=shown_from).json()
        assert session["session"]["name"].startswith("Session ")
        proxy.finished(asked.headers["x-exchange-id"], 20)
        head = client.get("/health").json()["position"]
        paths = [f"/api/events/{position}" for position in range(1, head + 1)]
        paths += ["/api/sessions", "/api/exchanges", "/api/memory", "/api/export/json", "/api/events", "/health"]
        paths += [f"/api/sessions/{session['session']['id']}/{part}" for part in ("messages", "timeline", "diff")]
        shown = b"\n".join(client.get(path).content for path in paths)
        assert proxy.stop() == 0
        files = {path.name: path.read_bytes() for path in proxy.data.iterdir()} | {"stderr": proxy.log.read_bytes()}
    assert SAID.encode() not in shown
    assert [name for name, data in files.items() if SAID.encode() in data] == []
