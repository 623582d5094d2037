"""kill -9 under load: every acknowledged event is in the log, once, and the log goes on."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from schema.blobs import content_ref
from schema.exchanges import ExchangeStarted
from schema.keys import KeyStore
from schema.lock import DirectoryLock
from schema.log import EventLog

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX")
_ROOT = Path(__file__).parents[2]
_ROUNDS = 3


def killed_under_load(directory: Path, lines: int) -> dict[int, int]:
    """Let a child append, kill it after so many acknowledgements: exchange -> position of each that it told."""
    arguments = [sys.executable, "-m", "tests.e2e.appending_child", str(directory)]
    with subprocess.Popen(arguments, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        told = [child.stdout.readline() for _ in range(lines)]
        child.send_signal(signal.SIGKILL)
        told += child.stdout.readlines()
    assert child.returncode == -signal.SIGKILL
    whole = [line.split() for line in told if line.endswith("\n")]
    return {int(exchange): int(position) for exchange, position in whole}


def test_no_acknowledged_event_is_lost_or_doubled(tmp_path: Path) -> None:
    acknowledged: dict[int, int] = {}
    moment = random.Random()
    for _ in range(_ROUNDS):
        told = killed_under_load(tmp_path, moment.randrange(200, 1_500))
        assert len(told) >= 200
        assert not told.keys() & acknowledged.keys()
        acknowledged |= told
        check(tmp_path, acknowledged)


def check(directory: Path, acknowledged: dict[int, int]) -> None:
    with DirectoryLock(directory):
        keys = KeyStore(directory / "keys.sqlite")
        log = EventLog(directory / "events.sqlite", keys)
        try:
            events = list(log.scan())
            assert [recorded.position for recorded in events] == list(range(1, len(events) + 1))
            placed = {recorded.exchange_id: recorded.position for recorded in events}
            assert len(placed) == len(events), "an exchange stands there twice"
            assert {exchange: placed.get(exchange) for exchange in acknowledged} == acknowledged
            assert log.chain_break() is None
            assert len(log.open_exchanges()) == len(events)
            for recorded in (*events[:3], *events[-3:]):
                number = recorded.exchange_id or 0
                assert isinstance(recorded.event, ExchangeStarted)
                assert recorded.event.preview == f"preview of {number}"
                body = b"body of %d" % number
                assert log.body(recorded.position, content_ref(body)) == body
        finally:
            log.close()
            keys.close()
