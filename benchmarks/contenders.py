"""What is compared: Chronoproxy, also without reduction, nginx where it is installed, and the naive proxy, each before
the same mock."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.processes import Process, free_port, start

OURS = "chronoproxy"
PLAIN = "chronoproxy-plain"  # with reduction off
NGINX = "nginx"
NAIVE = "naive"

_NGINX_CONF = """
{user}
worker_processes 1;
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    client_max_body_size 20m;
    client_body_buffer_size 1m;
    keepalive_requests 1000000;
    upstream mock {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://mock;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }}
    }}
}}
"""

_OUR_CONFIG = """
[providers.mock]
type = "openai"
base_url = "http://127.0.0.1:{upstream}/v1"

[models.bench]
provider = "mock"
model = "bench"
max_context_size = 262144
"""


_PLAIN_CONFIG = """
[reduction]
enabled = false
"""


@contextmanager
def contenders(upstream: int, directory: Path, core: int | None) -> Iterator[list[Process]]:
    """All programs under test, running; stopped at the end. Raises StartError."""
    with ExitStack() as stack:
        started = []
        for begin in (_chronoproxy, _plain, _nginx, _naive):
            process = begin(upstream, directory, core)
            if process is not None:
                stack.callback(process.stop)
                started.append(process)
        yield started


def _chronoproxy(upstream: int, directory: Path, core: int | None) -> Process:
    return _ours(OURS, _OUR_CONFIG.format(upstream=upstream), directory, core)


def _plain(upstream: int, directory: Path, core: int | None) -> Process:
    return _ours(PLAIN, _OUR_CONFIG.format(upstream=upstream) + _PLAIN_CONFIG, directory, core)


def _ours(name: str, text: str, directory: Path, core: int | None) -> Process:
    port, config = free_port(), directory / f"{name}.toml"
    config.write_text(text)
    command = [sys.executable, "-m", "chronoproxy", "serve", "--port", str(port), "--config", str(config)]
    return start(name, [*command, "--data-dir", str(directory / name)], port, directory / f"{name}.log", core)


def _nginx(upstream: int, directory: Path, core: int | None) -> Process | None:
    program = shutil.which("nginx", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin")))
    if program is None:
        return None
    port, config = free_port(), directory / "nginx.conf"
    user = "user root;" if os.getuid() == 0 else ""
    config.write_text(_NGINX_CONF.format(directory=directory, upstream=upstream, port=port, user=user))
    return start(NGINX, [program, "-c", str(config), "-e", "stderr"], port, directory / "nginx.log", core)


def _naive(upstream: int, directory: Path, core: int | None) -> Process:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.naive_proxy", f"http://127.0.0.1:{upstream}/v1", str(port)]
    return start(NAIVE, command, port, directory / "naive.log", core)
