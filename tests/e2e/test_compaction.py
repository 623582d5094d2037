"""Conversations that are compacted, by hand and by themselves, with a real SDK against a real upstream."""

import ast
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openai import BadRequestError, InternalServerError, OpenAI

from tests.e2e.processes import MockProcess, ProxyProcess, config_for, plan

Message = dict[str, Any]
SMALL = """
[models.small]
provider = "mock"
model = "mock-small"
max_context_size = 6000
"""


class Agent:
    """An OpenAI SDK that sends its whole history with each request, as agents do."""

    def __init__(self, proxy: ProxyProcess, mock: MockProcess, name: str, model: str = "small") -> None:
        self.proxy, self.mock, self.model = proxy, mock, model
        self.messages: list[Any] = [{"role": "system", "content": f"You are {name}."}]
        self.turns = 0

    def request(self, **more: Any) -> Any:
        with OpenAI(base_url=f"{self.proxy.url}/v1", api_key="k", max_retries=0) as client:
            raw = client.chat.completions.with_raw_response.create(model=self.model, messages=self.messages, **more)
        self.messages.append({"role": "assistant", "content": raw.parse().choices[0].message.content})
        self.proxy.finished(raw.headers["x-exchange-id"])
        return raw

    def turn(self, lines: int = 40) -> Any:
        """The user asks, the assistant calls a tool, its result comes."""
        number = self.turns = self.turns + 1
        function = {"name": "read_file", "arguments": json.dumps({"path": f"src/file_{number}.py"})}
        self.messages += [
            {"role": "user", "content": f"task {number}: change file_{number}.py"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": f"c{number}", "type": "function", "function": function}],
            },
            {
                "role": "tool",
                "tool_call_id": f"c{number}",
                "content": "\n".join(f"value_{number}_{line} = compute_{line}(argument)" for line in range(lines)),
            },
        ]
        return self.request()

    def body(self) -> bytes:
        return str(self.mock.report("_last")["body"]).encode()

    def sent(self) -> list[Message]:
        found = json.loads(self.body())["messages"]
        assert isinstance(found, list)
        return found


def valid(messages: list[Message]) -> bool:
    """Each result right behind its call, and no two messages of the assistant in a row."""
    waiting: list[str] = []
    previous = ""
    for message in messages:
        if message["role"] == "tool":
            waiting.remove(message["tool_call_id"])
        elif waiting or message["role"] == previous == "assistant":
            return False
        else:
            waiting = [call["id"] for call in message.get("tool_calls") or ()]
        previous = message["role"]
    return not waiting


def post(proxy: ProxyProcess, path: str, body: Any = None, status: int = 200) -> Any:
    answer = httpx.post(f"{proxy.url}{path}", json=body or {}, timeout=30)
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.fixture
def proxy(mock: MockProcess) -> Iterator[ProxyProcess]:
    with ProxyProcess(config_for(mock.base_url) + SMALL) as process:
        yield process


def test_a_context_that_is_full_is_compacted_by_itself(proxy: ProxyProcess, mock: MockProcess) -> None:
    agent = Agent(proxy, mock, "full")
    sizes: list[int] = []
    while not (events := proxy.get("/api/events", type="CompactionPerformed")["events"]):
        raw = agent.turn()
        sizes.append(len(agent.sent()))
        assert agent.turns < 20
    sent = agent.sent()
    assert valid(sent)
    assert len(sent) < len(agent.messages) - 1
    assert len(json.dumps(sent)) < 0.6 * len(json.dumps(agent.messages))
    assert [each for each in sent if each["role"] == "user" and each["content"] != "Continue."] == [
        each for each in agent.messages if each["role"] == "user"
    ]
    assert sent[-1] == agent.messages[-2]  # the newest result, whole
    (event,) = events
    exchange = proxy.get(f"/api/exchanges/{raw.headers['x-exchange-id']}")
    assert event["correlation_id"] == raw.headers["x-request-id"]
    assert event["position"] < exchange["positions"]["started"]
    steps = {step["stage"]: step for step in exchange["reduction"]["steps"]}
    assert steps["compact"]["tokens_saved"] > 0
    assert len(exchange["diff"]["removed"]) == steps["compact"]["count"]
    assert {each["origin"] for each in exchange["diff"]["added"]} == {"proxy"}
    assert int(raw.headers["x-context-saved"]) == exchange["reduction"]["tokens_saved"] > 1_000
    session = exchange["session_id"]
    status = proxy.get(f"/api/compaction/{session}/auto-status")["status"]
    assert (status["consecutive_count"], status["total_compactions"]) == (1, 1)
    assert 0 < status["cooldown_remaining_seconds"] <= 300
    for mask in set(re.findall(r"mask:([0-9a-f]{16})", json.dumps(sent))):
        original = proxy.get(f"/api/mask/{mask}", peek="true")["original_content"]
        assert original in {each["content"] for each in agent.messages}

    compacted = sent[: len(sent) - 1]
    agent.turn(2)
    assert agent.sent()[: len(compacted)] == compacted  # the same bytes for that part
    proxy.stop(signal.SIGKILL)
    proxy.start()
    proxy.until_ready()
    agent.turn(2)
    assert agent.sent()[: len(compacted)] == compacted
    assert proxy.get(f"/api/compaction/{session}/auto-status")["status"]["consecutive_count"] == 0
    (row,) = proxy.get(f"/api/compaction/{session}/history")["history"]
    assert row["trigger_reason"] == "auto_threshold"

    post(proxy, f"/api/compaction/{session}/toggle-auto", {"enabled": False})  # else it were compacted again
    restored = post(proxy, f"/api/compaction/{session}/revert")
    assert restored["tokens_restored"] == row["tokens_saved"]
    agent.turn(2)
    assert agent.sent() == agent.messages[:-1]


def test_a_preview_is_what_happens(proxy: ProxyProcess, mock: MockProcess) -> None:
    agent = Agent(proxy, mock, "preview", "mock")
    for _ in range(6):
        raw = agent.turn()
    session = int(raw.headers["x-session-id"])
    seen = proxy.get(f"/api/compaction/{session}/preview", preserve_messages=4)
    head = httpx.get(f"{proxy.url}/health").json()["position"]
    done = post(proxy, f"/api/compaction/{session}", {"preserve_messages": 4})
    result, estimate = done["result"], seen["estimate"]
    assert done["success"] and seen["can_compact"]
    assert (result["original_tokens"], result["compacted_tokens"]) == (
        estimate["original_tokens"],
        estimate["compacted_tokens"],
    )
    assert result["summarized_count"] == seen["preview"]["messages_to_summarize"] == len(seen["removed_refs"])
    (row,) = proxy.get(f"/api/compaction/{session}/history")["history"]
    assert row["removed_refs"] == seen["removed_refs"]
    assert proxy.get(f"/api/compaction/{session}/preview", preserve_messages=4, at=head) == seen
    agent.messages.append({"role": "user", "content": "and now?"})
    before = len(json.dumps(agent.messages))
    raw = agent.request()
    assert valid(agent.sent())
    assert len(json.dumps(agent.sent())) < before / 2
    exchange = proxy.get(f"/api/exchanges/{raw.headers['x-exchange-id']}")
    new = exchange["received"]["tokens"] - result["original_tokens"]  # the question
    assert exchange["sent"]["tokens"] == result["compacted_tokens"] + new
    assert [each["ref"] for each in exchange["diff"]["removed"]] == seen["removed_refs"]
    texts = [each["content"] for each in exchange["diff"]["added"] if each["role"] == "assistant"]
    assert "\n\n".join(texts) == seen["summary_text"]
    refused = post(proxy, f"/api/compaction/{session}", {"preserve_messages": 200})
    assert (refused["success"], refused["reason"]) == (False, "not_enough_messages_to_summarize")


def test_a_preview_waives_the_minimums_like_the_compaction(proxy: ProxyProcess, mock: MockProcess) -> None:
    agent = Agent(proxy, mock, "forced", "mock")
    for _ in range(2):
        raw = agent.turn(4)
    path = f"/api/compaction/{int(raw.headers['x-session-id'])}"
    assert proxy.get(f"{path}/preview", preserve_messages=0)["can_compact"] is False
    seen = proxy.get(f"{path}/preview", preserve_messages=0, force=True)
    done = post(proxy, path, {"preserve_messages": 0, "force": True})["result"]
    assert done["summarized_count"] == seen["preview"]["messages_to_summarize"] > 0
    assert done["tokens_saved"] == seen["estimate"]["tokens_saved"]


def test_one_history_lists_both_kinds(proxy: ProxyProcess, mock: MockProcess) -> None:
    agent = Agent(proxy, mock, "both", "mock")
    for _ in range(8):
        raw = agent.turn()
    session = int(raw.headers["x-session-id"])
    path = f"/api/compaction/{session}"
    log_id = post(proxy, f"/api/compress/{session}", {"force": True})["log_id"]
    history_id = post(proxy, path, {"preserve_messages": 0, "force": True})["history_id"]
    both = proxy.get(f"{path}/history", kind="all")
    assert [(row["kind"], row["id"]) for row in both["history"]] == [
        ("compaction", history_id),
        ("compression", log_id),
    ]
    assert both["total_entries"] == 2
    saved = [row["tokens_saved"] for row in both["history"]]
    assert [row["cumulative_saved"] for row in both["history"]] == [sum(saved), saved[1]]
    (row,) = proxy.get(f"{path}/history")["history"]
    assert (row["kind"], row["id"]) == ("compaction", history_id)
    (row,) = proxy.get(f"{path}/history", kind="compression")["history"]
    assert (row["kind"], row["id"], row["cumulative_saved"]) == ("compression", log_id, saved[1])


def test_undone_it_is_byte_for_byte_what_the_client_sends(proxy: ProxyProcess, mock: MockProcess) -> None:
    agent = Agent(proxy, mock, "undo", "mock-model-2")  # under its own name: nothing else is changed
    for _ in range(6):
        raw = agent.turn(10)
    session = int(raw.headers["x-session-id"])
    first = post(proxy, f"/api/compaction/{session}")["history_id"]
    agent.turn(10)
    one = agent.sent()
    second = post(proxy, f"/api/compaction/{session}")["history_id"]
    agent.turn(10)
    assert len(json.dumps(agent.sent())) < len(json.dumps(one))
    refused = post(proxy, f"/api/compaction/{session}/revert", {"history_id": first}, 409)
    assert (refused["code"], refused["newer"]) == ("revert_order", second)
    assert post(proxy, f"/api/compaction/{session}/revert")["history_id"] == second
    agent.turn(10)
    assert agent.sent()[: len(one) - 1] == one[:-1]
    assert post(proxy, f"/api/compaction/{session}/revert", {"history_id": first})["history_id"] == first
    agent.turn(10)
    received = json.dumps({"messages": agent.messages[:-1], "model": "mock-model-2"})
    assert json.loads(agent.body()) == json.loads(received)
    exchange = proxy.get("/api/exchanges", limit=1)["exchanges"][0]
    assert exchange["sent"]["identical"] is True
    chart = proxy.get(f"/api/compaction/{session}/history-chart")
    assert chart["kinds"] == ["compacted", "compacted", "reverted", "reverted"]
    saved, sums = chart["datasets"][0]["data"], chart["datasets"][1]["data"]
    assert (sum(saved), sums[-1]) == (0, 0)
    history = proxy.get(f"/api/compaction/{session}/history")["history"]
    stats = proxy.get(f"/api/compaction/{session}/stats")
    assert history[0]["cumulative_saved"] == stats["compaction"]["total_tokens_saved"] == 0
    for position, total in zip(chart["positions"], sums, strict=True):
        then = proxy.get(f"/api/compaction/{session}/stats", at=position)["compaction"]["total_tokens_saved"]
        assert then == total
    again = post(proxy, f"/api/compaction/{session}/revert", {"history_id": first}, 409)
    assert again["code"] == "already_reverted"
    assert post(proxy, f"/api/compaction/{session}/revert", status=409)["code"] == "nothing_to_revert"


@pytest.mark.parametrize("moment", ["after compaction", "after the next request", "after undoing"])
def test_a_kill_between_the_steps_changes_nothing(mock: MockProcess, moment: str) -> None:
    """Two agents do the same; one of the proxies is killed in between."""
    bodies: list[list[bytes]] = []
    for killed in (False, True):
        with ProxyProcess(config_for(mock.base_url) + SMALL) as proxy:
            agent, seen = Agent(proxy, mock, "kill", "mock"), list[bytes]()

            def step(name: str, proxy: ProxyProcess = proxy, killed: bool = killed) -> None:
                if killed and name == moment:
                    proxy.stop(signal.SIGKILL)
                    proxy.start()
                    proxy.until_ready()

            for _ in range(5):
                agent.turn()
            assert post(proxy, "/api/compaction/1")["success"]
            step("after compaction")
            agent.turn()
            seen.append(agent.body())
            step("after the next request")
            agent.turn()
            seen.append(agent.body())
            post(proxy, "/api/compaction/1/revert")
            step("after undoing")
            agent.turn()
            seen.append(agent.body())
            bodies.append(seen)
    assert bodies[0] == bodies[1]


def test_the_same_key_after_a_kill_compacts_once(mock: MockProcess) -> None:
    with ProxyProcess(config_for(mock.base_url) + SMALL) as proxy:
        agent = Agent(proxy, mock, "key", "mock")
        for _ in range(5):
            agent.turn()
        key = {"Idempotency-Key": "compact-1"}
        first = httpx.post(f"{proxy.url}/api/compaction/1", json={}, headers=key)
        proxy.stop(signal.SIGKILL)
        proxy.start()
        proxy.until_ready()
        again = httpx.post(f"{proxy.url}/api/compaction/1", json={}, headers=key)
        assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")
        assert proxy.get("/api/compaction/stats")["global"]["global"]["total_compactions"] == 1


def test_what_is_pinned_is_never_left_out(proxy: ProxyProcess, mock: MockProcess) -> None:
    agent = Agent(proxy, mock, "pins", "mock")
    for _ in range(5):
        raw = agent.turn()
    session = int(raw.headers["x-session-id"])
    messages = proxy.get(f"/api/sessions/{session}/messages")["messages"]
    pinned = messages[3]  # the first result
    assert pinned["role"] == "tool"
    done = post(proxy, f"/api/sessions/{session}/pins", {"refs": [pinned["ref"]], "reason": "the plan"})
    assert (done["changed"], done["pinned_refs"]) == (1, [pinned["ref"]])
    (pin,) = proxy.get(f"/api/sessions/{session}/pins")["pins"]
    assert (pin["ref"], pin["role"], pin["reason"]) == (pinned["ref"], "tool", "the plan")
    assert post(proxy, f"/api/compaction/{session}")["success"]
    agent.turn()
    assert agent.messages[3] in agent.sent()
    assert agent.messages[2] in agent.sent()  # its call
    assert agent.messages[7] not in agent.sent()
    assert valid(agent.sent())
    assert proxy.get(f"/api/sessions/{session}/messages")["messages"][3]["pinned"] is True
    gone = httpx.delete(f"{proxy.url}/api/sessions/{session}/pins", params={"ref": pinned["ref"]})
    assert (gone.status_code, gone.json()["changed"], gone.json()["pinned_refs"]) == (200, 1, [])


def test_a_pinned_output_is_whole_again(proxy: ProxyProcess, mock: MockProcess) -> None:
    agent = Agent(proxy, mock, "masked and pinned", "mock")
    while not proxy.get("/api/mask")["items"]:
        raw = agent.turn(120)
    session = int(raw.headers["x-session-id"])
    masked = next(i for i, (a, b) in enumerate(zip(agent.messages, agent.sent(), strict=False)) if a != b)
    ref = proxy.get(f"/api/sessions/{session}/messages")["messages"][masked]["ref"]
    post(proxy, f"/api/sessions/{session}/pins", {"refs": [ref]})
    agent.turn(120)
    assert agent.sent()[masked] == agent.messages[masked]


def test_a_model_writes_the_summary(mock: MockProcess) -> None:
    section = '[sanitizer.compression]\nmodel = "mock"\nsummary_max_tokens = 300\n'
    with ProxyProcess(config_for(mock.base_url, section) + SMALL) as proxy:
        agent = Agent(proxy, mock, "summary", "small")
        for _ in range(8):
            raw = agent.turn(10)
        session = int(raw.headers["x-session-id"])
        refused = post(proxy, f"/api/compress/{session}", status=409)
        assert (refused["code"], refused["threshold"]) == ("below_threshold", 85)
        done = post(proxy, f"/api/compress/{session}", {"force": True})
        assert (done["compressed"], done["tokens_saved"] > 0) == (True, True)
        asked = agent.sent()
        assert [message["role"] for message in asked] == ["system", "user"]
        assert json.loads(agent.body())["max_tokens"] == 300
        assert "value_1_1" in asked[1]["content"]
        (event,) = proxy.get("/api/events", type="CompressionPerformed")["events"]
        data = proxy.get(f"/api/events/{event['position']}")["data"]
        assert data["model"] == "mock"
        assert proxy.finished(data["summary_exchange_id"])["session_id"] != session
        assert done["summary"].endswith(data["summary"][-200:])
        agent.turn(10)
        sent = agent.sent()
        assert valid(sent)
        assert any(str(message["content"]).startswith("echo: ") for message in sent)  # what the mock wrote
        stats = proxy.get(f"/api/compress/{session}/stats")["compression_stats"]
        assert (stats["total_compressions"], stats["total_original_tokens"]) == (1, done["original_tokens"])
        undone = post(proxy, f"/api/compaction/{session}/revert", {"log_id": done["log_id"]})
        assert (undone["kind"], undone["log_id"], undone["history_id"]) == ("compression", done["log_id"], None)
        agent.turn(10)
        assert agent.sent() == agent.messages[:-1]


def test_where_the_model_fails_a_digest_takes_its_place(mock: MockProcess) -> None:
    section = '[sanitizer.compression]\nmodel = "nowhere/model"\n'
    more = '[providers.nowhere]\nbase_url = "http://127.0.0.1:9/v1"\nallow_any_model = true\n'
    with ProxyProcess(config_for(mock.base_url, section) + SMALL + more) as proxy:
        agent = Agent(proxy, mock, "no summary", "small")
        for _ in range(8):
            raw = agent.turn(10)
        session = int(raw.headers["x-session-id"])
        done = post(proxy, f"/api/compress/{session}", {"force": True})
        assert done["compressed"] and "condensed by the proxy" in done["summary"]
        (failed,) = proxy.get("/api/events", type="CompressionFailed")["events"]
        assert "http_502" in failed["summary"]


def test_without_contents_there_is_nothing_to_compact(mock: MockProcess) -> None:
    with ProxyProcess(config_for(mock.base_url, "[recording]\ncontents = false") + SMALL) as proxy:
        agent = Agent(proxy, mock, "no contents", "small")
        for _ in range(12):
            raw = agent.turn()
        assert agent.sent() == agent.messages[:-1]
        session = int(raw.headers["x-session-id"])
        for answer in (
            httpx.post(f"{proxy.url}/api/compaction/{session}", json={}),
            httpx.get(f"{proxy.url}/api/compaction/{session}/preview"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (410, "content_not_recorded")


def test_two_at_once_compact_once(proxy: ProxyProcess, mock: MockProcess) -> None:
    agent = Agent(proxy, mock, "twice", "mock")
    for _ in range(6):
        raw = agent.turn()
    session = int(raw.headers["x-session-id"])
    script = (
        "import asyncio, httpx, sys\n"
        "async def main():\n"
        "    async with httpx.AsyncClient() as client:\n"
        "        found = await asyncio.gather(*(client.post(sys.argv[1], json={}) for _ in range(6)))\n"
        "    print([(each.status_code, each.json()['success']) for each in found])\n"
        "asyncio.run(main())\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", script, f"{proxy.url}/api/compaction/{session}"], capture_output=True, text=True
    ).stdout
    answers = ast.literal_eval(out)
    assert sorted(answers) == sorted([(200, False)] * 5 + [(200, True)])
    assert len(proxy.get(f"/api/compaction/{session}/history")["history"]) == 1


def test_a_client_that_compacts_by_itself_is_not_fought(proxy: ProxyProcess, mock: MockProcess) -> None:
    agent = Agent(proxy, mock, "own", "mock")
    for _ in range(6):
        raw = agent.turn()
    session = int(raw.headers["x-session-id"])
    assert post(proxy, f"/api/compaction/{session}")["success"]
    agent.messages = [agent.messages[0], {"role": "user", "content": "summary so far"}, *agent.messages[-4:]]
    raw = agent.turn()
    assert agent.sent() == agent.messages[:-1]
    assert int(raw.headers["x-session-id"]) == session


def test_a_failing_upstream_loses_no_compaction(proxy: ProxyProcess, mock: MockProcess) -> None:
    agent = Agent(proxy, mock, "failing", "mock")
    for _ in range(6):
        agent.turn()
    assert post(proxy, "/api/compaction/1")["success"]
    agent.messages.append({"role": "user", "content": "again"})
    with pytest.raises(InternalServerError):
        agent.request(extra_headers=plan(status=500))
    sent = agent.sent()
    agent.request()
    assert agent.sent() == sent


def test_what_does_not_fit_is_refused_where_that_is_asked_for(mock: MockProcess) -> None:
    section = "[server]\nenforce_context_limit = true\n[compaction]\nenabled = false\n"
    with ProxyProcess(config_for(mock.base_url, section) + SMALL) as proxy:
        agent = Agent(proxy, mock, "limit")
        agent.turn(40)
        seen = agent.body()
        agent.messages.append({"role": "user", "content": "many words " * 6_000})
        for _ in range(2):
            with pytest.raises(BadRequestError) as refused:
                agent.request()
            assert refused.value.code == "context_length_exceeded"
            assert refused.value.type == "invalid_request_error"
        assert agent.body() == seen  # nothing went upstream
        (event,) = proxy.get("/api/events", type="ExchangeRefused")["events"]
        data = proxy.get(f"/api/events/{event['position']}")["data"]
        assert (data["code"], data["count"], data["limit"]) == ("context_length_exceeded", 1, 6_000)
        assert proxy.get("/api/exchanges")["total"] == 1
        agent.messages.pop()
        agent.turn(10)
        assert agent.sent() == agent.messages[:-1]


def test_a_page_of_another_site_leaves_no_trace(proxy: ProxyProcess, mock: MockProcess) -> None:
    agent = Agent(proxy, mock, "cross-site", "mock")
    while not (items := proxy.get("/api/mask")["items"]):
        agent.turn(120)
    address = f"{proxy.url}/api/mask/{items[0]['hash']}"
    before = httpx.get(f"{proxy.url}/health").json()["position"]
    assert httpx.get(address, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200
    assert httpx.get(f"{proxy.url}/health").json()["position"] == before
    assert httpx.get(address).status_code == 200
    assert httpx.get(f"{proxy.url}/health").json()["position"] == before + 1


def test_the_difference_that_a_compaction_makes(proxy: ProxyProcess, mock: MockProcess) -> None:
    agent = Agent(proxy, mock, "difference", "mock")
    for _ in range(6):
        raw = agent.turn()
    session = int(raw.headers["x-session-id"])
    before = httpx.get(f"{proxy.url}/health").json()["position"]
    removed = post(proxy, f"/api/compaction/{session}") and proxy.get(f"/api/compaction/{session}/history")
    agent.turn()
    head = httpx.get(f"{proxy.url}/health").json()["position"]
    found = proxy.get(f"/api/sessions/{session}/diff", **{"from": before, "to": head})
    gone = {each["ref"] for each in found["messages"]["removed"]}
    # the last exchange's answer was not sent yet, so that it is not among those that were
    assert gone <= set(removed["history"][0]["removed_refs"])
    assert len(gone) > 10
    assert {each["origin"] for each in found["messages"]["added"]} == {"proxy", "client", "assistant"}
    fields = {each["field"] for each in found["changes"]}
    assert {"compaction_count", "last_compaction_at", "total_requests"} <= fields


def test_a_branch_that_was_left_is_not_what_is_compacted(proxy: ProxyProcess, mock: MockProcess) -> None:
    agent = Agent(proxy, mock, "branches", "mock")
    for _ in range(8):
        raw = agent.turn(60)
    session, left = int(raw.headers["x-session-id"]), list(agent.messages)
    last = int(raw.headers["x-exchange-id"])
    agent.messages = [*agent.messages[:5], {"role": "user", "content": "no, start over"}]
    for _ in range(4):
        raw = agent.turn(5)
    assert int(raw.headers["x-session-id"]) == session
    seen = proxy.get(f"/api/compaction/{session}/preview")
    assert seen["preview"]["total_messages"] == len(agent.messages) < len(left)
    other = proxy.get(f"/api/compaction/{session}/preview", exchange_id=last)
    assert other["preview"]["total_messages"] == len(left)
    missing = httpx.get(f"{proxy.url}/api/compaction/{session}/preview", params={"exchange_id": 999})
    assert (missing.status_code, missing.json()["code"]) == (404, "exchange_not_found")
    assert post(proxy, f"/api/compaction/{session}")["success"]
    raw = agent.turn(5)
    assert int(raw.headers["x-context-saved"]) > 0
    exchange = proxy.get(f"/api/exchanges/{raw.headers['x-exchange-id']}")
    (step,) = [step for step in exchange["reduction"]["steps"] if step["stage"] == "compact"]
    assert len(step["refs"]) == step["count"]
    assert exchange["reduction"]["skipped_reason"] is None
    metrics = httpx.get(f"{proxy.url}/metrics").text
    saved = re.search(r'chronoproxy_tokens_saved_total\{stage="compact"\} ([\d.]+)', metrics)
    assert saved is not None and float(saved[1]) > 0
    post(proxy, "/api/sanitizer/toggle", {"enabled": False})
    raw = agent.turn(5)  # the switch is about masks
    exchange = proxy.get(f"/api/exchanges/{raw.headers['x-exchange-id']}")
    assert [step["stage"] for step in exchange["reduction"]["steps"]] == ["compact"]
    assert exchange["reduction"]["skipped_reason"] is None


def test_a_provider_that_counts_more_is_believed(mock: MockProcess) -> None:
    with ProxyProcess(config_for(mock.base_url) + SMALL) as proxy:
        agent, ours, theirs = Agent(proxy, mock, "counts more"), 0, 0
        while not proxy.get("/api/events", type="CompactionPerformed")["events"]:
            assert agent.turns < 40
            agent.turns += 1
            agent.messages.append({"role": "user", "content": f"question {agent.turns}"})
            theirs = int(1.6 * ours)
            message = {"role": "assistant", "content": f"a long answer to {agent.turns}, " * 40}
            usage = {"prompt_tokens": theirs, "completion_tokens": 5, "total_tokens": theirs + 5}
            body = {"object": "chat.completion", "choices": [{"index": 0, "message": message}], "usage": usage}
            raw = agent.request(extra_headers=plan(body=body))
            last, ours = ours, int(raw.headers["x-context-tokens"])
        assert last < 0.7 * 6_000  # by our count there was much room yet


def test_a_long_run_of_one_letter_is_ordinary_text(proxy: ProxyProcess, mock: MockProcess) -> None:
    for role in ("user", "assistant"):
        messages = [{"role": "user", "content": "a"}, {"role": role, "content": "z" * (1 << 20)}]
        body = {"model": "mock", "messages": [*messages, {"role": "user", "content": "b"}]}
        assert httpx.post(f"{proxy.url}/v1/chat/completions", json=body, timeout=30).status_code == 200
    simulated = {"messages": [{"role": "user" if at % 2 else "assistant", "content": "z" * 50_000} for at in range(8)]}
    assert httpx.post(f"{proxy.url}/api/compaction/1/simulate", json=simulated, timeout=30).status_code == 200
