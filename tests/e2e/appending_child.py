"""Run by test_kill.py: appends as fast as it can and tells each acknowledged event, until it is killed.

`python -m tests.e2e.appending_child DIRECTORY`. Each line is `exchange position`, written only after the commit.
"""

import asyncio
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

from schema.appending import Appender
from schema.appends import Append
from schema.keys import KeyStore
from schema.lock import DirectoryLock
from schema.log import EventLog
from schema.recorded import Metadata
from tests.schema.writing import started

_CONCURRENT = 64
_META = Metadata(actor="proxy")


async def work(appender: Appender, numbers: Iterator[int]) -> None:
    for number in numbers:
        new = started(number, b"body of %d" % number, session_id=number % 5 + 1, preview=f"preview of {number}")
        committed = await appender.append(Append(events=[new], metadata=_META, durable=number % 10 == 0, keep=True))
        sys.stdout.write(f"{number} {committed.positions[0]}\n")
        sys.stdout.flush()


async def run(directory: Path) -> None:
    log = EventLog(directory / "events.sqlite", KeyStore(directory / "keys.sqlite"))
    numbers = itertools.count(log.max_id("exchange_id") + 1)
    appender = Appender(log)
    appender.start()
    async with asyncio.TaskGroup() as group:
        for _ in range(_CONCURRENT):
            group.create_task(work(appender, numbers))


if __name__ == "__main__":
    with DirectoryLock(Path(sys.argv[1])):
        asyncio.run(run(Path(sys.argv[1])))
