"""A session that was guessed wrong is mended: exchanges moved, sessions merged, and everything follows."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.processes import ROOT, MockProcess, ProxyProcess, config_for


@pytest.fixture
def proxy(mock: MockProcess) -> Iterator[ProxyProcess]:
    with ProxyProcess(config_for(mock.base_url)) as process:
        yield process


class Talk:
    """A conversation under a session header, or found by its messages."""

    def __init__(self, proxy: ProxyProcess, name: str, key: str | None = None) -> None:
        self.proxy, self.name = proxy, name
        self.headers = {"X-Session-Id": key} if key else {}
        self.messages: list[Any] = [{"role": "system", "content": f"You are {name}."}]
        self.exchanges: list[int] = []
        self.session = 0

    def turn(self, text: str = "a question") -> int:
        self.messages.append({"role": "user", "content": f"{self.name}: {text} {len(self.messages)}"})
        body = {"model": "mock", "messages": self.messages}
        answer = httpx.post(f"{self.proxy.url}/v1/chat/completions", json=body, headers=self.headers, timeout=30)
        self.messages.append(answer.json()["choices"][0]["message"])
        self.proxy.finished(answer.headers["x-exchange-id"])
        self.exchanges.append(int(answer.headers["x-exchange-id"]))
        self.session = int(answer.headers["x-session-id"])
        return self.session


def post(proxy: ProxyProcess, path: str, body: Any, status: int = 200) -> Any:
    answer = httpx.post(f"{proxy.url}{path}", json=body, timeout=30)
    assert answer.status_code == status, answer.text
    return answer.json()


def stats(proxy: ProxyProcess, session: int, **at: int) -> Any:
    return proxy.get(f"/api/sessions/{session}", **at)["stats"]


def rebuilt_equal(proxy: ProxyProcess) -> bool:
    return bool(post(proxy, "/api/projections/rebuild", {"wait": True})["equal"])


def test_an_exchange_and_what_followed_it_move(proxy: ProxyProcess) -> None:
    one, other = Talk(proxy, "one", "key-1"), Talk(proxy, "other", "key-2")
    for _ in range(4):
        one.turn()
    other.turn()
    before = httpx.get(f"{proxy.url}/health").json()["position"]
    totals = stats(proxy, one.session), stats(proxy, other.session)
    moved = post(proxy, f"/api/exchanges/{one.exchanges[1]}/reassign", {"session_id": other.session, "following": True})
    assert (moved["success"], moved["moved"]) == (True, 3)
    assert (moved["exchange"]["session_id"], moved["exchange"]["moved_from"]) == (other.session, one.session)
    assert stats(proxy, one.session)["total_requests"] == 1
    assert stats(proxy, other.session)["total_requests"] == 4
    spent = [stats(proxy, number)["cumulative_total_tokens"] for number in (one.session, other.session)]
    assert sum(spent) == sum(each["cumulative_total_tokens"] for each in totals)
    listed = proxy.get("/api/exchanges", session_id=other.session)
    assert [each["id"] for each in listed["exchanges"]] == [*other.exchanges, *one.exchanges[:0:-1]]
    assert listed["total"] == 4
    # the old truth stays visible
    assert (stats(proxy, one.session, at=before), stats(proxy, other.session, at=before)) == totals
    earlier = proxy.get(f"/api/exchanges/{one.exchanges[1]}", at=before)
    assert (earlier["session_id"], earlier["moved_from"]) == (one.session, None)
    assert proxy.get("/api/exchanges", session_id=one.session, at=before)["total"] == 4
    # its contents are there, and go with the session that it belongs to
    shown = proxy.get(f"/api/sessions/{other.session}/messages", exchange_id=one.exchanges[3], content="full")
    assert [each["content"] for each in shown["messages"]] == [each["content"] for each in one.messages]
    refused = httpx.get(f"{proxy.url}/api/sessions/{one.session}/messages?exchange_id={one.exchanges[3]}")
    assert refused.status_code == 404
    assert rebuilt_equal(proxy)
    post(proxy, f"/api/sessions/{one.session}/erase", {"confirm": True})
    shown = proxy.get(f"/api/sessions/{other.session}/messages", exchange_id=one.exchanges[3], content="full")
    assert [each["content"] for each in shown["messages"]] == [each["content"] for each in one.messages]
    assert rebuilt_equal(proxy)
    again = post(proxy, f"/api/exchanges/{one.exchanges[3]}/reassign", {"session_id": other.session})
    assert again["moved"] == 0


def test_what_goes_on_from_a_moved_exchange_goes_on_there(proxy: ProxyProcess) -> None:
    one, other = Talk(proxy, "one"), Talk(proxy, "other")
    one.turn()
    other.turn()
    first = one.session
    assert other.session != first
    post(proxy, f"/api/exchanges/{one.exchanges[0]}/reassign", {"session_id": other.session})
    assert one.turn() == other.session
    proxy.stop(signal.SIGKILL)
    proxy.start()
    proxy.until_ready()
    assert one.turn() == other.session
    assert rebuilt_equal(proxy)


@pytest.mark.parametrize("killed", [False, True])
def test_sessions_become_one(proxy: ProxyProcess, killed: bool) -> None:
    one, other, third = Talk(proxy, "one", "key-1"), Talk(proxy, "other", "key-2"), Talk(proxy, "third")
    for _ in range(5):
        one.turn("a long question " * 20)
        other.turn("another long question " * 20)
    third.turn()
    target, sources = one.session, [other.session, third.session]
    assert post(proxy, f"/api/compaction/{other.session}", {})["success"]
    post(proxy, f"/api/sessions/{other.session}/activate", {})
    before = httpx.get(f"{proxy.url}/health").json()["position"]
    totals = [stats(proxy, number)["cumulative_total_tokens"] for number in (target, *sources)]
    done = post(proxy, f"/api/sessions/{target}/merge", {"source_ids": sources, "name": "both"})
    assert (done["session"]["name"], done["session"]["is_active"], done["merged_ids"]) == ("both", True, sources)
    assert (done["exchanges_moved"], done["compactions_moved"], done["memories_moved"]) == (6, 1, 0)
    for number in sources:
        gone = httpx.get(f"{proxy.url}/api/sessions/{number}")
        assert (gone.status_code, gone.json()["code"]) == (404, "session_merged")
        assert gone.json()["merged_into"] == target
        gone = httpx.patch(f"{proxy.url}/api/sessions/{number}", json={"name": "n"})
        assert (gone.status_code, gone.json()["code"]) == (404, "session_merged")
    assert stats(proxy, target)["cumulative_total_tokens"] == sum(totals)
    assert proxy.get("/api/exchanges", session_id=target)["total"] == 11
    assert proxy.get("/api/exchanges", session_id=sources[0], at=before)["total"] == 5
    history = proxy.get(f"/api/compaction/{target}/history")["history"]
    assert len(history) == 1
    if killed:
        proxy.stop(signal.SIGKILL)
        proxy.start()
        proxy.until_ready()
    # its clients go on in it, one of them with its compaction
    assert (one.turn(), other.turn(), third.turn()) == (target, target, target)
    exchange = proxy.get(f"/api/exchanges/{other.exchanges[-1]}")
    assert [step["stage"] for step in exchange["reduction"]["steps"]] == ["compact"]
    for talk in (one, other, third):
        shown = proxy.get(f"/api/sessions/{target}/messages", exchange_id=talk.exchanges[0], content="full")
        assert shown["messages"][1]["content"] == talk.messages[1]["content"]
    post(proxy, f"/api/compaction/{target}/revert", {"history_id": history[0]["id"]})
    other.turn()
    assert proxy.get(f"/api/exchanges/{other.exchanges[-1]}")["sent"]["identical"] is True
    assert rebuilt_equal(proxy)
    post(proxy, f"/api/sessions/{target}/erase", {"confirm": True})
    planted = (b"one: a long question", b"other: another long question", b"third: a question")
    for path in proxy.data.iterdir():
        if path.is_file():
            assert not any(text in path.read_bytes() for text in planted), path.name
    assert rebuilt_equal(proxy)
    verified = proxy.get("/api/log/verify")
    assert verified["ok"] is True


def test_what_is_refused(proxy: ProxyProcess) -> None:
    one = Talk(proxy, "one")
    one.turn()
    assert post(proxy, "/api/exchanges/99/reassign", {"session_id": 1}, 404)["code"] == "exchange_not_found"
    assert post(proxy, "/api/exchanges/1/reassign", {"session_id": 99}, 404)["code"] == "session_not_found"
    itself = post(proxy, "/api/sessions/1/merge", {"source_ids": [1]}, 422)
    assert (itself["code"], itself["detail"][0]["loc"]) == ("self_merge", ["body", "source_ids"])
    unknown = post(proxy, "/api/sessions/1/merge", {"source_ids": [98, 99]}, 404)
    assert (unknown["code"], unknown["failed_ids"]) == ("unknown_sessions", [98, 99])
    bad: tuple[Any, ...] = ({}, {"source_ids": []}, {"source_ids": ["2"]}, {"source_ids": [2], "name": ""})
    for body in bad:
        assert post(proxy, "/api/sessions/1/merge", body, 422)["code"] == "invalid_field"
    assert json.loads(httpx.get(f"{proxy.url}/api/log/verify").text)["ok"] is True


def test_replay_and_what_if_take_what_belongs_to_the_session(proxy: ProxyProcess, mock: MockProcess) -> None:
    into, moved, merged = (Talk(proxy, name, f"key-{name}") for name in ("into", "moved", "merged"))
    for talk in (moved, into, merged, moved, merged):
        talk.turn()
    post(proxy, f"/api/exchanges/{moved.exchanges[1]}/reassign", {"session_id": merged.session})
    post(proxy, f"/api/sessions/{into.session}/merge", {"source_ids": [merged.session]})
    belong = sorted([*into.exchanges, *merged.exchanges, moved.exchanges[1]])

    def run(command: str, session: int, *more: str) -> tuple[int, Any]:
        words = [sys.executable, "-m", "chronoproxy", command, str(session), *more, "--data-dir", str(proxy.data)]
        done = subprocess.run([*words, "--json"], capture_output=True, text=True, cwd=ROOT, timeout=60)
        return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr

    for session, expected in ((into.session, belong), (moved.session, moved.exchanges[:1])):
        code, found = run("replay", session, "--against", mock.base_url)
        assert (code, [(each["exchange_id"], each["outcome"]) for each in found]) == (
            0,
            [(exchange, "same") for exchange in expected],
        )
    code, compared = run("what-if", into.session)
    listed = [proxy.get(f"/api/exchanges/{exchange}")["received"]["tokens"] for exchange in belong]
    assert (code, compared["received"]["tokens"]) == (0, sum(listed))
    assert [run(*words)[0] for words in (("replay", merged.session, "--against", mock.base_url), ("what-if", 99))] == [
        2,
        2,
    ]
