"""Server context-compression: things laid by in the log and fetched again, texts made smaller, and originals of what
the proxy has masked."""

import asyncio
import json
import secrets
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
import zstandard

from commands.server_state import NO_SESSION, Content, DeleteContext, StoreContext, UpdateContext
from gateway.arguments import ADDS, READS, WRITES, ToolFailure, answer, tool
from gateway.excerpts import part
from gateway.packing import METHODS, extracted, packed, unpacked
from gateway.retrieval import NotThere, Retrieve, Retrieved
from gateway.state import ServerState
from gateway.tools import Caller, InProcessServer, ToolAnswer, text_answer
from projections.server_state import ContextRow, get_context, list_contexts
from schema.blobs import content_ref
from schema.recorded import Body

NAME = "context-compression"
VERSION = "1.0.0"
MOST_BYTES = 10 << 20  # of what is laid by
_SEARCHED, _SEARCHED_BYTES = 500, 32 << 20
_SNIPPET = 200
_TAGS, _TAG = 50, 100
Title = Annotated[str, msgspec.Meta(max_length=500)]
Query = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
Id = Annotated[str, msgspec.Meta(max_length=100)]
Tags = str | list[str]


class Store(msgspec.Struct, frozen=True, kw_only=True):
    data: Annotated[Any, msgspec.Meta(description="A text, or any JSON value.")]
    title: Title | None = None
    tags: Annotated[Tags | None, msgspec.Meta(description="A list, or a text with commas.")] = None


class ById(msgspec.Struct, frozen=True, kw_only=True):
    context_id: Id


class Search(msgspec.Struct, frozen=True, kw_only=True):
    query: Annotated[Query, msgspec.Meta(description="Words; all of them must occur.")]
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10


class List(msgspec.Struct, frozen=True, kw_only=True):
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 50
    offset: Annotated[int, msgspec.Meta(ge=0, le=1 << 31)] = 0


class Update(msgspec.Struct, frozen=True, kw_only=True):
    context_id: Id
    data: Annotated[Any, msgspec.Meta(description="A text, or any JSON value; null leaves it as it is.")] = None
    title: Title | None = None
    tags: Tags | None = None


class Compress(msgspec.Struct, frozen=True, kw_only=True):
    content: Annotated[str, msgspec.Meta(max_length=MOST_BYTES)]
    algorithm: Annotated[
        Literal["zlib", "bz2", "lzma", "extractive"],
        msgspec.Meta(
            description="extractive: the lines that say most, as text, with the whole laid by; the others: all of it,"
            " packed, in base64."
        ),
    ] = "zlib"
    target_ratio: Annotated[
        float | None,
        msgspec.Meta(
            description="Of extractive: what part of the text may stay (0.5). Of the others: what is hoped for."
        ),
    ] = None


class Decompress(msgspec.Struct, frozen=True, kw_only=True):
    compressed: Annotated[str, msgspec.Meta(description="What compress has given; of extractive, its id.")]
    algorithm: Literal["zlib", "bz2", "lzma", "extractive"] = "zlib"


class Masked(msgspec.Struct, frozen=True, kw_only=True):
    hash: Annotated[Id, msgspec.Meta(description="As it stands behind mask= or mask: in a text.")]
    lines: Annotated[
        str | None,
        msgspec.Meta(
            description='A range of lines, such as "10-40", or one number; of JSON with one long text, those of that.'
        ),
    ] = None
    grep: Annotated[str | None, msgspec.Meta(description="Only lines that hold this text, whatever the case.")] = None
    offset: Annotated[
        int, msgspec.Meta(ge=0, le=1 << 40, description="Where an earlier answer says that the next part begins.")
    ] = 0


def server(state: ServerState, retrieve: Retrieve) -> InProcessServer:
    """`retrieve` gives originals of masks."""
    contexts = _Contexts(state)

    async def original(caller: Caller, asked: Masked) -> ToolAnswer:
        try:
            found = await retrieve(caller, asked.hash, asked.lines, asked.grep)
        except NotThere as error:
            raise ToolFailure(str(error)) from None
        return _part(found, asked)

    return InProcessServer(
        name=NAME,
        version=VERSION,
        instructions="What is stored here outlives the conversation. A text that says mask=<hash> is had back with"
        " retrieve.",
        tools=(
            tool(
                "store_context",
                "Lay something by, to be fetched by its id later.",
                Store,
                contexts.store,
                annotations=ADDS,
            ),
            tool("retrieve_context", "Fetch what was laid by.", ById, contexts.retrieve, masked=False),
            tool("search_contexts", "Search what this session has laid by.", Search, contexts.search),
            tool("list_contexts", "List what this session has laid by, newest first.", List, contexts.page),
            tool("delete_context", "Delete what was laid by.", ById, contexts.delete, annotations=WRITES),
            tool("update_context", "Change what was laid by.", Update, contexts.update, annotations=WRITES),
            tool("compress", "Make a text smaller.", Compress, contexts.compress, annotations=ADDS, masked=False),
            tool("decompress", "Have a compressed text back whole.", Decompress, contexts.decompress, masked=False),
            tool(
                "retrieve",
                "Have a text back that the proxy has shortened, or some of its lines; a long one in parts.",
                Masked,
                original,
                annotations=READS,
                masked=False,
            ),
        ),
    )


class _Contexts:
    """Changes are made one after the other, so that each finds what the one before has left."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._lock = asyncio.Lock()

    async def store(self, caller: Caller, asked: Store) -> ToolAnswer:
        content = await asyncio.to_thread(_content, asked.data)
        name = await self._store(caller, content, asked.title, _tags(asked.tags))
        return answer({"status": "stored", "id": name, **_sizes(len(content.body.data), content.compressed_size)})

    async def retrieve(self, _: Caller, asked: ById) -> ToolAnswer:
        row = await self._there(asked.context_id)
        value = await self._value(row)
        return answer({"status": "found", **_shown(row), "data": value})

    async def search(self, caller: Caller, asked: Search) -> ToolAnswer:
        """By titles and tags first, then by contents; newest first."""
        rows = (await self._state.read(list_contexts, _session(caller), limit=_SEARCHED, offset=0)).rows
        words = asked.query.casefold().split()
        by_name = [row for row in rows if _holds(f"{row.title or ''} {row.tags or ''}", words)]
        found = [_shown(row) for row in by_name[: asked.limit]]
        names, left = {row.context_id for row in by_name}, _SEARCHED_BYTES
        for row in rows:
            if len(found) == asked.limit or left < 0:
                break
            if row.context_id not in names:
                left -= row.original_size
                found += await self._by_content(row, words)
        return answer({"query": asked.query, "contexts": found, "count": len(found)})

    async def page(self, caller: Caller, asked: List) -> ToolAnswer:
        page = await self._state.read(list_contexts, _session(caller), limit=asked.limit, offset=asked.offset)
        return answer({"contexts": [_shown(row) for row in page.rows], "total": page.total, "offset": asked.offset})

    async def delete(self, caller: Caller, asked: ById) -> ToolAnswer:
        async with self._lock:
            row = await self._there(asked.context_id)
            await self._state.write(DeleteContext(session_id=row.session_id, context_id=row.context_id), caller)
        return answer({"status": "deleted", "id": row.context_id})

    async def update(self, caller: Caller, asked: Update) -> ToolAnswer:
        content = await asyncio.to_thread(_content, asked.data) if asked.data is not None else None
        self._require_contents()
        async with self._lock:
            row = await self._there(asked.context_id)
            command = UpdateContext(
                session_id=row.session_id,
                context_id=row.context_id,
                content=content,
                title=asked.title,
                tags=_tags(asked.tags),
            )
            await self._state.write(command, caller)
            row = await self._there(asked.context_id)
        return answer({"status": "updated", **_shown(row)})

    async def compress(self, caller: Caller, asked: Compress) -> ToolAnswer:
        ratio = asked.target_ratio
        if ratio is not None and not 0 < ratio <= 1:
            raise ToolFailure("target_ratio is above 0 and at most 1.")
        size = len(asked.content.encode("utf-8", "surrogatepass"))
        if asked.algorithm == "extractive":
            text = await asyncio.to_thread(extracted, asked.content, ratio if ratio is not None else 0.5)
            content = await asyncio.to_thread(_content, asked.content)
            name = await self._store(caller, content, "compressed text", None)
            return answer({"algorithm": "extractive", "compressed": text, "id": name, **_ratio(size, text, ratio)})
        text = await asyncio.to_thread(packed, asked.content, asked.algorithm)
        return answer({"algorithm": asked.algorithm, "compressed": text, **_ratio(size, text, ratio)})

    async def decompress(self, _: Caller, asked: Decompress) -> ToolAnswer:
        if asked.algorithm in METHODS:
            text = await asyncio.to_thread(unpacked, asked.compressed, asked.algorithm)
        else:
            text = await self._value(await self._there(asked.compressed[:100]))
        return answer({"algorithm": asked.algorithm, "content": text})

    async def _store(self, caller: Caller, content: Content, title: str | None, tags: str | None) -> str:
        self._require_contents()
        name = f"ctx_{secrets.token_hex(8)}"
        command = StoreContext(session_id=_session(caller), context_id=name, content=content, title=title, tags=tags)
        await self._state.write(command, caller)
        return name

    async def _there(self, context_id: str) -> ContextRow:
        row = await self._state.read(get_context, context_id)
        if row is None:
            raise ToolFailure(f"There is no context {context_id!r}.")
        return row

    async def _value(self, row: ContextRow) -> Any:
        data = await self._state.body(row.content_position, row.content_ref)
        if data is None:
            raise ToolFailure(f"The contents of {row.context_id} were erased.")
        return await asyncio.to_thread(msgspec.json.decode, data) if row.is_json else data.decode()

    async def _by_content(self, row: ContextRow, words: list[str]) -> list[dict[str, Any]]:
        data = await self._state.body(row.content_position, row.content_ref)
        snippet = await asyncio.to_thread(_snippet, data.decode(), words) if data is not None else None
        return [_shown(row) | {"snippet": snippet}] if snippet is not None else []

    def _require_contents(self) -> None:
        if not self._state.contents:
            raise ToolFailure("The proxy records no contents (recording.contents = false): nothing can be laid by.")


def _part(found: Retrieved, asked: Masked) -> ToolAnswer:
    """What was asked for, or as much of it as a model should get at once. Raises ToolFailure."""
    chosen = found.selection
    if chosen is not None and not chosen.hits:
        held = f" that holds {asked.grep!r}" if asked.grep else ""
        among = f" among the lines {asked.lines}" if asked.lines is not None else ""
        return text_answer(f"There is no line{held}{among}: the text has {chosen.lines:,} lines.")
    text = found.text if chosen is None else chosen.text
    if asked.offset and asked.offset >= len(text):
        raise ToolFailure(f"It has {len(text):,} characters; offset={asked.offset} is behind its end.")
    piece, following = part(text, asked.offset)
    if following is None:
        return text_answer(piece)
    note = (
        f"[characters {asked.offset} to {following} of {len(text)}: go on with offset={following}, or select with lines"
        " or grep]"
    )
    return ToolAnswer(content=({"type": "text", "text": piece}, {"type": "text", "text": note}))


def _content(value: Any) -> Content:
    """Raises ToolFailure."""
    try:
        data = value.encode() if isinstance(value, str) else json.dumps(value, ensure_ascii=True).encode()
    except UnicodeEncodeError as error:
        raise ToolFailure(f"Character {error.start} of the text is half of one.") from None
    if len(data) > MOST_BYTES:
        raise ToolFailure(f"It has {len(data):,} bytes; {MOST_BYTES:,} can be laid by at once.")
    small = len(zstandard.ZstdCompressor(level=1).compress(data))
    return Content(Body(content_ref(data), data), not isinstance(value, str), small)


def _tags(tags: Tags | None) -> str | None:
    """As a JSON array. Raises ToolFailure."""
    if tags is None:
        return None
    given = tags.split(",") if isinstance(tags, str) else tags
    found = list(dict.fromkeys(tag.strip() for tag in given if tag.strip()))
    if len(found) > _TAGS or any(len(tag) > _TAG for tag in found):
        raise ToolFailure(f"There can be {_TAGS} tags of {_TAG} characters each.")
    return json.dumps(found)


def _session(caller: Caller) -> int:
    return caller.session_id or NO_SESSION


def _shown(row: ContextRow) -> dict[str, Any]:
    return {
        "id": row.context_id,
        "title": row.title,
        "tags": msgspec.json.decode(row.tags) if row.tags else [],
        **_sizes(row.original_size, row.compressed_size),
        "created_at": _time(row.stored_at),
        "updated_at": _time(row.updated_at),
    }


def _sizes(original: int, compressed: int) -> dict[str, Any]:
    return {
        "original_size": original,
        "compressed_size": compressed,
        "compression_ratio": round(compressed / original, 4) if original else 1.0,
        "compression_method": "zstd",
    }


def _ratio(size: int, text: str, target: float | None) -> dict[str, Any]:
    ratio = len(text.encode("utf-8", "surrogatepass")) / size if size else 1.0
    met = {} if target is None else {"target_met": ratio <= target}
    return {"original_size": size, "ratio": round(ratio, 4), **met}


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1_000, UTC).isoformat(timespec="milliseconds")


def _holds(text: str, words: list[str]) -> bool:
    folded = text.casefold()
    return all(word in folded for word in words)


def _snippet(text: str, words: list[str]) -> str | None:
    """Around the first word, where all occur."""
    if not words or not _holds(text, words):
        return None
    at = max(text.casefold().find(words[0]) - _SNIPPET // 2, 0)
    return text[at : at + _SNIPPET]
