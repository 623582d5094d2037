"""What is known of each message, worked out once per distinct message and kept by a fast hash of its bytes.

The key is xxh3 of 128 bits with a secret seed, and the length is compared as well, because tool output is chosen by
others. What leaves this module is the sha256 of the bytes.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, Literal

import msgspec
from xxhash import xxh3_128_digest

from context.json_depth import within_depth
from context.messages import PER_REPLY, canonical, count_message, decode_message, text_of
from context.tokens import TextCounter
from proxy.recalls import IsMemoryTool, Recalled, no_memory_tool, recalled_of, recalls_of
from schema.blobs import content_digest
from schema.recorded import Body

MAX_DEPTH = 128  # levels of a request body
CANON_BYTES = 16  # of a message's canon
PREVIEW = 100  # characters
_MESSAGE_DEPTH = MAX_DEPTH - 2  # inside the body and the array
_HASHED_AT_ONCE = 1_000  # bytes: fewer are hashed as fast as they are looked up
MOST_AT_ONCE = 1_000  # messages, a few ms where all are known
_GENERATION = 100_000  # messages, about 20 MB


Fault = Literal["no_object", "no_role", "too_deep"]


class MessageFacts(msgspec.Struct, frozen=True):
    """`ref` is the sha256 of the bytes, `canon` a keyed hash of the canonical form, `tokens` an estimate; `fault` says
    why it cannot be a message of a request. `recalls` are the calls of memory tools that it makes, `answers` is the
    call that it is the result of."""

    ref: bytes
    canon: bytes
    tokens: int
    length: int
    assistant: bool
    system: bool  # or developer
    preview: str | None  # of a user message
    fault: Fault | None = None
    result: bool = False  # of a tool
    recalls: tuple[str, ...] = ()
    answers: str | None = None


class RequestFacts(msgspec.Struct, frozen=True):
    """A message list: refs (32 bytes each) and canons (16 bytes each) joined, its estimated tokens and those of its
    system messages, the start of its first user message, the first fault with its index, whether any is a result of a
    tool, those of memory tools, and what is known of each message. Of very many messages (long_requests.py) `bodies`
    are the distinct ones by their refs, in order."""

    count: int
    refs: bytes
    canons: bytes
    tokens: int
    system_tokens: int
    first_assistant: int | None
    preview: str | None
    fault: tuple[int, Fault] | None = None
    results: bool = True
    recalled: Recalled = ()
    each: list[MessageFacts] = []
    bodies: dict[bytes, Body] | None = None


class Opening(msgspec.Struct, frozen=True, eq=False):
    """What is known of the first `count` messages of a request, because an earlier one began with them: what of `each`
    (of which there may be more), and of all of the first so many, as far as it was worked out."""

    count: int
    each: list[MessageFacts]
    sums: dict[int, RequestFacts]


class FactsCache:
    """Facts by message bytes, in two generations: a hit moves to the young one, a full young one becomes the old."""

    def __init__(
        self,
        seed: int,
        count: TextCounter,
        redact: Callable[[str], str],
        is_memory_tool: IsMemoryTool = no_memory_tool,
    ) -> None:
        self._seed = seed
        self._count = count
        self._redact = redact
        self._is_memory_tool = is_memory_tool
        self._recalls = False  # whether any message has called such a tool: until then no list is looked through
        self._young: dict[bytes, MessageFacts] = {}
        self._old: dict[bytes, MessageFacts] = {}
        self._texts: dict[bytes, int] = {}
        self._text_refs: dict[bytes, tuple[int, bytes]] = {}

    def of(self, raw: bytes | msgspec.Raw) -> MessageFacts:
        key, size = xxh3_128_digest(raw, self._seed), memoryview(raw).nbytes
        facts = self._young.get(key)
        return facts if facts is not None and facts.length == size else self._keep(key, raw)

    def of_request(
        self, messages: Sequence[msgspec.Raw], budget: int, opening: Opening | None = None
    ) -> RequestFacts | None:
        """Facts of a whole list; None when messages of more than `budget` bytes are not known yet, each of which
        costs its tokenising: about 15 ns per byte; and for more than MOST_AT_ONCE messages."""
        seed = self._seed
        facts = [] if opening is None else opening.each[: opening.count]
        rest = messages if opening is None else messages[opening.count :]
        if rest[MOST_AT_ONCE:]:
            return None
        for raw in rest:
            key, size = xxh3_128_digest(raw, seed), memoryview(raw).nbytes
            each = self._young.get(key)
            if each is None or each.length != size:
                if key not in self._old:
                    budget -= size
                    if budget < 0:
                        return None
                each = self._keep(key, raw)
            facts.append(each)
        if opening is None or self._recalls:
            return _joined(facts, recalls=self._recalls)
        first = opening.sums.get(opening.count)
        if first is None:
            first = opening.sums[opening.count] = _joined(facts[: opening.count], recalls=False)
        return _continued(first, facts)

    def of_long_request(self, messages: Sequence[bytes | msgspec.Raw]) -> RequestFacts:
        """The same without a limit, for a thread, or where nearly all is known."""
        facts = [self.of(raw) for raw in messages]
        return _joined(facts, recalls=self._recalls)

    def joined(self, pieces: Sequence[RequestFacts], bodies: dict[bytes, Body]) -> RequestFacts:
        """Of a list from those of its pieces, in order."""
        each = [facts for piece in pieces for facts in piece.each]
        starts = accumulate([piece.count for piece in pieces], initial=0)
        places = list(zip(starts, pieces, strict=False))
        return RequestFacts(
            len(each),
            b"".join([piece.refs for piece in pieces]),
            b"".join([piece.canons for piece in pieces]),
            sum([piece.tokens - PER_REPLY for piece in pieces]) + PER_REPLY,
            sum([piece.system_tokens for piece in pieces]),
            next((at + found.first_assistant for at, found in places if found.first_assistant is not None), None),
            next((piece.preview for piece in pieces if piece.preview is not None), None),
            next(((at + found.fault[0], found.fault[1]) for at, found in places if found.fault is not None), None),
            any([piece.results for piece in pieces]),
            recalled_of(each) if self._recalls else (),
            each,
            bodies,
        )

    def text_tokens(self, data: bytes) -> int:
        """Estimated tokens of JSON text that comes again and again, such as tool schemas."""
        key = xxh3_128_digest(data, self._seed)
        tokens = self._texts.get(key)
        if tokens is None:
            if len(self._texts) >= 1_000:
                self._texts.clear()
            tokens = self._texts[key] = self._count(data.decode("utf-8", "replace"))
        return tokens

    def text_ref(self, data: bytes) -> bytes:
        """The sha256 of text that comes again and again, such as what is around the messages."""
        size = len(data)
        if size < _HASHED_AT_ONCE:
            return content_digest(data)
        key = xxh3_128_digest(data, self._seed)
        known = self._text_refs.get(key)
        if known is None or known[0] != size:
            if len(self._text_refs) >= 1_000:
                self._text_refs.clear()
            known = self._text_refs[key] = size, content_digest(data)
        return known[1]

    def hash(self, data: bytes) -> bytes:
        """16 bytes, keyed like the canons."""
        return xxh3_128_digest(data, self._seed)

    def _keep(self, key: bytes, raw: bytes | msgspec.Raw) -> MessageFacts:
        """What the old generation knows, or is worked out now."""
        facts = self._old.get(key)
        if facts is None or facts.length != memoryview(raw).nbytes:
            facts = self._work_out(bytes(raw))
        if len(self._young) >= _GENERATION:
            self._old, self._young = self._young, {}
        self._young[key] = facts
        return facts

    def _work_out(self, raw: bytes) -> MessageFacts:
        message = decode_message(raw)
        role = message.get("role")
        recalls = recalls_of(message, self._is_memory_tool) if role == "assistant" else ()
        self._recalls = self._recalls or bool(recalls)
        return MessageFacts(
            content_digest(raw),
            self.hash(canonical(message)),
            count_message(message, self._count),
            len(raw),
            role == "assistant",
            role in ("system", "developer"),
            self._preview(message) if role == "user" else None,
            _fault(raw, message),
            role == "tool",
            recalls,
            str(message.get("tool_call_id")) if role == "tool" else None,
        )

    def shown(self, text: str, limit: int) -> str:
        """The beginning of a text on one line, without configured secrets."""
        return self._redact(" ".join(text[: 10 * limit].split()))[:limit]

    def _preview(self, message: dict[str, Any]) -> str:
        return self.shown(text_of(message.get("content")), PREVIEW)


def _fault(raw: bytes, message: dict[str, Any]) -> Fault | None:
    try:
        if not within_depth(raw, _MESSAGE_DEPTH):
            return "too_deep"
    except RecursionError:
        return "too_deep"
    if isinstance(message.get("role"), str):
        return None
    return "no_role" if raw.startswith(b"{") else "no_object"


def _joined(facts: list[MessageFacts], *, recalls: bool) -> RequestFacts:
    if len(facts) == 1:
        (only,) = facts
        return RequestFacts(
            1,
            only.ref,
            only.canon,
            only.tokens + PER_REPLY,
            only.tokens if only.system else 0,
            0 if only.assistant else None,
            only.preview,
            None if only.fault is None else (0, only.fault),
            only.result,
            recalled_of(facts) if recalls else (),
            facts,
        )
    return RequestFacts(
        len(facts),
        b"".join([each.ref for each in facts]),
        b"".join([each.canon for each in facts]),
        sum([each.tokens for each in facts]) + PER_REPLY,
        sum([each.tokens for each in facts if each.system]),
        next((index for index, each in enumerate(facts) if each.assistant), None),
        next((each.preview for each in facts if each.preview is not None), None),
        next(((index, each.fault) for index, each in enumerate(facts) if each.fault is not None), None),
        any([each.result for each in facts]),
        recalled_of(facts) if recalls else (),
        facts,
    )


def _continued(first: RequestFacts, facts: list[MessageFacts]) -> RequestFacts:
    """The same for a list that begins with those of `first`, none of which has to do with memory tools."""
    rest = facts[first.count :]
    more = _joined(rest, recalls=False)
    assistant, fault = more.first_assistant, more.fault
    return RequestFacts(
        len(facts),
        first.refs + more.refs,
        first.canons + more.canons,
        first.tokens + more.tokens - PER_REPLY,
        first.system_tokens + more.system_tokens,
        first.first_assistant
        if first.first_assistant is not None
        else (assistant + first.count if assistant is not None else None),
        first.preview if first.preview is not None else more.preview,
        first.fault if first.fault is not None else ((fault[0] + first.count, fault[1]) if fault is not None else None),
        first.results or more.results,
        (),
        facts,
    )
