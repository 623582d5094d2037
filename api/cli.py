"""The command line.

Exit codes: 0 done, 1 a check failed, 2 usage, configuration, output or a locked data directory, 3 the store cannot be
used, 130 interrupted (decisions 3.13).
"""

import argparse
import contextlib
import gc
import importlib
import sqlite3
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

import msgspec
from eventsourcing.persistence import PersistenceError

from api import reconcile_arguments
from api.cli_output import OutputError, UsageError, discard, finish, printable
from api.client_recipes import RECIPES
from api.configuration_file import ConfigurationError
from api.listening import AddressInUseError
from chronoproxy import __version__
from commands.errors import UnavailableError
from schema.appends import StoreUnavailableError
from schema.lock import DirectoryLockedError
from schema.migrations import NewerLogError, OlderLogError
from schema.registry import UnknownEventTypeError
from schema.sealing import SealError
from schema.standing import UnfitDirectoryError
from schema.unreadable import UnreadableEventError

USAGE, UNAVAILABLE, INTERRUPTED = 2, 3, 130
_ONE_DOCUMENT = "print one JSON document"
# what the log, its keys and the read tables raise where they are not what this program can use, or not now
_UNUSABLE = (
    NewerLogError,
    OlderLogError,
    UnfitDirectoryError,
    StoreUnavailableError,
    UnavailableError,
    UnreadableEventError,
    UnknownEventTypeError,
    SealError,
    PersistenceError,
    msgspec.MsgspecError,
    sqlite3.Error,
    OSError,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
        finish()
        return code
    except BrokenPipeError:  # whoever read our lines has had enough
        discard()
        return 0
    except OutputError as error:
        discard()
        return _fail(USAGE, str(error))
    except (UsageError, ConfigurationError, DirectoryLockedError, AddressInUseError) as error:
        return _fail(USAGE, str(error))
    except _UNUSABLE as error:
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
    _add_serve(commands.add_parser("serve", help="start the proxy"))
    _add_events(commands.add_parser("events", help="show the event log"))
    _add_verify(commands.add_parser("verify", help="check that the log is what was written"))
    _add_rebuild(commands.add_parser("rebuild", help="make the read tables anew from the log"))
    _add_backup(commands.add_parser("backup", help="copy the log and its keys, also while the proxy runs"))
    _add_restore(commands.add_parser("restore", help="take a copy back"))
    _add_log(commands.add_parser("log", help="write a whole log into one file, or take it back"))
    _add_fork(commands.add_parser("fork", help="go on from an earlier moment of a session, in a new one"))
    _add_replay(commands.add_parser("replay", help="send a session's upstream requests once more"))
    _add_what_if(commands.add_parser("what-if", help="what other settings would have sent of a session"))
    _add_import(commands.add_parser("import", help="take over what clients wrote down about their usage"))
    _add_reprice(commands.add_parser("reprice", help="price history anew"))
    _add_reconcile(commands.add_parser("reconcile", help="compare a provider's invoice with what was counted"))
    _add_doctor(commands.add_parser("doctor", help="check everything around the proxy"))
    _add_config(commands.add_parser("config", help="check or begin a configuration"))
    _add_setup(commands.add_parser("setup", help="show how to point a client at the proxy"))
    return top


def _later(module: str, function: str = "run") -> Callable[[argparse.Namespace], int]:
    """A command, imported when it runs: all of them together take longer to load than most take to run."""

    def run(arguments: argparse.Namespace) -> int:
        command = getattr(importlib.import_module(f"api.{module}"), function)
        _collect_garbage()
        return int(command(arguments))

    return run


def _collect_garbage() -> None:
    """From here on; what was imported stays for good, and no collection looks at it again."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=_port, help="port to listen on, 0 for a free one (default 8000)")
    _add_places(parser)
    parser.add_argument(
        "--without-keys", action="store_true", help="go on without keys.sqlite: what it sealed is not readable any more"
    )
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    parser.add_argument("--log-format", default="text", choices=("text", "json"), help="of our own log, to stderr")
    parser.set_defaults(run=_later("cli_serve"))


def _add_events(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--session", type=_number, metavar="ID", help="only events about this session")
    parser.add_argument("--exchange", type=_number, metavar="ID", help="only events of this exchange")
    parser.add_argument("--type", action="append", metavar="TYPE", help="only events of this type; may be repeated")
    _add_span(parser)
    parser.add_argument("--limit", type=_number, metavar="N", help="at most this many")
    order = parser.add_mutually_exclusive_group()
    order.add_argument("--reverse", action="store_true", help="newest first")
    order.add_argument("--follow", action="store_true", help="wait for new ones, until Ctrl-C")
    _add_places(parser, json="each event with its data as one line of JSON")
    parser.set_defaults(run=_later("cli_events"))


def _add_verify(parser: argparse.ArgumentParser) -> None:
    _add_span(parser)
    parser.add_argument("--head", metavar="POSITION:HASH", help="an event that the log must hold, noted elsewhere")
    _add_places(parser, json=_ONE_DOCUMENT)
    parser.set_defaults(run=_later("cli_verify"))


def _add_rebuild(parser: argparse.ArgumentParser) -> None:
    _add_places(parser, json=_ONE_DOCUMENT)
    parser.set_defaults(run=_later("cli_rebuild"))


def _add_backup(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", type=Path, help="a new directory")
    _add_places(parser, json=_ONE_DOCUMENT)
    parser.set_defaults(run=_later("cli_backup", "back"))


def _add_restore(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("backup", type=Path, help="what backup has made")
    parser.add_argument("--accept-head", action="store_true", help="put it in the place of a log that is there")
    _add_places(parser, json=_ONE_DOCUMENT)
    parser.set_defaults(run=_later("cli_backup", "restore"))


def _add_log(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    out = actions.add_parser("export", help="into one file, also while the proxy runs")
    out.add_argument("file", type=Path, help="the file to write; it must not be there")
    out.add_argument("--with-keys", action="store_true", help="with what its contents can be read with")
    out.add_argument("--session", type=_number, action="append", metavar="ID", help="contents of this one only")
    out.set_defaults(run=_later("cli_log", "out"))
    back = actions.add_parser("import", help="from such a file, into an empty directory")
    back.add_argument("file", type=Path, help="what log export has written")
    back.set_defaults(run=_later("cli_log", "back"))
    for action in (out, back):
        _add_places(action, json=_ONE_DOCUMENT)


def _add_fork(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", type=_number, metavar="SESSION", help="the session's id")
    parser.add_argument("--at", metavar="N", help="an event's position, or a time (default: now)")
    parser.add_argument("--name", type=_name, help="of the new session (default: says where it comes from)")
    _add_places(parser, json=_ONE_DOCUMENT)
    parser.set_defaults(run=_later("cli_fork"))


def _add_replay(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", type=_number, metavar="SESSION", help="the session's id")
    parser.add_argument("--against", required=True, metavar="URL", help="an OpenAI-compatible API, with its /v1")
    parser.add_argument("--key-env", metavar="NAME", help="environment variable that holds its key")
    parser.add_argument("--exchange", type=_number, metavar="ID", help="only this exchange")
    parser.add_argument("--limit", type=_number, metavar="N", help="at most this many")
    _add_places(parser, json=_ONE_DOCUMENT)
    parser.set_defaults(run=_later("cli_replay"))


def _add_what_if(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", type=_number, metavar="SESSION", help="the session's id")
    parser.add_argument("--cached-price-ratio", type=_share, default=0.1, help="price of a cached token (default 0.1)")
    _add_places(parser, json=_ONE_DOCUMENT)
    parser.set_defaults(run=_later("cli_what_if"))


def _add_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="?", metavar="TOOL|PATH", help="a tool such as cline, or one ledger's path")
    parser.add_argument("--all", action="store_true", help="all ledgers of all tools")
    parser.add_argument("--dry-run", action="store_true", help="say what would be taken over, and change nothing")
    _add_places(parser, json=_ONE_DOCUMENT)
    parser.set_defaults(run=_later("cli_import"))


def _add_reprice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from", dest="start", default="1", metavar="MOMENT", help="first event, or a time (default 1)"
    )
    parser.add_argument("--book", metavar="HASH", help="a price book that was adopted (default: the one in force)")
    _add_places(parser, json=_ONE_DOCUMENT)
    parser.set_defaults(run=_later("cli_reprice"))


def _add_reconcile(parser: argparse.ArgumentParser) -> None:
    reconcile_arguments.add_arguments(parser)
    _add_places(parser, json=_ONE_DOCUMENT)
    parser.set_defaults(run=_later("cli_reconcile"))


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--offline", action="store_true", help="do not ask the providers")
    _add_places(parser, json=_ONE_DOCUMENT)
    parser.set_defaults(run=_later("cli_doctor"))


def _add_setup(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("client", choices=sorted(RECIPES), help="the client")
    parser.add_argument("--url", help="the proxy's address as the client reaches it (default: as configured)")
    _add_places(parser, json=_ONE_DOCUMENT)
    parser.set_defaults(run=_later("cli_setup"))


def _add_config(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser("check", help="print the values in force, without secrets")
    check.add_argument("file", nargs="?", type=Path, help="the file to check; else the one that serve would read")
    check.set_defaults(run=_later("cli_config", "check"))
    init = actions.add_parser("init", help="write a commented configuration to start from")
    where = init.add_mutually_exclusive_group()
    where.add_argument("--path", type=Path, help="where to (default: where serve looks for it)")
    where.add_argument("--config", dest="path", type=Path, help="the same")
    init.add_argument("--force", action="store_true", help="replace a file that is there")
    init.add_argument("--json", action="store_true", help=_ONE_DOCUMENT)
    init.set_defaults(run=_later("cli_config", "init"))
    _add_places(check, json=_ONE_DOCUMENT)


def _add_span(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="from_", type=_number, default=1, metavar="POSITION", help="first event")
    parser.add_argument("--to", type=_number, metavar="POSITION", help="last event")


def _add_places(parser: argparse.ArgumentParser, *, json: str | None = None) -> None:
    parser.add_argument("--data-dir", type=_directory, help="where events.sqlite lives")
    parser.add_argument("--config", type=Path, help="configuration file (TOML)")
    if json is not None:
        parser.add_argument("--json", action="store_true", help=json)


def _directory(text: str) -> Path:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty, and would be the current directory: write . for that")
    return Path(text)


def _number(text: str) -> int:
    return _within(text, 1, (1 << 53) - 1)


def _name(text: str) -> str:
    if not 1 <= len(text) <= 200:
        raise argparse.ArgumentTypeError("a name has 1 to 200 characters")
    return text


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number from 0 to 1")
    return value


def _port(text: str) -> int:
    return _within(text, 0, 65_535)


def _within(text: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdigit() and low <= int(text[:20]) <= high):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no whole number from {low} to {high}")
    return int(text)


def _fail(code: int, message: str) -> int:
    told: TextIO | None = sys.stderr
    if told is not None:
        with contextlib.suppress(OSError):  # the code tells it, too
            told.write(f"chronoproxy: {printable(message)}\n")
    return code
