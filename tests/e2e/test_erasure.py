"""Erasing a session: nothing of its contents is in any file any more, and everything else still adds up."""

import json
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import OpenAI

from schema.appends import Append
from schema.erasure import ErasedCounts, SessionErasureRequested
from schema.keys import KeyStore
from schema.log import EventLog
from schema.recorded import Metadata, NewEvent
from schema.writer import LogWriter
from tests.e2e.processes import MockProcess, ProxyProcess, config_for

PLANTED = ("xylophone-planted-9471", "zirconium-planted-5520")


@pytest.fixture
def proxy(mock: MockProcess) -> Iterator[ProxyProcess]:
    with ProxyProcess(config_for(mock.base_url)) as process:
        yield process


def talk(proxy: ProxyProcess, secret: str, turns: int = 6) -> int:
    """A session that holds a text in every place; its id."""
    messages: list[Any] = [{"role": "system", "content": f"You know {secret}."}]
    for number in range(turns):
        function = {"name": "bash", "arguments": json.dumps({"command": f"echo {secret}"})}
        call = {"id": f"c{number}", "type": "function", "function": function}
        messages += [
            {"role": "user", "content": f"{secret} question {number}"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"c{number}", "content": f"{secret} line {number}\n" * 150},
        ]
        with OpenAI(base_url=f"{proxy.url}/v1", api_key="k", max_retries=0) as client:
            raw = client.chat.completions.with_raw_response.create(model="mock", messages=messages)
        messages.append({"role": "assistant", "content": raw.parse().choices[0].message.content})
        proxy.finished(raw.headers["x-exchange-id"])
    number = int(raw.headers["x-session-id"])
    httpx.patch(f"{proxy.url}/api/sessions/{number}", json={"name": f"named {secret}"})
    compacted = httpx.post(f"{proxy.url}/api/compaction/{number}", json={}).json()
    assert compacted["success"] or turns < 3
    ref = proxy.get(f"/api/sessions/{number}/messages")["messages"][0]["ref"]
    httpx.post(f"{proxy.url}/api/sessions/{number}/pins", json={"refs": [ref], "reason": f"because {secret}"})
    kept = {"content": f"to remember: {secret}", "metadata": {"title": secret}}
    assert httpx.post(f"{proxy.url}/api/memory/store?session_id={number}", json=kept).status_code == 200
    return number


def places(directory: Path, text: str) -> list[str]:
    """The files that hold a text, as it is."""
    return [path.name for path in directory.iterdir() if path.is_file() and text.encode() in path.read_bytes()]


def keys_of(directory: Path) -> dict[int, bytes]:
    with closing(sqlite3.connect(directory / "keys.sqlite")) as db:
        return {row[0]: bytes(row[1]) for row in db.execute("SELECT session_id, key FROM session_keys")}


def test_nothing_of_it_is_left_and_all_else_adds_up(proxy: ProxyProcess, mock: MockProcess) -> None:
    gone, kept = talk(proxy, PLANTED[0]), talk(proxy, PLANTED[1])
    before = proxy.get(f"/api/sessions/{gone}")
    assert proxy.get("/api/events", q=PLANTED[0])["total"] > 0
    assert places(proxy.data, PLANTED[0]) != []  # the read tables hold names and previews
    key = keys_of(proxy.data)[gone]
    mask = proxy.get("/api/mask", session_id=gone)["items"][0]["hash"]
    answer = httpx.post(
        f"{proxy.url}/api/sessions/{gone}/erase", json={"confirm": True, "reason": "asked for"}, timeout=30
    )
    assert answer.status_code == 200, answer.text
    erased = answer.json()
    assert (erased["success"], erased["session_id"]) == (True, gone)
    assert min(erased["erased"][name] for name in ("messages", "masks", "memories", "previews")) > 0

    assert places(proxy.data, PLANTED[0]) == []
    assert not [path.name for path in proxy.data.iterdir() if key in path.read_bytes()]
    assert gone not in keys_of(proxy.data)
    after = proxy.get(f"/api/sessions/{gone}")
    assert (after["session"]["name"], after["session"]["erased_at"]) == ("[erased]", erased["erased_at"])
    assert after["stats"] == before["stats"]
    assert [each["content_preview"] for each in after["recent_metrics"]] == [None] * 6
    assert proxy.get("/api/events", q=PLANTED[0])["total"] == 0
    assert PLANTED[0] not in json.dumps(proxy.get("/api/events", limit=1000))
    searched = {"query": f"{PLANTED[0]} {PLANTED[1]}", "score_threshold": 0}
    (memory,) = httpx.post(f"{proxy.url}/api/memory/similarity", json=searched).json()["results"]
    assert (memory["session_id"], proxy.get("/api/memory/1")["content"]) == (kept, None)
    assert proxy.get("/api/memory/1")["forgotten"] == "erased"
    for path in (f"/api/sessions/{gone}/messages", f"/api/mask/{mask}", f"/api/compaction/{gone}/preview"):
        refused = httpx.get(f"{proxy.url}{path}")
        assert (refused.status_code, refused.json()["code"]) == (410, "content_erased"), path
        assert (refused.json()["session_id"], refused.json()["erased_at"]) == (gone, erased["erased_at"])
    for method, path, body in (
        ("POST", f"/api/sessions/{gone}/activate", {}),
        ("PATCH", f"/api/sessions/{gone}", {"name": "n"}),
        ("DELETE", f"/api/sessions/{gone}", None),
        ("POST", f"/api/compaction/{gone}", {}),
        ("POST", f"/api/sessions/{gone}/erase", {"confirm": True}),
    ):
        refused = httpx.request(method, f"{proxy.url}{path}", json=body)
        assert (refused.status_code, refused.json()["code"]) == (410, "content_erased"), (method, path)
    verified = proxy.get("/api/log/verify")
    assert (verified["ok"], verified["erased_sessions"]) == (True, 1)
    events = proxy.get("/api/events", type="SessionErased")["events"]
    assert proxy.get(f"/api/events/{events[0]['position']}")["data"]["reason"] == "asked for"

    assert places(proxy.data, PLANTED[1]) != []
    assert PLANTED[1] in proxy.get(f"/api/sessions/{kept}")["session"]["name"]
    assert talk(proxy, PLANTED[0], 1) not in (gone, kept)  # the same conversation starts a new session


@pytest.mark.parametrize("past", [False, True])
def test_contents_erased_since_are_null_and_said_to_be_so(proxy: ProxyProcess, mock: MockProcess, past: bool) -> None:
    gone, kept = talk(proxy, PLANTED[0]), talk(proxy, PLANTED[1], 1)
    before = proxy.get("/health")["position"]
    httpx.post(f"{proxy.url}/api/sessions/{gone}/erase", json={"confirm": True}, timeout=30)
    at = {"at": before} if past else {}

    detail, other = proxy.get(f"/api/sessions/{gone}", **at), proxy.get(f"/api/sessions/{kept}", **at)
    assert (detail["session"]["name"], detail["session"]["erased"]) == ("[erased]", True)
    assert {(each["content_preview"], each["erased"]) for each in detail["recent_metrics"]} == {(None, True)}
    assert "erased" not in other["session"]
    assert [(each["content_preview"], "erased" in each) for each in other["recent_metrics"]] == [
        (f"{PLANTED[1]} question 0", False)
    ]
    listed = {each["id"]: each.get("erased") for each in proxy.get("/api/sessions", **at)}
    assert (listed[gone], listed[kept]) == (True, None)
    exported = proxy.get("/api/export/json", session_id=gone, **at)
    assert (exported["session"]["erased"], exported["metrics"]) == (True, detail["recent_metrics"])

    (exchange, *_) = proxy.get("/api/exchanges", session_id=gone, **at)["exchanges"]
    assert exchange["erased"] is True
    assert "erased" not in proxy.get("/api/exchanges", session_id=kept, **at)["exchanges"][0]
    masks = proxy.get("/api/mask", session_id=gone, **at)["items"]
    assert {(each["preview"], each["erased"]) for each in masks} == {(None, True)}
    (pin,) = proxy.get(f"/api/sessions/{gone}/pins", **at)["pins"]
    told = ("role", "preview", "tokens", "reason", "erased")
    assert [pin[name] for name in told] == [None, None, None, None, True]
    memory = proxy.get("/api/memory/1", **at)
    assert [memory[name] for name in ("content", "metadata", "erased")] == [None, None, True]


def test_tables_made_anew_say_the_same(proxy: ProxyProcess, mock: MockProcess) -> None:
    gone = talk(proxy, PLANTED[0])
    httpx.post(f"{proxy.url}/api/sessions/{gone}/erase", json={"confirm": True}, timeout=30)
    session = f"/api/sessions/{gone}"
    paths = ["/api/sessions", session, "/api/exchanges", "/api/mask", f"/api/compaction/{gone}/history"]
    paths += [f"{session}/timeline", "/api/events?limit=1000", f"{session}/pins"]
    before = [proxy.get(path) for path in paths]
    done = httpx.post(f"{proxy.url}/api/projections/rebuild", json={"wait": True}, timeout=60).json()
    assert done["equal"] is True
    rebuilt = [proxy.get(path) for path in paths if "events" not in path]
    assert rebuilt == [each for each, path in zip(before, paths, strict=True) if "events" not in path]
    assert places(proxy.data, PLANTED[0]) == []


def test_a_deleted_session_can_be_erased_and_a_busy_one_not(proxy: ProxyProcess, mock: MockProcess) -> None:
    gone = talk(proxy, PLANTED[0], 1)
    httpx.post(f"{proxy.url}/api/sessions", json={"name": "active"})
    assert httpx.delete(f"{proxy.url}/api/sessions/{gone}").status_code == 200
    assert httpx.post(f"{proxy.url}/api/sessions/{gone}/erase", json={"confirm": True}, timeout=30).status_code == 200
    assert places(proxy.data, PLANTED[0]) == []
    assert httpx.get(f"{proxy.url}/api/sessions/{gone}").status_code == 404
    for body in ({}, {"confirm": False}, {"confirm": 1}, {"confirm": True, "reason": "x" * 501}):
        assert httpx.post(f"{proxy.url}/api/sessions/1/erase", json=body).status_code == 422
    assert httpx.post(f"{proxy.url}/api/sessions/99/erase", json={"confirm": True}).status_code == 404


def test_the_active_session_leaves_none_active(proxy: ProxyProcess, mock: MockProcess) -> None:
    gone = talk(proxy, PLANTED[0], 1)
    assert proxy.get("/api/sessions/auto-status")["session_id"] == gone
    httpx.post(f"{proxy.url}/api/sessions/{gone}/erase", json={"confirm": True}, timeout=30)
    assert proxy.get("/api/sessions/auto-status")["session_id"] is None
    assert httpx.get(f"{proxy.url}/api/sessions/active").status_code == 404


def test_what_was_interrupted_is_brought_to_its_end_at_the_next_start(mock: MockProcess) -> None:
    """As if the program had ended right behind the first event."""
    with ProxyProcess(config_for(mock.base_url)) as proxy:
        gone = talk(proxy, PLANTED[0], 3)
        proxy.stop(signal.SIGKILL)
        _request_erasure(proxy.data, gone)
        proxy.start()
        proxy.until_ready()
        assert len(proxy.get("/api/events", type="SessionErased")["events"]) == 1
        assert places(proxy.data, PLANTED[0]) == []
        assert gone not in keys_of(proxy.data)
        assert proxy.get(f"/api/sessions/{gone}")["session"]["name"] == "[erased]"


def _request_erasure(directory: Path, session_id: int) -> None:
    keys = KeyStore(directory / "keys.sqlite")
    log = EventLog(directory / "events.sqlite", keys)
    writer = LogWriter(log)
    event = SessionErasureRequested(session_id=session_id, counts=ErasedCounts(messages=1))
    writer.submit(Append(events=[NewEvent("workspace", event)], metadata=Metadata(actor="api"), durable=True))
    writer.start()
    writer.close()
    log.close()
    keys.close()


def test_what_nobody_uses_is_erased_by_itself(mock: MockProcess) -> None:
    section = "[retention]\nerase_after_days = 0.00002\ncheck_every_hours = 0.0002\n"  # 1.7 s, looked at every 0.7 s
    with ProxyProcess(config_for(mock.base_url, section)) as proxy:
        gone = talk(proxy, PLANTED[0], 1)
        active = httpx.post(f"{proxy.url}/api/sessions", json={"name": "in use"}).json()["id"]
        deadline = time.monotonic() + 20
        while not proxy.get("/api/events", type="SessionErased")["events"]:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        (event,) = proxy.get("/api/events", type="SessionErased")["events"]
        assert (event["session_id"], event["actor"], event["by"]) == (gone, "system", "retention")
        assert "unused for" in proxy.get(f"/api/events/{event['position']}")["data"]["reason"]
        while places(proxy.data, PLANTED[0]):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        time.sleep(2.5)
        assert proxy.get(f"/api/sessions/{active}")["session"]["name"] == "in use"
        assert len(proxy.get("/api/events", type="SessionErased")["events"]) == 1


def test_a_context_erased_since_is_gone_and_not_unrecorded(proxy: ProxyProcess, mock: MockProcess) -> None:
    gone = talk(proxy, PLANTED[0], 3)
    before = proxy.get("/health")["position"]
    merged = talk(proxy, PLANTED[1], 1)
    both = proxy.get("/health")["position"]
    joined = httpx.post(f"{proxy.url}/api/sessions/{gone}/merge", json={"source_ids": [merged]})
    assert joined.status_code == 200
    erased = httpx.post(f"{proxy.url}/api/sessions/{gone}/erase", json={"confirm": True}, timeout=30).json()
    for method, path, number in (
        ("GET", f"/api/compaction/{gone}/preview?at={before}", gone),
        ("GET", f"/api/compaction/{merged}/preview?at={both}", merged),
        ("POST", f"/api/compress/{gone}", gone),
    ):
        refused = httpx.request(method, f"{proxy.url}{path}", json={} if method == "POST" else None)
        said = refused.json()
        assert (refused.status_code, said["code"], said["session_id"]) == (410, "content_erased", number), (path, said)
        assert said["erased_at"] == erased["erased_at"]
