"""The command line. Exit codes: 0 done, 2 usage, configuration or a locked data directory, 3 the store cannot be used,
130 interrupted (decisions 3.13)."""

import argparse
import asyncio
import logging
import os
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

from eventsourcing.persistence import PersistenceError

from api.configuration import Configuration, ConfigurationError, Overrides, load
from api.serving import AddressInUseError, bind, configure_logging, new_event_loop, prepare_directory, serve, url_of
from api.wiring import application
from chronoproxy import __version__
from schema.appends import StoreUnavailableError
from schema.lock import DirectoryLock, DirectoryLockedError
from schema.migrations import NewerLogError

USAGE, UNAVAILABLE, INTERRUPTED = 2, 3, 130
_log = logging.getLogger("chronoproxy")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = parser().parse_args(argv)
    try:
        return _serve(arguments)
    except (ConfigurationError, DirectoryLockedError, AddressInUseError) as error:
        return _fail(USAGE, str(error))
    except (NewerLogError, StoreUnavailableError, PersistenceError, sqlite3.Error, OSError) as error:
        return _fail(UNAVAILABLE, f"the data directory cannot be used: {error}")
    except KeyboardInterrupt:
        return INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """The arguments; what stands here also stands in docs/configuration.md."""
    top = argparse.ArgumentParser(
        prog="chronoproxy", description="An OpenAI-compatible proxy whose only memory is an append-only event log."
    )
    top.add_argument("--version", action="version", version=f"chronoproxy {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("serve", help="start the proxy")
    run.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    run.add_argument("--port", type=_port, help="port to listen on, 0 for a free one (default 8000)")
    run.add_argument("--data-dir", type=Path, help="where events.sqlite lives")
    run.add_argument("--config", type=Path, help="configuration file (TOML)")
    run.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    return top


def _serve(arguments: argparse.Namespace) -> int:
    configure_logging(arguments.log_level)
    overrides = Overrides(host=arguments.host, port=arguments.port, data_dir=arguments.data_dir)
    configuration = load(arguments.config, overrides, os.environ)
    for warning in configuration.warnings:
        _log.warning("configuration: %s", warning)
    prepare_directory(configuration.data_dir)
    with DirectoryLock(configuration.data_dir) as lock, asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_run(configuration, lock))
    return 0


async def _run(configuration: Configuration, lock: DirectoryLock) -> None:
    listener = bind(configuration.server.host, configuration.server.port)
    url = url_of(listener)
    with listener:
        async with application(configuration, configuration.data_dir) as app:
            lock.note(f"the process that serves {url}")
            _say(f"Chronoproxy listening on {url}")
            _say(f"  point an OpenAI client at {url}/v1    see it live at {url}/    data in {configuration.data_dir}")
            await serve(app, listener)


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65_535:
        raise ValueError(text)
    return number


def _fail(code: int, message: str) -> int:
    sys.stderr.write(f"chronoproxy: {message}\n")
    return code


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
