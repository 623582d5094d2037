"""`chronoproxy doctor`: whether everything around the proxy is as it should be."""

import argparse
import os
import platform
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal, NamedTuple

import httpx

from api.cli_output import json_line, table
from api.configuration import Configuration, ConfigurationError, Overrides, load
from api.disk import disk_of
from api.network_errors import UNUSABLE
from projections import tracking
from projections.catalogue import PROJECTIONS
from projections.store import FORMAT, reached
from proxy.environment_proxy import origin_of
from proxy.providers import Provider
from schema.keys import KeyStore
from schema.log import EventLog
from schema.migrations import NewerLogError, OlderLogError, read_only_uri
from schema.standing import UnfitDirectoryError, standing
from schema.verification import Verifier

_LAST_EVENTS = 10_000
_TIMEOUT_S = 5.0
_OK, _FAILED = 0, 1
_UNREADABLE = (sqlite3.Error, OSError, NewerLogError, OlderLogError)


class Finding(NamedTuple):
    """`text` says what was found, and for all but `ok` what to do."""

    state: Literal["ok", "warn", "fail"]
    check: str
    text: str


def run(arguments: argparse.Namespace) -> int:
    """Exit code 1 where any check fails."""
    findings = list(_all(arguments))
    if arguments.json:
        json_line([finding._asdict() for finding in findings], indent=2)
    else:
        table([tuple(finding) for finding in findings])
    return _FAILED if any(finding.state == "fail" for finding in findings) else _OK


def _all(arguments: argparse.Namespace) -> Iterator[Finding]:
    yield Finding("ok", "versions", f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    try:
        configuration = load(arguments.config, Overrides(data_dir=arguments.data_dir), os.environ)
    except ConfigurationError as error:
        yield Finding("fail", "configuration", str(error))
        return
    yield from _configuration(configuration)
    yield from _directory(configuration.data_dir)
    yield from _log(configuration.data_dir)
    yield _port(configuration)
    for provider in configuration.providers:
        yield _provider(provider, offline=arguments.offline)


def _configuration(found: Configuration) -> Iterator[Finding]:
    yield Finding("ok", "configuration", str(found.file) if found.file else "none: the demo provider answers")
    for warning in found.warnings:
        yield Finding("warn", "configuration", warning)


def _directory(path: Path) -> Iterator[Finding]:
    if path.exists() and not path.is_dir():
        yield Finding("fail", "data directory", f"{path} is no directory: name one with --data-dir")
        return
    if not path.is_dir():
        yield Finding("warn", "data directory", f"{path} does not exist yet: the first start makes it")
        return
    open_to_others = sys.platform != "win32" and path.stat().st_mode & 0o077
    advice = f"{path} can be read by others: chmod 700 it" if open_to_others else str(path)
    yield Finding("warn" if open_to_others else "ok", "data directory", advice)
    keys = path / "keys.sqlite"
    if sys.platform != "win32" and keys.exists() and keys.stat().st_mode & 0o077:
        yield Finding("fail", "keys", f"{keys} can be read by others: chmod 600 it")
    disk = disk_of(path)
    said = f"{disk.free_bytes / 1e9:,.1f} GB free"
    yield Finding("ok", "disk", said) if disk.status == "ok" else Finding("warn", "disk", f"only {said}")


def _log(path: Path) -> Iterator[Finding]:
    try:
        for text in standing(path, seen=reached(path / "read.sqlite")).told():
            yield Finding("fail", "event log", text)
    except UnfitDirectoryError as error:
        yield Finding("fail", "event log", str(error))
        return
    except _UNREADABLE as error:
        yield Finding("fail", "event log", f"cannot be read: {error}")
        return
    if not (path / "events.sqlite").exists():
        yield Finding("ok", "event log", "none yet")
        return
    try:
        with closing(KeyStore(path / "keys.sqlite", read_only=True)) as keys:
            log = EventLog(path / "events.sqlite", keys, read_only=True)
            try:
                yield from _events(log)
                yield _tables(path / "read.sqlite", log.head())
            finally:
                log.close()
    except _UNREADABLE as error:
        yield Finding("fail", "event log", f"cannot be read: {error}")


def _events(log: EventLog) -> Iterator[Finding]:
    head = log.head()
    found = Verifier(log, first=max(1, head - _LAST_EVENTS + 1)).run()
    if found.ok:
        yield Finding("ok", "event log", f"{head:,} events; the last {found.checked:,} are what was written")
    for problem in found.problems[:3]:
        yield Finding("fail", "event log", f"{problem.text}; `chronoproxy verify` tells all")


def _tables(path: Path, head: int) -> Finding:
    if not path.exists():
        return Finding("ok", "read tables", "none: the next start builds them")
    with closing(sqlite3.connect(read_only_uri(path), uri=True)) as db:
        if db.execute("PRAGMA user_version").fetchone()[0] != FORMAT:
            return Finding("warn", "read tables", "of another version: the next start builds them anew")
        tracked = tracking.read_all(db)
    outdated = [each.name for each in PROJECTIONS if tracked.get(each.name) is None]
    outdated += [each.name for each in PROJECTIONS if each.name in tracked and tracked[each.name].ddl != each.ddl]
    if outdated:
        return Finding("warn", "read tables", f"outdated, the next start builds them anew: {', '.join(outdated)}")
    ahead = max((row.position for row in tracked.values()), default=0)
    if ahead > head:
        return Finding(
            "fail", "read tables", f"at event {ahead:,}, where the log ends at event {head:,}: it lost its end"
        )
    behind = head - min(row.position for row in tracked.values())
    if behind > _LAST_EVENTS:
        return Finding("warn", "read tables", f"{behind:,} events behind the log")
    return Finding("ok", "read tables", f"at event {head - behind:,} of {head:,}")


def _port(found: Configuration) -> Finding:
    host, port = found.server.host, found.server.port
    try:
        with socket.create_server((host, port)):
            return Finding("ok", "port", f"{host} port {port} is free")
    except OSError as error:
        if _is_ours(host, port):
            return Finding("ok", "port", f"a Chronoproxy answers on {host} port {port}")
        return Finding("fail", "port", f"{host} port {port} cannot be used ({error.strerror}): name another one")


def _is_ours(host: str, port: int) -> bool:
    name = "127.0.0.1" if host in ("0.0.0.0", "") else "[::1]" if host == "::" else host
    try:
        answer = httpx.get(f"http://{name}:{port}/health", timeout=_TIMEOUT_S, trust_env=False)
        return answer.status_code == httpx.codes.OK and "log_watcher" in answer.json()
    except (httpx.HTTPError, ValueError):
        return False


def _provider(provider: Provider, *, offline: bool) -> Finding:
    name = f"provider {provider.key}"
    if provider.type == "echo":
        return Finding("ok", name, "the built-in demo")
    if not provider.base_url:
        return Finding("fail", name, "has no base_url")
    where = origin_of(provider.base_url)
    if offline:
        return Finding("ok", name, f"{where} (not asked)")
    return _asked(name, where, provider, httpx.get)


def _asked(name: str, where: str, provider: Provider, get: Callable[..., httpx.Response]) -> Finding:
    """Never shows a key: only the origin, and the status."""
    headers = {"Authorization": f"Bearer {provider.api_key}"} if provider.api_key else {}
    try:
        answer = get(f"{provider.base_url}/models", headers={**headers, **provider.headers}, timeout=_TIMEOUT_S)
    except httpx.HTTPError as error:
        return Finding("fail", name, f"{where} does not answer ({type(error).__name__})")
    except UNUSABLE as error:  # its words may hold the proxy's password
        why = "HTTP_PROXY, HTTPS_PROXY, SSL_CERT_FILE or SSL_CERT_DIR of the environment cannot be used"
        return Finding("fail", name, f"{where} cannot be asked: {why} ({type(error).__name__})")
    if answer.status_code in (401, 403):
        return Finding("fail", name, f"{where} refuses the key ({answer.status_code})")
    if answer.status_code >= 500:
        return Finding("warn", name, f"{where} is in trouble ({answer.status_code})")
    return Finding("ok", name, f"{where} answers ({answer.status_code})")
