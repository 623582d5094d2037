"""Every dialect of usage, nonsense field by field, and the bound on what is kept."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.usage import MAX_RAW_BYTES, Estimate, bounded_raw, parse_usage, usage_of_json
from schema.exchanges import Usage

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_NAMES = st.sampled_from(
    ["prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "cached_tokens", "reasoning_tokens"]
)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}, (3, 4, 7, None, None, None)),
        # Gemini's compatible endpoint: what was thought is in the total only
        ({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 9}, (3, 6, 9, None, None, 2)),
        # xAI: reasoning stands beside the completion
        (
            {
                "prompt_tokens": 3,
                "completion_tokens": 4,
                "total_tokens": 9,
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
            (3, 6, 9, None, None, 2),
        ),
        # a total that nothing explains stays as it is
        (
            {
                "prompt_tokens": 3,
                "completion_tokens": 4,
                "total_tokens": 9,
                "completion_tokens_details": {"reasoning_tokens": 1},
            },
            (3, 4, 9, None, None, 1),
        ),
        # Gemini's own object
        (
            {
                "promptTokenCount": 30,
                "candidatesTokenCount": 4,
                "thoughtsTokenCount": 5,
                "cachedContentTokenCount": 20,
                "totalTokenCount": 39,
            },
            (30, 9, 39, 20, None, 5),
        ),
        # Anthropic's object under OpenAI's names, with what was cached in the prompt and beside it
        (
            {"prompt_tokens": 56, "completion_tokens": 4, "cache_read_input_tokens": 20},
            (56, 4, 60, 20, None, None),
        ),
        (
            {
                "prompt_tokens": 30,
                "completion_tokens": 4,
                "total_tokens": 60,
                "cache_read_input_tokens": 20,
                "cache_creation_input_tokens": 6,
            },
            (56, 4, 60, 20, 6, None),
        ),
        (
            {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "cache_read_input_tokens": 20},
            (23, 4, 27, 20, None, None),
        ),
        ({"prompt_tokens": 3, "completion_tokens": 4}, (3, 4, 7, None, None, None)),
        # one side is what the total leaves for it
        ({"prompt_tokens": 3, "total_tokens": 9}, (3, 6, 9, None, None, None)),
        ({"completion_tokens": 4, "total_tokens": 9}, (5, 4, 9, None, None, None)),
        ({"prompt_tokens": 5, "total_tokens": 5}, (5, 0, 5, None, None, None)),
        # whole numbers, however they are written
        ({"prompt_tokens": 100.0, "completion_tokens": "10", "total_tokens": 110.0}, (100, 10, 110, None, None, None)),
        (
            {"prompt_tokens": None, "input_tokens": 3, "completion_tokens": 10**9},
            (3, 10**9, 10**9 + 3, None, None, None),
        ),
        (
            {
                "prompt_tokens": 30,
                "completion_tokens": 4,
                "prompt_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 5, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
            (30, 4, 34, 20, 5, 2),
        ),
        (
            {
                "input_tokens": 30,
                "output_tokens": 4,
                "cache_read_input_tokens": 20,
                "cache_creation_input_tokens": 6,
                "output_tokens_details": {"reasoning_tokens": 1},
            },
            (56, 4, 60, 20, 6, 1),
        ),
        (
            {
                "prompt_tokens": 30,
                "completion_tokens": 4,
                "prompt_cache_hit_tokens": 10,
                "prompt_cache_miss_tokens": 20,
            },
            (30, 4, 34, 10, None, None),
        ),
        ({"prompt_tokens": 30, "completion_tokens": 4, "cached_tokens": 8}, (30, 4, 34, 8, None, None)),
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, (0, 0, 0, None, None, None)),
    ],
)
def test_dialects(raw: dict[str, Any], expected: tuple[int | None, ...]) -> None:
    prompt, completion, total, cached, written, reasoning = expected
    assert parse_usage(raw, _no_estimate) == Usage(
        source="measured",
        prompt_tokens=prompt or 0,
        completion_tokens=completion or 0,
        total_tokens=total or 0,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
    )


_NONSENSE = [-1, 1.5, float("inf"), "3.0", "-3", "", "٣", "9" * 5_000, True, [], {}, 10**9 + 1, 2**53 - 1, 1e30, 10**30]


@pytest.mark.parametrize("nonsense", _NONSENSE)
def test_what_cannot_be_read_is_estimated(nonsense: object) -> None:
    def of(**counts: object) -> Usage | None:
        return parse_usage({**counts, "prompt_tokens_details": nonsense}, _estimate)

    assert of(prompt_tokens=nonsense, completion_tokens=4, cached_tokens=2) == _estimated(50, 4, cached_tokens=2)
    assert of(prompt_tokens=30, completion_tokens=nonsense) == _estimated(30, 6)
    assert of(prompt_tokens=30, completion_tokens=nonsense, total_tokens=70) == _estimated(30, 40)
    assert of(prompt_tokens=nonsense, completion_tokens=4, total_tokens=70) == _estimated(66, 4)
    assert of(prompt_tokens=nonsense, completion_tokens=nonsense, total_tokens=70) == _estimated(50, 20)
    assert of(prompt_tokens=nonsense, completion_tokens=nonsense, total_tokens=nonsense) is None
    measured = Usage(source="measured", prompt_tokens=30, completion_tokens=4, total_tokens=34)
    assert of(prompt_tokens=30, completion_tokens=4, total_tokens=nonsense, reasoning_tokens=nonsense) == measured


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"total_tokens": 70}, (50, 20)),
        ({"total_tokens": 9}, (9, 0)),
        ({"total_tokens": 0}, (0, 0)),
        ({"prompt_tokens": 30}, (30, 6)),
        ({"prompt_tokens": 30, "total_tokens": 20}, (30, 6)),
        ({"completion_tokens": 4}, (50, 4)),
    ],
)
def test_what_is_not_said_is_estimated_and_parts_add_up(raw: dict[str, Any], expected: tuple[int, int]) -> None:
    assert parse_usage(raw, _estimate) == _estimated(*expected)


def test_parts_are_no_more_than_an_estimated_whole() -> None:
    raw = {"total_tokens": 60, "cached_tokens": 40, "cache_write_tokens": 40, "reasoning_tokens": 40}
    found = parse_usage(raw, _estimate)
    assert found == _estimated(50, 10, cached_tokens=40, cache_write_tokens=10, reasoning_tokens=10)


def _no_estimate() -> Estimate:
    raise AssertionError("nothing is to be estimated")


def _estimate() -> Estimate:
    return Estimate(50, 6)


def _estimated(prompt: int, completion: int, **parts: int) -> Usage:
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return Usage(source="estimated", **counts, **parts)


@given(st.dictionaries(_NAMES | st.text(), _JSON))
def test_no_object_is_too_odd(raw: dict[str, Any]) -> None:
    found = parse_usage(raw, _estimate)
    assert found is None or found.total_tokens >= found.prompt_tokens >= 0 <= found.completion_tokens
    kept = bounded_raw(raw)
    assert kept is not None
    assert len(msgspec.json.encode(kept)) <= MAX_RAW_BYTES
    assert kept.items() <= raw.items() if all(isinstance(value, int) for value in raw.values()) else True


def test_what_is_kept() -> None:
    raw: dict[str, Any] = {"prompt_tokens": 1, "details": {"a": [1]}}
    assert bounded_raw(None) is None
    assert bounded_raw(raw) == raw
    assert bounded_raw(raw | {"text": "x" * 5_000, "late": 1}) == raw


def test_deep_members_are_left_out() -> None:
    deep = msgspec.json.decode(b"[" * 100 + b"]" * 100)
    assert bounded_raw({"a": 1, "deep": deep, "b": 2}) == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"usage":{"prompt_tokens":1}}', {"prompt_tokens": 1}),
        (b'{"choices":[{"usage":{"prompt_tokens":2}}]}', {"prompt_tokens": 2}),
        (b'{"usage":null,"choices":[{"message":"\\ud800","usage":{"a":2}}]}', {"a": 2}),
        (b'{"usage":{"a":1},"choices":[{"usage":{"a":2}}]}', {"a": 1}),
        (b'{"usage":[],"choices":[]}', None),
        (b'{"usage":3,"choices":{}}', None),
        (b'{"choices":["x"]}', None),
        (b'{"choices":[{}]}', None),
        (b'{"usage":{"prompt_tokens":1}', None),
        (b"[" * 10_000, None),
        (b"", None),
        (b"\xff", None),
    ],
)
def test_usage_of_json(data: bytes, expected: dict[str, Any] | None) -> None:
    assert usage_of_json(data) == expected


_COUNTS = st.integers(-1, 5) | st.sampled_from([10**9, 10**9 + 1, 2**64, True, 1.0, "1", None])


@given(_COUNTS, _COUNTS, _COUNTS | st.just(-7))
def test_the_common_form_is_read_as_any_other(prompt: object, completion: object, total: object) -> None:
    if total == -7 and isinstance(prompt, int) and isinstance(completion, int):
        total = prompt + completion
    raw = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
    assert parse_usage(raw, _estimate) == parse_usage({**raw, "x": 1}, _estimate)
