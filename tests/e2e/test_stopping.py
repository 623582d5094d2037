"""A second signal does not wait, and what it cuts off is nobody's failure."""

import json
import signal
import socket
import sys
import threading
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.processes import MockProcess, ProxyProcess, config_for, plan

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM is of POSIX")


def until_deaf(url: str) -> None:
    """Wait until nothing new is accepted: the first signal has come."""
    address = urlsplit(url)
    while True:
        try:
            socket.create_connection((str(address.hostname), address.port), timeout=5).close()
        except OSError:
            return


class Asking(threading.Thread):
    """A completion that is under way: its status and what came of its body, until it was cut off."""

    def __init__(self, url: str, *, stream: bool, stall: str) -> None:
        super().__init__()
        self._url, self._stream, self._stall = url, stream, stall
        self.begun = threading.Event()
        self.status, self.body, self.cut = 0, b"", False

    def run(self) -> None:
        body = {"model": "mock", "messages": [{"role": "user", "content": "x"}], "stream": self._stream}
        headers = plan(stall=self._stall)
        with (
            httpx.Client(timeout=60, trust_env=False) as client,
            client.stream("POST", f"{self._url}/v1/chat/completions", json=body, headers=headers) as answer,
        ):
            self.status = answer.status_code
            try:
                for piece in answer.iter_raw():
                    self.body += piece
                    self.begun.set()
            except httpx.RemoteProtocolError:
                self.cut = True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_interrupts_what_runs_at_once(mock: MockProcess, number: int) -> None:
    with ProxyProcess(config_for(mock.base_url).replace("read_timeout_s = 3", "read_timeout_s = 60")) as proxy:
        streamed = Asking(proxy.url, stream=True, stall="mid_stream")
        whole = Asking(proxy.url, stream=False, stall="before_headers")
        for asking in (streamed, whole):
            asking.start()
        assert streamed.begun.wait(30)
        while len(running(proxy)) < 2:
            pass
        assert proxy.process is not None
        proxy.process.send_signal(number)
        until_deaf(proxy.url)
        assert proxy.stop(number) == 0
        for asking in (streamed, whole):
            asking.join(30)
        log = proxy.log.read_text()
        proxy.start()
        exchanges: list[Any] = proxy.get("/api/exchanges")["exchanges"]
    assert [(each["outcome"], each["error"]) for each in exchanges] == [("interrupted", None)] * 2
    assert (streamed.status, streamed.cut, b"error" in streamed.body) == (200, True, False)
    assert (whole.status, json.loads(whole.body)["error"]["code"]) == (503, "shutting_down")
    assert "Traceback" not in log


def running(proxy: ProxyProcess) -> list[Any]:
    exchanges: list[Any] = proxy.get("/api/exchanges")["exchanges"]
    return [each for each in exchanges if each["outcome"] == "running"]
