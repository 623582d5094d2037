"""Every dialect of usage, nonsense field by field, and the bound on what is kept."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.usage import MAX_RAW_BYTES, bounded_raw, parse_usage, usage_of_json
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
        ({"total_tokens": 9}, (0, 0, 9, None, None, None)),
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
    assert parse_usage(raw) == Usage(
        source="measured",
        prompt_tokens=prompt or 0,
        completion_tokens=completion or 0,
        total_tokens=total or 0,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
    )


@pytest.mark.parametrize("nonsense", [-1, 1.0, "3", True, None, [], {}, 2**53 + 1])
def test_nonsense_is_ignored_by_itself(nonsense: object) -> None:
    raw = {"prompt_tokens": nonsense, "completion_tokens": 4, "prompt_tokens_details": nonsense, "cached_tokens": 2}
    found = parse_usage(raw)
    assert found == Usage(source="measured", completion_tokens=4, total_tokens=4, cached_tokens=2)
    assert parse_usage({"prompt_tokens": nonsense}) is None


@given(st.dictionaries(_NAMES | st.text(), _JSON))
def test_no_object_is_too_odd(raw: dict[str, Any]) -> None:
    parse_usage(raw)
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
