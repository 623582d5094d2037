"""What the MCP servers in this process remember. Facts, but for sessions whose contents are destroyed: these take no
more. The state is the workspace's."""

from typing import assert_never

import msgspec

from commands.workspace import Workspace, session_gone
from schema.recorded import Body
from schema.registry import Event
from schema.server_state import (
    ContextDeleted,
    ContextStored,
    ContextUpdated,
    SourceType,
    TextPruned,
    ThoughtRecorded,
)

NO_SESSION = 0


class Content(msgspec.Struct, frozen=True):
    """Something to be laid by; sizes in bytes."""

    body: Body
    is_json: bool
    compressed_size: int


class RecordThought(msgspec.Struct, frozen=True, kw_only=True):
    """Fields as in the event."""

    session_id: int = NO_SESSION
    key: str
    number: int
    total: int
    next_needed: bool
    is_revision: bool = False
    revises: int | None = None
    branch_from: int | None = None
    needs_more: bool = False
    thought: str | None = None
    branch: str | None = None


class StoreContext(msgspec.Struct, frozen=True, kw_only=True):
    """`tags` is a JSON array."""

    session_id: int = NO_SESSION
    context_id: str
    content: Content
    title: str | None = None
    tags: str | None = None


class UpdateContext(msgspec.Struct, frozen=True, kw_only=True):
    """What is None stays as it is. The context is there, and belongs to `session_id`."""

    session_id: int = NO_SESSION
    context_id: str
    content: Content | None = None
    title: str | None = None
    tags: str | None = None


class DeleteContext(msgspec.Struct, frozen=True, kw_only=True):
    """The context is there, and belongs to `session_id`."""

    session_id: int = NO_SESSION
    context_id: str


class RecordPruning(msgspec.Struct, frozen=True, kw_only=True):
    """`text` is the whole of it; the rest as in the event."""

    session_id: int = NO_SESSION
    prune_id: str
    text: Body
    source_type: SourceType
    original_lines: int
    removed: tuple[tuple[int, int], ...] = ()
    used_fallback: bool = False
    goal: str | None = None


Command = RecordThought | StoreContext | UpdateContext | DeleteContext | RecordPruning


def decide(state: Workspace, command: Command) -> list[Event]:
    """Raises GoneError."""
    if command.session_id in state.erased:
        raise session_gone(state, command.session_id)
    match command:
        case RecordThought():
            return [ThoughtRecorded(**msgspec.structs.asdict(command))]
        case StoreContext(content=content):
            stored = ContextStored(
                session_id=command.session_id,
                context_id=command.context_id,
                content_ref=content.body.ref,
                is_json=content.is_json,
                original_size=len(content.body.data),
                compressed_size=content.compressed_size,
                title=command.title,
                tags=command.tags,
            )
            return [stored]
        case UpdateContext():
            return _updated(command)
        case DeleteContext(session_id=session_id, context_id=context_id):
            return [ContextDeleted(session_id=session_id, context_id=context_id)]
        case RecordPruning():
            return [_pruned(command)]
        case _:
            assert_never(command)


def bodies_of(command: Command) -> tuple[Body, ...]:
    """What is stored with the event that the command causes."""
    match command:
        case StoreContext(content=content):
            return (content.body,)
        case UpdateContext(content=content):
            return (content.body,) if content is not None else ()
        case RecordPruning(text=text):
            return (text,)
        case _:
            return ()


def _updated(command: UpdateContext) -> list[Event]:
    content = command.content
    if (content, command.title, command.tags) == (None, None, None):
        return []
    return [
        ContextUpdated(
            session_id=command.session_id,
            context_id=command.context_id,
            content_ref=content.body.ref if content is not None else None,
            is_json=content is not None and content.is_json,
            original_size=len(content.body.data) if content is not None else 0,
            compressed_size=content.compressed_size if content is not None else 0,
            title=command.title,
            tags=command.tags,
        )
    ]


def _pruned(command: RecordPruning) -> TextPruned:
    return TextPruned(
        session_id=command.session_id,
        prune_id=command.prune_id,
        text_ref=command.text.ref,
        source_type=command.source_type,
        original_lines=command.original_lines,
        removed=command.removed,
        used_fallback=command.used_fallback,
        goal=command.goal,
    )
