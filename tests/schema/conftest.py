"""A data directory of its own for each test, and what stands on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from schema.keys import KeyStore
from schema.log import EventLog
from schema.sealing import Sealer


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[KeyStore]:
    store = KeyStore(tmp_path / "keys.sqlite")
    yield store
    store.close()


@pytest.fixture
def sealer(keys: KeyStore) -> Sealer:
    return Sealer(keys)


@pytest.fixture
def log(tmp_path: Path, keys: KeyStore) -> Iterator[EventLog]:
    opened = EventLog(tmp_path / "events.sqlite", keys)
    yield opened
    opened.close()
