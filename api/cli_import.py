"""`chronoproxy import`: take over what clients on this machine wrote down about their usage.

A running server does it; without one, the same application does, for as long as it takes, without listening.
"""

import argparse
import asyncio
import re
from collections.abc import Awaitable
from typing import Any

import httpx

from api.cli_output import UsageError, json_line, line, progress, table
from api.cli_places import configuration_of
from api.configuration import Configuration
from api.data_directory import prepare_directory
from api.serving import new_event_loop
from api.wiring import application
from ledgers.catalogue import TOOLS
from schema.lock import DirectoryLock, DirectoryLockedError

_OK, _PROBLEMS = 0, 1
_SERVED = re.compile(r"https?://\S+$")
_READY_S = 0.05
Answer = dict[str, Any]


def run(arguments: argparse.Namespace) -> int:
    """Exit code 1 where something could not be taken over. Raises UsageError."""
    configuration = configuration_of(arguments)
    prepare_directory(configuration.data_dir)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        try:
            with DirectoryLock(configuration.data_dir):
                return runner.run(_alone(arguments, configuration))
        except DirectoryLockedError as error:
            return runner.run(_by_server(arguments, configuration, str(error)))


async def _alone(arguments: argparse.Namespace, configuration: Configuration) -> int:
    async with application(configuration, configuration.data_dir) as app:
        transport = httpx.ASGITransport(app)
        url = f"http://localhost:{configuration.server.port}"
        async with httpx.AsyncClient(transport=transport, base_url=url, headers=_headers(configuration)) as client:
            while (await client.get("/health/ready")).status_code != httpx.codes.OK:
                await asyncio.sleep(_READY_S)
            return await _import(arguments, client, None)


async def _by_server(arguments: argparse.Namespace, configuration: Configuration, locked: str) -> int:
    found = _SERVED.search(locked)
    if found is None:
        raise UsageError(f"{locked}; stop it first")
    client = httpx.AsyncClient(base_url=found[0], headers=_headers(configuration), timeout=None, trust_env=False)
    async with client:
        try:
            return await _import(arguments, client, locked)
        except (httpx.HTTPError, ValueError) as error:
            raise UsageError(f"{locked}, which does not answer ({type(error).__name__})") from None


def _headers(configuration: Configuration) -> dict[str, str]:
    token = configuration.server.token
    return {"Authorization": f"Bearer {token}"} if token else {}


async def _import(arguments: argparse.Namespace, client: httpx.AsyncClient, server: str | None) -> int:
    ledgers = [each for each in (await _asked(client.get("/api/ledgers"), server))["ledgers"] if each["exists"]]
    wanted = _wanted(arguments, ledgers)
    show = progress("importing")
    done = []
    for number, body in enumerate(wanted):
        show(number, len(wanted))
        body = {**body, "dry_run": arguments.dry_run}
        done.append((body, await _asked(client.post("/api/ledgers/import", json=body), server)))
    show(len(wanted), len(wanted))
    return _told(arguments, done)


def _wanted(arguments: argparse.Namespace, ledgers: list[Answer]) -> list[Answer]:
    """Bodies of imports, one for each ledger. Raises UsageError."""
    what = arguments.what
    if what is None and not arguments.all:
        found = ", ".join(sorted({each["tool"] for each in ledgers})) or "none that is there"
        raise UsageError(f"name a tool or a ledger, or say --all; found: {found}")
    if what is not None and what not in TOOLS:
        return [{"path": what}]
    bodies = [{"tool": each["tool"], "path": each["path"]} for each in ledgers if what is None or each["tool"] == what]
    return bodies or [{"tool": what}]


async def _asked(request: Awaitable[httpx.Response], server: str | None) -> Answer:
    """Raises UsageError where it is refused."""
    answer = await request
    fields: Answer = answer.json()
    if answer.status_code != httpx.codes.OK:
        text = str(fields.get("error"))
        raise UsageError(f"{server}, which refuses: {text}" if server else text)
    return fields


def _told(arguments: argparse.Namespace, done: list[tuple[Answer, Answer]]) -> int:
    names = ("imported_count", "skipped_count", "error_count")
    sums = {name: sum(answer[name] for _, answer in done) for name in names}
    if arguments.json:
        ledgers = [{"ledger": body.get("path"), **answer} for body, answer in done]
        json_line({**sums, "dry_run": arguments.dry_run, "ledgers": ledgers}, indent=2)
        return _PROBLEMS if sums["error_count"] else _OK
    head = ("ledger", "would be imported" if arguments.dry_run else "imported", "as before", "errors")
    rows = [(str(body.get("path") or body.get("tool")), *(f"{answer[n]:,}" for n in names)) for body, answer in done]
    table([head, *rows])
    for _, answer in done:
        for problem in answer["problems"]:
            line(f"  {problem}")
    return _PROBLEMS if sums["error_count"] else _OK
