"""An event before and after the log took it."""

from typing import Literal

import msgspec

from schema.registry import Event

Actor = Literal["api", "proxy", "ws", "mcp", "system"]


class Metadata(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Who caused events: `by` names a client key or client family, `correlation_id` is the request's X-Request-Id."""

    actor: Actor
    by: str | None = None
    correlation_id: str | None = None
    causation_position: int | None = None


class Body(msgspec.Struct, frozen=True, gc=False):
    """Content stored beside an event: `ref` is the sha256 of `data` in 64 hex digits."""

    ref: str
    data: bytes


class NewEvent(msgspec.Struct, frozen=True, gc=False):
    """An event for `stream`; `bodies` are packed into its blob, and its `blob` field is filled when it is stored."""

    stream: str
    event: Event
    bodies: tuple[Body, ...] = ()


class Recorded(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event as the log holds it. `position` counts from 1 without gaps, `version` likewise within `stream`;
    `timestamp` is in milliseconds since the epoch, never less than the one before; hashes are 64 hex digits."""

    position: int
    stream: str
    version: int
    type: str
    type_version: int
    session_id: int | None
    exchange_id: int | None
    timestamp: int
    actor: Actor
    by: str | None
    correlation_id: str | None
    causation_position: int | None
    hash: str
    prev_hash: str
    event: Event
