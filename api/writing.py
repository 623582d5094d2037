"""Carrying out a write: decide and append, wait until the read tables show it, answer from them (contract 1.4).

This is the one way from a route to the command handler, and so the place where an Idempotency-Key is looked up.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import msgspec
from fastapi import Depends, Header, Request, Response

from api.bodies import raw_body
from api.errors import ApiError, as_api_error
from api.fields import TextPosition
from api.idempotency import REPLAYED, checked, refusal_text
from api.large_bodies import LARGE
from api.request_context import Context, RequestContext
from api.services import Services, Use
from commands.deciding import Command
from commands.errors import CommandError, StaleError, UnavailableError
from commands.handling import Outcome
from projections.waiting import ProjectionLagError
from schema.idempotency import Idempotent, Kept
from schema.recorded import Metadata

T = TypeVar("T")
_RETRIES = 3
VERSION_CONFLICT = "version_conflict"
Worked = Callable[[], Awaitable[Command]]  # work that goes before its command, which says what was done


class Writing:
    """One request's way to the log."""

    def __init__(
        self, services: Services, request: Request, response: Response, context: RequestContext, expected: int | None
    ) -> None:
        self._services = services
        self._request = request
        self._response = response
        self._metadata = Metadata(actor="api", correlation_id=context.request_id)
        self._expected = expected
        self._parts = 0

    @property
    def metadata(self) -> Metadata:
        """Of what is appended for this request."""
        return self._metadata

    def part(self, outcome: Outcome) -> None:
        """An earlier part of the same write was appended: X-Event-Count counts it too."""
        self._parts += outcome.count

    async def execute(self, command: Command, query: Callable[..., T], *args: object) -> T:
        """Append what `command` causes, then `query(connection, *args, at=position)` as of its last event.

        Raises what `append` does.
        """
        return await self.read(await self.append(command), query, *args)

    async def caught_up(self) -> None:
        """Wait until the tables show all that has happened, for work that a command comes from. Raises UnavailableError
        and ProjectionLagError."""
        await self._services.waiter.until(await self._services.handler.flushed())

    async def before(self, command: Command) -> None:
        """Append what goes before the command that some work ends with. Raises CommandError."""
        await self._services.handler.execute(command, self._metadata, expected_position=self._expected)
        self._expected = None  # it was so, and is not any more

    async def read(self, outcome: Outcome, query: Callable[..., T], *args: object) -> T:
        """`query(connection, *args, at=position)` as of the last event of what was appended."""
        return (await self._services.reads.run(query, *args, at=outcome.position)).value

    async def append(self, command: Command | Worked) -> Outcome:
        """Append what `command` causes, once for each Idempotency-Key; the answer gets X-Event-Position and
        X-Event-Count. Work in the place of a command is done at the first time only.

        Raises CommandError, what the work raises, and ApiError 503 projection_lag with X-Event-Position where the
        events are committed but not visible yet.
        """
        body, keys = raw_body(self._request), self._services.idempotency
        if len(body) < LARGE:
            asked = keys.of(self._request, body)
        else:
            asked = await asyncio.to_thread(keys.of, self._request, body)
        if asked is None:
            return await self._shown(await self._execute(command, None))
        with self._services.idempotency.running(asked.key):
            since = self._services.clock() - asked.kept_ms
            kept = await asyncio.to_thread(self._services.log.kept, asked.key, since)
            if kept is None:
                outcome = await self._first(command, asked)
            else:
                outcome = await asyncio.to_thread(
                    self._again, checked(kept, asked, self._request.headers.get("idempotency-key"))
                )
                self._response.headers.update(REPLAYED)
            return await self._shown(outcome)

    async def _first(self, command: Command | Worked, asked: Idempotent) -> Outcome:
        try:
            return await self._execute(command, asked)
        except UnavailableError:
            raise
        except CommandError as error:
            if error.code == VERSION_CONFLICT:  # who knows the position now may try again with the same key
                raise
            refused = msgspec.structs.replace(asked, refusal=refusal_text(as_api_error(error)))
            await self._services.handler.keep(refused, self._metadata)
            raise

    async def _execute(self, work: Command | Worked, asked: Idempotent | None) -> Outcome:
        if not callable(work):
            return await self._once(work, asked)
        for _ in range(_RETRIES):
            try:
                return await self._once(await work(), asked)
            except StaleError:  # somebody was faster
                continue
        return await self._once(await work(), asked)

    async def _once(self, command: Command, asked: Idempotent | None) -> Outcome:
        return await self._services.handler.execute(
            command, self._metadata, expected_position=self._expected, idempotent=asked
        )

    def _again(self, kept: Kept) -> Outcome:
        first = kept.position - kept.count
        events = self._services.log.read(first, upto=kept.position) if kept.count else []
        return Outcome(kept.position, kept.count, tuple(recorded.event for recorded in events))

    async def _shown(self, outcome: Outcome) -> Outcome:
        headers = {"X-Event-Position": str(outcome.position), "X-Event-Count": str(self._parts + outcome.count)}
        self._request.state.committed = headers  # whatever comes now, the answer tells (errors.py)
        try:
            await self._services.waiter.until(outcome.position)
        except ProjectionLagError as error:
            raise ApiError(503, "projection_lag", f"Committed, but {error}.") from None
        self._response.headers.update(headers)
        return outcome


async def writing(
    services: Use,
    request: Request,
    response: Response,
    context: Context,
    x_expected_position: Annotated[TextPosition | None, Header()] = None,
) -> Writing:
    """The dependency of every route that writes."""
    return Writing(services, request, response, context, x_expected_position)


Writes = Annotated[Writing, Depends(writing)]
