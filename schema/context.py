"""Events of what goes upstream in the place of what a client sent. Stream `context-{session}`; the switch is in
`workspace`.

A replacement is bound to an occurrence, not to a text: to a message at its place in a conversation. So a file that is
read again is not masked because it was masked before.
"""

from typing import Literal

import msgspec

from schema.exchanges import Blob
from schema.registry import Event, SealedText

Stage = Literal["normalize", "deduplicate", "truncate", "mask"]
MaskTrigger = Literal["cache_price", "idle", "no_cache", "window"]


class ReplacedOutput(msgspec.Struct, frozen=True, gc=False):
    """A tool's output, and what goes upstream for it from now on. `key` is a keyed hash (32 hex) of the conversation up
    to it, `hash` the sha256 (64 hex) of its text, `ref` and `replacement_ref` are those of the whole messages. `at` is
    how many messages there were up to the last answer before the decision, `within` the keyed hash (32 hex) of these:
    a conversation that went another way before that answer does not have the replacement."""

    key: str
    hash: str
    ref: str
    replacement_ref: str
    at: int
    within: str
    tool: str
    tokens_before: int
    tokens_after: int


class ContentMasked(Event, frozen=True, kw_only=True):
    """One output that stopped being the newest is sent in a shorter form from now on. Of a tool that was called through
    the gateway (stream `gateway`): its text was shortened on its way to the client. That binds to no conversation, so
    `key` and `within` are empty, and the blob holds the original as a message."""

    session_id: int
    stage: Stage
    output: ReplacedOutput
    preview: SealedText = None
    blob: Blob | None = None


class OutputsMasked(Event, frozen=True, kw_only=True):
    """Old outputs were masked together, because that pays: breaking the provider's cache once, not once for each.
    `previews` is a JSON array of the beginnings of their texts."""

    session_id: int
    outputs: tuple[ReplacedOutput, ...]
    tokens_saved: int
    trigger: MaskTrigger
    previews: SealedText = None


class ContentRetrieved(Event, frozen=True, kw_only=True):
    """Somebody asked for what a mask stands for; `hash` is the sha256 of the text."""

    session_id: int
    hash: str
    retrieved_by: Literal["user", "model"]


class SanitizerEnabled(Event, frozen=True, kw_only=True):
    """From here on, outputs of tools are shortened and masked; what was masked before is masked again."""


class SanitizerDisabled(Event, frozen=True, kw_only=True):
    """From here on, requests go upstream as they came."""


EVENTS = (ContentMasked, OutputsMasked, ContentRetrieved, SanitizerEnabled, SanitizerDisabled)
