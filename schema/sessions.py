"""Events of a session's life. SessionStarted and SessionDeleted stand in the stream `workspace`, the others in
`session-{id}`."""

from typing import Literal

import msgspec

from schema.registry import Event, SealedText

Origin = Literal["manual", "auto", "header"]


class SessionStarted(Event, frozen=True, kw_only=True):
    """`key_hash` identifies the client's key for this session and `scope` its credential and family: keyed hashes of
    the installation, so that a later request finds the session again without the key itself being stored."""

    session_id: int
    name: SealedText
    provider: str
    model: str | None = None
    origin: Origin
    rule: str | None = None
    parent_id: int | None = None
    client_family: str | None = None
    key_hash: str | None = None
    scope: str | None = None


class SessionRenamed(Event, frozen=True, kw_only=True):
    """A session's name was changed; the names are sealed, because people write about their work in them."""

    session_id: int
    from_: SealedText = msgspec.field(name="from")
    to: SealedText


class SessionDeleted(Event, frozen=True, kw_only=True):
    """A session left the lists and its routes; what it used is still counted. `left` is how many more the same request
    deletes after it, where it deletes several sessions or could."""

    session_id: int
    reason: SealedText = None
    left: int | None = None


EVENTS = (SessionStarted, SessionRenamed, SessionDeleted)
