"""Parallel conversations are kept apart and stay together, also over a restart and a kill."""

import asyncio
import json
import signal
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI, OpenAI

from proxy.contents import MissingContentError, SessionContents
from proxy.envelope import join
from schema.exchanges import ExchangeStarted, MessageRefs
from schema.keys import KeyStore
from schema.log import EventLog
from tests.e2e.processes import MockProcess, ProxyProcess, config_for, plan


def user(text: str) -> Any:
    return {"role": "user", "content": text}


async def converse(client: AsyncOpenAI, number: int, turns: int, *, header: bool, same_start: bool) -> set[str]:
    """The sessions that one conversation's requests were put into."""
    history: list[Any] = [{"role": "system", "content": "You are an agent."}]
    history.append(user("hello" if same_start else f"hello from {number}"))
    headers = {"X-Session-Id": f"conversation-{number}"} if header else {}
    sessions: set[str] = set()
    for turn in range(turns):
        stream = (number + turn) % 2 == 0
        create = client.chat.completions.with_raw_response.create
        if stream:
            streamed = await create(model="mock", messages=history, stream=True, extra_headers=headers)
            sessions.add(streamed.headers["x-session-id"])
            parts = [chunk.choices[0].delta.content or "" async for chunk in streamed.parse()]
            history.append({"role": "assistant", "content": "".join(parts)})
        else:
            whole = await create(model="mock", messages=history, extra_headers=headers)
            sessions.add(whole.headers["x-session-id"])
            history.append(whole.parse().choices[0].message.model_dump(exclude_none=True))
        history.append(user(f"conversation {number}, turn {turn}"))
    return sessions


@pytest.mark.parametrize("header", [True, False])
async def test_thirty_parallel_conversations(proxy: ProxyProcess, header: bool) -> None:
    async with AsyncOpenAI(base_url=f"{proxy.url}/v1", api_key="key") as client:
        found = await asyncio.gather(
            *(converse(client, number, 4, header=header, same_start=False) for number in range(30))
        )
    assert all(len(sessions) == 1 for sessions in found)
    assert len(set.union(*found)) == 30


async def test_conversations_that_begin_alike_part_at_their_first_difference(proxy: ProxyProcess) -> None:
    async with AsyncOpenAI(base_url=f"{proxy.url}/v1", api_key="another-key") as client:
        found = await asyncio.gather(
            *(converse(client, number, 5, header=False, same_start=True) for number in range(8))
        )
    assert len(set.union(*found)) == 8
    for sessions in found:
        assert len(sessions) <= 2  # the first, shared turn may have gone to another one's session


def test_clients_with_other_credentials_do_not_share_a_key(proxy: ProxyProcess) -> None:
    def session(key: str) -> str:
        with OpenAI(base_url=f"{proxy.url}/v1", api_key=key) as client:
            raw = client.chat.completions.with_raw_response.create(
                model="mock", messages=[user("x")], extra_headers={"X-Session-Id": "the-same"}
            )
        return raw.headers["x-session-id"]

    assert session("one") == session("one") != session("two")


RULES: list[tuple[dict[str, str], dict[str, Any], str]] = [
    ({"X-Session-Id": "a"}, {}, "header:x-session-id"),
    ({"X-Claude-Code-Session-Id": "b"}, {}, "header:x-claude-code-session-id"),
    ({"session_id": "c"}, {}, "header:session-id"),
    ({"session-id": "c2"}, {}, "header:session-id"),
    ({"x-opencode-session": "d"}, {}, "header:opencode"),
    ({"X-Task-ID": "e"}, {}, "header:task"),
    ({"X-Conversation-Id": "f"}, {}, "header:task"),
    ({}, {"metadata": {"session_id": "g"}}, "body"),
    ({}, {"prompt_cache_key": "h"}, "body"),
]


@pytest.mark.parametrize(("headers", "body", "rule"), RULES)
def test_every_signal_finds_its_session_again(
    proxy: ProxyProcess, mock: MockProcess, headers: dict[str, str], body: dict[str, Any], rule: str
) -> None:
    def ask(text: str) -> httpx.Response:
        fields = {"model": "mock", "messages": [user(text)], **body}
        return httpx.post(f"{proxy.url}/v1/chat/completions", json=fields, headers=headers)

    first, second = ask("one thing"), ask("quite another")
    assert first.headers["x-session-rule"] == second.headers["x-session-rule"] == rule
    assert first.headers["x-session-id"] == second.headers["x-session-id"]
    sent = {name: value for name, value in mock.report("_last")["headers"]}
    assert all(sent[name.lower()] == value for name, value in headers.items())
    session = proxy.get(f"/api/sessions/{first.headers['x-session-id']}")["session"]
    assert session["origin"] == "header"


def test_children_know_their_parent(proxy: ProxyProcess) -> None:
    def ask(**headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = {"model": "mock", "messages": [user("x")]}
        return httpx.post(f"{proxy.url}/v1/chat/completions", json=body, headers=named)

    parent = ask(x_claude_code_session_id="main").headers["x-session-id"]
    child = ask(x_claude_code_session_id="main", x_claude_code_agent_id="helper").headers["x-session-id"]
    assert parent != child
    assert proxy.get(f"/api/sessions/{child}")["session"]["parent_id"] == int(parent)


def test_a_session_made_by_hand_is_reached_by_its_number(proxy: ProxyProcess) -> None:
    made = httpx.post(f"{proxy.url}/api/sessions", json={"name": "by hand"}).json()
    body = {"model": "mock", "messages": [user("into it")]}
    headers = {"X-Session-Id": str(made["id"])}
    answer = httpx.post(f"{proxy.url}/v1/chat/completions", json=body, headers=headers)
    assert answer.headers["x-session-id"] == str(made["id"])


def test_with_auto_session_off_requests_go_to_the_active_session(mock: MockProcess) -> None:
    with ProxyProcess(config_for(mock.base_url)) as proxy:
        httpx.post(f"{proxy.url}/api/sessions/toggle-auto", json={"enabled": False})

        def ask(text: str) -> httpx.Response:
            body = {"model": "mock", "messages": [user(text)]}
            return httpx.post(f"{proxy.url}/v1/chat/completions", json=body)

        first, second = ask("one"), ask("two")
        assert first.headers["x-session-rule"] == "created_no_active"
        assert second.headers["x-session-rule"] == "active_fallback"
        assert first.headers["x-session-id"] == second.headers["x-session-id"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_conversations_go_on_after_a_restart(mock: MockProcess, how: int) -> None:
    with ProxyProcess(config_for(mock.base_url)) as proxy:

        def ask(history: list[Any], **headers: str) -> httpx.Response:
            body = {"model": "mock", "messages": history}
            return httpx.post(f"{proxy.url}/v1/chat/completions", json=body, headers=headers)

        history = [user("before")]
        for turn in range(3):
            answer = ask(history)
            history += [answer.json()["choices"][0]["message"], user(f"turn {turn}")]
        keyed = ask([user("x")], **{"X-Session-Id": "kept"})
        proxy.finished(keyed.headers["x-exchange-id"])
        before = proxy.get("/api/sessions")
        code = proxy.stop(how)
        assert code == (0 if how == signal.SIGTERM else -signal.SIGKILL)
        proxy.start()
        assert proxy.get("/api/sessions") == before
        again = ask(history)
        assert again.headers["x-session-id"] == answer.headers["x-session-id"]
        assert again.headers["x-session-rule"] == "hash_chain"
        assert ask([user("y")], **{"X-Session-Id": "kept"}).headers["x-session-id"] == keyed.headers["x-session-id"]
        assert int(again.headers["x-exchange-id"]) > int(keyed.headers["x-exchange-id"])


def test_an_exchange_that_a_kill_left_open_is_closed_as_interrupted(mock: MockProcess) -> None:
    with ProxyProcess(config_for(mock.base_url)) as proxy:
        body = {"model": "mock", "messages": [user("x")], "stream": True}
        with httpx.stream(
            "POST", f"{proxy.url}/v1/chat/completions", json=body, headers=plan(stall="mid_stream")
        ) as answer:
            next(answer.iter_raw())
            proxy.stop(signal.SIGKILL)
        proxy.start()
        exchange = proxy.finished(answer.headers["x-exchange-id"])
        assert (exchange["outcome"], exchange["usage"]["source"]) == ("interrupted", "estimated")


def test_a_shutdown_gives_running_streams_their_time_and_then_interrupts_them(mock: MockProcess) -> None:
    with ProxyProcess(config_for(mock.base_url)) as proxy:
        body = {"model": "mock", "messages": [user("x")], "stream": True}
        with httpx.stream(
            "POST", f"{proxy.url}/v1/chat/completions", json=body, headers=plan(stall="before_headers", delay_ms=10)
        ) as answer:
            assert answer.status_code == 504  # the upstream's own timeout of 3 s comes first
        with httpx.stream(
            "POST", f"{proxy.url}/v1/chat/completions", json=body, headers=plan(chunks=20, chunk_interval_ms=50)
        ) as answer:
            assert proxy.process is not None
            proxy.process.send_signal(signal.SIGTERM)
            assert answer.read().endswith(b"data: [DONE]\n\n")
        assert proxy.process.wait(timeout=15) == 0
        assert proxy.process.stdout is not None
        proxy.process.stdout.close()
        proxy.start()
        assert proxy.finished(answer.headers["x-exchange-id"])["outcome"] == "completed"


def test_what_was_received_and_sent_can_be_rebuilt_byte_for_byte(mock: MockProcess) -> None:
    bodies: list[tuple[bytes, bytes]] = []
    with ProxyProcess(config_for(mock.base_url)) as proxy:
        history: list[Any] = [{"role": "system", "content": "Sys\u00e9."}]
        for turn in range(40):
            history += [user(f"turn {turn} \U0001f600"), {"role": "assistant", "content": f"a{turn}"}]
            fields = {"temperature": 0, "messages": history[:-1], "model": "mock", "stream": turn % 3 == 0}
            body = json.dumps(fields, ensure_ascii=turn % 2 == 0, indent=[None, 1][turn % 5 == 0]).encode()
            answer = httpx.post(
                f"{proxy.url}/v1/chat/completions", content=body, headers={"content-type": "application/json"}
            )
            assert answer.status_code == 200
            bodies.append((body, mock.report("_last")["body"].encode()))
        sessions = proxy.get("/api/sessions")
        proxy.stop()
        assert (
            len(sessions) == 2
        )  # the client's answers are not ours: only from the second turn on is there a known one
        rebuilt = list(rebuild(proxy))
        assert rebuilt == bodies
        assert list(put_together(proxy)) == bodies


def put_together(proxy: ProxyProcess) -> Iterator[tuple[bytes, bytes]]:
    """The same by the product's own means, which `rebuild` does not use."""
    keys = KeyStore(proxy.data / "keys.sqlite")
    log = EventLog(proxy.data / "events.sqlite", keys)
    found: dict[int, tuple[bytes, bytes]] = {}
    for session in log.read(types=("SessionStarted",)):
        contents = SessionContents(log, session.session_id or 0)
        for number in contents.exchange_ids():
            found[number] = (contents.received(number), contents.sent(number))
            assert contents.answer(number) is not None
            with pytest.raises(MissingContentError):
                contents.body("0" * 64)
    log.close()
    keys.close()
    return iter([found[number] for number in sorted(found)])


def rebuild(proxy: ProxyProcess) -> Any:
    """(received, sent) of every exchange, from the log alone."""
    keys = KeyStore(proxy.data / "keys.sqlite")
    log = EventLog(proxy.data / "events.sqlite", keys)
    stored: dict[tuple[int | None, str], bytes] = {}
    lists: dict[int, tuple[str, ...]] = {}

    def refs(of: MessageRefs) -> tuple[str, ...]:
        base = lists[of.base_exchange][: of.keep] if of.base_exchange is not None else ()
        return (*base, *of.added)

    for recorded in log.scan():
        event = recorded.event
        for ref in getattr(getattr(event, "blob", None), "refs", ()):
            assert (recorded.session_id, ref) not in stored, "a body is stored once per session"
            body = log.body(recorded.position, ref)
            assert body is not None
            stored[recorded.session_id, ref] = body
        if isinstance(event, ExchangeStarted):
            lists[event.exchange_id] = refs(event.received)
            session = event.session_id
            messages = [stored[session, ref] for ref in lists[event.exchange_id]]
            received = join(stored[session, event.envelope_ref], messages)
            sent = join(stored[session, event.sent_envelope_ref or event.envelope_ref], messages)
            yield received, sent
    assert log.chain_break() is None
    log.close()
    keys.close()


def test_a_second_process_is_refused_and_told_who_is_there(mock: MockProcess) -> None:
    with ProxyProcess(config_for(mock.base_url)) as proxy:
        second = ProxyProcess(directory=proxy.directory)
        with pytest.raises(AssertionError, match="in use by the process that serves http"):
            second.start()
        assert httpx.get(f"{proxy.url}/health").json()["status"] == "ok"
