"""An idle connection stays open for longer than clients keep theirs, so that no request meets a closing one."""

import http.client
import time
from urllib.parse import urlsplit

from api.serving import KEEP_ALIVE_S
from tests.e2e.processes import ProxyProcess


def test_a_connection_outlives_the_idle_time_of_clients(proxy: ProxyProcess) -> None:
    address = urlsplit(proxy.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=5)
    connection.request("GET", "/health")
    connection.getresponse().read()
    socket = connection.sock
    time.sleep(6)
    connection.request("GET", "/health")
    assert connection.getresponse().read()
    assert connection.sock is socket
    connection.close()
    assert KEEP_ALIVE_S > 60
