"""Pinning messages: they go upstream as they came, whatever is reduced around them. The state is the workspace's."""

from typing import assert_never

import msgspec

from commands.errors import NotFoundError
from commands.workspace import Workspace, require
from schema.compaction import MessagePinned, MessageUnpinned
from schema.registry import Event


class PinMessages(msgspec.Struct, frozen=True):
    """All of them or none; `known` are those of `refs` that the session has."""

    session_id: int
    refs: tuple[str, ...]
    known: frozenset[str]
    reason: str | None = None


class UnpinMessages(msgspec.Struct, frozen=True):
    """All of them or none; `known` are those of `refs` that the session has."""

    session_id: int
    refs: tuple[str, ...]
    known: frozenset[str]
    reason: str | None = None


Command = PinMessages | UnpinMessages


def decide(state: Workspace, command: Command) -> list[Event]:
    """The events that `command` causes, none when all is so already. Raises CommandError."""
    session = require(state, command.session_id)
    refs = tuple(dict.fromkeys(command.refs))
    unknown = [ref for ref in refs if ref not in command.known and ref not in session.pins]
    if unknown:
        text = f"The session has no message {unknown[0]}" + (" and others." if len(unknown) > 1 else ".")
        raise NotFoundError("message_not_found", text, failed_refs=unknown)
    number, reason = command.session_id, command.reason
    match command:
        case PinMessages():
            new = (ref for ref in refs if ref not in session.pins)
            return [MessagePinned(session_id=number, ref=ref, reason=reason) for ref in new]
        case UnpinMessages():
            gone = (ref for ref in refs if ref in session.pins)
            return [MessageUnpinned(session_id=number, ref=ref, reason=reason) for ref in gone]
        case _:
            assert_never(command)
