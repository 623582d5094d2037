"""The program as users start it, with the demo provider: one without and one with a token."""

from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.processes import ProxyProcess

TOKEN = "server-token-0123456789"
CLIENT_KEY = "client-key-0123456789"
_WITH_TOKEN = f"""
[server]
token = "{TOKEN}"
client_keys = ["{CLIENT_KEY}"]
max_body_bytes = 2000
"""
PRICED = """
[models."demo/priced"]
provider = "demo"
model = "echo"
price = { input = 1.25, output = 10 }
"""


class Running:
    """`active` is the active session, `exchange` one of its exchanges."""

    def __init__(self, proxy: ProxyProcess) -> None:
        self.proxy = proxy
        self.client = httpx.Client(base_url=proxy.url, timeout=30, trust_env=False)
        self.active = self.session()
        self.exchange = self.complete("demo/echo")
        self.complete("demo/fail")
        self.mask = self.masked()
        self.description = self.client.get("/openapi.json").json()

    def session(self) -> int:
        """A new session, the active one from now on."""
        return int(self.client.post("/api/sessions", json={"name": "s"}).json()["id"])

    def idle(self) -> int:
        """A new session that is not active, with an exchange."""
        number = self.session()
        self.complete("demo/echo", number)
        self.client.post(f"/api/sessions/{self.active}/activate")
        return number

    def long(self) -> int:
        """A new session that is not active, with a conversation that is worth compacting."""
        number = self.session()
        self._converse(number)
        self.client.post(f"/api/sessions/{self.active}/activate")
        return number

    def given(self, kind: str) -> int:
        """A new session that is not active, of a conversation of that kind (table.py)."""
        if kind == "short":
            return self.idle()
        if kind in ("remembering", "recalled"):
            number = self.idle()
            for _ in range(3 if kind == "recalled" else 1):
                self.memory(number)
            return number
        number = self.idle() if kind == "pinned" else self.long()
        if kind == "compacted":
            assert self.client.post(f"/api/compaction/{number}", json={}).json()["success"]
        if kind == "pinned":
            pinned = self.client.post(f"/api/sessions/{number}/pins", json={"refs": [self.ref(number)]})
            assert pinned.json()["changed"] == 1
        return number

    def memory(self, number: int, text: str = "The staging database listens on port 5433.") -> int:
        """A text that a session remembers."""
        stored = self.client.post(f"/api/memory/store?session_id={number}", json={"content": text})
        return int(stored.json()["memory_id"])

    def memory_of(self, kind: str) -> int:
        """A memory of a new session, in that state (table.py)."""
        number = self.given("recalled" if kind == "promoted" else "remembering")
        memory = self.memory(number)
        if kind == "forgotten":
            assert self.client.delete(f"/api/memory/{memory}").json()["changed"]
        if kind == "promoted":
            assert self.client.post(f"/api/memory/promote-patterns/{number}").json()["promoted_count"] == 1
        return memory

    def last_exchange(self, number: int) -> int:
        headers = {"X-Min-Position": str(self.head())}
        found = self.client.get(f"/api/exchanges?session_id={number}", headers=headers).json()["exchanges"]
        return int(found[0]["id"])

    def ref(self, number: int) -> str:
        """Of the session's first message."""
        headers = {"X-Min-Position": str(self.head())}
        found = self.client.get(f"/api/sessions/{number}/messages", headers=headers).json()
        return str(found["messages"][0]["ref"])

    def _converse(self, number: int) -> None:
        messages: list[dict[str, object]] = [{"role": "system", "content": "You are an agent."}]
        for turn in range(8):
            function = {"name": "bash", "arguments": f'{{"command":"cat file_{turn}.py"}}'}
            output = "\n".join(f"line {line} of the file number {turn}" for line in range(20))
            messages += [
                {"role": "user", "content": f"question {turn} of {number}"},
                {"role": "assistant", "content": None, "tool_calls": [{"id": f"c{turn}", "function": function}]},
                {"role": "tool", "tool_call_id": f"c{turn}", "content": output},
                {"role": "assistant", "content": f"answer {turn}"},
            ]
        messages.append({"role": "user", "content": "and now?"})
        body = {"model": "demo/echo", "messages": messages}
        answer = self.client.post("/v1/chat/completions", json=body, headers={"X-Session-Id": str(number)})
        self.proxy.finished(answer.headers["x-exchange-id"])

    def complete(self, model: str, session_id: int | None = None) -> int:
        """The id of an exchange, once it has ended."""
        body = {"model": model, "messages": [{"role": "user", "content": f"for {session_id}"}]}
        headers = {"X-Session-Id": str(session_id or self.active)}
        answer = self.client.post("/v1/chat/completions", json=body, headers=headers)
        self.proxy.finished(answer.headers["x-exchange-id"])
        return int(answer.headers["x-exchange-id"])

    def masked(self) -> str:
        """The hash of an output that was shortened."""
        output = "\n".join(f"line {number} of a long output of a command" for number in range(3_000))
        call = {"id": "c1", "type": "function", "function": {"name": "bash", "arguments": '{"command":"make"}'}}
        messages = [
            {"role": "user", "content": "build it"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": output},
            *({"role": role, "content": f"{role} {turn}"} for turn in range(12) for role in ("assistant", "user")),
        ]
        body = {"model": "demo/echo", "messages": messages}
        answer = self.client.post("/v1/chat/completions", json=body, headers={"X-Session-Id": str(self.active)})
        self.proxy.finished(answer.headers["x-exchange-id"])
        headers = {"X-Min-Position": str(self.head())}
        (item,) = self.client.get("/api/mask", headers=headers).json()["items"]
        return str(item["hash"])

    def head(self) -> int:
        return int(self.client.get("/health").json()["position"])

    def types(self, after: int) -> list[str]:
        """Of the events behind `after`."""
        query = f"from={after + 1}&order=asc&limit=1000"
        headers = {"X-Min-Position": str(self.head())}
        found = self.client.get(f"/api/events?{query}", headers=headers).json()
        return [event["type"] for event in found["events"]]


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with ProxyProcess(PRICED) as proxy:
        found = Running(proxy)
        yield found
        found.client.close()


@pytest.fixture(scope="module")
def guarded() -> Iterator[httpx.Client]:
    """Nobody is let in without a token."""
    with ProxyProcess(_WITH_TOKEN) as proxy, httpx.Client(timeout=30, base_url=proxy.url, trust_env=False) as client:
        yield client
