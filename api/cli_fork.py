"""`chronoproxy fork`: a new session that goes on from an earlier moment of another one."""

import argparse
import asyncio
from typing import Any

from api.cli_output import UsageError, json_line, line
from api.cli_places import configuration_of, data_directory
from api.cli_server import ask
from api.configuration import Configuration
from api.errors import ApiError, InvalidFieldError
from api.forks import Forks
from api.reading import Moment, moment_of
from api.wiring_store import write_side
from commands.errors import CommandError
from commands.handling import Outcome
from projections.store import AtOutOfRangeError
from schema.forking import SessionForked
from schema.lock import DirectoryLock, DirectoryLockedError
from schema.locked_out import why_not_served
from schema.recorded import Metadata


def run(arguments: argparse.Namespace) -> int:
    """A running server does it itself. Raises UsageError."""
    moment = _moment(arguments.at)
    directory = data_directory(arguments)
    try:
        with DirectoryLock(directory):
            refused = why_not_served(directory)
            if refused is not None:
                raise UsageError(refused)
            configuration = configuration_of(arguments)
            found = asyncio.run(_forked(configuration, arguments.session, moment, arguments.name))
    except DirectoryLockedError as error:
        body = {"at": arguments.at, "name": arguments.name}
        answer = ask(arguments, str(error), f"/api/sessions/{arguments.session}/fork", body)
        found = {key: answer[key] for key in ("source_id", "at", "exchange_id", "messages", "tokens")}
        found = {"session_id": answer["session"]["id"], **found}
    if arguments.json:
        json_line(found, indent=2)
    else:
        number = found["session_id"]
        line(f"session {number} goes on from session {found['source_id']} as of event {found['at']:,}")
        line(f"{found['messages']:,} messages, about {found['tokens']:,} tokens; send X-Session-Id: {number} to go on")
    return 0


def _moment(text: str | None) -> Moment:
    """Raises UsageError."""
    try:
        return moment_of(text, "at") if text is not None else Moment()
    except InvalidFieldError:
        raise UsageError("--at takes an event's position or an ISO-8601 time with Z or an offset") from None


async def _forked(configuration: Configuration, session_id: int, moment: Moment, name: str | None) -> dict[str, Any]:
    async with write_side(configuration) as store:
        await asyncio.to_thread(store.runner.wait_ready, 3_600.0)
        try:
            command = await Forks(store.log, store.reads, store.handler).command(session_id, moment, name)
            outcome = await store.handler.execute(command, Metadata(actor="system", by="fork"))
        except AtOutOfRangeError as error:
            raise UsageError(f"the log ends at event {error.head:,}") from None
        except (ApiError, CommandError) as error:
            raise UsageError(str(error)) from None
    return _said(outcome)


def _said(outcome: Outcome) -> dict[str, Any]:
    event = next(event for event in outcome.events if isinstance(event, SessionForked))
    exchange = event.exchange
    return {
        "session_id": event.session_id,
        "source_id": event.source_id,
        "at": event.at,
        "exchange_id": exchange.exchange_id if exchange is not None else None,
        "messages": exchange.received.count + (exchange.answer_ref is not None) if exchange is not None else 0,
        "tokens": event.context_tokens,
    }
