"""Events of what the MCP servers in this process remember between calls. Stream `gateway`.

`session_id` is the session that a call was made for, 0 where there was none. Texts are sealed or in the blob.
"""

from typing import Literal

from schema.exchanges import Blob
from schema.registry import Event, SealedText

SourceType = Literal["code", "logs", "docs"]


class ThoughtRecorded(Event, frozen=True, kw_only=True):
    """A step of sequential thinking. `key` names whose history it belongs to: the sha256 (32 hex) of what the gateway
    tells callers apart by. `revises` and `branch_from` are numbers of earlier thoughts."""

    session_id: int = 0
    key: str
    number: int
    total: int
    next_needed: bool
    is_revision: bool = False
    revises: int | None = None
    branch_from: int | None = None
    needs_more: bool = False
    thought: SealedText = None
    branch: SealedText = None


class ContextStored(Event, frozen=True, kw_only=True):
    """Something was laid by. The blob holds it: a text, or JSON where `is_json`. Sizes in bytes; `tags` is a JSON
    array."""

    session_id: int = 0
    context_id: str
    content_ref: str
    is_json: bool = False
    original_size: int
    compressed_size: int
    title: SealedText = None
    tags: SealedText = None
    blob: Blob | None = None


class ContextUpdated(Event, frozen=True, kw_only=True):
    """What is given here takes the place of what was; the rest stays. With `content_ref` the blob holds the new
    content."""

    session_id: int = 0
    context_id: str
    content_ref: str | None = None
    is_json: bool = False
    original_size: int = 0
    compressed_size: int = 0
    title: SealedText = None
    tags: SealedText = None
    blob: Blob | None = None


class ContextDeleted(Event, frozen=True, kw_only=True):
    """It is not given out any more."""

    session_id: int = 0
    context_id: str


class TextPruned(Event, frozen=True, kw_only=True):
    """Lines of a text were left out: `removed` are stretches of them (from, to), counted from 1, both inclusive. The
    blob holds the whole text, so that they can be had back; `prune_id` is made of the text and of what was asked."""

    session_id: int = 0
    prune_id: str
    text_ref: str
    source_type: SourceType
    original_lines: int
    removed: tuple[tuple[int, int], ...] = ()
    used_fallback: bool = False
    goal: SealedText = None
    blob: Blob | None = None


ServerContents = ContextStored | ContextUpdated | TextPruned  # in the blob
EVENTS = (ThoughtRecorded, ContextStored, ContextUpdated, ContextDeleted, TextPruned)
