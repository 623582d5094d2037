"""Events of the workspace: the global switches and which session the dashboard looks at. Stream `workspace`."""

from typing import Any

import msgspec

from schema.registry import Event


class SessionActivated(Event, frozen=True, kw_only=True):
    """A session became the active one: what the dashboard looks at, and the last fallback for unmarked requests."""

    session_id: int
    previous_id: int | None = None


class AutoSessionEnabled(Event, frozen=True, kw_only=True):
    """From here on, a conversation that no rule recognises starts a session of its own."""


class AutoSessionDisabled(Event, frozen=True, kw_only=True):
    """From here on, a conversation that no rule recognises goes to the active session."""


class ConfigurationLoaded(Event, frozen=True, kw_only=True):
    """The configuration at a start that differs from the last one: `values` without any secret. `given` names those
    (as section.key) that the file or the command line set; the others are defaults. `secrets` are those that
    keys.sqlite made for itself, each with its sha256 (64 hex): by these the log misses one that is gone."""

    values: dict[str, Any]
    hash: str
    given: tuple[str, ...] = ()
    secrets: dict[str, str] | None = None


class RecordingGap(Event, frozen=True, kw_only=True):
    """`count` facts of exchanges are not in the log: it could not be written, and too many waited. `from` and `to` are
    when the first and the last of them were given up, in milliseconds since the epoch. With `upto` the log itself had
    lost its end: it had reached the event of that position, and `from` is the time of the last one that was left."""

    from_: int = msgspec.field(name="from")
    to: int
    count: int
    upto: int | None = None


class ReadModelRebuilt(Event, frozen=True, kw_only=True):
    """The read tables were made anew from the first `events` events; `equal` says whether they were as before,
    `checksum` what they are now."""

    names: tuple[str, ...]
    events: int
    equal: bool
    duration_ms: int = 0
    checksum: str | None = None


class DatabaseVacuumed(Event, frozen=True, kw_only=True):
    """Room that nothing needs was given back to the disk: the sizes of all files of the data directory, in bytes."""

    before_bytes: int
    after_bytes: int


EVENTS = (
    SessionActivated,
    AutoSessionEnabled,
    AutoSessionDisabled,
    ConfigurationLoaded,
    RecordingGap,
    ReadModelRebuilt,
    DatabaseVacuumed,
)
