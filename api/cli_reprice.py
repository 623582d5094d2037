"""`chronoproxy reprice`: history priced anew, by the book in force or by an earlier one."""

import argparse
import asyncio
from pathlib import Path
from typing import Any

from api.cli_output import UsageError, json_line, line
from api.cli_places import configuration_of, data_directory
from api.cli_server import Server
from api.cli_tables import bring_up, tables
from api.price_book import book_hash
from api.prices import Sums, is_position, position_from, sums
from commands.errors import CommandError
from commands.handling import CommandHandler
from commands.prices import AdoptPriceBook, Reprice
from schema.appending import Appender
from schema.keys import KeyStore
from schema.lock import DirectoryLock, DirectoryLockedError
from schema.log import EventLog
from schema.prices import PriceRow, RepricedFrom
from schema.recorded import Metadata

_META = Metadata(actor="system", by="reprice")
_OK, _LAGS = 200, 503


def run(arguments: argparse.Namespace) -> int:
    """A running server does it itself, by the book that it has adopted. Raises UsageError."""
    directory = data_directory(arguments)
    try:
        with DirectoryLock(directory):
            bring_up(directory)
            shown = _reprice(arguments, directory)
    except DirectoryLockedError as error:
        shown = _by_server(arguments, str(error))
    if arguments.json:
        json_line(shown, indent=2)
    else:
        _say(shown)
    return 0


def _by_server(arguments: argparse.Namespace, locked: str) -> dict[str, Any]:
    server = Server(arguments, locked)
    start = arguments.start
    body = {"from": int(start) if start.isdigit() else start, "book": arguments.book}
    status, answer, headers = server.post("/api/prices/reprice", body)
    if status == _LAGS and "x-event-position" in headers:
        return {"success": True, "changed": True, "position": int(headers["x-event-position"]), "pending": True}
    if status != _OK:
        raise server.refused(status, answer)
    return answer


def _reprice(arguments: argparse.Namespace, directory: Path) -> dict[str, Any]:
    before, from_, head = _before(arguments)
    book = configuration_of(arguments).price_book
    try:
        done = asyncio.run(_append(directory, book, Reprice(from_, arguments.book, head)))
    except CommandError as error:
        raise UsageError(error.message) from None
    bring_up(directory)
    with tables(arguments) as (db, head):
        after = sums(db, at=head)
    return _shown(done, from_, before, after)


def _before(arguments: argparse.Namespace) -> tuple[Sums, int, int]:
    """What all has cost, the first event that is priced anew, and the last event. Raises UsageError."""
    with tables(arguments) as (db, head):
        try:
            from_ = position_from(db, arguments.start, at=head)
        except ValueError:
            raise UsageError(
                f"--from {arguments.start[:40]!r} is neither an event nor a time with its offset"
            ) from None
        if is_position(arguments.start) and from_ > max(head, 1):
            raise UsageError(f"--from {from_} is after the last event, which is {head}")
        return sums(db, at=head), from_, head


async def _append(directory: Path, book: tuple[PriceRow, ...], reprice: Reprice) -> RepricedFrom | None:
    """Adopt the configured book, as a start does, and price by it. None where all is so already."""
    keys = KeyStore(directory / "keys.sqlite")
    log = EventLog(directory / "events.sqlite", keys)
    appender = Appender(log)
    try:
        appender.start()
        handler = CommandHandler(log, appender)
        await handler.execute(AdoptPriceBook(book, book_hash(book)), _META)
        events = (await handler.execute(reprice, _META)).events
        return next((event for event in events if isinstance(event, RepricedFrom)), None)
    finally:
        await appender.close()
        log.close()
        keys.close()


def _shown(done: RepricedFrom | None, from_: int, before: Sums, after: Sums) -> dict[str, Any]:
    return {
        "success": True,
        "changed": done is not None,
        "book": done.book if done else None,
        "from_position": from_,
        "cost_before_usd": before.cost / 1_000_000,
        "cost_after_usd": after.cost / 1_000_000,
        "unpriced_before": before.unpriced,
        "unpriced_after": after.unpriced,
    }


def _say(shown: dict[str, Any]) -> None:
    if shown.get("pending"):
        line(f"priced anew by event {shown['position']}; the read tables follow")
    elif not shown["changed"]:
        line("all was priced so already")
    else:
        line(f"from event {shown['from_position']:,} on priced by book {shown['book'][:12]}")
        line(f"  before  {shown['cost_before_usd']:.6f} USD, {shown['unpriced_before']:,} exchanges without a price")
        line(f"  now     {shown['cost_after_usd']:.6f} USD, {shown['unpriced_after']:,} exchanges without a price")
