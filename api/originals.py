"""The originals of masks: found by their hash, read from the log, and lines picked out of them."""

import asyncio
import re
from collections.abc import Sequence

from commands.handling import CommandHandler
from commands.retrievals import RetrieveContent
from commands.server_state import NO_SESSION
from context.messages import decode_message
from gateway.excerpts import RangeError, selected, span
from gateway.retrieval import NotThere, Retrieved
from gateway.tools import Caller
from projections.masks import MaskRow, find_masks
from projections.store import ReadPool
from projections.waiting import Waiter
from proxy.contents import MissingContentError, SessionContents
from schema.log import EventLog
from schema.recorded import Metadata

HASH = re.compile(r"[0-9a-f]{16,64}")
_NAMED = re.compile(r"^\s*\[?(?:mask\s*[:=]\s*)?", re.IGNORECASE)
_SHORT = 16


def original(log: EventLog, row: MaskRow) -> str:
    """The text byte for byte. Raises MissingContentError where the log does not hold it."""
    body = log.body(row.position, row.ref)  # of a tool that was called through the gateway
    if body is None:
        body = SessionContents(log, row.session_id).body(row.ref)
    content = decode_message(body).get("content")
    return content if isinstance(content, str) else ""


def first_living(log: EventLog, rows: Sequence[MaskRow]) -> tuple[MaskRow, str]:
    """Sessions keep a text each for itself: the first one that the log still holds, and the text. Raises
    MissingContentError where it holds none."""
    for row in rows[:-1]:
        try:
            return row, original(log, row)
        except MissingContentError:
            continue
    return rows[-1], original(log, rows[-1])


class Originals:
    """What the tool `retrieve` gives back to a model."""

    def __init__(self, reads: ReadPool, waiter: Waiter, log: EventLog, handler: CommandHandler) -> None:
        self._reads = reads
        self._waiter = waiter
        self._log = log
        self._handler = handler

    async def retrieve(self, caller: Caller, named: str, lines: str | None, grep: str | None) -> Retrieved:
        """Recorded as a use by the model. Raises NotThere, in words for a model."""
        try:
            if lines is not None:
                span(lines)
        except RangeError as error:
            raise NotThere(f"{error}.") from None
        prefix = _NAMED.sub("", named).strip(" ]").lower()
        rows = await self._found(prefix, caller.session_id or NO_SESSION)
        try:
            row, text = await asyncio.to_thread(first_living, self._log, rows)
        except MissingContentError:
            raise NotThere(f"The original of mask {prefix[:_SHORT]} is not kept any more.") from None
        await self._handler.execute(
            RetrieveContent(row.session_id, row.hash, "model"),
            Metadata(actor="mcp", correlation_id=caller.correlation_id),
        )
        chosen = await asyncio.to_thread(selected, text, lines, grep) if lines is not None or grep else None
        return Retrieved(row.hash, text, chosen)

    async def _found(self, prefix: str, session_id: int) -> list[MaskRow]:
        """Of one text; that of the session first."""
        found: list[MaskRow] = []
        if HASH.fullmatch(prefix):
            await self._waiter.until(await self._handler.flushed())  # it may have been masked just now
            found = (await self._reads.run(find_masks, prefix, session_id)).value
        if not found:
            raise NotThere(f"There is no mask {prefix[:64]!r}: give the hash that stands behind mask= in the text.")
        if len({row.hash for row in found}) > 1:
            raise NotThere(f"Several texts have hashes that begin with {prefix}: give more of it.")
        return found
