"""Taking over what clients wrote down: each task once, by its tool and id; what is as before appends nothing.

The same task may stand in two ledgers (a client that moved its files). The one with the later use holds: else each
import would exchange them.
"""

import hashlib

import msgspec

from commands.errors import UnavailableError
from schema.ledgers import LedgerImported, TaskUsageImported, Tool
from schema.registry import Event
from schema.unreadable import Unreadable

_encode = msgspec.json.Encoder().encode


class Row(msgspec.Struct, frozen=True):
    """A task of a ledger; `digest` tells whether it is as before."""

    event: TaskUsageImported
    digest: bytes


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of one ledger. `duplicates` stood there twice; of a ledger that is gone nothing was read. A long
    reading comes in parts: all but the last hold `rows` alone, and the last says how many rows and which last use were
    in them, and how many of these rows were taken over."""

    ledger: str
    tool: Tool
    kind: str
    rows: tuple[Row, ...] = ()
    duplicates: int = 0
    errors: int = 0
    problems: tuple[str, ...] = ()
    last: bool = True
    before: int = 0
    taken_before: int = 0
    latest_before: int | None = None


class ImportLedgers(msgspec.Struct, frozen=True):
    """All or nothing."""

    readings: tuple[Reading, ...]


Command = ImportLedgers


class Known(msgspec.Struct, gc=False):
    """What is on record of a task."""

    ledger: str
    ts: int
    tokens: int
    digest: bytes


class Seen(msgspec.Struct, gc=False):
    """How many tasks of a ledger were seen the last time, and how many could not be taken over."""

    tasks: int
    errors: int
    problems: tuple[str, ...]


class Ledgers(msgspec.Struct):
    """`evolve` changes it in place. `tasks` are by tool and id."""

    tasks: dict[str, Known] = msgspec.field(default_factory=dict)
    ledgers: dict[str, Seen] = msgspec.field(default_factory=dict)
    unreadable: Unreadable | None = None  # the first such event about them


def row(event: TaskUsageImported) -> Row:
    told = msgspec.structs.replace(event, answers=None)  # each is told of once
    return Row(event, hashlib.blake2b(_encode(told), digest_size=12).digest())


def initial_state() -> Ledgers:
    return Ledgers()


def evolve(state: Ledgers, event: Event) -> Ledgers:
    match event:
        case TaskUsageImported():
            state.tasks[_key(event)] = Known(event.ledger, event.ts, _tokens(event), row(event).digest)
        case LedgerImported():
            state.ledgers[event.ledger] = Seen(event.rows + event.skipped, event.errors, event.problems)
        case Unreadable():
            state.unreadable = state.unreadable or event
        case _:
            pass
    return state


def decide(state: Ledgers, command: Command) -> list[Event]:
    """What could not be read of a ledger is counted, and what is as before says nothing. Raises UnavailableError where
    it is not known what was taken over: it would be counted twice."""
    if state.unreadable is not None:
        text = f"Nothing can be imported: {state.unreadable}."
        raise UnavailableError("store_unavailable", text, position=state.unreadable.position)
    taken: dict[str, Known] = {}  # by earlier readings of the same command
    return [event for reading in command.readings for event in _decide_one(state, taken, reading)]


def _decide_one(state: Ledgers, taken: dict[str, Known], reading: Reading) -> list[Event]:
    events: list[Event] = []
    for each in reading.rows:
        key = _key(each.event)
        if _holds(taken.get(key) or state.tasks.get(key), each):
            taken[key] = Known(each.event.ledger, each.event.ts, _tokens(each.event), each.digest)
            events.append(each.event)
    if not reading.last:
        return events
    rows = reading.taken_before + len(events)
    seen = reading.before + len(reading.rows) + reading.duplicates
    before = state.ledgers.get(reading.ledger, Seen(0, 0, ()))
    if not rows and before == Seen(seen, reading.errors, reading.problems):
        return []
    imported = LedgerImported(
        ledger=reading.ledger,
        tool=reading.tool,
        kind=reading.kind,
        rows=rows,
        skipped=seen - rows,
        errors=reading.errors,
        latest_ts=max((reading.latest_before or 0, *(each.event.ts for each in reading.rows))) or None,
        problems=reading.problems,
    )
    return [*events, imported]


def _holds(known: Known | None, each: Row) -> bool:
    """Whether the row takes the place of what is known."""
    if known is None:
        return True
    if known.ledger == each.event.ledger:
        return known.digest != each.digest
    return (each.event.ts, _tokens(each.event)) > (known.ts, known.tokens)


def _key(event: TaskUsageImported) -> str:
    return f"{event.tool}\0{event.task_id}"


def _tokens(event: TaskUsageImported) -> int:
    return event.tokens_in + event.tokens_out
