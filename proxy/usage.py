"""Token counts out of an upstream's usage object, whatever its dialect.

A figure that makes no sense is ignored by itself. The object is kept too, as it came, within a bound.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from context.json_depth import openers, within_depth
from context.surrogates import decode_mended
from proxy.usage_figures import MOST_TOKENS, Figure, Path, count_of, figure
from schema.exchanges import Usage

MAX_RAW_BYTES = 4_096
_MAX_RAW_DEPTH = 16

_PROMPT: tuple[Path, ...] = (("prompt_tokens",), ("input_tokens",), ("promptTokenCount",))
_COMPLETION: tuple[Path, ...] = (("completion_tokens",), ("output_tokens",), ("candidatesTokenCount",))
_TOTAL: tuple[Path, ...] = (("total_tokens",), ("totalTokenCount",))
_CACHED: tuple[Path, ...] = (
    ("prompt_tokens_details", "cached_tokens"),
    ("input_tokens_details", "cached_tokens"),
    ("cache_read_input_tokens",),  # Anthropic
    ("prompt_cache_hit_tokens",),  # DeepSeek
    ("cached_tokens",),  # Moonshot
    ("cachedContentTokenCount",),  # Gemini
)
_CACHE_WRITE: tuple[Path, ...] = (
    ("prompt_tokens_details", "cache_write_tokens"),  # OpenRouter
    ("prompt_tokens_details", "cache_creation_tokens"),  # LiteLLM
    ("input_tokens_details", "cache_write_tokens"),
    ("cache_creation_input_tokens",),  # Anthropic
    ("cache_write_tokens",),
)
_REASONING: tuple[Path, ...] = (
    ("completion_tokens_details", "reasoning_tokens"),
    ("output_tokens_details", "reasoning_tokens"),
    ("reasoning_tokens",),
    ("thoughtsTokenCount",),  # Gemini
)
_THREE = frozenset(("prompt_tokens", "completion_tokens", "total_tokens"))
_BESIDE = ("cache_read_input_tokens", "cache_creation_input_tokens")  # Anthropic: not in its input_tokens


class Estimate(NamedTuple):
    """Tokens by our own count."""

    prompt: int
    completion: int


_Sides = tuple[int, int, bool]  # prompt, completion, and whether both are the upstream's own


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


def parse_usage(raw: dict[str, Any], estimate: Callable[[], Estimate]) -> Usage | None:
    """The counts, None where the object holds none that can be read. They are measured where prompt and completion can
    both be read, or one of them and the total; else what is lacking is estimated, and all is marked so.

    Dialects differ in what is a part of what. Here cached and written tokens are parts of the prompt, reasoning is a
    part of the completion: where an upstream counts them beside, they are added."""
    plain = _plain(raw)
    if plain is not None:
        return plain
    figures = figure(raw, _PROMPT), figure(raw, _COMPLETION), figure(raw, _TOTAL)
    if not any(isinstance(each, int) for each in figures):
        return None
    prompt, completion, measured = _sides(*figures, estimate)
    said = figures[2] if isinstance(figures[2], int) else None
    total = max(said, prompt + completion) if said is not None and measured else prompt + completion
    cached, written, reasoning = (count_of(raw, paths) for paths in (_CACHED, _CACHE_WRITE, _REASONING))
    beside = (cached or 0) + (written or 0)
    if isinstance(figures[0], int) and _counts_beside(raw, prompt, completion, said, beside):
        prompt += beside
        total = max(total, prompt + completion)
    thought = total - prompt - completion
    if thought > 0 and reasoning in (None, thought):
        completion, reasoning = completion + thought, thought
    found = Usage(
        source="measured" if measured else "estimated",
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
    )
    return found if measured else _within(found)


def _plain(raw: dict[str, Any]) -> Usage | None:
    """The common case, told at once: nothing but OpenAI's three figures, which add up."""
    if raw.keys() != _THREE:
        return None
    prompt, completion, total = raw["prompt_tokens"], raw["completion_tokens"], raw["total_tokens"]
    if not type(prompt) is type(completion) is type(total) is int or total != prompt + completion:
        return None
    if prompt < 0 or completion < 0 or total > MOST_TOKENS:
        return None
    return Usage(source="measured", prompt_tokens=prompt, completion_tokens=completion, total_tokens=total)


def _sides(prompt: Figure, completion: Figure, total: Figure, estimate: Callable[[], Estimate]) -> _Sides:
    """What is lacking is what the total leaves for it, else our estimate. It counts as measured where the upstream left
    it to us, not where it said something that makes no sense."""
    if isinstance(prompt, int) and isinstance(completion, int):
        return prompt, completion, True
    if isinstance(prompt, int):
        if isinstance(total, int) and total >= prompt:
            return prompt, total - prompt, completion == "absent"
        return prompt, estimate().completion, False
    if isinstance(completion, int):
        if isinstance(total, int) and total >= completion:
            return total - completion, completion, prompt == "absent"
        return estimate().prompt, completion, False
    whole = total if isinstance(total, int) else 0
    part = min(estimate().prompt, whole)
    return part, whole - part, False


def _within(usage: Usage) -> Usage:
    """With parts that are no more than what they are parts of."""
    cached, written, reasoning = usage.cached_tokens, usage.cache_write_tokens, usage.reasoning_tokens
    room = usage.prompt_tokens - min(cached or 0, usage.prompt_tokens)
    return msgspec.structs.replace(
        usage,
        cached_tokens=None if cached is None else min(cached, usage.prompt_tokens),
        cache_write_tokens=None if written is None else min(written, room),
        reasoning_tokens=None if reasoning is None else min(reasoning, usage.completion_tokens),
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
