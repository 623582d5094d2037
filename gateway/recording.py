"""Calls on their way into the log."""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from commands.gateway import Asked, Command, Masked, RecordMcpCall, decide
from gateway.discretion import Redact
from gateway.masking import Original
from gateway.tools import Caller
from projections.waiting import ProjectionLagError, Waiter
from schema.appending import Appender
from schema.appends import Append, KeyMissingError, StoreUnavailableError
from schema.blobs import content_ref
from schema.recorded import Body, Metadata

_PATIENCE_S = 0.25  # a log that takes no commit for so long does not hold calls up (decisions 1.15)
_SHOWN_S = 1.0  # nor do read tables that are behind; they take a moment else
_ARGUMENTS = 16_384  # characters that are kept
_PREVIEW = 200
_LONGEST_SECRET = 8_192  # characters
_COUNTED = 400_000  # characters; longer texts are estimated
_CHARACTERS_PER_TOKEN = 4


class Recorder:
    """Without `contents` neither arguments nor originals are kept, so that nothing may be shortened either. With a
    `waiter` originals can be had back from the moment that an answer names them; other calls do not pay for that.
    `redact` takes configured secrets out of what is cut: the log would not know half of one."""

    def __init__(
        self,
        appender: Appender,
        count: Callable[[str], int],
        *,
        contents: bool,
        redact: Redact,
        waiter: Waiter | None = None,
    ) -> None:
        self._appender, self._waiter = appender, waiter
        self._count, self._redact = count, redact
        self.contents = contents

    def asked(self, server: str, method: str, params: Mapping[str, Any], caller: Caller) -> Asked:
        """What is recorded of a call before it is made."""
        tool, arguments = (params.get("name"), params.get("arguments")) if method == "tools/call" else (None, None)
        text = json.dumps(arguments, ensure_ascii=True, sort_keys=True) if arguments else None
        return Asked(
            session_id=caller.session_id,
            server=server,
            method=method,
            tool=tool if isinstance(tool, str) else None,
            arguments=self._beginning(text, _ARGUMENTS) if text is not None and self.contents else None,
            arguments_hash=hashlib.sha256(text.encode()).hexdigest() if text is not None else None,
        )

    def later(self, command: Command, caller: Caller) -> None:
        """Nobody waits for it."""
        self._appender.append_later(_append(command, caller))

    async def now(self, command: Command, caller: Caller) -> int | None:
        """The position of the last event once it is committed, and shown where it has masked something; None where the
        log does not take it, or not in time."""
        future = self._appender.append(_append(command, caller))
        try:
            committed = await asyncio.wait_for(asyncio.shield(future), _PATIENCE_S)
        except (TimeoutError, StoreUnavailableError, KeyMissingError):
            return None
        position = committed.positions[-1]
        if self._waiter is not None and isinstance(command, RecordMcpCall) and command.masked:
            with contextlib.suppress(ProjectionLagError):
                await self._waiter.until(position, _SHOWN_S)
        return position

    async def masked(self, originals: Sequence[Original]) -> tuple[Masked, ...]:
        """The texts with what is recorded of them; off the loop, because they are long."""
        return await asyncio.to_thread(lambda: tuple(map(self._masked, originals))) if originals else ()

    def _masked(self, original: Original) -> Masked:
        body = _message(original.text)
        return Masked(
            hash=original.hash,
            original=Body(content_ref(body), body),
            short_ref=content_ref(_message(original.short)),
            tokens_before=self._tokens(original.text),
            tokens_after=self._tokens(original.short),
            preview=self._beginning(original.text, _PREVIEW).encode("utf-8", "replace").decode(),
        )

    def _beginning(self, text: str, length: int) -> str:
        return text if len(text) <= length else self._redact(text[: length + _LONGEST_SECRET])[:length]

    def _tokens(self, text: str) -> int:
        return self._count(text) if len(text) <= _COUNTED else len(text) // _CHARACTERS_PER_TOKEN


def _append(command: Command, caller: Caller) -> Append:
    metadata = Metadata(actor="mcp", correlation_id=caller.correlation_id)
    return Append(events=decide(command), metadata=metadata, keep=True)


def _message(text: str) -> bytes:
    """As clients send it, so that it is read like any other original; escaped, because it may be no Unicode."""
    return json.dumps({"role": "tool", "content": text}).encode()
