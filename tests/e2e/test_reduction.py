"""Contexts that go upstream smaller, over real sockets: what is sent, what can be seen of it, and what undoes it."""

import hashlib
import json
import re
import signal
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from proxy.contents import SessionContents
from schema.keys import KeyStore
from schema.log import EventLog
from tests.e2e.processes import MockProcess, ProxyProcess, config_for

Message = dict[str, Any]
OUTPUT = "\n".join(f"step_{number} of the build is done" for number in range(2_500))


def call(number: int, command: str) -> Message:
    function = {"name": "bash", "arguments": json.dumps({"command": command})}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": f"c{number}", "function": function}]}


def result(number: int, text: str) -> Message:
    return {"role": "tool", "tool_call_id": f"c{number}", "content": text}


class Agent:
    """Sends its whole history with each request, as agents do."""

    def __init__(self, proxy: ProxyProcess, mock: MockProcess, name: str) -> None:
        self.proxy, self.mock = proxy, mock
        self.messages: list[Message] = [
            {"role": "system", "content": f"You are {name}."},
            {"role": "user", "content": name},
        ]

    def request(self, **headers: str) -> httpx.Response:
        body = {"model": "mock", "messages": self.messages, "temperature": 0}
        answer = httpx.post(f"{self.proxy.url}/v1/chat/completions", json=body, headers=headers, timeout=30)
        assert answer.status_code == 200
        self.proxy.finished(answer.headers["x-exchange-id"])
        return answer

    def sent(self) -> list[Message]:
        found = json.loads(self.mock.report("_last")["body"])["messages"]
        assert isinstance(found, list)
        return found

    def turn(self, number: int, command: str, output: str) -> httpx.Response:
        self.messages += [call(number, command), result(number, output)]
        return self.request()


@pytest.fixture
def proxy(mock: MockProcess) -> Iterator[ProxyProcess]:
    with ProxyProcess(config_for(mock.base_url)) as process:
        yield process


def worked(agent: Agent, turns: int = 14) -> httpx.Response:
    """A long output, then many others."""
    agent.turn(0, "make", OUTPUT)
    for number in range(1, turns):
        text = "\n".join(f"value_{number}_{line} = {line * number}" for line in range(80))
        answer = agent.turn(number, f"./show {number}", text)
    return answer


def hashes(messages: list[Message]) -> list[str]:
    return re.findall(r"mask:([0-9a-f]{16})", json.dumps(messages))


def test_what_goes_upstream_is_smaller_and_what_stands_for_what_can_be_seen(
    proxy: ProxyProcess, mock: MockProcess
) -> None:
    agent = Agent(proxy, mock, "smaller")
    answer = worked(agent)
    sent = agent.sent()
    assert len(json.dumps(sent)) < 0.6 * len(json.dumps(agent.messages))
    assert len(sent) == len(agent.messages)
    for before, after in zip(agent.messages, sent, strict=True):
        assert {**before, "content": None} == {**after, "content": None}
        if before["role"] != "tool":
            assert before == after
    assert sent[-1] == agent.messages[-1]  # the newest result
    originals = {message["content"] for message in agent.messages}
    for mask in hashes(sent):
        found = proxy.get(f"/api/mask/{mask}", peek="true")
        assert found["original_content"] in originals
        assert found["sha256"] == hashlib.sha256(found["original_content"].encode()).hexdigest()
    exchange = proxy.get(f"/api/exchanges/{answer.headers['x-exchange-id']}")
    reduction = exchange["reduction"]
    assert (reduction["applied"], reduction["skipped_reason"]) == (True, None)
    assert reduction["tokens_saved"] == reduction["tokens_before"] - reduction["tokens_after"] > 5_000
    assert int(answer.headers["x-context-tokens"]) == exchange["sent"]["tokens"] == reduction["tokens_after"]
    rewritten = exchange["diff"]["rewritten"]
    assert len(rewritten) == sum(step["count"] for step in reduction["steps"]) == len(hashes(sent))
    assert {each["stage"] for each in rewritten} == {step["stage"] for step in reduction["steps"]}
    assert (exchange["diff"]["added"], exchange["diff"]["removed"]) == ([], [])
    session = exchange["session_id"]
    shown = proxy.get(f"/api/sessions/{session}/messages", view="sent", content="full")["messages"]
    assert [each["content"] for each in shown] == [each["content"] for each in sent]
    reduced = [each for each in shown if each["reduction"]]
    assert len(reduced) == len(rewritten)
    assert {each["origin"] for each in reduced} == {"proxy"}
    received = proxy.get(f"/api/sessions/{session}/messages", content="full")["messages"]
    assert [each["content"] for each in received[:-1]] == [each["content"] for each in agent.messages]


def test_a_restart_changes_nothing_and_the_log_gives_it_back(mock: MockProcess) -> None:
    """Two agents that do the same, one of them through a proxy that is killed and started again in the midst."""
    with ProxyProcess(config_for(mock.base_url)) as steady, ProxyProcess(config_for(mock.base_url)) as restarted:
        agents = [Agent(proxy, mock, "restart") for proxy in (steady, restarted)]
        sent: list[list[list[Message]]] = [[], []]
        bodies: list[bytes] = []
        for number in range(36):
            if number == 18:
                restarted.stop(signal.SIGKILL)
                restarted.start()
                restarted.until_ready()
            output = OUTPUT if number in (0, 20) else "\n".join(f"value_{number}_{line} = {line}" for line in range(80))
            for agent, seen in zip(agents, sent, strict=True):
                agent.turn(number, f"./show {number}", output)
                seen.append(agent.sent())
            bodies.append(mock.report("_last")["body"].encode())
        assert sent[0] == sent[1]
        assert len(set(hashes(sent[1][-1]))) >= 3
        assert restarted.stop() == 0
        keys = KeyStore(restarted.data / "keys.sqlite")
        log = EventLog(restarted.data / "events.sqlite", keys)
        contents = SessionContents(log, 1)
        assert [contents.sent(exchange) for exchange in contents.exchange_ids()] == bodies
        received = [json.loads(contents.received(exchange))["messages"] for exchange in contents.exchange_ids()]
        assert received == [agents[1].messages[: len(messages)] for messages in received]
        log.close()
        keys.close()


def test_the_switch(proxy: ProxyProcess, mock: MockProcess) -> None:
    agent = Agent(proxy, mock, "switch")
    worked(agent)
    masked = agent.sent()
    httpx.post(f"{proxy.url}/api/sanitizer/toggle", json={"enabled": False})
    agent.messages += [{"role": "assistant", "content": "so"}, {"role": "user", "content": "off"}]
    answer = agent.request()
    assert agent.sent() == agent.messages
    exchange = proxy.get(f"/api/exchanges/{answer.headers['x-exchange-id']}")
    assert (exchange["sent"]["identical"], exchange["reduction"]["skipped_reason"]) == (True, "off")
    httpx.post(f"{proxy.url}/api/sanitizer/toggle", json={"enabled": True})
    agent.messages += [{"role": "assistant", "content": "so"}, {"role": "user", "content": "on"}]
    answer = agent.request()
    assert agent.sent()[: len(masked) - 1] == masked[:-1]
    refs = proxy.get(f"/api/exchanges/{answer.headers['x-exchange-id']}")
    assert len(refs["sent"]["refs"]) == len(agent.messages)
    assert refs["sent"]["refs"] != refs["received"]["refs"]


def test_masks_are_listed_counted_and_their_retrieval_is_recorded(proxy: ProxyProcess, mock: MockProcess) -> None:
    agent = Agent(proxy, mock, "listed")
    worked(agent, 36)
    listed = proxy.get("/api/mask")
    assert listed["total"] == len(listed["items"]) > 3
    stats = proxy.get("/api/sanitizer/stats")
    assert (stats["enabled"], stats["stats"]["total_masked"]) == (True, listed["total"])
    assert stats["stats"]["recent_24h"] == listed["total"]
    assert stats["stats"]["total_tokens_masked"] == sum(item["token_count"] for item in listed["items"])
    (long,) = [item for item in listed["items"] if item["preview"].startswith("step_0")]
    assert (long["tags"], long["tool"], long["retrievals"], len(long["preview"])) == (["bash"], "bash", 0, 200)
    found = httpx.get(f"{proxy.url}/api/mask/{long['hash']}", params={"lines": "2-3", "grep": "STEP_2"})
    assert found.json()["original_content"] == OUTPUT
    assert found.json()["selection"] == "step_2 of the build is done"
    assert "x-event-position" in found.headers
    again = next(item for item in proxy.get("/api/mask")["items"] if item["hash"] == long["hash"])
    assert again["retrievals"] == 1
    earlier = proxy.get("/api/mask", at=1)
    assert earlier == {"items": [], "total": 0}
    for path, status, code in (
        ("0" * 16, 404, "mask_not_found"), ("nonsense", 404, "mask_not_found"), ("0" * 15, 404, "mask_not_found"),
        ("..%2f..%2fetc%2fpasswd", 404, "not_found"),
    ):  # fmt: skip
        answer = httpx.get(f"{proxy.url}/api/mask/{path}")
        assert answer.status_code == status
        assert answer.json()["code"] in (code, "mask_not_found")
    events = proxy.get("/api/events", type="OutputsMasked")["events"]
    assert events
    detail = proxy.get(f"/api/events/{events[0]['position']}")
    assert detail["data"]["trigger"] == "cache_price"
    assert detail["correlation_id"]


def test_off_in_the_file_is_off(mock: MockProcess) -> None:
    for section in ("[reduction]\nenabled = false", "[sanitizer]\nenabled = false", "[recording]\ncontents = false"):
        with ProxyProcess(config_for(mock.base_url, section)) as process:
            agent = Agent(process, mock, f"off {section}")
            worked(agent, 12)
            assert agent.sent() == agent.messages
            assert process.get("/api/mask")["total"] == 0


def test_hostile_messages_go_upstream_as_they_came(proxy: ProxyProcess, mock: MockProcess) -> None:
    """Whatever a tool's output is: never an error, and what cannot be reduced is forwarded."""
    strange: list[Any] = ["\x00" * 500, "\u2028" * 500, "mask:0123456789abcdef " * 500, None, 7, {"a": 1}]
    strange += [[{"type": "text", "text": OUTPUT}], "[output omitted: 1 lines, mask:0000000000000000]\n" * 300]
    agent = Agent(proxy, mock, "hostile")
    for number, content in enumerate(strange):
        agent.messages += [call(number, "x"), {"role": "tool", "tool_call_id": f"c{number}", "content": content}]
    agent.messages += [{"role": "assistant", "content": "so", "tool_calls": "none"}, {"role": "user", "content": "?"}]
    body = json.dumps({"model": "mock", "messages": agent.messages})
    headers = {"content-type": "application/json"}
    for _ in range(3):
        answer = httpx.post(f"{proxy.url}/v1/chat/completions", content=body, headers=headers)
        assert answer.status_code == 200
    assert len(agent.sent()) == len(agent.messages)
    assert not [line for line in proxy.log.read_text().splitlines() if "ERROR" in line]
