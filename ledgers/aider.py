"""aider: the history of chats, whose lines on tokens are rounded for people, or the log of its analytics, which is
exact.

Times of the history are of this machine's own zone and only say when a chat began. What a model wrote could look like
such a line; nobody can tell them apart.
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from ledgers.opening import Source
from ledgers.scanning import LONGEST, BrokenError, decoded, lines
from ledgers.tasks import Call, Problem, Task, summed
from ledgers.values import BadValueError, label, money, time_ms, tokens

_BEGINNING = re.compile(rb"# aider chat started at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\s*")
_MODEL = re.compile(rb"> (?:Main )?[Mm]odel: ([\x21-\x7e]{1,128})")
_NUMBER = rb"([\d.,]{1,12}[kM]?)"
_TOKENS = re.compile(
    rb"> Tokens: %b sent(?:, %b cache write)?(?:, %b cache hit)?, %b received\.(?: Cost: \$([\d.,]{1,16}) message)?"
    % (_NUMBER, _NUMBER, _NUMBER, _NUMBER)
)
_LINE = 4_096  # longer ones are no lines of aider's own
_TIMES = {b"k": 1_000, b"M": 1_000_000}


class _Chat(msgspec.Struct):
    began: int
    model: str | None = None
    calls: list[Call] = msgspec.field(default_factory=list)


def read_history(source: Source) -> Iterator[Task | Problem]:
    """Raises RefusedError and OSError."""
    place = hashlib.blake2b(str(source.path).encode(), digest_size=6).hexdigest()
    chat: _Chat | None = None
    with source.open() as file:
        number = 0
        while line := file.readline(LONGEST):
            number += 1
            if len(line) > _LINE:
                continue
            try:
                beginning = _BEGINNING.match(line)
                if beginning:
                    yield from _task(place, chat, _local(beginning[1]))
                    chat = _Chat(_local(beginning[1]))
                elif chat is not None:
                    _add(chat, line)
            except BadValueError as error:
                yield Problem(f"line {number} is not taken: {error}")
        yield from _task(place, chat, source.modified_ms(source.real()))


def _add(chat: _Chat, line: bytes) -> None:
    model = _MODEL.match(line)
    if model:
        chat.model = label(model[1].decode(), "model")
    found = _TOKENS.match(line)
    if found:
        sent, written, hit, received, cost = found.groups()
        chat.calls.append(
            Call(
                at=chat.began,
                model=chat.model,
                tokens_in=_rounded(sent),
                cache_write=_rounded(written),
                cache_read=_rounded(hit),
                tokens_out=_rounded(received),
                cost=_decimal(cost) if cost else None,
            )
        )
    elif line.startswith(b"> Tokens: ") and b" sent" in line:
        raise BadValueError("the tokens are no numbers")


def _task(place: str, chat: _Chat | None, until: int) -> Iterator[Task | Problem]:
    if chat is None or not chat.calls:
        return
    try:
        task = summed(f"{place}-{chat.began}", chat.calls, includes_cache=True, precision="rounded")
    except BadValueError as error:
        yield Problem(f"a chat {error}")
        return
    # single requests have no times, and rounded numbers say little
    yield msgspec.structs.replace(task, requests=(), until=max(until, chat.began))


def _rounded(text: bytes | None) -> int:
    """`1.2k` is 1,200."""
    if not text:
        return 0
    return tokens(round(_decimal(text.rstrip(b"kM")) * _TIMES.get(text[-1:], 1)), "tokens")


def _decimal(text: bytes) -> float:
    try:
        return money(float(text.rstrip(b".").replace(b",", b"")), "number") or 0.0
    except ValueError:
        raise BadValueError("a number is none") from None


def _local(text: bytes) -> int:
    try:
        return round(datetime.strptime(text.decode(), "%Y-%m-%d %H:%M:%S").timestamp() * 1_000)
    except (ValueError, OverflowError, OSError):
        raise BadValueError("the time is none") from None


class Properties(msgspec.Struct):
    main_model: Any = None
    prompt_tokens: Any = None
    completion_tokens: Any = None
    cost: Any = None


class Line(msgspec.Struct):
    event: Any = None
    time: Any = None
    properties: Properties | None = None


_line = msgspec.json.Decoder(Line)


def read_analytics(source: Source) -> Iterator[Task | Problem]:
    """A task for each start of aider. Raises RefusedError and OSError."""
    place = hashlib.blake2b(str(source.path).encode(), digest_size=6).hexdigest()
    calls: list[Call] = []
    with source.open() as file:
        for found in lines(file):
            if isinstance(found, Problem):
                yield found
                continue
            try:
                line = decoded(found[1], _line)
                if line.event == "launched":
                    yield from _launched(place, calls)
                    calls = []
                elif line.event == "message_send" and line.properties is not None:
                    calls.append(_sent(line, line.properties))
            except (BrokenError, BadValueError) as error:
                yield Problem(f"line {found[0]} is not taken: {error}")
    yield from _launched(place, calls)


def _launched(place: str, calls: list[Call]) -> Iterator[Task | Problem]:
    try:
        if calls:
            yield summed(f"{place}-{calls[0].at}", calls, includes_cache=True)
    except BadValueError as error:
        yield Problem(f"a start {error}")


def _sent(line: Line, used: Properties) -> Call:
    return Call(
        at=time_ms(line.time, "time"),
        model=label(used.main_model, "main_model"),
        tokens_in=tokens(used.prompt_tokens, "prompt_tokens"),
        tokens_out=tokens(used.completion_tokens, "completion_tokens"),
        cost=money(used.cost, "cost"),
    )
