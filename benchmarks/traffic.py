"""The requests of the proxy benchmark: small ones, and those of a coding agent with tool calls.

Everything is made from a seed, so that each program under test gets the same bytes.
"""

import json
import random
from collections.abc import Iterator

from benchmarks.load import Request
from benchmarks.mock_upstream import ANSWER, Plan, json_body, sse_body

AGENT_MESSAGES = 60
_RESULT_BYTES = 2_780  # of one tool result, so that 60 messages are about 95 KB
_SMALL_BYTES = 200
_VOCABULARY = (
    "def return self import from class async await None True False if else for in while raise try except with as "
    "session_id exchange position timestamp connection request response headers payload index value items append "
    "logger.info( json.loads( os.path.join( range(len( ) : = == != -> [ ] { } 0 1 2 128 4096 0x7f 'utf-8' \"name\" "
    "src/server/routes.py:214 tests/test_writer.py::test_order PASSED FAILED AssertionError Traceback warning # TODO"
)
_WORDS = _VOCABULARY.split()

Message = dict[str, object]


def small(seed: int, count: int, *, session: str | None) -> Iterator[Request]:
    """`count` requests with bodies of 200 bytes."""
    for number in range(count):
        frame = _body([{"role": "user", "content": ""}])
        text = f"Question {seed}-{number}: ".ljust(_SMALL_BYTES - len(frame), "?")
        yield _request(_body([{"role": "user", "content": text}]), session=session)


def streamed(seed: int, count: int, plan: Plan, *, session: str | None) -> Iterator[Request]:
    """`count` small requests, each answered by a stream."""
    for number in range(count):
        messages: list[Message] = [{"role": "user", "content": f"Question {seed}-{number}"}]
        yield _request(_body(messages, plan), session=session, plan=plan)


def agent_constant(seed: int, count: int, *, session: str | None, plan: Plan | None = None) -> Iterator[Request]:
    """`count` requests of 60 messages that differ in the last one only."""
    prefix = conversation(seed, AGENT_MESSAGES - 1)
    rng = random.Random(seed)
    for _ in range(count):
        body = _body([*prefix, {"role": "user", "content": _text(rng, 300)}], plan)
        yield _request(body, session=session, plan=plan)


def agent_growing(seed: int, count: int) -> Iterator[Request]:
    """`count` requests of one conversation from 60 messages on, each longer by the answer and a new message.

    They name no session: it is recognised from the messages.
    """
    messages = conversation(seed, AGENT_MESSAGES)
    rng = random.Random(seed)
    for _ in range(count):
        yield _request(_body(messages), session=None)
        messages = [*messages, dict(ANSWER), {"role": "user", "content": _text(rng, _RESULT_BYTES)}]


def conversation(seed: int, count: int) -> list[Message]:
    """A system message, a task, then calls of a tool and their results, `count` messages in all."""
    rng = random.Random(seed)
    messages: list[Message] = [
        {"role": "system", "content": f"You are a coding agent, run {seed}. " + _text(rng, 8_000)},
        {"role": "user", "content": "The task: " + _text(rng, 600)},
    ]
    while len(messages) < count:
        call_id = f"call_{rng.getrandbits(64):016x}"
        arguments = json.dumps({"path": f"src/module_{len(messages)}.py", "limit": rng.randrange(400)})
        function = {"name": "read_file", "arguments": arguments}
        call = {"id": call_id, "type": "function", "function": function}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": call_id, "content": _text(rng, _RESULT_BYTES)})
    return messages[:count]


def _text(rng: random.Random, size: int) -> str:
    words = rng.choices(_WORDS, k=size // 3)
    return " ".join(words)[:size]


def _body(messages: list[Message], plan: Plan | None = None) -> bytes:
    head: dict[str, object] = {"model": "bench"}
    if plan is not None:
        head |= {"user": plan.user(), "stream": True, "stream_options": {"include_usage": True}}
    return json.dumps({**head, "messages": messages}, separators=(",", ":")).encode()


def _request(body: bytes, *, session: str | None, plan: Plan | None = None) -> Request:
    headers = [
        "POST /v1/chat/completions HTTP/1.1",
        "host: 127.0.0.1",
        "authorization: Bearer bench",
        "content-type: application/json",
        "accept: application/json",
        "user-agent: bench/1",
        f"content-length: {len(body)}",
        *([f"x-session-id: {session}"] if session else []),
    ]
    expected = json_body() if plan is None else sse_body(plan.chunks)
    return Request("\r\n".join([*headers, "", ""]).encode() + body, expected)


def text(seed: int, size: int) -> str:
    """`size` characters of the benchmark's words."""
    return _text(random.Random(seed), size)
