"""Bytes out equal bytes in, whatever the cuts; what is withheld is cut out exactly; usage is what a parser finds."""

import itertools
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.sse import SseStream

_TEXT = st.text('ab "\\\n\r\u2028éé\U0001f600') | st.sampled_from(
    ['"usage":{"prompt_tokens":9}', "data: [DONE]\n\n", "[DONE]", '\n\ndata: {"choices":[],"usage":{}}\n\n']
)
_USAGE = st.none() | st.fixed_dictionaries({"prompt_tokens": st.integers(0, 99), "total_tokens": st.integers(0, 99)})
_EOL = st.sampled_from(["\n", "\r\n", "\r"])


def fed(data: bytes, cuts: list[int], *, withhold: bool = False) -> tuple[SseStream, bytes]:
    stream = SseStream(withhold_usage=withhold)
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    out = [stream.feed(data[start:end]) for start, end in itertools.pairwise(places)]
    return stream, b"".join((*out, stream.finish()))


def frame(draw: st.DrawFn) -> dict[str, Any]:
    """A chunk as some provider or other would send it."""
    chunk: dict[str, Any] = {"model": "m"}
    kind = draw(st.sampled_from(["content", "content", "usage only", "moonshot", "odd"]))
    if kind == "usage only":
        return chunk | draw(st.sampled_from([{"choices": []}, {}, {"choices": None}])) | {"usage": draw(_USAGE)}
    if kind == "odd":
        return chunk | {"choices": draw(st.sampled_from([{}, "x", [1], [{"usage": []}]])), "usage": draw(_USAGE)}
    choice: dict[str, Any] = {"index": 0, "delta": {"content": draw(_TEXT)}}
    choice["finish_reason"] = draw(st.sampled_from([None, None, "stop"]))
    if kind == "moonshot":
        choice["usage"] = draw(_USAGE)
    chunk["choices"] = [choice]
    if draw(st.booleans()):
        chunk["usage"] = draw(_USAGE)
    return chunk


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """The events of a stream, each with its end."""
    eol = draw(_EOL)
    events: list[bytes] = []
    for _ in range(draw(st.integers(0, 6))):
        spaces = draw(st.sampled_from([(",", ":"), (", ", ": ")]))
        text = json.dumps(frame(draw), ensure_ascii=draw(st.booleans()), separators=spaces)
        if draw(st.booleans()):
            text = text.replace('{"model"', '{\ndata: "model"').replace("\n", eol)  # an event of two data lines
        comment = draw(st.sampled_from(["", ": ping" + eol, "event: message" + eol]))
        events.append(f"{comment}data:{draw(st.sampled_from(['', ' ']))}{text}{eol}{eol}".encode())
        if draw(st.booleans()):
            events.append(draw(st.sampled_from([b": keep-alive", b":", b"retry: 3"])) + (eol + eol).encode())
    if draw(st.booleans()):
        events.append(f"data: [DONE]{eol}{eol}".encode())
    elif draw(st.booleans()) and events:
        events[-1] = events[-1].rstrip(b"\r\n")
    return events


def chunk_of(event: bytes) -> dict[str, Any]:
    """An independent reading of one event."""
    lines = re.split(r"\r\n|\n|\r", event.decode())
    text = "\n".join(line[5:].lstrip(" ") for line in lines if line.startswith("data:"))
    if text in ("", "[DONE]"):
        return {}
    chunk: dict[str, Any] = json.loads(text)
    return chunk


def usage_of(chunk: dict[str, Any]) -> dict[str, Any] | None:
    choices = chunk.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    found = (chunk.get("usage"), first.get("usage"))
    return next((usage for usage in found if isinstance(usage, dict)), None)


def usage_only(chunk: dict[str, Any]) -> bool:
    return isinstance(chunk.get("usage"), dict) and not chunk.get("choices") and chunk.get("choices") in (None, [])


@given(streams(), st.lists(st.integers(0, 5_000)), st.booleans())
def test_passes_every_byte_at_once(events: list[bytes], cuts: list[int], every_byte: bool) -> None:
    data = b"".join(events)
    stream = SseStream()
    places = (
        list(range(len(data) + 1)) if every_byte else sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    )
    for start, end in itertools.pairwise(places):
        assert stream.feed(data[start:end]) == data[start:end]
        ends = re.search(rb"(\n\r?\n|\r\r)\Z", data[:end]) is not None
        assert stream.at_boundary == ends
    assert stream.finish() == b""


@given(streams(), st.lists(st.integers(0, 5_000)), st.booleans())
def test_withholds_exactly_the_usage_frames(events: list[bytes], cuts: list[int], every_byte: bool) -> None:
    data = b"".join(events)
    _, out = fed(data, list(range(len(data))) if every_byte else cuts, withhold=True)
    assert out == b"".join(event for event in events if not usage_only(chunk_of(event)))


@given(streams(), st.lists(st.integers(0, 5_000)), st.booleans())
def test_agrees_with_a_parser(events: list[bytes], cuts: list[int], withhold: bool) -> None:
    data = b"".join(events)
    stream, _ = fed(data, cuts, withhold=withhold)
    chunks = [chunk_of(event) for event in events]
    usages = [usage for chunk in chunks if (usage := usage_of(chunk)) is not None]
    reasons = [
        choice["finish_reason"]
        for chunk in chunks
        if isinstance(chunk.get("choices"), list)
        for choice in chunk["choices"]
        if isinstance(choice, dict) and choice.get("finish_reason")
    ]
    assert stream.usage_raw == (usages[-1] if usages else None)
    assert stream.finish_reason == (reasons[-1] if reasons else None)
    assert stream.model == ("m" if any(chunks) else None)
    assert stream.done == any(event.startswith(b"data: [DONE]") for event in events)


@given(st.binary(max_size=200) | st.text('\n\r:{}data[DONE]"usage').map(str.encode), st.lists(st.integers(0, 200)))
def test_nonsense_passes(data: bytes, cuts: list[int]) -> None:
    assert fed(data, cuts)[1] == data
    assert fed(data, cuts, withhold=True)[1] == data


@pytest.mark.parametrize("blank", ["\n\r", "\r\r\n", "\r\n\r", "\r\n\n", "\n\r\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 50, 10_000])
def test_line_ends_may_differ_within_a_stream(blank: str, size: int) -> None:
    parts = ['data: {"model":"m",\rdata: "choices":[]}', 'data: {"usage":{"total_tokens":1}}', "data: [DONE]", ""]
    data = blank.join(parts).encode()
    stream, out = fed(data, list(range(0, len(data), size)))
    assert out == data
    assert (stream.model, stream.usage_raw, stream.done) == ("m", {"total_tokens": 1}, True)


def test_a_frame_that_is_withheld_leaves_the_client_at_a_boundary() -> None:
    stream = SseStream(withhold_usage=True)
    content = b'data: {"model":"m","choices":[{"delta":{"content":"a"}}]}\n\n'
    assert stream.feed(content + b'data: {"model":"m","cho') == content
    assert stream.at_boundary
    assert stream.feed(b'ices":[],"usage":{"total_tokens":1}}\n\ndata: [DO') == b""
    assert stream.at_boundary
    assert stream.feed(b"NE]\n\n") == b"data: [DONE]\n\n"
    assert stream.done and stream.usage_raw == {"total_tokens": 1}


def test_content_is_not_held_back() -> None:
    stream = SseStream(withhold_usage=True)
    part = b'data: {"choices":[{"delta":{"content":"a long'
    assert stream.feed(part) == part
    assert not stream.at_boundary
    rest = b' text"}}],"usage":{"total_tokens":2}}\n\n'
    assert stream.feed(rest) == rest
    assert stream.at_boundary and stream.usage_raw == {"total_tokens": 2}


def test_an_error_is_not_withheld() -> None:
    data = b'data: {"error":{"message":"no"},"usage":{"total_tokens":1}}\n\n'
    assert fed(data, [], withhold=True)[1] == data


def test_unpaired_surrogates_hide_no_usage() -> None:
    data = rb'data: {"choices":[{"delta":{"content":"\ud83d"}}],"usage":{"total_tokens":3}}' + b"\n\n"
    assert fed(data, [3, 40])[0].usage_raw == {"total_tokens": 3}


@pytest.mark.parametrize("withhold", [False, True])
def test_an_event_without_end_does_not_fill_the_memory(withhold: bool) -> None:
    stream = SseStream(withhold_usage=withhold)
    piece = b"data: " + b"x" * 100_000
    out = b"".join(stream.feed(piece) for _ in range(30))
    assert len(out) == 30 * len(piece)
    assert stream._size < 1 << 21
    assert not stream.at_boundary
    usage = b'\n\ndata: {"choices":[],"usage":{"total_tokens":4}}\n\n'
    assert stream.feed(usage) == (b"\n\n" if withhold else usage)
    assert stream.usage_raw == {"total_tokens": 4}
    assert stream.at_boundary


@pytest.mark.parametrize("size", [1_000, 70_000, 1 << 19])
def test_what_an_event_says_that_is_too_long_to_be_kept(size: int) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    choice = {"index": 0, "delta": {"content": '"usage":{} ' * 300_000}, "finish_reason": "stop"}
    event = json.dumps({"id": "1", "model": "m", "choices": [choice], "usage": usage}).encode()
    data = b"data: " + event + b"\n\n" + b'data: {"choices":[]}\n\ndata: [DONE]\n\n'
    stream, out = fed(data, list(range(0, len(data), size)))
    assert out == data
    assert (stream.usage_raw, stream.finish_reason, stream.model, stream.done) == (usage, "stop", "m", True)
    unfinished, out = fed(data[: len(event) + 6], list(range(0, len(event), size)))
    assert (unfinished.usage_raw, unfinished.done, out) == (usage, False, data[: len(event) + 6])


CONTENT = b'data: {"model":"m","choices":[{"index":0,"delta":{"content":"\\"error\\""},"finish_reason":null}]}\n\n'
STOP = b'data: {"model":"m","choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}\n\n'
ERROR = b'data: {"error":{"message":"no","code":"overloaded"}}\n\n'
END = b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("data", "ended", "error"),
    [
        (CONTENT, False, False),
        (CONTENT + STOP, True, False),
        (CONTENT + STOP + END, True, False),
        (ERROR, False, True),
        (CONTENT + ERROR, False, True),
        (CONTENT + ERROR + END, False, True),
        (CONTENT + ERROR + CONTENT, False, False),
        (CONTENT + b'data: {"error":null,"choices":[]}\n\n', False, False),
        (CONTENT + ERROR[:-2], False, True),
        (b"", False, False),
    ],
)
@pytest.mark.parametrize("size", [1, 40, 10_000])
def test_how_a_stream_ends(data: bytes, ended: bool, error: bool, size: int) -> None:
    stream, out = fed(data, list(range(0, len(data) + 1, size)))
    assert (out, stream.ended, stream.last_error() is not None) == (data, ended, error)
