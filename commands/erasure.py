"""Destroying a session's contents, in two steps: asked for, and done. The state is the workspace's."""

from typing import assert_never

import msgspec

from commands.errors import ConflictError, session_not_found
from commands.workspace import Workspace, family, session_gone
from schema.erasure import ErasedCounts, SessionErased, SessionErasureRequested
from schema.registry import Event


class RequestErasure(msgspec.Struct, frozen=True):
    """Also of a deleted session; `running` are the sessions with an exchange under way."""

    session_id: int
    counts: ErasedCounts
    reason: str | None = None
    running: frozenset[int] = frozenset()


class ConfirmErasure(msgspec.Struct, frozen=True):
    """Key and bodies are destroyed; `key_id` tells which key it was, None where it was gone before."""

    session_id: int
    key_id: str | None
    now: int


Command = RequestErasure | ConfirmErasure


def decide(state: Workspace, command: Command) -> list[Event]:
    """Raises CommandError."""
    number = command.session_id
    match command:
        case RequestErasure(_, counts, reason, running):
            if number in state.erased:
                raise session_gone(state, number)
            if number not in state.sessions and number not in state.deleted:
                raise session_not_found(number, state.merged.get(number))
            if number in running:
                raise ConflictError("session_busy", f"Session {number} has a running exchange.", session_id=number)
            return [SessionErasureRequested(session_id=number, counts=counts, reason=reason)]
        case ConfirmErasure(_, key_id, now):
            asked = state.erasing.get(number)
            if asked is None:
                return []
            erased = SessionErased(
                session_id=number, key_id=key_id, erased_at=now, counts=asked.counts, reason=asked.reason
            )
            nothing = ErasedCounts()
            parts = [each for each in family(state, number)[1:] if each not in state.erased]
            return [
                *(SessionErased(session_id=each, key_id=None, erased_at=now, counts=nothing) for each in parts),
                erased,
            ]
        case _:
            assert_never(command)
