"""The usage object of an answer, in the dialects of the providers, as our token counts."""

from collections.abc import Mapping
from typing import Any

import msgspec

from schema.exchanges import Usage

_MAX = (1 << 53) - 1
_MAX_RAW = 4_096  # bytes of JSON
_CACHED = (
    ("prompt_tokens_details", "cached_tokens"),
    ("input_tokens_details", "cached_tokens"),
    ("prompt_cache_hit_tokens",),  # DeepSeek
    ("cache_read_input_tokens",),  # Anthropic
    ("cached_tokens",),  # Moonshot
)
_CACHE_WRITE = (
    ("cache_creation_input_tokens",),  # Anthropic
    ("prompt_tokens_details", "cache_creation_tokens"),
    ("prompt_tokens_details", "cache_write_tokens"),
)
_REASONING = (
    ("completion_tokens_details", "reasoning_tokens"),
    ("output_tokens_details", "reasoning_tokens"),
    ("reasoning_tokens",),
)


def parse_usage(raw: Mapping[str, Any]) -> Usage | None:
    """Measured counts; None where `raw` names neither prompt nor completion tokens.

    A field with nonsense (negative, not a whole number, above 2^53) counts as absent.
    """
    prompt = _first(raw, (("prompt_tokens",), ("input_tokens",)))
    completion = _first(raw, (("completion_tokens",), ("output_tokens",)))
    if prompt is None and completion is None:
        return None
    total = _first(raw, (("total_tokens",),))
    prompt, completion = prompt or 0, completion or 0
    return Usage(
        source="measured",
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion if total is None else total,
        cached_tokens=_first(raw, _CACHED),
        cache_write_tokens=_first(raw, _CACHE_WRITE),
        reasoning_tokens=_first(raw, _REASONING),
    )


def bounded_raw(raw: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The upstream's own object as it is kept; None where it is larger than 4 KiB of JSON."""
    if raw is None or len(msgspec.json.encode(raw)) > _MAX_RAW:
        return None
    return dict(raw)


def usage_of_choices(answer: Mapping[str, Any]) -> dict[str, Any] | None:
    """The usage of a chunk or a whole answer: its own, or that of choice 0 (Moonshot)."""
    usage = answer.get("usage")
    if isinstance(usage, dict):
        return usage
    choices = answer.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    usage = first.get("usage") if isinstance(first, dict) else None
    return usage if isinstance(usage, dict) else None


def usage_of_json(data: bytes) -> dict[str, Any] | None:
    """The usage of a JSON answer, None where there is none or the bytes are no JSON object."""
    try:
        answer = msgspec.json.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    return usage_of_choices(answer) if isinstance(answer, dict) else None


def _first(raw: Mapping[str, Any], paths: tuple[tuple[str, ...], ...]) -> int | None:
    return next((number for path in paths if (number := _number(raw, path)) is not None), None)


def _number(raw: Any, path: tuple[str, ...]) -> int | None:
    for key in path:
        raw = raw.get(key) if isinstance(raw, Mapping) else None
    return raw if isinstance(raw, int) and not isinstance(raw, bool) and 0 <= raw <= _MAX else None
