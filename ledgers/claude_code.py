"""Claude Code: a file of JSON lines for each session, and for each of its agents.

An answer stands in a line for each of its blocks, with the usage repeated and growing: the last counts. A session that
is resumed begins with the lines of the one before: an answer counts once, in the task that holds it on record, else in
the first file that has it. Clients delete old files: what was theirs does not become another's.
"""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from ledgers.opening import RefusedError, Source
from ledgers.scanning import BrokenError, decoded, lines
from ledgers.tasks import Call, Problem, Task, summed
from ledgers.values import BadValueError, identifier, identifier_or_none, label, money, time_ms, tokens
from schema.ledgers import ANSWER_BYTES

_SYNTHETIC = "<synthetic>"  # made by the client itself, without a request
_MOST_ANSWERS = 2_000_000


class Usage(msgspec.Struct):
    input_tokens: Any = None
    output_tokens: Any = None
    cache_creation_input_tokens: Any = None
    cache_read_input_tokens: Any = None


class Message(msgspec.Struct):
    id: Any = None
    model: Any = None
    usage: Usage | None = None


class Line(msgspec.Struct):
    """What is read of a line of an assistant's answer."""

    type: Any = None
    timestamp: Any = None
    sessionId: Any = None
    requestId: Any = None
    costUSD: Any = None
    message: Message | None = None


class _Kind(msgspec.Struct):
    type: Any = None


_kind = msgspec.json.Decoder(_Kind)
_line = msgspec.json.Decoder(Line)


class _Answers(msgspec.Struct):
    """The answers of one file, each by what names it."""

    session_id: str | None = None
    calls: dict[bytes, Call] = msgspec.field(default_factory=dict)
    nameless: list[Call] = msgspec.field(default_factory=list)


def read(source: Source) -> Iterator[Task | Problem]:
    """Raises RefusedError and OSError."""
    seen: set[bytes] = set()
    for found in source.files(".jsonl"):
        if isinstance(found, Problem):
            yield found
        else:
            yield from _session(source, found, seen)
        if len(seen) > _MOST_ANSWERS:
            yield Problem(f"there are more than {_MOST_ANSWERS:,} answers")
            return


def _session(source: Source, path: Path, seen: set[bytes]) -> Iterator[Task | Problem]:
    answers, name = _Answers(), path.stem[:60]
    try:
        with source.open(path) as file:
            for found in lines(file):
                if isinstance(found, Problem):
                    yield Problem(f"{name}: {found.text}")
                    continue
                try:
                    _add(answers, found[1])
                except (BrokenError, BadValueError) as error:
                    yield Problem(f"{name}: line {found[0]} is not taken: {error}")
    except (OSError, RefusedError):
        yield Problem(f"{name} cannot be read")
        return
    try:
        yield from _task(source, path, answers, seen)
    except BadValueError as error:
        yield Problem(f"{name} {error}")
    seen.update(answers.calls)


def _add(answers: _Answers, data: bytes) -> None:
    if decoded(data, _kind).type != "assistant":
        return
    line = decoded(data, _line)
    message = line.message
    if message is None or message.usage is None or message.model == _SYNTHETIC:
        return
    answers.session_id = answers.session_id or identifier_or_none(line.sessionId, "sessionId")
    used = message.usage
    call = Call(
        at=time_ms(line.timestamp, "timestamp"),
        model=label(message.model, "model"),
        tokens_in=tokens(used.input_tokens, "input_tokens"),
        tokens_out=tokens(used.output_tokens, "output_tokens"),
        cache_read=tokens(used.cache_read_input_tokens, "cache_read_input_tokens"),
        cache_write=tokens(used.cache_creation_input_tokens, "cache_creation_input_tokens"),
        cost=money(line.costUSD, "costUSD"),
    )
    if not isinstance(message.id, str):
        answers.nameless.append(call)
        return
    key = hashlib.blake2b(f"{message.id}\0{line.requestId}".encode("utf-8", "replace"), digest_size=12).digest()
    before = answers.calls.get(key)
    if before is None or call.tokens_out >= before.tokens_out:
        answers.calls[key] = call


def _task(source: Source, path: Path, answers: _Answers, seen: set[bytes]) -> Iterator[Task]:
    """A session is named by its file; an agent's file tells of the session that it belongs to. Raises BadValueError."""
    task_id, parent_id = identifier(path.stem, "the file's name"), None
    if task_id.startswith("agent-") and answers.session_id is not None:
        task_id, parent_id = identifier(f"{answers.session_id}/{task_id}", "the file's name"), answers.session_id
    owners = {key: source.owners.get(key[:ANSWER_BYTES]) for key in answers.calls}
    own = [key for key, owner in owners.items() if owner == task_id or (owner is None and key not in seen)]
    calls = [*(answers.calls[key] for key in own), *answers.nameless]
    if calls:
        task = summed(task_id, calls, parent_id=parent_id)
        new = b"".join(key[:ANSWER_BYTES] for key in own if owners[key] is None)
        yield msgspec.structs.replace(task, answers=base64.b64encode(new).decode() or None)
