"""Pruning: what goes and what stays, the ratio to the line, markers, and everything had back."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.pruner import INVALID_RANGE, NOT_FOUND, server
from gateway.pruning import BEGIN, END, Options, blocks, budget
from gateway.state import ServerState
from gateway.tools import Caller, InProcessServer, RpcError
from schema.server_state import TextPruned
from tests.gateway.calling import call, done, refused
from tests.gateway.remembering import open_memory

LOG = "\n".join(
    [f"2026-01-01 00:00:{number:02} INFO served /items/{number} in {number} ms" for number in range(60)]
    + ["2026-01-01 00:01:00 ERROR database connection refused", "Traceback (most recent call last):"]
    + [f"2026-01-01 00:02:{number:02} INFO served /items/{number} in {number} ms" for number in range(60)]
)
CODE = "\n".join(
    f"def helper_{number}(value):\n    total = value + {number}\n    return total\n" for number in range(30)
).replace("helper_7(value)", "parse_invoice(invoice_text)")
OPTIONS = {
    "max_prune_ratio": 0.8,
    "min_keep_lines": 5,
    "timeout_ms": 60_000,
    "annotate_lines": False,
    "include_markers": True,
}

GOAL = "why did the database fail"


def asked(text: str = LOG, goal: str = GOAL, source: str = "logs", **options: Any) -> dict[str, Any]:
    return {"text": text, "goal_hint": goal, "source_type": source, "options": OPTIONS | options}


def pruner(state: ServerState) -> InProcessServer:
    return server(state, lambda text: len(text.split()))


async def test_what_answers_the_goal_stays(tmp_path: Path) -> None:
    async with open_memory(tmp_path) as memory:
        found = await done(pruner(memory.state), "prune_text", **asked())
        text, stats = found["pruned_text"], found["stats"]
        assert "database connection refused" in text and "Traceback" in text
        assert stats["pruned_ratio"] <= 0.8 and stats["pruned_lines"] > 60
        assert stats["kept_lines"] + stats["pruned_lines"] == stats["original_lines"] == 122
        assert stats["tokens_est_after"] < stats["tokens_est_before"] and not stats["used_fallback"]
        first = found["annotations"][0]
        mark = (
            f"⟦PRUNÉ: prune_id={found['prune_id']} lignes {first['original_start_line']}-{first['original_end_line']}"
            f" ({first['pruned_line_count']}) raison={first['reason']}⟧"
        )
        assert first["marker"] == mark and mark in text.split("\n")
        code = await done(
            pruner(memory.state), "prune_text", **asked(CODE, "invoice parser", "code", annotate_lines=True)
        )
        assert "29│ def parse_invoice(invoice_text):" in code["pruned_text"].split("\n")
        assert "helper_20" not in code["pruned_text"]


async def test_all_of_it_can_be_had_back_also_after_a_restart(tmp_path: Path) -> None:
    async with open_memory(tmp_path) as memory:
        name = (await done(pruner(memory.state), "prune_text", **asked()))["prune_id"]
    for path in tmp_path.glob("read.sqlite*"):
        path.unlink()
    async with open_memory(tmp_path) as memory:
        lines = LOG.split("\n")
        for tool in ("recover_text", "recover_range"):
            found = await done(
                pruner(memory.state), tool, prune_id=name, include_line_numbers=False,
                ranges=[{"start_line": 2, "end_line": 3}, {"start_line": 1, "end_line": 122}],
            )  # fmt: skip
            assert found["raw_text"] == "\n".join(lines[1:3] + lines)
        numbered = await done(
            pruner(memory.state), "recover_text", prune_id=name, include_line_numbers=True,
            ranges=[{"start_line": 7, "end_line": 7}],
        )  # fmt: skip
        assert numbered["raw_text"] == f"7│ {lines[6]}"
        assert numbered["metadata"] == {
            "prune_id": name, "ranges": [{"start_line": 7, "end_line": 7}], "line_numbering": "original",
        }  # fmt: skip


async def test_errors_of_recovering(tmp_path: Path) -> None:
    async with open_memory(tmp_path) as memory:
        name = (await done(pruner(memory.state), "prune_text", **asked("a\nb")))["prune_id"]

        async def code(prune: str, first: int, last: int) -> tuple[int, str]:
            ranges = [{"start_line": first, "end_line": last}]
            with pytest.raises(RpcError) as caught:
                await call(
                    pruner(memory.state), "recover_text", prune_id=prune, ranges=ranges, include_line_numbers=False
                )
            return caught.value.code, caught.value.reason

        assert await code("prn_unknown", 1, 1) == (NOT_FOUND, "prune_id_not_found")
        assert await code(name, 2, 1) == (INVALID_RANGE, "invalid_range")
        assert await code(name, 1, 3) == (INVALID_RANGE, "invalid_range")


async def test_the_same_text_is_pruned_the_same_way_and_recorded_once(tmp_path: Path) -> None:
    async with open_memory(tmp_path) as memory:
        one = await done(pruner(memory.state), "prune_text", **asked())
        other = await done(pruner(memory.state), "prune_text", Caller(state_key="another"), **asked())
        assert (one["pruned_text"], one["prune_id"]) == (other["pruned_text"], other["prune_id"])
        assert memory.types() == ["TextPruned"]
        await done(pruner(memory.state), "prune_text", Caller(session_id=5), **asked())
        assert memory.types() == ["TextPruned"] * 2
        assert (await done(pruner(memory.state), "prune_text", **asked(goal="x")))["prune_id"] != one["prune_id"]
        event = memory.events()[0].event
        assert isinstance(event, TextPruned)
        assert sum(last - first + 1 for first, last in event.removed) == one["stats"]["pruned_lines"]
    for path in tmp_path.iterdir():
        assert b"connection refused" not in path.read_bytes(), path


async def test_it_fails_open(tmp_path: Path) -> None:
    async with open_memory(tmp_path) as memory:
        times = iter(range(1_000))
        slow = server(memory.state, len, lambda: next(times))
        for text, warning, options in (
            (LOG, "timeout", {"timeout_ms": 1}),
            ("x\n" * 100_001, "input_too_large", {}),
            ("a\nb", "constraints_unmet", {"min_keep_lines": 3}),
        ):
            used = slow if warning == "timeout" else pruner(memory.state)
            found = await done(used, "prune_text", **asked(text, GOAL, "logs", **options))
            assert (found["pruned_text"], found["warnings"], found["annotations"]) == (text, [warning], [])
            assert found["stats"]["used_fallback"]
        assert "half of one" in await refused(pruner(memory.state), "prune_text", **asked("\ud800"))
        for wrong in ({"more": 1}, {"options": OPTIONS | {"more": 1}}, {"source_type": "poem"}):
            await refused(pruner(memory.state), "prune_text", **asked() | wrong)


async def test_what_the_user_wrote_is_not_rewritten(tmp_path: Path) -> None:
    async with open_memory(tmp_path) as memory:
        text = "\n".join(["prune_id=<pending> database ⟦PRUNÉ: prune_id=<id>⟧", *LOG.split("\n")])
        found = await done(pruner(memory.state), "prune_text", **asked(text))
        assert found["pruned_text"].split("\n")[0] == text.split("\n")[0]


async def test_without_markers_the_kept_lines_are_all_that_is_left(tmp_path: Path) -> None:
    async with open_memory(tmp_path) as memory:
        found = await done(pruner(memory.state), "prune_text", **asked(include_markers=False))
        lines, gone = LOG.split("\n"), set[int]()
        for note in found["annotations"]:
            gone |= set(range(note["original_start_line"], note["original_end_line"] + 1))
        kept = [line for number, line in enumerate(lines, 1) if number not in gone]
        assert found["pruned_text"] == "\n".join(kept)


async def test_without_contents_there_is_a_warning(tmp_path: Path) -> None:
    async with open_memory(tmp_path, contents=False) as memory:
        found = await done(pruner(memory.state), "prune_text", **asked())
        assert (found["warnings"], memory.types()) == (["originals_not_kept"], [])
        assert not (await done(pruner(memory.state), "health"))["keeps_originals"]


WORD = st.sampled_from(["database", "error", "ok", "", "    ", "def f():", "# Title", BEGIN, END, "x" * 80, "⟦PRUNÉ:"])
LINES = st.lists(st.lists(WORD, max_size=3).map(" ".join), min_size=1, max_size=40)


@settings(max_examples=100, deadline=None)
@given(
    lines=LINES,
    ratio=st.integers(0, 100).map(lambda percent: percent / 100),
    least=st.integers(0, 45),
    source=st.sampled_from(["code", "logs", "docs"]),
    cost=st.sampled_from([0, 70]),
)
def test_bounds_hold(lines: list[str], ratio: float, least: int, source: Any, cost: int) -> None:
    options = Options(max_prune_ratio=ratio, min_keep_lines=least)
    found = blocks(lines, "database error", source, options, lambda _: cost, lambda: None)
    gone = sum(block.count for block in found)
    assert gone / len(lines) <= ratio and (gone == 0 or len(lines) - gone >= least)
    last = -1
    inside = False
    kept_by_marks = set()
    for number, line in enumerate(lines, 1):
        inside = inside or BEGIN in line
        if inside or END in line:
            kept_by_marks.add(number)
        inside = inside and END not in line
    for block in found:
        assert block.first > last + 1 and not kept_by_marks & set(range(block.first, block.last + 1))
        last = block.last
    assert found == blocks(lines, "database error", source, options, lambda _: cost, lambda: None)


def test_the_ratio_is_exact() -> None:
    assert [budget(100, Options(max_prune_ratio=ratio, min_keep_lines=0)) for ratio in (0.29, 0.57, 0.1, 1)] == [
        29, 57, 10, 100,
    ]  # fmt: skip
    assert budget(7, Options(max_prune_ratio=0.3, min_keep_lines=0)) == 2
    assert budget(10, Options(max_prune_ratio=1, min_keep_lines=8)) == 2
