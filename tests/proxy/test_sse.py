"""Bytes out equal bytes in, wherever the stream is cut; what is noted equals a reading of the whole text."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.sse import SseStream

USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def chunk(content: str | None = "x", **more: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": {"content": content}}], **more}


CHUNKS = st.one_of(
    st.builds(chunk, st.text(max_size=20)),
    st.builds(lambda text: chunk(text, usage=None), st.text(max_size=5)),
    st.builds(lambda total: chunk("a", usage={**USAGE, "total_tokens": total}), st.integers(0, 99)),
    st.just(chunk('"usage": {"total_tokens": 1} data: [DONE]\n\ndata: {"choices":[],"usage":{"x":1}}')),
    st.just({"choices": [{"delta": {}, "usage": USAGE}]}),
)
USAGE_ONLY = st.sampled_from(
    [{"choices": [], "usage": USAGE}, {"usage": USAGE}, {"id": "x", "usage": USAGE, "choices": None}]
)


@st.composite
def streams(draw: st.DrawFn, usage_only: bool = True) -> tuple[list[bytes], list[dict[str, Any] | None], bytes]:
    """(events as bytes, what each says, the unfinished rest)."""
    newline = draw(st.sampled_from([b"\n", b"\r\n"]))
    events: list[bytes] = []
    said: list[dict[str, Any] | None] = []
    frames = st.one_of(CHUNKS, USAGE_ONLY) if usage_only else CHUNKS
    for frame in draw(st.lists(frames, max_size=8)):
        if draw(st.integers(0, 5)) == 0:
            events.append(b": keep-alive" + newline * 2)
            said.append(None)
        ascii_only = draw(st.booleans())
        text = json.dumps(frame, ensure_ascii=ascii_only).encode("utf-8", "replace")
        prefix = draw(st.sampled_from([b"data: ", b"data:", b"event: m" + newline + b"data: "]))
        events.append(prefix + text + newline * 2)
        said.append(json.loads(text))
    if draw(st.booleans()):
        events.append(b"data: [DONE]" + newline * 2)
        said.append(None)
    rest = draw(st.sampled_from([b"", b"data: {", b": x", b"data: [DONE]\n"]))
    return events, said, rest


def cut(draw: st.DataObject, data: bytes) -> list[bytes]:
    places = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=12), label="cuts"))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


def run(stream: SseStream, pieces: list[bytes]) -> bytes:
    return b"".join([*(stream.feed(piece) for piece in pieces if piece), stream.finish()])


def last_usage(said: list[dict[str, Any] | None]) -> Any:
    found = None
    for each in said:
        if each is not None:
            first = (each.get("choices") or [{}])[0]
            found = each.get("usage") or first.get("usage") or found
    return found


def usage_only(said: dict[str, Any] | None) -> bool:
    return said is not None and isinstance(said.get("usage"), dict) and not said.get("choices")


@given(streams(), st.data())
def test_bytes_out_equal_bytes_in(
    stream: tuple[list[bytes], list[dict[str, Any] | None], bytes], draw: st.DataObject
) -> None:
    events, said, rest = stream
    data = b"".join(events) + rest
    reader = SseStream()
    assert run(reader, cut(draw, data)) == data
    assert reader.usage_raw == last_usage(said)
    assert reader.done == any(b"data: [DONE]" in event and b"{" not in event for event in [*events, rest])


@given(streams(), st.data())
def test_withheld_is_the_usage_only_frame_and_nothing_else(
    stream: tuple[list[bytes], list[dict[str, Any] | None], bytes], draw: st.DataObject
) -> None:
    events, said, rest = stream
    reader = SseStream(withhold_usage=True)
    out = run(reader, cut(draw, b"".join(events) + rest))
    kept = [event for event, each in zip(events, said, strict=True) if not usage_only(each)]
    assert out == b"".join(kept) + rest
    assert reader.usage_raw == last_usage(said)


@given(st.binary(max_size=200), st.booleans(), st.data())
@example(b"\n\n", True, None)
@example(b"\n\r\n\n", False, None)
def test_any_bytes_pass(data: bytes, withhold: bool, draw: st.DataObject | None) -> None:
    pieces = cut(draw, data) if draw is not None else [data]
    assert run(SseStream(withhold_usage=withhold), pieces) == data


def test_a_chunk_with_content_is_not_delayed_while_usage_is_withheld() -> None:
    stream = SseStream(withhold_usage=True)
    assert stream.feed(b'data: {"id":"1","choices":[{"delta":{"content":"he') != b""
    assert stream.feed(b"llo") == b"llo"
    assert stream.feed(b'"}}]}\n\n') == b'"}}]}\n\n'


def test_boundaries() -> None:
    stream = SseStream()
    assert stream.at_boundary
    stream.feed(b"data: {")
    assert not stream.at_boundary
    stream.feed(b"}\n\n")
    assert stream.at_boundary
    held = SseStream(withhold_usage=True)
    assert held.feed(b'data: {"usage"') == b""
    assert held.at_boundary  # the client has nothing of it


@pytest.mark.parametrize("withhold", [False, True])
def test_memory_is_bounded_for_a_line_without_end(withhold: bool) -> None:
    stream = SseStream(withhold_usage=withhold)
    piece = b"x" * 65_536
    assert b"".join(stream.feed(piece) for _ in range(40)) == piece * 40
    assert len(stream._tail) <= 1 << 20
    assert not stream.at_boundary
    assert stream.feed(b'\n\ndata: {"usage":{"a":1},"choices":[{}]}\n\n').endswith(b"\n\n")
    assert stream.at_boundary
    assert stream.usage_raw == {"a": 1}


def test_an_error_frame_is_noted() -> None:
    stream = SseStream()
    stream.feed(b'data: {"error":{"message":"overloaded"}}\n\n')
    assert stream.error == "overloaded"
