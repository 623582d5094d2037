"""Every read answers the same after `rm read.sqlite`, live and as of earlier events (decisions 2.3)."""

from typing import Any

import httpx

from tests.api.ledger_files import history, item
from tests.e2e.processes import MockProcess, ProxyProcess, config_for, plan

# of the surroundings or the clock: the rate of the last minute, and what this process is
NAMED = {"/health": ("rate_limit",), "/api/rate-limit": ("current_rpm", "percentage", "status")}


def work(proxy: ProxyProcess) -> None:
    """Sessions of every origin, exchanges of every outcome, and decisions about them."""

    def chat(text: str, headers: dict[str, str], **body: Any) -> httpx.Response:
        fields = {"model": "mock", "messages": [{"role": "user", "content": text}], **body}
        return httpx.post(f"{proxy.url}/v1/chat/completions", json=fields, headers=headers)

    for number in range(4):
        chat(f"question {number}", {"X-Session-Id": f"key-{number % 2}", **plan()})
        chat(f"stream {number}", plan(chunks=2), stream=True)
    chat("fails", plan(status=500, body={"error": {"message": "broken"}}))
    chat("is cut", plan(cut="boundary"), stream=True)
    chat("is estimated", plan(usage="none"))
    history(proxy.directory, [item(1), item(2)])
    httpx.post(f"{proxy.url}/api/cline/import")
    history(proxy.directory, [item(1, tokensIn=500), item(2), item(3)])
    httpx.post(f"{proxy.url}/api/ledgers/import")
    made = httpx.post(f"{proxy.url}/api/sessions", json={"name": "by hand"}).json()
    httpx.patch(f"{proxy.url}/api/sessions/{made['id']}", json={"name": "renamed"})
    httpx.post(f"{proxy.url}/api/sessions/1/activate")
    httpx.delete(f"{proxy.url}/api/sessions/{made['id']}")
    httpx.post(f"{proxy.url}/api/sessions/toggle-auto", json={"enabled": False})


def reads(proxy: ProxyProcess) -> dict[str, Any]:
    head = httpx.get(f"{proxy.url}/health").json()["position"]
    proxy.get("/api/sessions")
    moments = [None, *range(0, head + 1, 3), head]
    timed = [
        *("/api/sessions", "/api/sessions/active", "/api/sessions/auto-status", "/api/exchanges?limit=100"),
        *("/api/events?limit=500", "/api/events?order=asc&type=ExchangeStarted", "/api/events?q=broken"),
        *("/api/cline/status", "/api/cline/usage", "/api/ledgers", "/api/ledgers/usage"),
        *(f"/api/sessions/{number}" for number in range(1, 12)),
        *(f"/api/exchanges/{number}" for number in range(1, 13)),
    ]
    paths = [
        path + (f"{'&' if '?' in path else '?'}at={at}" if at is not None else "") for path in timed for at in moments
    ]
    paths += [f"/api/events/{position}" for position in range(1, head + 1)]
    paths += ["/health", "/health/ready", "/api/rate-limit", "/api/providers", "/api/models", "/models"]
    with httpx.Client(timeout=30, base_url=proxy.url) as client:
        return {path: _without_named(path, client.get(path)) for path in paths}


def _at(path: str, at: int | None) -> str:
    return path if at is None else f"{path}{'&' if '?' in path else '?'}at={at}"


def _without_named(path: str, answer: httpx.Response) -> tuple[int, Any]:
    fields = answer.json()
    for name in NAMED.get(path, ()):
        fields.pop(name)
    return answer.status_code, fields


def test_all_reads_are_as_before(mock: MockProcess) -> None:
    with ProxyProcess(config_for(mock.base_url)) as proxy:
        work(proxy)
        for exchange in proxy.get("/api/exchanges", limit=100)["exchanges"]:
            proxy.finished(exchange["id"])
        before = reads(proxy)
        assert {status for status, _ in before.values()} == {200, 404}
        proxy.stop()
        for path in proxy.data.glob("read.sqlite*"):
            path.unlink()
        proxy.start()
        proxy.until_ready()
        after = reads(proxy)
    assert after.keys() == before.keys()
    assert {path for path in before if before[path] != after[path]} == set()
