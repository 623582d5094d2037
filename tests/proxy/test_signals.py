import json

import pytest

from proxy.signals import BodySignals, Signal, is_retry, session_headers, signal_of

NOTHING = BodySignals()


def of(body: BodySignals = NOTHING, **headers: str) -> Signal | None:
    pairs = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return signal_of(session_headers(pairs), body)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x_session_id": "abc"}, Signal("header:x-session-id", "abc")),
        ({"x_session_id": "c", "x_parent_session_id": "p"}, Signal("header:x-session-id", "c", "p")),
        ({"x_claude_code_session_id": "s"}, Signal("header:x-claude-code-session-id", "s")),
        (
            {"x_claude_code_session_id": "s", "x_claude_code_agent_id": "a"},
            Signal("header:x-claude-code-session-id", "s/a", "s"),
        ),
        (
            {
                "x_claude_code_session_id": "s",
                "x_claude_code_agent_id": "a",
                "x_claude_code_parent_agent_id": "b",
            },
            Signal("header:x-claude-code-session-id", "s/a", "s/b"),
        ),
        ({"session_id": "s", "thread_id": "s"}, Signal("header:session-id", "s")),
        ({"session_id": "s", "thread_id": "t"}, Signal("header:session-id", "s/t", "s")),
        (
            {"session_id": "s", "thread_id": "t", "x_codex_parent_thread_id": "u"},
            Signal("header:session-id", "s/t", "s/u"),
        ),
        ({"x_opencode_session": "o", "x_parent_session_id": "p"}, Signal("header:opencode", "o", "p")),
        ({"x_session_affinity": "o"}, Signal("header:opencode", "o")),
        ({"x_task_id": "t"}, Signal("header:task", "t")),
        ({"x_roo_task_id": "t"}, Signal("header:task", "t")),
        ({"x_litellm_session_id": "t"}, Signal("header:task", "t")),
        ({"x_litellm_trace_id": "t"}, Signal("header:task", "t")),
        ({"x_openwebui_chat_id": "t"}, Signal("header:task", "t")),
        ({"x_conversation_id": "t"}, Signal("header:task", "t")),
        ({"x_task_id": "t", "x_session_id": "own"}, Signal("header:x-session-id", "own")),
        ({"traceparent": "00-1-2-3", "x_request_id": "r"}, None),
        ({"x_session_id": ""}, None),
        ({"x_session_id": "é"}, None),
        ({"x_session_id": "x" * 257}, None),
        ({"x_session_id": "a b"}, None),
        ({"x_session_id": "a b", "x_task_id": "t"}, Signal("header:task", "t")),
        ({"x_session_id": " x "}, Signal("header:x-session-id", "x")),
        ({"x_session_id": "x" * 256}, Signal("header:x-session-id", "x" * 256)),
        ({"x_session_id": "x" * 257, "x_task_id": "t"}, Signal("header:task", "t")),
    ],
)
def test_headers(headers: dict[str, str], expected: Signal | None) -> None:
    assert of(NOTHING, **headers) == expected


def test_the_underscore_spelling_of_older_codex() -> None:
    assert signal_of(session_headers([(b"session_id", b"s")]), NOTHING) == Signal("header:session-id", "s")


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (BodySignals(metadata={"session_id": "m"}), "m"),
        (BodySignals(metadata={"conversation_id": "m"}), "m"),
        (BodySignals(metadata={"user_id": "user_1_account_2_session_0a-b"}), "0a-b"),
        (BodySignals(metadata={"user_id": json.dumps({"session_id": "j"})}), "j"),
        (BodySignals(metadata={"user_id": "somebody"}), None),
        (BodySignals(metadata={"user_id": "{" * 4_000}), None),
        (BodySignals(metadata={"user_id": 5}), None),
        (BodySignals(metadata="text"), None),
        (BodySignals(metadata={"session_id": ["x"]}, prompt_cache_key="p"), "p"),
        (BodySignals(previous_response_id="r"), "r"),
        (BodySignals(prompt_cache_key=7), None),
    ],
)
def test_body(body: BodySignals, key: str | None) -> None:
    assert signal_of({}, body) == (Signal("body", key) if key else None)


def test_a_header_goes_before_the_body() -> None:
    found = of(BodySignals(prompt_cache_key="p"), x_task_id="t")
    assert found == Signal("header:task", "t")


@pytest.mark.parametrize(("value", "retry"), [("0", False), ("1", True), ("12", True), ("x", False), ("²", False)])
def test_retry_count(value: str, retry: bool) -> None:
    assert is_retry({b"x-stainless-retry-count": value}) is retry
