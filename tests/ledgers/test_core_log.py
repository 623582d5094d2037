"""What a log says of tokens, and following it while it grows, is cut and is replaced."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgers.core_log import LogMetric, LogReader
from ledgers.tailing import Tail

BLOCK = b"""[2026-11-22T23:33:51] Error: Not enough context available to include the system message, last user message.
        There must be at least 1000 tokens remaining for output.
        Request had the following token counts:
        - contextLength: 32768
        - counting safety buffer: 655
        - tools: ~12000
        - system message: ~800
        - max output tokens: 4096
    at compileChatMessages (core.js:1)"""


def read(text: bytes) -> list[LogMetric]:
    reader = LogReader()
    return [metric for line in text.split(b"\n") for metric in reader.feed(line)] + reader.end()


def test_the_counts_of_a_request_that_does_not_fit() -> None:
    expected = LogMetric(
        source="compile_chat",
        tools_tokens=12_000,
        system_message_tokens=800,
        total_tokens=12_800,
        context_length=32_768,
    )
    assert read(BLOCK) == [expected]
    assert read(BLOCK.rpartition(b"\n")[0]) == [expected]  # nothing follows yet


def test_its_older_words() -> None:
    block = b"Request had the following properties:\n- contextLength: 8192\n- toolTokens: ~10\n- systemMsgTokens: ~20\n"
    assert read(block + b"- lastUserMsgTokens: ~30\n") == [
        LogMetric(
            source="compile_chat",
            prompt_tokens=30,
            tools_tokens=10,
            system_message_tokens=20,
            total_tokens=60,
            context_length=8_192,
        )
    ]


@pytest.mark.parametrize(
    ("line", "asked", "limit"),
    [
        (b"Error: 400 This model's maximum context length is 8192 tokens. You requested 9000 tokens", 9_000, 8_192),
        (b"ERROR 429 quota exceeded: input_token_count, limit: 250000, model: gemini", 0, 250_000),
        (b'{"error":{"message":"prompt is too long: 210000 tokens > 200000 maximum"}}', 210_000, 200_000),
        (b"rate limit exceeded, current: 1234", 1_234, 0),
        (b"429 Rate limit reached on tokens per min (TPM): Limit 30000, Used 28331, Requested 3205.", 3_205, 30_000),
        (b"429 This request would exceed your organization's rate limit of 40,000 input tokens per minute", 0, 40_000),
        (b"Error: request (9000 tokens) exceeds the available context size (8192 tokens)", 9_000, 8_192),
        (b"context overflow: 131072 > 128000", 131_072, 128_000),
        (b"Error: context length exceeded: 9000/8192 tokens", 9_000, 8_192),
    ],
)  # fmt: skip
def test_errors_of_an_api(line: bytes, asked: int, limit: int) -> None:
    (metric,) = read(line)
    assert metric == LogMetric(source="api_error", prompt_tokens=asked, total_tokens=asked, context_length=limit)


def test_lines_that_name_counts() -> None:
    (metric,) = read(b'usage: {"prompt_tokens": 120, "completion_tokens": 30}')
    assert metric == LogMetric(source="logs", prompt_tokens=120, completion_tokens=30, total_tokens=150)
    (metric,) = read(b"Prompt tokens: ~7, total tokens: 9, contextLength: 100")
    assert metric == LogMetric(source="logs", prompt_tokens=7, total_tokens=9, context_length=100)


def test_so_many_of_so_many() -> None:
    for line in (b"context: 123/45", b"prompt has 123/45 tokens", b"Tokens used: 123 / 45"):
        assert read(line) == [LogMetric(source="logs", prompt_tokens=123, total_tokens=123, context_length=45)]
    assert read(b"2026/11/22 tokenizer loaded, step 123/45") == []


def test_numbers_that_cannot_be_say_nothing() -> None:
    huge = b"9" * 23
    assert read(b"promptTokens: " + huge) == []
    assert read(b"promptTokens: " + b"9" * 4_000) == []
    assert read(b"Error 429: limit: " + huge + b", current: 1000000000001") == []
    (metric,) = read(b"promptTokens: " + huge + b", completionTokens: 5")
    assert (metric.prompt_tokens, metric.completion_tokens, metric.total_tokens) == (0, 5, 5)
    (metric,) = read(BLOCK.replace(b"12000", huge))
    assert (metric.tools_tokens, metric.system_message_tokens, metric.context_length) == (0, 800, 32_768)


@pytest.mark.parametrize("line", [b"", b"started", b"tokens", b"error: none", b"the limit is near", b"\xff\xfe" * 99])
def test_other_lines_say_nothing(line: bytes) -> None:
    assert read(line) == []


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(0, 300))
def test_no_line_breaks_it(noise: bytes, at: int) -> None:
    for metric in read(BLOCK[:at] + noise + BLOCK[at:]):
        assert metric.total_tokens >= 0


def test_a_file_that_grows(tmp_path: Path) -> None:
    path = tmp_path / "core.log"
    path.write_bytes(b"old\nhalf")
    tail = Tail(path)
    assert tail.lines() == []
    with path.open("ab") as file:
        file.write(b" a line\nnew\nbegun")
    assert tail.lines() == [b" a line", b"new"]
    assert tail.lines() == []
    with path.open("ab") as file:
        file.write(b" and done\n")
    assert tail.lines() == [b"begun and done"]


def test_a_file_that_is_cut_or_replaced(tmp_path: Path) -> None:
    path = tmp_path / "core.log"
    path.write_bytes(b"old line\n")
    tail = Tail(path)
    tail.lines()
    path.write_bytes(b"cut\n")
    assert tail.lines() == [b"cut"]
    (tmp_path / "next").write_bytes(b"a new file, longer than the one before\n")
    os.replace(tmp_path / "next", path)
    assert tail.lines() == [b"a new file, longer than the one before"]


def test_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    path = tmp_path / "core.log"
    tail = Tail(path)
    assert tail.lines() == []
    path.write_bytes(b"first\n")
    assert tail.lines() == [b"first"]
    path.unlink()
    assert tail.lines() == []
    path.write_bytes(b"again\n")
    assert tail.lines() == [b"again"]


def test_what_is_no_file_and_what_is_too_much(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert Tail(tmp_path / "pipe").lines() == []
    path = tmp_path / "core.log"
    path.touch()
    tail = Tail(path)
    tail.lines()
    with path.open("ab") as file:
        file.write(b"x" * (5 << 20) + b"\nlast\n")
    assert tail.lines()[-1] == b"last"
