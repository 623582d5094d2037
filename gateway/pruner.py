"""Server pruner: long texts without the lines that a goal does not need; each of them can be had back."""

import hashlib
import math
import time
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import msgspec

from commands.server_state import NO_SESSION, RecordPruning
from gateway.arguments import ADDS, READS, ToolFailure, structured, tool
from gateway.beside import Beside
from gateway.pruning import Block, Options, OutOfTimeError, blocks
from gateway.state import ServerState
from gateway.tools import Caller, InProcessServer, RpcError, ToolAnswer
from projections.server_state import find_prunings
from schema.blobs import content_ref
from schema.recorded import Body
from schema.server_state import SourceType

NAME = "pruner"
VERSION = "1.0.0"
NOT_FOUND, INVALID_RANGE = -32004, -32005
_LONGEST = 4_000_000  # characters
_MOST_LINES = 100_000
_ID = 16
_AT_ONCE = 2
Clock = Callable[[], float]


class PruneOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    max_prune_ratio: Annotated[float, msgspec.Meta(ge=0, le=1, description="At most this part of the lines goes.")]
    min_keep_lines: Annotated[int, msgspec.Meta(ge=0)]
    timeout_ms: Annotated[int, msgspec.Meta(ge=1, le=60_000)]
    annotate_lines: Annotated[bool, msgspec.Meta(description="Put its number before each line.")]
    include_markers: Annotated[bool, msgspec.Meta(description="Say in the text what was left out.")]


class Prune(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    text: str
    goal_hint: Annotated[str, msgspec.Meta(max_length=10_000, description="What the text is needed for.")]
    source_type: SourceType
    options: PruneOptions


class Range(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    start_line: Annotated[int, msgspec.Meta(ge=1)]
    end_line: Annotated[int, msgspec.Meta(ge=1)]


class Recover(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    prune_id: Annotated[str, msgspec.Meta(max_length=100)]
    ranges: Annotated[list[Range], msgspec.Meta(min_length=1, max_length=1_000)]
    include_line_numbers: bool


class Health(msgspec.Struct, frozen=True):
    pass


class _Pruned(msgspec.Struct, frozen=True):
    """What came of it; `warning` is set where the text was left as it is."""

    lines: list[str]
    blocks: list[Block]
    warning: str | None
    elapsed_ms: float


def server(state: ServerState, count: Callable[[str], int], clock: Clock = time.perf_counter) -> InProcessServer:
    """`count` gives the tokens of a text."""
    pruner = _Pruner(state, count, clock)
    recover = "Lines of a text that was pruned, as they were; a range that a marker names, or any other."
    return InProcessServer(
        name=NAME,
        version=VERSION,
        tools=(
            tool(
                "prune_text",
                "Leave out the lines of a long text that share no words with a goal and carry no structure.",
                Prune,
                pruner.prune,
                annotations=ADDS | {"idempotentHint": True},
            ),
            tool("recover_text", recover, Recover, pruner.recover, masked=False),
            tool("recover_range", recover, Recover, pruner.recover, masked=False),
            tool("health", "Whether the pruner works, and how.", Health, pruner.health, annotations=READS),
        ),
    )


class _Pruner:
    def __init__(self, state: ServerState, count: Callable[[str], int], clock: Clock) -> None:
        self._state, self._count, self._clock = state, count, clock
        self._beside = Beside(_AT_ONCE)

    async def prune(self, caller: Caller, asked: Prune) -> ToolAnswer:
        """Never worse than the text as it is."""
        _text(asked.text)
        done = await self._beside.run(lambda: self._pruned(asked))
        name = prune_id(asked)
        warnings = [done.warning] if done.warning else []
        if self._state.contents:
            await self._record(caller, asked, name, done)
        elif done.blocks:
            warnings.append("originals_not_kept")
        return structured(await self._beside.run(lambda: self._answer(asked, name, done, warnings)))

    async def recover(self, caller: Caller, asked: Recover) -> ToolAnswer:
        """Raises RpcError."""
        rows = await self._state.read(find_prunings, asked.prune_id, caller.session_id or NO_SESSION)
        for row in rows:  # each session keeps the text for itself, and may be erased
            data = await self._state.body(row.position, row.ref)
            if data is not None:
                return structured(await self._beside.run(partial(_recovered, asked, data)))
        text = f"There is no pruned text {asked.prune_id!r}" + (": it was erased." if rows else ".")
        raise RpcError(NOT_FOUND, text, "prune_id_not_found", prune_id=asked.prune_id)

    async def health(self, _: Caller, __: Health) -> ToolAnswer:
        return structured(
            {"status": "ok", "version": VERSION, "method": "bm25", "keeps_originals": self._state.contents}
        )

    def _pruned(self, asked: Prune) -> _Pruned:
        begun = self._clock()
        lines = asked.text.split("\n")

        def check() -> None:
            if (self._clock() - begun) * 1_000 > asked.options.timeout_ms:
                raise OutOfTimeError

        found, warning = list[Block](), None
        try:
            found, warning = _blocks(asked, lines, check)
        except OutOfTimeError:
            warning = "timeout"
        return _Pruned(lines, found, warning, round((self._clock() - begun) * 1_000, 3))

    async def _record(self, caller: Caller, asked: Prune, name: str, done: _Pruned) -> None:
        session_id = caller.session_id or NO_SESSION
        rows = await self._state.read(find_prunings, name, session_id)
        if any(row.session_id == session_id for row in rows):
            return  # the same text was pruned in the same way before
        data = asked.text.encode()
        command = RecordPruning(
            session_id=session_id,
            prune_id=name,
            text=Body(content_ref(data), data),
            source_type=asked.source_type,
            original_lines=len(done.lines),
            removed=tuple((block.first, block.last) for block in done.blocks),
            used_fallback=done.warning is not None,
            goal=asked.goal_hint,
        )
        await self._state.write(command, caller)

    def _answer(self, asked: Prune, name: str, done: _Pruned, warnings: list[str]) -> dict[str, Any]:
        text = pruned_text(done.lines, done.blocks, name, asked.options) if done.warning is None else asked.text
        gone, total = sum(block.count for block in done.blocks), len(done.lines)
        return {
            "prune_id": name,
            "pruned_text": text,
            "annotations": [_annotation(block, name) for block in done.blocks],
            "stats": {
                "original_lines": total,
                "kept_lines": total - gone,
                "pruned_lines": gone,
                "pruned_ratio": gone / total,
                "tokens_est_before": self._tokens(asked.text),
                "tokens_est_after": self._tokens(text),
                "elapsed_ms": done.elapsed_ms,
                "used_fallback": done.warning is not None,
            },
            "warnings": warnings,
        }

    def _tokens(self, text: str) -> int:
        return self._count(text) if len(text) <= 400_000 else math.ceil(len(text) / 4)


def prune_id(asked: Prune) -> str:
    """The same for the same text and the same wishes."""
    return f"prn_{hashlib.sha256(msgspec.json.encode(asked)).hexdigest()[:_ID]}"


def marker(block: Block, name: str) -> str:
    return f"⟦PRUNÉ: prune_id={name} lignes {block.first}-{block.last} ({block.count}) raison={block.reason}⟧"


def pruned_text(lines: list[str], gone: list[Block], name: str, options: PruneOptions) -> str:
    """Kept lines are as they were, or with their number before them."""
    parts, following = list[str](), 1
    for block in (*gone, Block(len(lines) + 1, len(lines) + 1, "")):
        parts += (
            numbered(lines, following, block.first - 1)
            if options.annotate_lines
            else lines[following - 1 : block.first - 1]
        )
        if options.include_markers and block.first <= len(lines):
            parts.append(marker(block, name))
        following = block.last + 1
    return "\n".join(parts)


def numbered(lines: list[str], first: int, last: int) -> list[str]:
    return [f"{number}│ {lines[number - 1]}" for number in range(first, last + 1)]


def _blocks(asked: Prune, lines: list[str], check: Callable[[], None]) -> tuple[list[Block], str | None]:
    options, name = asked.options, prune_id(asked)
    if len(asked.text) > _LONGEST or len(lines) > _MOST_LINES:
        return [], "input_too_large"
    if options.min_keep_lines > len(lines):
        return [], "constraints_unmet"
    limits = Options(max_prune_ratio=options.max_prune_ratio, min_keep_lines=options.min_keep_lines)

    def cost(block: Block) -> int:
        return len(marker(block, name)) + 1 if options.include_markers else 0

    return blocks(lines, asked.goal_hint, asked.source_type, limits, cost, check), None


def _annotation(block: Block, name: str) -> dict[str, Any]:
    return {
        "kind": "pruned_block",
        "original_start_line": block.first,
        "original_end_line": block.last,
        "pruned_line_count": block.count,
        "reason": block.reason,
        "marker": marker(block, name),
    }


def _recovered(asked: Recover, data: bytes) -> dict[str, Any]:
    lines, parts = data.decode().split("\n"), list[str]()
    for each in asked.ranges:
        if each.start_line > each.end_line or each.end_line > len(lines):
            told = f"There are no lines {each.start_line} to {each.end_line}: the text has {len(lines)}."
            raise RpcError(INVALID_RANGE, told, "invalid_range", lines=len(lines))
        first, last = each.start_line, each.end_line
        parts += numbered(lines, first, last) if asked.include_line_numbers else lines[first - 1 : last]
    return {
        "raw_text": "\n".join(parts),
        "metadata": {
            "prune_id": asked.prune_id,
            "ranges": [{"start_line": each.start_line, "end_line": each.end_line} for each in asked.ranges],
            "line_numbering": "original",
        },
    }


def _text(text: str) -> None:
    """Raises ToolFailure for what is no Unicode text."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ToolFailure(f"Character {error.start} of the text is half of one.") from None
