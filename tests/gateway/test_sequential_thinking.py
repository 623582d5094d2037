"""Thoughts by caller, in events; the history is there after a restart and without the read tables."""

from pathlib import Path
from typing import Any

import pytest

from gateway.sequential_thinking import server
from gateway.tools import Caller
from schema.server_state import ThoughtRecorded
from tests.gateway.calling import call, done, refused
from tests.gateway.remembering import open_memory

FIRST: dict[str, Any] = {
    "thought": "It may be the cache.",
    "nextThoughtNeeded": True,
    "thoughtNumber": 1,
    "totalThoughts": 3,
}


async def test_a_history_for_each_caller(tmp_path: Path) -> None:
    async with open_memory(tmp_path) as memory:
        thinking = server(memory.state)
        one, other = Caller(state_key="one", correlation_id="request"), Caller(session_id=5, state_key="other")
        assert await done(thinking, "sequentialthinking", one, **FIRST) == {
            "thoughtNumber": 1, "totalThoughts": 3, "nextThoughtNeeded": True, "branches": [],
            "thoughtHistoryLength": 1,
        }  # fmt: skip
        branch = FIRST | {"thoughtNumber": 5, "branchFromThought": 1, "branchId": "b", "nextThoughtNeeded": "False"}
        found = await done(thinking, "sequentialthinking_tools", one, **branch)
        assert (found["totalThoughts"], found["branches"], found["thoughtHistoryLength"]) == (5, ["b"], 2)
        assert found["nextThoughtNeeded"] is False
        revision = FIRST | {"thoughtNumber": 2, "isRevision": "true", "revisesThought": 1, "needsMoreThoughts": True}
        assert (await done(thinking, "sequentialthinking", other, **revision))["thoughtHistoryLength"] == 1
        event = memory.events()[-1].event
        assert isinstance(event, ThoughtRecorded)
        assert (event.thought, event.is_revision, event.revises, event.needs_more) == (FIRST["thought"], True, 1, True)
        assert (event.session_id, memory.events()[-1].actor) == (5, "mcp")
        assert memory.events()[0].correlation_id == "request"


async def test_it_survives_a_restart_and_the_loss_of_the_read_tables(tmp_path: Path) -> None:
    for count in (1, 2, 3):
        async with open_memory(tmp_path) as memory:
            branch = FIRST | {"branchFromThought": 1, "branchId": f"b{count % 2}"}
            found = await done(server(memory.state), "sequentialthinking", **branch)
            assert (found["thoughtHistoryLength"], found["branches"]) == (count, ["b1", "b0"][:count])
        for path in tmp_path.glob("read.sqlite*"):
            path.unlink()


async def test_thoughts_are_sealed(tmp_path: Path) -> None:
    async with open_memory(tmp_path) as memory:
        await done(server(memory.state), "sequentialthinking", **FIRST)
    for path in tmp_path.iterdir():
        assert b"the cache" not in path.read_bytes(), path


async def test_without_contents_the_text_is_not_kept(tmp_path: Path) -> None:
    async with open_memory(tmp_path, contents=False) as memory:
        await done(server(memory.state), "sequentialthinking", **FIRST)
        assert memory.events()[0].event.thought is None  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "wrong",
    [
        {"nextThoughtNeeded": "maybe"},
        {"thoughtNumber": 0},
        {"thoughtNumber": 1.5},
        {"thought": 7},
        {"totalThoughts": None},
    ],
)
async def test_what_does_not_fit(tmp_path: Path, wrong: dict[str, Any]) -> None:
    async with open_memory(tmp_path) as memory:
        await refused(server(memory.state), "sequentialthinking", **FIRST | wrong)
        assert memory.types() == []


async def test_numbers_of_json(tmp_path: Path) -> None:
    async with open_memory(tmp_path) as memory:
        answer = await call(server(memory.state), "sequentialthinking", **FIRST | {"thoughtNumber": 2.0})
        assert not answer.is_error
