"""The proxy as a process of its own, the way a user starts it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from tests.e2e.nursery import Fledgling, fledge

_WITHIN_S = 30.0  # where the machine is busy
ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-upstream-planted-key-1234567890"


def config_for(base_url: str, more: str = "") -> str:
    """One provider at `base_url` with two models, one of them renamed on its way up."""
    return f"""
default_model = "mock"
{more}
[providers.mock]
base_url = "{base_url}"
api_key = "{KEY}"
allow_any_model = true
connect_timeout_s = 2
read_timeout_s = 3

[models.mock]
provider = "mock"
model = "mock-model"
max_context_size = 100000

[models."mock-model-2"]
provider = "mock"
model = "mock-model-2"
"""


class ProxyProcess:
    """`with ProxyProcess(config) as proxy:`; `kill` and `start` again on the same data directory. A `fresh` one imports
    the program itself, as a user's does."""

    def __init__(self, config: str | None = None, directory: Path | None = None, *, fresh: bool = False) -> None:
        self._fresh = fresh
        self._temporary = tempfile.TemporaryDirectory(prefix="chronoproxy-") if directory is None else None
        self.directory = directory or Path(self._temporary.name if self._temporary else "")
        self.data = self.directory / "data"
        self._config = self.directory / "config.toml"
        if config is not None:
            self._config.write_text(config, encoding="utf-8")
        self.process: subprocess.Popen[str] | Fledgling | None = None
        self.url = ""
        self.log = self.directory / "stderr.log"

    def start(self, port: int = 0, *more: str) -> "ProxyProcess":
        arguments = ["serve", "--port", str(port), "--data-dir", str(self.data), *more]
        if self._config.exists():
            arguments += ["--config", str(self._config)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(self.directory)}
        environment.pop("CHRONOPROXY_CONFIG", None)
        if self._fresh:
            with self.log.open("a", encoding="utf-8") as stderr:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "chronoproxy", *arguments],
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    text=True,
                    cwd=self.directory,
                    env=environment,
                )
        else:
            self.process = fledge(arguments, environment, self.directory, self.log)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("Chronoproxy listening on "):
            self.stop(signal.SIGKILL)
            raise AssertionError(f"the proxy did not start: {line}{self.log.read_text()}")
        self.url = line.split()[-1]
        return self

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(timeout=30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None
        return code

    def get(self, path: str, **params: Any) -> Any:
        """The JSON of a GET, read when everything that is in the log by now has been projected."""
        head = httpx.get(f"{self.url}/health", timeout=_WITHIN_S).json()["position"]
        headers = {"X-Min-Position": str(head)}
        answer = httpx.get(f"{self.url}{path}", params=params, headers=headers, timeout=_WITHIN_S)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def until_ready(self, timeout_s: float = 60.0) -> None:
        """Wait for the read tables after a start."""
        deadline = time.monotonic() + timeout_s
        while httpx.get(f"{self.url}/health/ready", timeout=timeout_s).status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def finished(self, exchange_id: int | str, timeout_s: float = 5.0) -> Any:
        """The exchange once it has ended."""
        deadline = time.monotonic() + timeout_s
        while True:
            exchange = self.get(f"/api/exchanges/{exchange_id}")
            if exchange["outcome"] != "running" or time.monotonic() > deadline:
                return exchange
            time.sleep(0.02)

    def __enter__(self) -> "ProxyProcess":
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self.process is not None:
            self.stop()
        if self._temporary is not None:
            self._temporary.cleanup()


class MockProcess:
    """The mock provider as a process of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.mock_provider", "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.base_url = f"http://127.0.0.1:{self.port}/v1"

    def report(self, name: str) -> Any:
        """What it has seen: `_requests`, `_last` or `_closed`."""
        return httpx.get(f"http://127.0.0.1:{self.port}/{name}", timeout=_WITHIN_S).json()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def plan(**fields: Any) -> dict[str, str]:
    """The header that chooses how the mock answers."""
    return {"x-mock": json.dumps(fields)}
