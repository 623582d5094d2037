"""Going on from an earlier moment of a session in a new one. The state is the workspace's; what the new session is to
hold was read before (api/forking.py) and stands in the command."""

import msgspec

from commands.errors import ConflictError
from commands.workspace import Workspace, activated, require
from schema.forking import SessionForked
from schema.recorded import Body
from schema.registry import Event
from schema.sessions import SessionStarted


class ForkSession(msgspec.Struct, frozen=True, kw_only=True):
    """From session `session_id`; `forked` names the new one. `activate` as in StartSession."""

    session_id: int
    name: str
    provider: str
    model: str | None = None
    client_family: str | None = None
    forked: SessionForked
    bodies: tuple[Body, ...] = ()
    activate: bool = False


def decide(state: Workspace, command: ForkSession) -> list[Event]:
    """The new session is the same client's: its credential may name it, and no other. Raises CommandError."""
    source = require(state, command.session_id)
    number = command.forked.session_id
    if number in state.sessions:
        raise ConflictError("session_exists", f"Session {number} exists already.", session_id=number)
    started = SessionStarted(
        session_id=number,
        name=command.name,
        provider=command.provider,
        model=command.model,
        origin="manual",
        rule="fork",
        parent_id=command.session_id,
        client_family=command.client_family,
        scope=source.scope,
    )
    events: list[Event] = [started, command.forked]
    if command.activate or state.active_id not in state.sessions:
        events.append(activated(state, number))
    return events
