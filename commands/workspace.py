"""The workspace: which sessions live, which one is active, and the global switches.

Its state also folds the life of sessions (commands/sessions.py), because activation, deletion and later merging touch
several of them at once.
"""

from typing import Any, assert_never

import msgspec

from commands.errors import GoneError, UnavailableError, session_not_found
from schema.compaction import (
    AutoCompactionDisabled,
    AutoCompactionEnabled,
    AutoCompactionSkipped,
    CompactionPerformed,
    CompactionReverted,
    CompressionPerformed,
    Kind,
    MessagePinned,
    MessageUnpinned,
    SkipReason,
    TokensReserved,
)
from schema.context import SanitizerDisabled, SanitizerEnabled
from schema.erasure import SessionErased, SessionErasureRequested
from schema.forking import SessionForked
from schema.moving import SessionsMerged
from schema.prices import PriceBookAdopted, RepricedFrom
from schema.registry import Event
from schema.sessions import SessionDeleted, SessionRenamed, SessionStarted
from schema.unreadable import Unreadable
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
    the last. `secrets` are the sha256 of those that keys.sqlite made."""

    values: dict[str, Any]
    hash: str
    given: tuple[str, ...] = ()
    secrets: dict[str, str] | None = None


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


class Made(msgspec.Struct):
    """A prefix decision (schema/compaction.py) as later ones need it."""

    kind: Kind
    within: str
    builds_on: int | None
    removed_refs: tuple[str, ...]
    tokens_saved: int
    in_force: bool = True


class LiveSession(msgspec.Struct):
    """What decisions need of a living session; `name` is None once erased, `auto_compaction` and
    `reserved_tokens` while nobody has set them. `decisions` are by their number, in the order in which they were
    made."""

    name: str | None
    model: str | None = None
    parent_id: int | None = None
    key_hash: str | None = None
    scope: str | None = None
    reserved_tokens: int | None = None
    auto_compaction: bool | None = None
    skip_reason: SkipReason | None = None
    decisions: dict[int, Made] = msgspec.field(default_factory=dict)
    pins: set[str] = msgspec.field(default_factory=set)

    def auto_compacts(self, configured: bool) -> bool:
        """Whether it is compacted by itself; `configured` holds while nobody has switched it."""
        return configured if self.auto_compaction is None else self.auto_compaction


class Prices(msgspec.Struct):
    """The book in force, all that ever were, and what was last priced anew since it is: by which, from which event on.
    Hashes."""

    book: str | None = None
    known: set[str] = msgspec.field(default_factory=set)
    repriced: tuple[str, int] | None = None


class Workspace(msgspec.Struct):
    """`evolve` changes it in place: it is folded along one line and owned by one holder."""

    sessions: dict[int, LiveSession] = msgspec.field(default_factory=dict)
    active_id: int | None = None
    auto_session: bool = True
    sanitizer: bool | None = None  # None while nobody has switched it
    configuration_hash: str | None = None
    secrets: dict[str, str] | None = None  # of keys.sqlite: the sha256 of each
    prices: Prices = msgspec.field(default_factory=Prices)
    last_decision_id: int = 0  # of the prefix decisions of all sessions, also of deleted ones
    deleted: set[int] = msgspec.field(default_factory=set)
    merged: dict[int, int] = msgspec.field(default_factory=dict)  # what a session became a part of
    parts: dict[int, LiveSession] = msgspec.field(default_factory=dict)  # as they were then
    erasing: dict[int, SessionErasureRequested] = msgspec.field(default_factory=dict)
    erased: dict[int, int | None] = msgspec.field(default_factory=dict)  # since when, None while it is going on
    unreadable: dict[int, Unreadable] = msgspec.field(default_factory=dict)  # the first such event of a session

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
            if state.sessions.pop(event.session_id, None) is not None:
                state.deleted.add(event.session_id)
        case SessionsMerged(target_id=target_id, source_ids=source_ids):
            _merge(state, target_id, source_ids)
        case SessionErasureRequested(session_id=session_id):
            state.sessions.pop(session_id, None)
            state.erasing[session_id] = event
            state.erased[session_id] = None
            state.active_id = None if state.active_id == session_id else state.active_id
        case SessionErased(session_id=session_id, erased_at=erased_at):
            state.erasing.pop(session_id, None)
            state.erased[session_id] = erased_at
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
            state.configuration_hash, state.secrets = event.hash, event.secrets
        case PriceBookAdopted():
            state.prices.book = event.hash
            state.prices.known.add(event.hash)
            state.prices.repriced = None
        case RepricedFrom():
            state.prices.repriced = event.book, event.from_
        case Unreadable(session_id=session_id) if session_id is not None:
            state.unreadable.setdefault(session_id, event)
        case _:
            _evolve_context(state, event)
    return state


def _merge(state: Workspace, target_id: int, source_ids: tuple[int, ...]) -> None:
    target = state.sessions.get(target_id)
    for number in source_ids:
        source = state.sessions.pop(number, None)
        state.merged[number] = target_id
        if source is not None and target is not None:
            state.parts[number] = source
            target.decisions |= source.decisions
            target.pins |= source.pins
    if target is not None:
        target.decisions = dict(sorted(target.decisions.items()))


def whole(state: Workspace, session_id: int) -> int:
    """What a session has become a part of, at last; itself where it was never merged."""
    while session_id in state.merged:
        session_id = state.merged[session_id]
    return session_id


def family(state: Workspace, session_id: int) -> tuple[int, ...]:
    """A session and all that have become parts of it."""
    found = [session_id]
    for number in found:
        found += [source for source, target in state.merged.items() if target == number]
    return tuple(found)


def _evolve_context(state: Workspace, event: Event) -> None:
    """What a session's context is made of, beside its messages."""
    number = getattr(event, "session_id", None)
    if isinstance(event, CompactionPerformed | CompressionPerformed):
        last = event.history_id if isinstance(event, CompactionPerformed) else event.log_id
        state.last_decision_id = max(state.last_decision_id, last)
    if isinstance(event, SessionForked):
        state.last_decision_id = max(state.last_decision_id, *(each.number for each in event.decisions), 0)
    session = state.sessions.get(number) if number is not None else None
    if session is None:
        return
    match event:
        case CompactionPerformed(history_id=made):
            session.decisions[made] = _made("compaction", event)
            session.skip_reason = None
        case CompressionPerformed(log_id=made):
            session.decisions[made] = _made("compression", event)
        case CompactionReverted():
            undone = event.history_id if event.history_id is not None else event.log_id
            if undone in session.decisions:
                session.decisions[undone].in_force = False
        case AutoCompactionSkipped(reason=reason):
            session.skip_reason = reason
        case TokensReserved(to=tokens):
            session.reserved_tokens = tokens
        case AutoCompactionEnabled():
            session.auto_compaction = True
        case AutoCompactionDisabled():
            session.auto_compaction = False
        case MessagePinned(ref=ref):
            session.pins.add(ref)
        case MessageUnpinned(ref=ref):
            session.pins.discard(ref)
        case SessionForked():
            _carry(session, event)
        case _:
            pass


def _carry(session: LiveSession, event: SessionForked) -> None:
    session.reserved_tokens, session.auto_compaction = event.context.reserved_tokens, event.context.auto
    session.skip_reason = event.context.skip_reason
    session.pins |= set(event.pins)
    for each in event.decisions:
        edit, saved = each.edit, each.tokens_before - each.tokens_after
        session.decisions[each.number] = Made(each.kind, edit.within, edit.builds_on, each.removed_refs, saved)


def _made(kind: Kind, event: CompactionPerformed | CompressionPerformed) -> Made:
    edit, saved = event.edit, event.tokens_before - event.tokens_after
    return Made(kind, edit.within, edit.builds_on, event.removed_refs, saved)


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
        case RecordConfiguration(values, digest, given, secrets):
            loaded = ConfigurationLoaded(values=values, hash=digest, given=given, secrets=secrets)
            same = (state.configuration_hash, state.secrets) == (digest, secrets)
            return [] if same else [loaded]
        case RecordRebuild():
            return [ReadModelRebuilt(**msgspec.structs.asdict(command))]
        case RecordVacuum(before_bytes, after_bytes):
            return [DatabaseVacuumed(before_bytes=before_bytes, after_bytes=after_bytes)]
        case Acknowledge():
            return []
        case _:
            assert_never(command)


def require(state: Workspace, session_id: int) -> LiveSession:
    """The living session; raises NotFoundError, GoneError for an erased one, and UnavailableError for one that is not
    known as it is."""
    require_known(state, session_id)
    session = state.sessions.get(session_id)
    if session is None:
        if session_id in state.erased:
            raise session_gone(state, session_id)
        raise session_not_found(session_id, state.merged.get(session_id))
    return session


def require_known(state: Workspace, *sessions: int) -> None:
    """Nothing is decided on sessions of which an event cannot be read: it might have said anything. Raises
    UnavailableError."""
    for number in sessions:
        event = unreadable_of(state, number)
        if event is not None and number not in state.erased:
            text = f"Nothing can be changed in session {number}: {event}."
            raise UnavailableError("store_unavailable", text, session_id=number, position=event.position)


def unreadable_of(state: Workspace, session_id: int) -> Unreadable | None:
    """An event about the session, or about one that became a part of it, that cannot be read."""
    return next((event for number, event in state.unreadable.items() if whole(state, number) == session_id), None)


def session_gone(state: Workspace, session_id: int) -> GoneError:
    erased_at = state.erased[session_id]
    return GoneError("content_erased", f"Session {session_id} was erased.", session_id=session_id, erased_at=erased_at)


def activated(state: Workspace, session_id: int) -> SessionActivated:
    return SessionActivated(session_id=session_id, previous_id=state.active_id)
