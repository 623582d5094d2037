"""The way of the servers in process to the log: what they remember is in events, and read from the read tables."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from commands.errors import CommandError
from commands.handling import CommandHandler
from commands.server_state import Command
from gateway.arguments import ToolFailure
from gateway.tools import Caller
from projections.store import ReadPool
from projections.waiting import ProjectionLagError, Waiter
from schema.appends import UnstorableError
from schema.log import EventLog
from schema.recorded import Metadata

T = TypeVar("T")


class ServerState:
    """Without `contents` no texts are recorded, so that nothing can be laid by."""

    def __init__(
        self, handler: CommandHandler, reads: ReadPool, waiter: Waiter, log: EventLog, *, contents: bool = True
    ) -> None:
        self._handler, self._reads, self._waiter, self._log = handler, reads, waiter, log
        self.contents = contents

    async def write(self, command: Command, caller: Caller) -> int:
        """The position where the read tables show it. Raises ToolFailure."""
        try:
            outcome = await self._handler.execute(command, Metadata(actor="mcp", correlation_id=caller.correlation_id))
            await self._waiter.until(outcome.position)
        except CommandError as error:
            raise ToolFailure(str(error)) from None
        except UnstorableError:
            raise ToolFailure("It cannot be stored: a text in it holds half of a character.") from None
        except ProjectionLagError as error:
            raise ToolFailure(f"It is recorded, but cannot be shown yet: {error}.") from None
        return outcome.position

    async def read(self, query: Callable[..., T], *args: object, at: int | None = None, **more: Any) -> T:
        """As of a position, or of all that has happened. Raises ToolFailure."""
        try:
            if at is None:
                await self._waiter.until(await self._handler.flushed())
            return (await self._reads.run(query, *args, at=at, **more)).value
        except (CommandError, ProjectionLagError) as error:
            raise ToolFailure(f"It cannot be read now: {error}.") from None

    async def body(self, position: int, ref: str) -> bytes | None:
        """None where it was erased."""
        return await asyncio.to_thread(self._log.body, position, ref)
