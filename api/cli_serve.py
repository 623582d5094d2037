"""`chronoproxy serve`: the proxy in the foreground."""

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys

from api.cli_output import OutputError, UsageError, discard, finish, line
from api.configuration import Configuration, Overrides, load
from api.data_directory import prepare_directory
from api.descriptors import raise_limit
from api.listening import bind, url_of
from api.own_log import configure_logging
from api.serving import new_event_loop, serve
from api.wiring import application
from schema.lock import DirectoryLock
from schema.locked_out import why_not_served

_YOUNG = 20_000  # objects, some MB

_log = logging.getLogger("chronoproxy")


def run(arguments: argparse.Namespace) -> int:
    configure_logging(arguments.log_level, arguments.log_format)
    overrides = Overrides(host=arguments.host, port=arguments.port, data_dir=arguments.data_dir)
    configuration = load(arguments.config, overrides, os.environ)
    for warning in configuration.warnings:
        _log.warning("configuration: %s", warning)
    prepare_directory(configuration.data_dir)
    refused = why_not_served(configuration.data_dir)
    if refused is not None:
        raise UsageError(refused)
    raise_limit()
    with DirectoryLock(configuration.data_dir) as lock, asyncio.Runner(loop_factory=new_event_loop) as runner:
        try:
            runner.run(_run(configuration, lock, without_keys=arguments.without_keys))
        except asyncio.CancelledError:  # it was asked to stop before it served
            _log.info("stopped before it was ready")
    return 0


def _stop_early() -> None:
    """SIGTERM from now on, until `serve` sees to it; Ctrl-C is a matter of asyncio's runner."""
    task = asyncio.current_task()
    if task is not None and sys.platform != "win32":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


async def _run(configuration: Configuration, lock: DirectoryLock, *, without_keys: bool) -> None:
    _stop_early()
    listener = bind(configuration.server.host, configuration.server.port)
    url = url_of(listener)
    with listener:
        async with application(configuration, configuration.data_dir, without_keys=without_keys) as app:
            lock.note(f"the process that serves {url}")
            _collect_rarely()
            _greet(
                f"Chronoproxy listening on {url}",
                f"  point an OpenAI client at {url}/v1    see it live at {url}/    data in {configuration.data_dir}",
            )
            await serve(app, listener)


def _collect_rarely() -> None:
    """What is there now stays for good, and a completion leaves no cycles: looking for them takes 2 % of its time with
    the usual threshold."""
    gc.freeze()
    gc.set_threshold(_YOUNG)


def _greet(*lines: str) -> None:
    """A server serves also where nobody can be told so."""
    try:
        for each in lines:
            line(each)
        finish()
    except OutputError as error:
        discard()
        _log.warning("%s", error)
