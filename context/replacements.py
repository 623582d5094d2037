"""What is replaced in a conversation, and the settings that say so."""

from typing import Literal

import msgspec

from context.window import WindowSettings

Stage = Literal["normalize", "deduplicate", "truncate", "mask"]
Trigger = Literal["cache_price", "idle", "no_cache", "window"]


class ReductionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Sections [reduction] and [sanitizer]; `cached_price_ratio` is the price of a cached token, 1 for no cache. With a
    `window`, old outputs are masked by their age and not where it pays."""

    normalize: bool = True
    deduplicate: bool = True
    mask_old: bool = True
    keep_recent: int = 8
    mask_min_tokens: int = 120
    mask_min_saved: int = 2_000
    idle_seconds: int = 300
    threshold_tokens: int = 2_000
    keep_tokens: int = 1_200
    command_tools: tuple[str, ...] = ()
    window: WindowSettings | None = None


class Replacement(msgspec.Struct, frozen=True):
    """The content that stands for that of message `index`. `hash` is the sha256 of the raw text, in hex."""

    index: int
    stage: Stage
    hash: str
    tool: str
    text: str
    tokens_before: int
    tokens_after: int


class Known(msgspec.Struct, frozen=True):
    """A replacement of before. `at` is how many messages there were up to the last answer before the decision."""

    at: int
    replacement: Replacement


class Decision(msgspec.Struct, frozen=True):
    """New replacements: single ones, and a batch of old outputs that were masked together."""

    replacements: tuple[Replacement, ...] = ()
    masked: tuple[Replacement, ...] = ()
    trigger: Trigger | None = None


def saved_by(found: "list[Replacement]") -> int:
    """Tokens."""
    return sum(each.tokens_before - each.tokens_after for each in found)
