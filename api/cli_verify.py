"""`chronoproxy verify`: whether the log is what was written."""

import argparse
import re
import sqlite3

import msgspec

from api.cli_output import UsageError, json_line, line, progress
from api.cli_places import reading
from schema.keys import KeyStore, NotedHead
from schema.verification import MAX_PROBLEMS, EmptyRangeError, Verification, Verifier

_HEAD = re.compile(r"([1-9][0-9]{0,15}):([0-9a-fA-F]{64})")
_OK, _DIFFERENT = 0, 1


def run(arguments: argparse.Namespace) -> int:
    """Exit code 1 where something is not as it was written. Raises UsageError."""
    with reading(arguments, whole=False) as log:
        heads = [*_noted(log.keys), *([_head(arguments.head)] if arguments.head else [])]
        verifier = Verifier(log, first=max(arguments.from_, 1), last=arguments.to, heads=heads)
        try:
            found = verifier.run(progress("verifying"))
        except EmptyRangeError as error:
            raise UsageError(str(error)) from None
    if arguments.json:
        json_line(msgspec.to_builtins(found), indent=2)
    else:
        _print(found)
    return _OK if found.ok else _DIFFERENT


def _noted(keys: KeyStore) -> list[NotedHead]:
    """Without the table there are none, and that it is gone is among the problems."""
    try:
        return keys.noted_heads()
    except sqlite3.OperationalError as error:
        if not str(error).startswith("no such "):
            raise
        return []


def _head(text: str) -> NotedHead:
    match = _HEAD.fullmatch(text)
    if match is None:
        raise UsageError("--head takes POSITION:HASH, the hash as 64 hex digits")
    return NotedHead(int(match[1]), bytes.fromhex(match[2]), 0, missing=False)


def _print(found: Verification) -> None:
    span = f"events {found.from_:,} to {found.to:,}" if found.checked else "no events"
    # A key is gone with an erasure, was not taken along with a copy, or is missed: then it is among the problems.
    erased = f", contents of {found.erased_sessions} sessions not readable: no key" if found.erased_sessions else ""
    line(f"{span} checked in {found.duration_ms:,} ms{erased}")
    if found.ok:
        keep = f"; keep this elsewhere to find a cut end: --head {found.to}:{found.head_hash}"
        line(f"ok{keep if found.checked else ''}")
        return
    for problem in found.problems:
        line(f"  {problem.kind}: {problem.text}")
    if found.problems_total > MAX_PROBLEMS:
        line(f"  and {found.problems_total - MAX_PROBLEMS:,} more")
    line(f"not ok: {found.problems_total:,} problems")
