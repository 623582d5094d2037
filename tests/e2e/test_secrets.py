"""Secrets planted in every place where one can come in are in no file, no answer and no line of the log."""

import httpx

from tests.e2e.processes import MockProcess, ProxyProcess, config_for, plan

SERVER_TOKEN = "planted-server-token-0001"
CLIENT_KEY = "planted-client-key-0002"
PROVIDER_HEADER = "planted-provider-header-0003"
IN_HEADERS = {
    "X-Api-Key": "planted-x-api-key-0004",
    "Api-Key": "planted-api-key-0005",
    "X-Goog-Api-Key": "planted-goog-key-0006",
    "Proxy-Authorization": "Bearer planted-proxy-authorization-0007",
    "Cookie": "session=planted-cookie-0008",
}
IDEMPOTENCY_KEY = "planted-idempotency-key-0009"
SESSION_KEY = "planted-session-key-0010"
QUERY_KEY = "planted-query-key-0011"
UPSTREAM_KEY = "sk-upstream-planted-key-1234567890"
PLANTED = [
    *(SERVER_TOKEN, CLIENT_KEY, PROVIDER_HEADER, IDEMPOTENCY_KEY, SESSION_KEY, QUERY_KEY, UPSTREAM_KEY),
    *(value.split()[-1].split("=")[-1] for value in IN_HEADERS.values()),
]
CONFIG = f"""
[server]
token = "{SERVER_TOKEN}"
client_keys = ["{CLIENT_KEY}"]

"""


def test_planted_secrets_are_nowhere(mock: MockProcess) -> None:
    config = config_for(mock.base_url, CONFIG)
    config = config.replace("allow_any_model", f'headers = {{ "X-Provider" = "{PROVIDER_HEADER}" }}\nallow_any_model')
    answers: list[httpx.Response] = []
    with ProxyProcess(config, fresh=True) as proxy:
        chat = {"model": "mock", "messages": [{"role": "user", "content": f"my key is {UPSTREAM_KEY}"}]}
        as_client = {"Authorization": f"Bearer {CLIENT_KEY}"}
        manage = {"Authorization": f"Bearer {SERVER_TOKEN}"}
        completions = f"{proxy.url}/v1/chat/completions"
        echoing = plan(status=401, body={"error": {"message": f"wrong key {UPSTREAM_KEY} or {CLIENT_KEY}"}})
        for headers in ({}, {"X-Session-Id": SESSION_KEY}, IN_HEADERS, echoing):
            answer = httpx.post(f"{completions}?api_key={QUERY_KEY}", json=chat, headers={**headers, **as_client})
            assert answer.status_code == (401 if headers is echoing else 200)
            answers += [answer] if headers is not echoing else []
        answers.append(httpx.post(completions, json=chat, headers=IN_HEADERS))  # no client key: refused
        assert answers[-1].status_code == 401
        made = {**manage, "Idempotency-Key": IDEMPOTENCY_KEY}
        answers += [httpx.post(f"{proxy.url}/api/sessions", json={"name": "s"}, headers=made) for _ in range(2)]
        answers.append(httpx.post(f"{proxy.url}/api/sessions", json={}, headers={"Authorization": "Bearer wrong"}))
        answers += [httpx.get(f"{proxy.url}{path}", headers=manage) for path in every_read(proxy, manage)]
        shown = b"\n".join(answer.content + str(answer.headers).encode() for answer in answers[4:])
        code = proxy.stop()
        assert code == 0
        files = {path.name: path.read_bytes() for path in proxy.data.iterdir()}
        files["stderr"] = proxy.log.read_bytes()
        for secret in PLANTED:
            assert secret.encode() not in shown, secret
            assert [name for name, data in files.items() if secret.encode() in data] == [], secret


USERINFO, QUERY_TOKEN = "planted-userinfo-0012", "planted-query-token-0013"


def test_a_configured_key_in_names_and_labels_is_not_stored(mock: MockProcess) -> None:
    """Wherever a client may put it but in the contents of messages, which stay as they came, sealed."""
    address = f"https://someone:{USERINFO}@elsewhere.example/v1?api_key={QUERY_TOKEN}"
    with (
        ProxyProcess(config_for(mock.base_url), fresh=True) as proxy,
        httpx.Client(timeout=30, base_url=proxy.url) as client,
    ):
        named = client.post("/api/sessions", json={"name": f"name {UPSTREAM_KEY}", "model": UPSTREAM_KEY})
        number = named.json()["id"]
        calls = [{"id": "c", "type": "function", "function": {"name": UPSTREAM_KEY, "arguments": "{}"}}]
        messages = [
            {"role": "user", "content": "call it"},
            {"role": "assistant", "content": None, "tool_calls": calls},
            {"role": "tool", "tool_call_id": "c", "content": "done"},
        ]
        own = {"X-Session-Id": str(number)}
        asked = [
            client.post("/v1/chat/completions", json={"model": model, "messages": messages}, headers={**own, **extra})
            for model, extra in (
                (f"mock/{UPSTREAM_KEY}", {"X-Request-Id": UPSTREAM_KEY, "User-Agent": f"agent-{UPSTREAM_KEY}/1"}),
                ("mock", plan(status=500, body={"error": {"message": f"cannot reach {address}"}})),
            )
        ]
        assert [answer.status_code for answer in asked] == [200, 500]
        answers = [
            named,
            client.patch(f"/api/sessions/{number}", json={"name": f"again {UPSTREAM_KEY}"}),
            client.post(f"/api/sessions/{number}/fork", json={"name": f"fork {UPSTREAM_KEY}"}),
            client.post("/v1/chat/completions", json={"model": f"none/{UPSTREAM_KEY}", "messages": messages}),
            client.get("/api/events", params={"limit": UPSTREAM_KEY}),
        ]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 404, 422]
        assert answers[1].json()["name"] == "again [redacted]"
        exchanges = client.get("/api/exchanges", headers={"X-Min-Position": answers[2].headers["X-Event-Position"]})
        first = min(exchanges.json()["exchanges"], key=lambda exchange: int(exchange["id"]))
        assert first["model_requested"] == "mock/[redacted]"
        pinned = client.get(f"/api/sessions/{number}/messages").json()["messages"][0]
        reason = {"refs": [pinned["ref"]], "reason": f"because of {UPSTREAM_KEY}"}
        answers.append(client.post(f"/api/sessions/{number}/pins", json=reason))
        assert answers[-1].status_code == 200
        head = client.get("/health").json()["position"]
        paths = [f"/api/events/{position}" for position in range(1, head + 1)]
        for path in ("", "/messages", "/timeline", "/events", "/pins", "/diff"):
            paths.append(f"/api/sessions/{number}{path}")
        paths += [f"/api/exchanges/{each['id']}" for each in exchanges.json()["exchanges"]]
        paths += ["/health", "/api/sessions", "/api/exchanges", "/api/export/json", "/api/events", "/api/log/sizes"]
        paths.append(f"/api/usage/sessions/{number}/context")
        shown = [*answers, *map(client.get, paths)]
        assert proxy.stop() == 0
        files = {path.name: path.read_bytes() for path in proxy.data.iterdir()} | {"stderr": proxy.log.read_bytes()}
        for secret in (UPSTREAM_KEY, USERINFO, QUERY_TOKEN):
            assert [str(each.url) for each in shown if secret in each.text or secret in str(each.headers)] == [], secret
            assert [name for name, data in files.items() if secret.encode() in data] == [], secret


def every_read(proxy: ProxyProcess, manage: dict[str, str]) -> list[str]:
    """All that the management API shows by now."""
    head = httpx.get(f"{proxy.url}/health").json()["position"]
    httpx.get(f"{proxy.url}/api/sessions", headers={**manage, "X-Min-Position": str(head)})
    sessions = httpx.get(f"{proxy.url}/api/sessions", headers=manage).json()
    exchanges = httpx.get(f"{proxy.url}/api/exchanges", headers=manage).json()["exchanges"]
    assert len(exchanges) == 4
    return [
        *("/", "/health", "/health/ready", "/api/providers", "/api/models", "/v1/models", "/api/rate-limit"),
        *("/api/sessions", "/api/sessions/active", "/api/sessions/auto-status", "/api/exchanges", "/api/events"),
        *(f"/api/sessions/{session['id']}" for session in sessions),
        *(
            f"/api/sessions/{session['id']}/{part}"
            for session in sessions
            for part in ("messages", "events", "timeline")
        ),
        *(f"/api/exchanges/{exchange['id']}" for exchange in exchanges),
        *("/api/settings", "/metrics", "/api/sessions/diagnostic", "/api/projections", "/api/log/verify"),
        *("/api/export/csv", "/api/export/json", "/api/export/json?format=jsonl", "/api/events?format=jsonl"),
        *(f"/api/events/{position}" for position in range(1, head + 1)),
        *("/openapi.json", "/api/none", f"/api/exchanges?q={QUERY_KEY[:0]}"),
    ]


PROGRAM_KEY, REMOTE_KEY = "ghp_planted-program-0014", "planted-remote-0015"
SERVERS = f"""
[mcp.servers.program]
command = "/bin/sh"
args = ["-c", "echo token is $GITHUB_TOKEN, of postgres://me:planted-argument-0016@db >&2; exit 3"]
env = {{ GITHUB_TOKEN = "{PROGRAM_KEY}" }}

[mcp.servers.remote]
url = "http://127.0.0.1:9/mcp?token={REMOTE_KEY}"
private = true
headers = {{ Authorization = "Bearer {REMOTE_KEY}" }}
"""


def test_keys_of_servers_of_tools_are_not_shown_where_they_fail() -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    with ProxyProcess(SERVERS, fresh=True) as proxy, httpx.Client(timeout=30, base_url=proxy.url) as client:
        shown = [client.post(f"/api/mcp-gateway/{name}/rpc", json=message) for name in ("program", "remote")]
        shown.append(client.post(f"/api/mcp-gateway/{PROGRAM_KEY}/rpc", json=message))
        assert [answer.status_code for answer in shown] == [502, 502, 404]
        assert shown[0].json()["error"]["message"].endswith("token is [redacted], of postgres://[redacted]@db")
        head = client.get("/health").json()["position"]
        paths = [
            "/api/memory/all-servers",
            "/api/memory/servers",
            "/api/mcp/servers",
            "/api/mcp/calls",
            "/api/mcp/tools",
        ]
        paths += ["/api/settings", "/api/events?q=token", *(f"/api/events/{each}" for each in range(1, head + 1))]
        shown += map(client.get, paths)
        assert "token is [redacted]" in shown[3].text
        assert proxy.stop() == 0
        files = {path.name: path.read_bytes() for path in proxy.data.iterdir()} | {"stderr": proxy.log.read_bytes()}
        for secret in (PROGRAM_KEY, REMOTE_KEY, "planted-argument-0016"):
            assert [str(each.url) for each in shown if secret in each.text] == [], secret
            assert [name for name, data in files.items() if secret.encode() in data] == [], secret
