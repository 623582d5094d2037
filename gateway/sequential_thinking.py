"""Server sequential-thinking: steps of thought with revisions and branches, kept as events."""

import hashlib
from typing import Annotated, Any

import msgspec

from commands.server_state import NO_SESSION, RecordThought
from gateway.arguments import ToolFailure, structured, tool
from gateway.state import ServerState
from gateway.tools import Caller, InProcessServer, Tool, ToolAnswer
from projections.server_state import thinking

NAME = "sequential-thinking"
VERSION = "1.0.0"
_KEY = 32
_ANNOTATIONS = {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False}
_TEXT = (
    "Think through a problem step by step, and change the plan on the way: say what step this is and how many there"
    " will probably be, revise an earlier thought (isRevision, revisesThought), or go another way from one"
    " (branchFromThought, branchId). Set nextThoughtNeeded to false when the answer is found."
)
_OUTPUT = {
    "type": "object",
    "properties": {
        "thoughtNumber": {"type": "integer"},
        "totalThoughts": {"type": "integer"},
        "nextThoughtNeeded": {"type": "boolean"},
        "branches": {"type": "array", "items": {"type": "string"}},
        "thoughtHistoryLength": {"type": "integer"},
    },
    "required": ["thoughtNumber", "totalThoughts", "nextThoughtNeeded", "branches", "thoughtHistoryLength"],
}
Flag = bool | str  # models write "true" too
Number = Annotated[int, msgspec.Meta(ge=1, le=1 << 31)]


class Thought(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    thought: Annotated[str, msgspec.Meta(description="This step.")]
    next_thought_needed: Annotated[Flag, msgspec.Meta(description="Whether another step follows.")]
    thought_number: Annotated[Number, msgspec.Meta(description="Of this step, from 1.")]
    total_thoughts: Annotated[Number, msgspec.Meta(description="How many there will probably be.")]
    is_revision: Flag | None = None
    revises_thought: Number | None = None
    branch_from_thought: Number | None = None
    branch_id: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    needs_more_thoughts: Flag | None = None


def server(state: ServerState) -> InProcessServer:
    return InProcessServer(
        name=NAME,
        version=VERSION,
        tools=tuple(_tool(state, name) for name in ("sequentialthinking", "sequentialthinking_tools")),
    )


def _tool(state: ServerState, name: str) -> Tool:
    async def run(caller: Caller, asked: Thought) -> ToolAnswer:
        command = _command(state, caller, asked)
        position = await state.write(command, caller)
        history = await state.read(thinking, command.key, at=position)
        return structured(_shown(command, history.thoughts, history.branches))

    return tool(name, _TEXT, Thought, run, annotations=_ANNOTATIONS, output_schema=_OUTPUT)


def _command(state: ServerState, caller: Caller, asked: Thought) -> RecordThought:
    """Raises ToolFailure for flags that are none."""
    return RecordThought(
        session_id=caller.session_id or NO_SESSION,
        key=hashlib.sha256(caller.state_key.encode("utf-8", "surrogatepass")).hexdigest()[:_KEY],
        number=asked.thought_number,
        total=max(asked.total_thoughts, asked.thought_number),
        next_needed=_flag(asked.next_thought_needed),
        is_revision=_flag(asked.is_revision),
        revises=asked.revises_thought,
        branch_from=asked.branch_from_thought,
        needs_more=_flag(asked.needs_more_thoughts),
        thought=asked.thought if state.contents else None,
        branch=asked.branch_id or None,
    )


def _flag(value: Flag | None) -> bool:
    if isinstance(value, str):
        if value.strip().lower() not in ("true", "false"):
            raise ToolFailure(f'A flag is true or false, not "{value[:40]}".')
        return value.strip().lower() == "true"
    return bool(value)


def _shown(thought: RecordThought, count: int, branches: tuple[str, ...]) -> dict[str, Any]:
    return {
        "thoughtNumber": thought.number,
        "totalThoughts": thought.total,
        "nextThoughtNeeded": thought.next_needed,
        "branches": list(branches),
        "thoughtHistoryLength": count,
    }
