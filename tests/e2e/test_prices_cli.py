"""`chronoproxy reprice` and `reconcile`, with and without a server on the data directory."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.cli import main
from schema.appending import Appender
from schema.appends import Append
from schema.keys import KeyStore
from schema.log import EventLog
from schema.recorded import Metadata, NewEvent
from tests.e2e.processes import ProxyProcess
from tests.projections.building import completed, measured, session, started

_PRICED = '[models."demo/echo"]\nprovider = "demo"\nmodel = "echo"\nprice = { input = 1.0, output = 2.0 }\n'
_MICROS = 100 + 2 * 20
Run = Callable[..., Any]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """An empty configuration, and a place for the log."""
    (tmp_path / "data").mkdir()
    (tmp_path / "config.toml").write_text("")
    return tmp_path


@pytest.fixture
def run(directory: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str, code: int = 0) -> Any:
        capsys.readouterr()
        places = ("--data-dir", str(directory / "data"), "--config", str(directory / "config.toml"), "--json")
        assert main([*arguments, *places]) == code
        printed = capsys.readouterr()
        return json.loads(printed.out) if code < 2 else printed.err

    return call


async def _write(data: Path) -> str:
    """When the exchange ended, in seconds since the epoch."""
    keys = KeyStore(data / "keys.sqlite")
    log = EventLog(data / "events.sqlite", keys)
    appender = Appender(log)
    appender.start()
    events = session(1), started(1, 1), completed(1, 1, measured(100, 20))
    new = [NewEvent(f"stream-{number}", event) for number, event in enumerate(events)]
    done = await appender.append(Append(events=new, metadata=Metadata(actor="proxy"), durable=True))
    first = log.at(done.head)
    await appender.close()
    log.close()
    keys.close()
    assert first is not None
    return f"{first.timestamp // 1000}"


def _invoice(directory: Path, day: str, micros: int) -> str:
    path = directory / "invoice.csv"
    path.write_text(f"timestamp,model,amount\n{day},echo-2026-01-01,{micros / 1e6:.6f}\n")
    return str(path)


def test_history_is_priced_and_compared_while_nobody_serves(directory: Path, run: Run) -> None:
    day = asyncio.run(_write(directory / "data"))
    assert "No prices" in run("reprice", code=2)
    (directory / "config.toml").write_text(_PRICED)
    done = run("reprice")
    assert (done["changed"], done["unpriced_before"], done["unpriced_after"]) == (True, 1, 0)
    assert round(done["cost_after_usd"] * 1e6) == _MICROS
    assert not run("reprice")["changed"]
    assert "neither" in run("reprice", "--from", "yesterday", code=2)
    assert "after the last event" in run("reprice", "--from", "99", code=2)
    assert "No price book none" in run("reprice", "--book", "none", code=2)
    _reconciled(run, directory, day)


def test_a_server_does_it_itself(directory: Path, run: Run) -> None:
    day = asyncio.run(_write(directory / "data"))
    (directory / "config.toml").write_text(_PRICED)
    with ProxyProcess(directory=directory) as proxy:
        proxy.until_ready()
        done = run("reprice", "--from", "2020-01-01T00:00:00Z")
        assert (done["changed"], done["unpriced_before"], done["unpriced_after"]) == (True, 1, 0)
        totals = httpx.get(f"{proxy.url}/api/usage", timeout=60).json()["totals"]
        assert round(totals["cost_usd"] * 1e6) == _MICROS
        assert "No price book none" in run("reprice", "--book", "none", code=2)
        _reconciled(run, directory, day)


def _reconciled(run: Run, directory: Path, day: str) -> None:
    equal = run("reconcile", _invoice(directory, day, _MICROS))
    assert (equal["equal"], equal["differing"], equal["totals"]["remainder_usd"]) == (True, 0, 0)
    assert [round(each["ours_usd"] * 1e6) for each in equal["lines"]] == [_MICROS]
    dearer = _invoice(directory, day, _MICROS + 20_000)
    other = run("reconcile", dearer, code=1)
    assert (other["equal"], other["totals"]["remainder_usd"]) == (False, 0.02)
    run("reconcile", dearer, "--tolerance", "0.03")
    run("reconcile", dearer, "--provider", "demo", code=1)
    assert "no provider 'nope'" in run("reconcile", dearer, "--provider", "nope", code=2)
    assert "none.csv" in run("reconcile", "none.csv", code=2)
