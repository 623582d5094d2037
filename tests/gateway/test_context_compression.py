"""What is laid by comes back, by id and by search, for its session; texts get smaller and whole again."""

import base64
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.arguments import ToolFailure
from gateway.context_compression import server
from gateway.excerpts import MOST, selected
from gateway.packing import METHODS, extracted, packed, unpacked
from gateway.retrieval import NotThere, Retrieved
from gateway.state import ServerState
from gateway.tools import Caller, InProcessServer
from schema.moving import SessionsMerged
from schema.recorded import NewEvent
from tests.gateway.calling import call, done, refused
from tests.gateway.remembering import Memory, open_memory

HERE, THERE = Caller(session_id=5), Caller(session_id=6)


LONG = "0123456789abcde\n" * 10_000


async def retrieve(caller: Caller, named: str, lines: str | None, grep: str | None) -> Retrieved:
    if named == "c" * 16:
        return Retrieved("c" * 64, LONG, selected(LONG, lines, grep) if lines or grep else None)
    if named != "a" * 16:
        raise NotThere(f"There is no mask {named}.")
    return Retrieved("a" * 64, "one\ntwo", selected("one\ntwo", lines, grep) if lines or grep else None)


def contexts(state: ServerState) -> InProcessServer:
    return server(state, retrieve)


async def stored(memory: Memory, data: Any, caller: Caller = HERE, **more: Any) -> str:
    found = await done(contexts(memory.state), "store_context", caller, data=data, **more)
    assert found["status"] == "stored" and found["compression_method"] == "zstd"
    return str(found["id"])


DATA: tuple[Any, ...] = ("Grüße", "", {"a": [1, None, "é"]}, [1, 2], 7, True, "x" * 100_000)


async def test_what_is_stored_comes_back_also_without_the_read_tables(tmp_path: Path) -> None:
    async with open_memory(tmp_path) as memory:
        names = [await stored(memory, data) for data in DATA]
        large = await done(contexts(memory.state), "store_context", data=DATA[-1])
        assert (large["original_size"], large["compression_ratio"] < 0.01) == (100_000, True)
    for path in tmp_path.iterdir():
        assert "Grüße".encode() not in path.read_bytes(), path
    for path in tmp_path.glob("read.sqlite*"):
        path.unlink()
    async with open_memory(tmp_path) as memory:
        for name, data in zip(names, DATA, strict=True):
            found = await done(contexts(memory.state), "retrieve_context", THERE, context_id=name)
            assert (found["data"], found["id"], found["title"]) == (data, name, None)


async def test_lists_are_of_the_session(tmp_path: Path) -> None:
    async with open_memory(tmp_path) as memory:
        names = [await stored(memory, f"text {number}", title=f"title {number}", tags="a, b,a") for number in range(3)]
        other = await stored(memory, "text", THERE)
        await stored(memory, "of nobody", Caller())
        listed = await done(contexts(memory.state), "list_contexts", HERE, limit=2)
        assert ([each["id"] for each in listed["contexts"]], listed["total"]) == ([names[2], names[1]], 3)
        assert (listed["contexts"][0]["tags"], listed["contexts"][0]["title"]) == (["a", "b"], "title 2")
        rest = await done(contexts(memory.state), "list_contexts", HERE, limit=2, offset=2)
        assert [each["id"] for each in rest["contexts"]] == [names[0]]
        merged = NewEvent("workspace", SessionsMerged(session_id=5, target_id=5, source_ids=(6,)))
        await memory.append(merged)
        whole = await done(contexts(memory.state), "list_contexts", HERE)
        assert (whole["contexts"][0]["id"], whole["total"]) == (other, 4)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("store_context", {"data": "x", "title": "\ud800"}),
        ("store_context", {"data": "\ud800"}),
        ("retrieve_context", {"context_id": "\ud800"}),
    ],
)
async def test_halves_of_characters_are_refused_in_words(name: str, arguments: dict[str, Any], tmp_path: Path) -> None:
    async with open_memory(tmp_path) as memory:
        assert "half of" in await refused(contexts(memory.state), name, **arguments)
        assert memory.types() == []


async def test_searching(tmp_path: Path) -> None:
    async with open_memory(tmp_path) as memory:
        by_content = await stored(memory, "x" * 300 + " the Database schema is in db.py")
        by_title = await stored(memory, "nothing", title="Schema of the database")
        by_tag = await stored(memory, {"a": 1}, tags=["database", "schema"])
        await stored(memory, "a database", title="no")
        found = await done(contexts(memory.state), "search_contexts", HERE, query="SCHEMA database")
        assert [each["id"] for each in found["contexts"]] == [by_tag, by_title, by_content]
        assert "Database schema" in found["contexts"][2]["snippet"]
        assert (await done(contexts(memory.state), "search_contexts", HERE, query="schema", limit=1))["count"] == 1
        assert (await done(contexts(memory.state), "search_contexts", THERE, query="schema"))["count"] == 0


async def test_changing_and_deleting(tmp_path: Path) -> None:
    async with open_memory(tmp_path) as memory:
        tools = contexts(memory.state)
        name = await stored(memory, "old", title="old", tags=["a"])
        changed = await done(tools, "update_context", THERE, context_id=name, title="new")
        assert (changed["title"], changed["tags"], changed["status"]) == ("new", ["a"], "updated")
        await done(tools, "update_context", HERE, context_id=name, data={"new": 1}, tags=[])
        found = await done(tools, "retrieve_context", HERE, context_id=name)
        assert (found["data"], found["title"], found["tags"]) == ({"new": 1}, "new", [])
        before = memory.types()
        await done(tools, "update_context", HERE, context_id=name)
        assert memory.types() == before
        assert (await done(tools, "delete_context", HERE, context_id=name))["status"] == "deleted"
        for tool in ("retrieve_context", "delete_context", "update_context"):
            assert "There is no context" in await refused(tools, tool, HERE, context_id=name)
        assert memory.types() == ["ContextStored", "ContextUpdated", "ContextUpdated", "ContextDeleted"]
        assert {recorded.session_id for recorded in memory.events()} == {5}


async def test_what_cannot_be_stored(tmp_path: Path) -> None:
    async with open_memory(tmp_path) as memory:
        tools = contexts(memory.state)
        for wrong, says in (
            ({"data": "x" * (11 << 20)}, "can be laid by"),
            ({"data": "\ud800"}, "half of one"),
            ({"data": "x", "tags": ["y" * 101]}, "tags"),
            ({"data": "x", "title": "y" * 501}, "500"),
            ({}, "data"),
        ):
            assert says in await refused(tools, "store_context", **wrong)
        assert memory.types() == []
    async with open_memory(tmp_path, contents=False) as memory:
        assert "records no contents" in await refused(contexts(memory.state), "store_context", data="x")


async def test_compressing(tmp_path: Path) -> None:
    async with open_memory(tmp_path) as memory:
        tools, text = contexts(memory.state), "\n".join(f"line {number} of the database" for number in range(200))
        for algorithm in METHODS:
            small = await done(tools, "compress", content=text, algorithm=algorithm, target_ratio=0.5)
            assert small["target_met"] and len(small["compressed"]) < len(text)
            whole = await done(tools, "decompress", compressed=small["compressed"], algorithm=algorithm)
            assert whole["content"] == text
        assert memory.types() == []
        few = await done(tools, "compress", content=text, algorithm="extractive", target_ratio=0.1)
        assert few["target_met"] and set(few["compressed"].split("\n")) < set(text.split("\n"))
        whole = await done(tools, "decompress", compressed=few["id"], algorithm="extractive")
        assert whole["content"] == text
        assert "above 0" in await refused(tools, "compress", content="x", target_ratio=0)


async def test_bombs_and_nonsense(tmp_path: Path) -> None:
    bomb = base64.b64encode(zlib.compress(bytes(20 << 20))).decode()
    with pytest.raises(ToolFailure, match="swells"):
        unpacked(bomb, "zlib")
    with pytest.raises(ToolFailure, match="not whole"):
        unpacked(base64.b64encode(zlib.compress(b"x" * 1_000)[:10]).decode(), "zlib")
    for algorithm in METHODS:
        for text in ("", "!", "aGVsbG8gd29ybGQ=", "é"):
            with pytest.raises(ToolFailure):
                unpacked(text, algorithm)


@given(st.text(max_size=100), st.sampled_from(METHODS))
def test_there_and_back(text: str, algorithm: str) -> None:
    assert unpacked(packed(text, algorithm), algorithm) == text


@given(st.lists(st.text("ab \n", max_size=12), max_size=12).map("\n".join), st.floats(0.01, 1))
def test_what_is_kept_has_its_order_and_its_size(text: str, ratio: float) -> None:
    kept = extracted(text, ratio)
    assert len(kept) <= len(text) * ratio
    lines = iter(text.split("\n"))
    assert all(line in lines for line in kept.split("\n") if kept)


async def test_originals_of_masks(tmp_path: Path) -> None:
    async with open_memory(tmp_path) as memory:
        tools = contexts(memory.state)
        assert (await call(tools, "retrieve", hash="a" * 16)).content[0]["text"] == "one\ntwo"
        part = await call(tools, "retrieve", hash="a" * 16, lines="1-2", grep="TW")
        assert part.content[0]["text"] == "two"
        assert "no mask" in await refused(tools, "retrieve", hash="b")
        none = await call(tools, "retrieve", hash="a" * 16, lines="1-2", grep="seven")
        told = "There is no line that holds 'seven' among the lines 1-2: the text has 2 lines."
        assert none.content == ({"type": "text", "text": told},)
        first = await call(tools, "retrieve", hash="c" * 16)
        assert first.content[0]["text"] == LONG[:MOST]
        note = first.content[1]["text"]
        assert note.startswith(f"[characters 0 to {MOST} of 160000: go on with offset={MOST}")
        last = await call(tools, "retrieve", hash="c" * 16, offset=4 * MOST - 7, lines="1-10000")
        assert [each["text"] for each in last.content] == ["9abcde"]
        assert "behind its end" in await refused(tools, "retrieve", hash="c" * 16, offset=len(LONG))
    assert all(not tool.masked for tool in tools.tools if tool.name in ("retrieve", "retrieve_context", "decompress"))
