"""Carrying out a write: decide and append, wait until the read tables show it, answer from them (contract 1.4).

This is the one way from a route to the command handler, and so the place where an Idempotency-Key will be looked up.
"""

from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Response

from api.errors import ApiError
from api.fields import MAX_INT, TextInt
from api.request_context import Context, RequestContext
from api.services import Services, Use
from commands.handling import Command, Outcome
from projections.waiting import ProjectionLagError
from schema.recorded import Metadata

T = TypeVar("T")


class Writing:
    """One request's way to the log."""

    def __init__(self, services: Services, response: Response, context: RequestContext, expected: int | None) -> None:
        self._services = services
        self._response = response
        self._context = context
        self._expected = expected

    async def execute(self, command: Command, query: Callable[..., T], *args: object) -> T:
        """Append what `command` causes, then `query(connection, *args, at=position)` as of its last event.

        Raises what `append` does.
        """
        outcome = await self.append(command)
        return (await self._services.reads.run(query, *args, at=outcome.position)).value

    async def append(self, command: Command) -> Outcome:
        """Append what `command` causes; the answer gets X-Event-Position and X-Event-Count.

        Raises CommandError, and ApiError 503 projection_lag with X-Event-Position where the events are committed but
        not visible yet.
        """
        metadata = Metadata(actor="api", correlation_id=self._context.request_id)
        outcome = await self._services.handler.execute(command, metadata, expected_position=self._expected)
        headers = {"X-Event-Position": str(outcome.position), "X-Event-Count": str(outcome.count)}
        try:
            await self._services.waiter.until(outcome.position)
        except ProjectionLagError as error:
            raise ApiError(503, "projection_lag", f"Committed, but {error}.", headers=headers) from None
        self._response.headers.update(headers)
        return outcome


def _writing(
    services: Use,
    response: Response,
    context: Context,
    x_expected_position: Annotated[TextInt | None, Header(ge=0, le=MAX_INT)] = None,
) -> Writing:
    return Writing(services, response, context, x_expected_position)


Writes = Annotated[Writing, Depends(_writing)]
