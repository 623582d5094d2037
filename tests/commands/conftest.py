"""A real log with its appender, and a handler on it."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

import msgspec
import pytest

from commands.handling import CommandHandler
from schema.appending import Appender
from schema.keys import KeyStore
from schema.log import EventLog


class Store(msgspec.Struct):
    log: EventLog
    appender: Appender
    handler: CommandHandler


class Open(Protocol):
    def __call__(self, appender_type: type[Appender] = Appender) -> Awaitable[Store]: ...


@pytest.fixture
async def open_store(tmp_path: Path) -> AsyncIterator[Open]:
    """Opens the test's data directory; called again it closes and opens it anew, as a restart does."""
    stack = AsyncExitStack()

    async def opened(appender_type: type[Appender] = Appender) -> Store:
        await stack.aclose()
        keys = KeyStore(tmp_path / "keys.sqlite")
        log = EventLog(tmp_path / "events.sqlite", keys)
        appender = appender_type(log, busy_timeout_s=0.05)
        stack.callback(keys.close)
        stack.callback(log.close)
        stack.push_async_callback(appender.close)
        appender.start()
        return Store(log, appender, CommandHandler(log, appender))

    yield opened
    await stack.aclose()


@pytest.fixture
async def store(open_store: Open) -> Store:
    return await open_store()
