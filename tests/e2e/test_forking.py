"""A session that goes on from an earlier moment of another one: the same bytes go upstream, neither needs the other."""

import hashlib
import json
import signal
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api.cli import main
from tests.e2e.processes import MockProcess, ProxyProcess, config_for

Message = dict[str, Any]


@pytest.fixture
def own(mock: MockProcess) -> Iterator[ProxyProcess]:
    with ProxyProcess(config_for(mock.base_url)) as process:
        yield process


class Agent:
    """Sends its whole history with each request."""

    def __init__(self, proxy: ProxyProcess, mock: MockProcess, key: str, messages: list[Message]) -> None:
        self.proxy, self.mock, self.key = proxy, mock, key
        self.messages = list(messages)
        self.bodies: list[bytes] = []
        self.session = self.exchange = 0

    def turn(self, number: int, lines: int = 60, *, before: str = "") -> bytes:
        """The user asks, the assistant calls a tool, its result comes, the assistant answers; what went upstream."""
        function = {"name": "bash", "arguments": json.dumps({"command": f"step {number}{before}"})}
        output = "\n".join(f"value_{number}_{line} = {line}{before}" for line in range(lines))
        self.messages += [
            {"role": "user", "content": f"question {number}{before}"},
            {"role": "assistant", "content": None, "tool_calls": [{"id": f"c{number}", "function": function}]},
            {"role": "tool", "tool_call_id": f"c{number}", "content": output},
        ]
        body = {"model": "mock", "messages": self.messages}
        headers = {"X-Session-Id": self.key} if self.key else {}
        answer = httpx.post(
            f"{self.proxy.url}/v1/chat/completions", json=body, headers=headers, timeout=30, verify=False
        )
        assert answer.status_code == 200, answer.text
        self.messages.append(answer.json()["choices"][0]["message"])
        self.session, self.exchange = (int(answer.headers[name]) for name in ("x-session-id", "x-exchange-id"))
        self.proxy.finished(self.exchange)
        self.bodies.append(str(self.mock.report("_last")["body"]).encode())
        return self.bodies[-1]


def post(proxy: ProxyProcess, path: str, body: Any = None, status: int = 200) -> Any:
    answer = httpx.post(f"{proxy.url}{path}", json=body or {}, timeout=30, verify=False)
    assert answer.status_code == status, answer.text
    return answer.json()


def head(proxy: ProxyProcess) -> int:
    return int(httpx.get(f"{proxy.url}/health", verify=False).json()["position"])


def worked(proxy: ProxyProcess, mock: MockProcess, name: str = "forked") -> Agent:
    """A conversation with outputs that were masked, a beginning that was compacted, and a message that is pinned."""
    agent = Agent(proxy, mock, name, [{"role": "system", "content": f"You are {name}."}])
    for number in range(4):
        agent.turn(number, 60)
    assert post(proxy, f"/api/compaction/{agent.session}")["success"]
    for number in range(4, 6):
        agent.turn(number, 900 if number == 4 else 60)
    ref = proxy.get(f"/api/sessions/{agent.session}/messages")["messages"][1]["ref"]
    post(proxy, f"/api/sessions/{agent.session}/pins", {"refs": [ref], "reason": "the plan"})
    post(proxy, f"/api/compaction/{agent.session}/reserved", {"reserved_tokens": 1_000})
    agent.turn(6)
    return agent


def forked(proxy: ProxyProcess, mock: MockProcess, agent: Agent, at: int | str | None = None) -> Agent:
    """Who goes on in a fork with the history that the other one has by now."""
    found = post(proxy, f"/api/sessions/{agent.session}/fork", {"at": at})
    other = Agent(proxy, mock, str(found["session"]["id"]), agent.messages)
    other.session = found["session"]["id"]
    return other


def rebuilt_equal(proxy: ProxyProcess) -> bool:
    return bool(post(proxy, "/api/projections/rebuild", {"wait": True})["equal"])


def test_a_fork_goes_on_with_the_same_bytes(proxy: ProxyProcess, mock: MockProcess) -> None:
    agent = worked(proxy, mock, "the-same")
    at = head(proxy)
    before = proxy.get(f"/api/sessions/{agent.session}")
    shown = {
        view: proxy.get(f"/api/sessions/{agent.session}/messages", content="full", view=view)
        for view in ("received", "sent")
    }
    fork = forked(proxy, mock, agent, at)
    usage = proxy.get("/api/compaction/stats")["global"]["global"], proxy.get("/api/sanitizer/stats")["stats"]
    # it holds what the other one holds, and has used nothing
    after = proxy.get(f"/api/sessions/{fork.session}")
    assert after["context"] == before["context"]
    assert after["session"]["parent_id"] == agent.session
    assert after["session"]["reserved_tokens"] == 1_000
    assert after["session"]["compaction_count"] == before["session"]["compaction_count"] == 1
    assert (after["stats"]["total_requests"], after["stats"]["cumulative_total_tokens"]) == (0, 0)
    assert after["session"]["is_active"] is False
    for view, messages in shown.items():
        found = proxy.get(f"/api/sessions/{fork.session}/messages", content="full", view=view)
        assert (found["messages"], found["tokens"]) == (messages["messages"], messages["tokens"])
    pins = proxy.get(f"/api/sessions/{fork.session}/pins")["pins"]
    assert [pin["reason"] for pin in pins] == ["the plan"]
    assert (
        proxy.get("/api/mask", session_id=fork.session)["total"]
        == proxy.get("/api/mask", session_id=agent.session)["total"]
    )
    (made,) = proxy.get(f"/api/compaction/{fork.session}/history")["history"]
    (original,) = proxy.get(f"/api/compaction/{agent.session}/history")["history"]
    assert made["id"] != original["id"]
    assert {**made, "id": 0, "session_id": 0, "position": 0} == {**original, "id": 0, "session_id": 0, "position": 0}
    # counted once
    assert usage == (proxy.get("/api/compaction/stats", at=at)["global"]["global"], usage[1])
    assert usage[1]["total_masked"] == proxy.get("/api/mask")["total"]
    for number in range(7, 10):
        assert fork.turn(number) == agent.turn(number)
    assert fork.session == int(fork.key)
    exchange = proxy.get(f"/api/exchanges/{fork.exchange}")
    assert exchange["reduction"]["applied"] is True
    assert {step["stage"] for step in exchange["reduction"]["steps"]} >= {"compact", "truncate"}
    assert proxy.get(f"/api/sessions/{fork.session}")["stats"]["total_requests"] == 3
    assert (
        proxy.get(f"/api/sessions/{fork.session}")["context"] == proxy.get(f"/api/sessions/{agent.session}")["context"]
    )
    # undone in one of them only
    post(proxy, f"/api/compaction/{fork.session}/revert", {"history_id": made["id"]})
    assert len(fork.turn(10)) > len(agent.turn(10))
    assert proxy.get(f"/api/sessions/{agent.session}", at=at) == before
    assert proxy.get(f"/api/sessions/{fork.session}", at=head(proxy))["stats"]["total_requests"] == 4
    assert rebuilt_equal(proxy)


def test_from_the_midst_and_from_a_fork(proxy: ProxyProcess, mock: MockProcess) -> None:
    agent = worked(proxy, mock, "from-the-midst")
    third = agent.exchange - 4
    early = proxy.get(f"/api/exchanges/{third}")["positions"]["finished"]
    midst = Agent(proxy, mock, "", agent.messages[:13])
    found = post(proxy, f"/api/sessions/{agent.session}/fork", {"at": early, "name": "the midst", "activate": True})
    assert (found["session"]["name"], found["session"]["is_active"]) == ("the midst", True)
    assert (found["at"], found["exchange_id"], found["messages"]) == (early, third, 13)
    midst.key = str(found["session"]["id"])
    assert proxy.get(f"/api/sessions/{midst.key}/pins")["total"] == 0
    assert proxy.get(f"/api/compaction/{midst.key}/history")["history"] == []
    assert midst.turn(3) == agent.bodies[3]
    again = forked(proxy, mock, midst)
    assert again.session != midst.session
    assert proxy.get(f"/api/sessions/{again.session}/messages")["exchange_id"] == midst.exchange
    assert again.turn(4) == midst.turn(4)
    # a moment at which an exchange runs: its answer is not there yet
    started = proxy.get(f"/api/exchanges/{third}")["positions"]["started"]
    running = post(proxy, f"/api/sessions/{agent.session}/fork", {"at": started})
    assert (running["exchange_id"], running["messages"]) == (third, 12)
    created = proxy.get("/api/events", type="SessionStarted", session_id=agent.session)["events"][0]["position"]
    nothing = post(proxy, f"/api/sessions/{agent.session}/fork", {"at": created})
    assert (nothing["exchange_id"], nothing["messages"], nothing["tokens"]) == (None, 0, 0)
    assert proxy.get(f"/api/sessions/{nothing['session']['id']}/messages")["exchange_id"] is None
    # what it is in the log, and between two moments
    event = proxy.get("/api/events", type="SessionForked", session_id=again.session)["events"][0]
    detail = proxy.get(f"/api/events/{event['position']}")
    assert detail["data"]["source_id"] == midst.session
    assert [ref["role"] for ref in detail["refs"]][:2] == ["system", "user"]
    difference = proxy.get(f"/api/sessions/{again.session}/diff", **{"from": event["position"], "to": head(proxy)})
    assert difference["tokens"]["after"] > 0
    columns = proxy.get(f"/api/sessions/{again.session}/timeline")
    assert columns["columns"]["used"][1] > 0
    assert proxy.get(f"/api/compaction/{again.session}/preview")["can_compact"] is True
    assert rebuilt_equal(proxy)
    exported = httpx.get(f"{proxy.url}/api/exchanges", params={"session_id": again.session}).json()
    assert exported["total"] == 1


def test_neither_needs_the_other(own: ProxyProcess, mock: MockProcess) -> None:
    agent = worked(own, mock)
    fork = forked(own, mock, agent)
    third = forked(own, mock, fork)
    expected = agent.turn(7)
    for gone, left in ((agent, fork), (fork, third)):
        post(own, f"/api/sessions/{gone.session}/erase", {"confirm": True})
        assert left.turn(7) == expected
        shown = own.get(f"/api/sessions/{left.session}/messages", content="full")["messages"]
        assert [message["content"] for message in shown] == [message["content"] for message in left.messages]
        masks = own.get("/api/mask", session_id=left.session)["items"]
        assert masks
        assert all(mask["preview"] for mask in masks)
        refused = post(own, f"/api/sessions/{gone.session}/fork", {}, 410)
        assert refused["code"] == "content_erased"
    assert rebuilt_equal(own)
    post(own, f"/api/sessions/{third.session}/erase", {"confirm": True})
    for path in own.data.iterdir():
        if path.is_file():
            assert b"value_0_1 = 1" not in path.read_bytes(), path.name
            assert b"the plan" not in path.read_bytes(), path.name
    assert own.get("/api/log/verify")["ok"] is True
    assert rebuilt_equal(own)


def test_a_fork_becomes_a_part_again(proxy: ProxyProcess, mock: MockProcess) -> None:
    agent = worked(proxy, mock, "a-part")
    fork, other = forked(proxy, mock, agent), forked(proxy, mock, agent)
    fork.turn(7)
    expected = agent.turn(7)
    # an exchange is moved to a fork that has had none of its own
    moved = post(proxy, f"/api/exchanges/{fork.exchange}/reassign", {"session_id": other.session})
    assert moved["moved"] == 1
    assert proxy.get(f"/api/sessions/{fork.session}")["context"]["current_tokens"] > 0
    post(proxy, f"/api/sessions/{agent.session}/merge", {"source_ids": [fork.session, other.session]})
    assert proxy.get(f"/api/sessions/{agent.session}")["stats"]["total_requests"] == 9
    assert agent.turn(8) != expected
    shown = proxy.get(f"/api/sessions/{agent.session}/messages", content="full")["messages"]
    assert [message["content"] for message in shown] == [message["content"] for message in agent.messages]
    assert rebuilt_equal(proxy)


def test_what_is_refused(proxy: ProxyProcess, mock: MockProcess) -> None:
    agent = Agent(proxy, mock, "refused", [])
    agent.turn(0)
    before = proxy.get("/api/events", type="SessionForked")["total"]
    path = f"/api/sessions/{agent.session}/fork"
    assert post(proxy, "/api/sessions/99/fork", {}, 404)["code"] == "session_not_found"
    beyond = post(proxy, path, {"at": 1_000_000}, 422)
    assert (beyond["code"], beyond["detail"][0]["loc"]) == ("at_out_of_range", ["body", "at"])
    assert post(proxy, path, {"at": 0}, 404)["code"] == "session_not_found"
    for at in (-1, 1.5, True, "yesterday", "", [1]):
        refused = post(proxy, path, {"at": at}, 422)
        assert (refused["code"], [each["loc"] for each in refused["detail"]]) == ("invalid_field", [["body", "at"]])
    once = {"Idempotency-Key": "a-fork"}
    answers = [httpx.post(f"{proxy.url}{path}", json={}, headers=once).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert proxy.get("/api/events", type="SessionForked")["total"] == before + 1
    stale = httpx.post(f"{proxy.url}{path}", json={}, headers={"X-Expected-Position": "1"})
    assert (stale.status_code, stale.json()["code"]) == (409, "version_conflict")


def command(capsys: pytest.CaptureFixture[str], proxy: ProxyProcess, *arguments: str) -> tuple[int, Any]:
    code = main([*arguments, "--data-dir", str(proxy.data), "--json"])
    text = capsys.readouterr().out
    return code, json.loads(text) if text else None


def test_by_the_command_and_sent_once_more(
    own: ProxyProcess, mock: MockProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = worked(own, mock)
    at = own.get("/api/exchanges/5")["positions"]["finished"]
    code, by_server = command(capsys, own, "fork", str(agent.session), "--at", str(at))
    assert (code, by_server["at"], by_server["exchange_id"], by_server["messages"]) == (0, at, 5, 21)
    fork = Agent(own, mock, str(by_server["session_id"]), agent.messages[:21])
    own.stop(signal.SIGKILL)
    code, offline = command(capsys, own, "fork", str(agent.session), "--name", "offline")
    assert code == 0
    assert command(capsys, own, "fork", "99")[0] == 2
    assert command(capsys, own, "fork", "1", "--at", "yesterday")[0] == 2
    assert command(capsys, own, "fork", "1", "--at", "1000000")[0] == 2
    own.start()
    own.until_ready()
    assert fork.turn(5) == agent.bodies[5]
    assert fork.turn(6) == agent.bodies[6]
    assert post(own, f"/api/compaction/{fork.session}")["success"]
    fork.turn(7)
    post(own, f"/api/compaction/{fork.session}/revert")
    fork.turn(8)
    last = Agent(own, mock, str(offline["session_id"]), agent.messages)
    assert last.turn(7) == agent.turn(7)
    assert own.get(f"/api/sessions/{last.session}")["session"]["name"] == "offline"
    # a session with reductions, a fork, a compaction and its undoing: every body once more, byte for byte
    before = mock.report("_requests")["count"]
    for each in (agent, fork):
        code, found = command(capsys, own, "replay", str(each.session), "--against", mock.base_url)
        assert (code, {one["outcome"] for one in found}) == (0, {"same"})
    again = mock.report("_requests")["sha256"][before:]
    assert again == [hashlib.sha256(body).hexdigest() for body in (*agent.bodies, *fork.bodies)]
    assert rebuilt_equal(own)
