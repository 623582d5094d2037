"""Reading one ledger: tasks in pieces of bounded size, what stands there twice, and what could not be taken over."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import msgspec

from ledgers.catalogue import Ledger
from ledgers.databases import DatabaseError
from ledgers.opening import Places, RefusedError, Source
from ledgers.tasks import Problem, Task
from schema.ledgers import TaskUsageImported, WireMatch

_PIECE = 200  # tasks
_PIECE_CALLS = 20_000
MOST_PROBLEMS = 20
MOST_TASKS = 100_000


class Trouble(msgspec.Struct):
    """`problems` are the first ones, `errors` counts all."""

    errors: int = 0
    problems: list[str] = msgspec.field(default_factory=list)

    def add(self, text: str) -> None:
        self.errors += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(text[:200])


def pieces(
    ledger: Ledger, places: Places, trouble: Trouble, owners: Mapping[bytes, str] = MappingProxyType({})
) -> Iterator[list[Task]]:
    """The tasks of a ledger; what is wrong goes to `trouble`. `owners` are the answers that tasks on record hold. Never
    raises for what a file holds."""
    piece: list[Task] = []
    calls = 0
    for count, task in enumerate(_tasks(ledger, Source(ledger.path, places, owners), trouble)):
        if count == MOST_TASKS:
            trouble.add(f"there are more than {MOST_TASKS:,} tasks")
            break
        piece.append(task)
        calls += len(task.requests)
        if len(piece) >= _PIECE or calls >= _PIECE_CALLS:
            yield piece
            piece, calls = [], 0
    if piece:
        yield piece


def _tasks(ledger: Ledger, source: Source, trouble: Trouble) -> Iterator[Task]:
    try:
        for found in ledger.kind.read(source):
            if isinstance(found, Problem):
                trouble.add(found.text)
            else:
                yield found
    except (RefusedError, DatabaseError) as error:
        trouble.add(f"the ledger {error}")
    except OSError as error:
        trouble.add(f"the ledger cannot be read: {error.strerror or type(error).__name__}")


def imported(ledger: Ledger, task: Task, match: WireMatch | None) -> TaskUsageImported:
    """A task as the event that takes it over."""
    fields = msgspec.structs.asdict(task)
    fields = {name: value for name, value in fields.items() if name not in ("requests", "until")}
    fields["hours"] = task.hours or None
    return TaskUsageImported(tool=ledger.tool, ledger=ledger.shown, match=match, **fields)
