"""`chronoproxy events`: the log as lines."""

import argparse
import time
from collections.abc import Iterator

import msgspec

from api import views
from api.cli_output import UsageError, json_line, line
from api.cli_places import reading
from api.labels import Summaries
from api.times import iso
from schema.catalogue import REGISTRY
from schema.log import EventLog
from schema.recorded import Recorded

_FOLLOW_S = 0.2


def run(arguments: argparse.Namespace) -> int:
    """Raises UsageError."""
    unknown = sorted(set(arguments.type or ()) - set(REGISTRY.names()))
    if unknown:
        raise UsageError(f"there is no event type {unknown[0]}; types are {', '.join(REGISTRY.names())}")
    with reading(arguments) as log:
        summaries = Summaries(log)
        erased = frozenset(recorded.session_id for recorded in log.scan(types=("SessionErased",)))
        for recorded in _wanted(log, arguments):
            summary = summaries.of(recorded)
            if arguments.json:
                json_line(views.event(recorded, summary, erased).model_dump(mode="json"))
            else:
                line(f"{recorded.position:>7}  {iso(recorded.timestamp)}  {recorded.type:<20}  {summary}")
    return 0


class _Filter(msgspec.Struct):
    types: tuple[str, ...]
    session_id: int | None
    stream: str | None


def _wanted(log: EventLog, arguments: argparse.Namespace) -> Iterator[Recorded]:
    chosen = _Filter(
        tuple(arguments.type or ()),
        arguments.session,
        None if arguments.exchange is None else f"exchange-{arguments.exchange}",
    )
    first, last, limit = max(arguments.from_, 1), arguments.to, arguments.limit
    if arguments.reverse:
        yield from _backwards(log, chosen, first, last, limit)
        return
    shown, after = 0, first - 1
    while limit is None or shown < limit:
        for recorded in _scan(log, chosen, after, last):
            yield recorded
            shown, after = shown + 1, recorded.position
            if shown == limit:
                return
        if not arguments.follow or (last is not None and after >= last):
            return
        time.sleep(_FOLLOW_S)


def _scan(log: EventLog, chosen: _Filter, after: int, last: int | None) -> Iterator[Recorded]:
    return log.scan(after, upto=last, types=chosen.types, session_id=chosen.session_id, stream=chosen.stream)


def _backwards(log: EventLog, chosen: _Filter, first: int, last: int | None, limit: int | None) -> Iterator[Recorded]:
    """In stretches, so that memory stays bounded."""
    end, shown, stretch = (log.head() if last is None else min(last, log.head())), 0, 1_000
    while end >= first:
        start = max(end - stretch + 1, first)
        for recorded in reversed(list(_scan(log, chosen, start - 1, end))):
            yield recorded
            shown += 1
            if shown == limit:
                return
        end = start - 1
