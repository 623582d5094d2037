"""The workspace: which sessions live, which one is active, and the global switches.

Its state also folds the life of sessions (commands/sessions.py), because activation, deletion and later merging touch
several of them at once.
"""

from typing import Any, assert_never

import msgspec

from commands.errors import session_not_found
from schema.context import SanitizerDisabled, SanitizerEnabled
from schema.registry import Event
from schema.sessions import SessionDeleted, SessionRenamed, SessionStarted
from schema.workspace import (
    AutoSessionDisabled,
    AutoSessionEnabled,
    ConfigurationLoaded,
    DatabaseVacuumed,
    ReadModelRebuilt,
    SessionActivated,
)

STREAM = "workspace"


class ActivateSession(msgspec.Struct, frozen=True):
    session_id: int


class EnableAutoSession(msgspec.Struct, frozen=True):
    pass


class DisableAutoSession(msgspec.Struct, frozen=True):
    pass


class EnableSanitizer(msgspec.Struct, frozen=True):
    """`configured` is what holds while nobody has switched it."""

    configured: bool = True


class DisableSanitizer(msgspec.Struct, frozen=True):
    """`configured` is what holds while nobody has switched it."""

    configured: bool = True


class RecordConfiguration(msgspec.Struct, frozen=True):
    """`values` without secrets, `given` the names of those that are no defaults; `hash` tells whether they differ from
    the last."""

    values: dict[str, Any]
    hash: str
    given: tuple[str, ...] = ()


class RecordRebuild(msgspec.Struct, frozen=True):
    """The read tables were made anew."""

    names: tuple[str, ...]
    events: int
    equal: bool
    duration_ms: int = 0
    checksum: str | None = None


class Acknowledge(msgspec.Struct, frozen=True):
    """Something goes on in the background and will be recorded when it is done: nothing is to be said yet."""


class RecordVacuum(msgspec.Struct, frozen=True):
    """Room was given back to the disk; sizes of all files, in bytes."""

    before_bytes: int
    after_bytes: int


Command = (
    ActivateSession
    | EnableAutoSession
    | DisableAutoSession
    | EnableSanitizer
    | DisableSanitizer
    | RecordConfiguration
    | RecordRebuild
    | RecordVacuum
    | Acknowledge
)


class LiveSession(msgspec.Struct):
    """What decisions need of a living session; `name` is None once erased."""

    name: str | None
    model: str | None = None
    parent_id: int | None = None
    key_hash: str | None = None
    scope: str | None = None


class Workspace(msgspec.Struct):
    """`evolve` changes it in place: it is folded along one line and owned by one holder."""

    sessions: dict[int, LiveSession] = msgspec.field(default_factory=dict)
    active_id: int | None = None
    auto_session: bool = True
    sanitizer: bool | None = None  # None while nobody has switched it
    configuration_hash: str | None = None

    def sanitizes(self, configured: bool) -> bool:
        """Whether outputs of tools are shortened and masked; `configured` holds while nobody has switched it."""
        return configured if self.sanitizer is None else self.sanitizer


def initial_state() -> Workspace:
    return Workspace()


def evolve(state: Workspace, event: Event) -> Workspace:
    match event:
        case SessionStarted():
            state.sessions[event.session_id] = LiveSession(
                event.name, event.model, event.parent_id, event.key_hash, event.scope
            )
        case SessionRenamed(session_id=session_id) if session_id in state.sessions:
            state.sessions[session_id].name = event.to
        case SessionDeleted():
            state.sessions.pop(event.session_id, None)
        case SessionActivated():
            state.active_id = event.session_id
        case AutoSessionEnabled():
            state.auto_session = True
        case AutoSessionDisabled():
            state.auto_session = False
        case SanitizerEnabled():
            state.sanitizer = True
        case SanitizerDisabled():
            state.sanitizer = False
        case ConfigurationLoaded():
            state.configuration_hash = event.hash
        case _:
            pass
    return state


def decide(state: Workspace, command: Command) -> list[Event]:
    """The events that `command` causes, none when all is so already. Raises CommandError."""
    match command:
        case ActivateSession(session_id):
            require(state, session_id)
            return [] if state.active_id == session_id else [activated(state, session_id)]
        case EnableAutoSession():
            return [] if state.auto_session else [AutoSessionEnabled()]
        case DisableAutoSession():
            return [AutoSessionDisabled()] if state.auto_session else []
        case EnableSanitizer(configured):
            return [] if state.sanitizes(configured) else [SanitizerEnabled()]
        case DisableSanitizer(configured):
            return [SanitizerDisabled()] if state.sanitizes(configured) else []
        case RecordConfiguration(values, digest, given):
            loaded = ConfigurationLoaded(values=values, hash=digest, given=given)
            return [] if state.configuration_hash == digest else [loaded]
        case RecordRebuild():
            return [ReadModelRebuilt(**msgspec.structs.asdict(command))]
        case RecordVacuum(before_bytes, after_bytes):
            return [DatabaseVacuumed(before_bytes=before_bytes, after_bytes=after_bytes)]
        case Acknowledge():
            return []
        case _:
            assert_never(command)


def require(state: Workspace, session_id: int) -> LiveSession:
    """The living session; raises NotFoundError."""
    session = state.sessions.get(session_id)
    if session is None:
        raise session_not_found(session_id)
    return session


def activated(state: Workspace, session_id: int) -> SessionActivated:
    return SessionActivated(session_id=session_id, previous_id=state.active_id)
