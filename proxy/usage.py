"""Token counts out of an upstream's usage object, whatever its dialect.

A figure that makes no sense is ignored by itself. The object is kept too, as it came, within a bound.
"""

from typing import Any

import msgspec

from context.surrogates import decode_mended
from proxy.json_depth import openers, within_depth
from schema.exchanges import Usage

MAX_RAW_BYTES = 4_096
_MAX_RAW_DEPTH = 16
_MAX_TOKENS = 2**53  # what every JSON reader can hold exactly

_Path = tuple[str, ...]
_PROMPT: tuple[_Path, ...] = (("prompt_tokens",), ("input_tokens",), ("promptTokenCount",))
_COMPLETION: tuple[_Path, ...] = (("completion_tokens",), ("output_tokens",), ("candidatesTokenCount",))
_TOTAL: tuple[_Path, ...] = (("total_tokens",), ("totalTokenCount",))
_CACHED: tuple[_Path, ...] = (
    ("prompt_tokens_details", "cached_tokens"),
    ("input_tokens_details", "cached_tokens"),
    ("cache_read_input_tokens",),  # Anthropic
    ("prompt_cache_hit_tokens",),  # DeepSeek
    ("cached_tokens",),  # Moonshot
    ("cachedContentTokenCount",),  # Gemini
)
_CACHE_WRITE: tuple[_Path, ...] = (
    ("prompt_tokens_details", "cache_write_tokens"),  # OpenRouter
    ("prompt_tokens_details", "cache_creation_tokens"),  # LiteLLM
    ("input_tokens_details", "cache_write_tokens"),
    ("cache_creation_input_tokens",),  # Anthropic
    ("cache_write_tokens",),
)
_REASONING: tuple[_Path, ...] = (
    ("completion_tokens_details", "reasoning_tokens"),
    ("output_tokens_details", "reasoning_tokens"),
    ("reasoning_tokens",),
    ("thoughtsTokenCount",),  # Gemini
)
_BESIDE = ("cache_read_input_tokens", "cache_creation_input_tokens")  # Anthropic: not in its input_tokens


class _Answer(msgspec.Struct):
    usage: msgspec.Raw = msgspec.Raw(b"")
    choices: msgspec.Raw = msgspec.Raw(b"")


class _Choice(msgspec.Struct):
    usage: msgspec.Raw = msgspec.Raw(b"")


_encode = msgspec.json.Encoder().encode
_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_choice = msgspec.json.Decoder(_Choice).decode
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


def parse_usage(raw: dict[str, Any]) -> Usage | None:
    """The measured counts; None when the object holds neither of prompt, completion and total tokens.

    Dialects differ in what is a part of what. Here cached and written tokens are parts of the prompt, reasoning is a
    part of the completion: where an upstream counts them beside, they are added."""
    prompt, completion, total = _first(raw, _PROMPT), _first(raw, _COMPLETION), _first(raw, _TOTAL)
    if prompt is None and completion is None and total is None:
        return None
    cached, written, reasoning = _first(raw, _CACHED), _first(raw, _CACHE_WRITE), _first(raw, _REASONING)
    if prompt is not None and completion is not None:
        beside = (cached or 0) + (written or 0)
        if _counts_beside(raw, prompt, completion, total, beside):
            prompt += beside
            total = max(total or 0, prompt + completion)
        thought = (total or 0) - prompt - completion
        if thought > 0 and reasoning in (None, thought):
            completion, reasoning = completion + thought, thought
    return Usage(
        source="measured",
        prompt_tokens=prompt or 0,
        completion_tokens=completion or 0,
        total_tokens=total if total is not None else (prompt or 0) + (completion or 0),
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
    )


def _counts_beside(raw: dict[str, Any], prompt: int, completion: int, total: int | None, beside: int) -> bool:
    """Whether the prompt's count lacks what was read from the cache and written to it: Anthropic's own does, a part
    that is more than the whole shows it, and so does the total."""
    if not beside:
        return False
    anthropic = "prompt_tokens" not in raw and any(key in raw for key in _BESIDE)
    return anthropic or beside > prompt or total == prompt + completion + beside


def bounded_raw(raw: dict[str, Any] | None) -> dict[str, Any] | None:
    """The object as it is kept: members that are nested too deep are left out, and from the first on those for which
    there is no more room in 4 KiB of JSON."""
    if raw is None or _is_small(raw):
        return raw
    kept: dict[str, Any] = {}
    room = MAX_RAW_BYTES - len(b"{}")
    for key, value in raw.items():
        try:
            text = _encode({key: value})
        except RecursionError:
            continue
        room -= len(text) - len(b"{}") + len(b",")
        if room < 0:
            break
        if within_depth(text, _MAX_RAW_DEPTH):
            kept[key] = value
    return kept


def _is_small(raw: dict[str, Any]) -> bool:
    """The common case, told at once: within both bounds as a whole."""
    try:
        text = _encode(raw)
    except RecursionError:
        return False
    return len(text) <= MAX_RAW_BYTES and openers(text) <= _MAX_RAW_DEPTH


def usage_of_json(data: bytes) -> dict[str, Any] | None:
    """The usage object of a JSON answer or of one event of a stream, also where it is `choices[0].usage` (Moonshot).
    None when there is none, or the data is cut short."""
    try:
        answer = decode_mended(_decode_answer, data)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return usage_of(answer.usage, answer.choices)


def usage_of(usage: msgspec.Raw, choices: msgspec.Raw) -> dict[str, Any] | None:
    """The same from the texts of the two members, empty where they are absent."""
    found = _object(usage)
    if found is not None:
        return found
    try:
        listed = _decode_list(choices)
        return _object(_decode_choice(listed[0]).usage) if listed else None
    except (msgspec.MsgspecError, RecursionError):
        return None


def _object(text: msgspec.Raw) -> dict[str, Any] | None:
    try:
        return _decode_object(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None


def _first(raw: dict[str, Any], paths: tuple[_Path, ...]) -> int | None:
    for path in paths:
        value: Any = raw
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if type(value) is int and 0 <= value <= _MAX_TOKENS:  # not bool, which is an int too
            return value
    return None
