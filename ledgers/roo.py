"""Roo Code and Kilo Code: a folder for each task, with a `history_item.json` in the format of Cline's history."""

from collections.abc import Iterator

from ledgers.cline import entry
from ledgers.opening import RefusedError, Source
from ledgers.scanning import LONGEST
from ledgers.tasks import Problem, Task


def read(source: Source) -> Iterator[Task | Problem]:
    """Raises RefusedError and OSError."""
    for found in source.files("history_item.json"):
        if isinstance(found, Problem):
            yield found
            continue
        where = f"the item of task {found.parent.name[:40]}"
        try:
            with source.open(found) as file:
                data = file.read(LONGEST + 1)
        except (OSError, RefusedError):
            yield Problem(f"{where} cannot be read")
            continue
        yield entry(data, where) if len(data) <= LONGEST else Problem(f"{where} is too long")
