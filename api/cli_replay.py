"""`chronoproxy replay`: a session's upstream requests once more, byte for byte, and how the answers differ."""

import argparse
import os
from collections.abc import Iterator

import httpx
import msgspec

from api.cli_output import UsageError, json_line, progress, table
from api.cli_places import reading
from api.network_errors import UNUSABLE
from context.messages import decode_message, text_of
from proxy.answers import Answer, answer_from_json, answer_from_sse
from proxy.belonging import belonging
from proxy.contents import MissingContentError, SessionContents

_OK, _DIFFERENT = 0, 1
_TIMEOUT_S = 600.0


class Replayed(msgspec.Struct, frozen=True):
    """`outcome` is same, different, failed (no answer, or an error), or not_recorded (the log does not hold it)."""

    exchange_id: int
    outcome: str
    status: int | None = None
    bytes: int = 0
    before: str = ""
    after: str = ""


def run(arguments: argparse.Namespace) -> int:
    """Exit code 1 where an answer differs or fails. Nothing is recorded. Raises UsageError."""
    if not arguments.against.startswith(("http://", "https://")):
        raise UsageError("--against takes the address of an API, such as http://127.0.0.1:11434/v1")
    key = os.environ.get(arguments.key_env, "") if arguments.key_env else ""
    if arguments.key_env and not key:
        raise UsageError(f"the environment has no {arguments.key_env}")
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    with reading(arguments) as log, _client(headers) as client:
        held = belonging(log, arguments.session)
        contents = SessionContents(log, *held.sessions)
        chosen = [each for each in held.exchange_ids if arguments.exchange in (None, each)]
        if not chosen:
            raise UsageError(f"session {arguments.session} has no such exchange")
        shown, found = progress("replaying"), list[Replayed]()
        for each in _replayed(contents, chosen[: arguments.limit], client, arguments.against.rstrip("/")):
            found.append(each)
            shown(len(found), len(chosen))
    if arguments.json:
        json_line([msgspec.to_builtins(each) for each in found], indent=2)
    else:
        table([(str(each.exchange_id), each.outcome, str(each.status or ""), _shown(each)) for each in found])
    return _OK if all(each.outcome == "same" for each in found) else _DIFFERENT


def _client(headers: dict[str, str]) -> httpx.Client:
    """Raises UsageError."""
    try:
        return httpx.Client(headers=headers, timeout=_TIMEOUT_S)
    except UNUSABLE as error:
        text = "HTTP_PROXY, HTTPS_PROXY, SSL_CERT_FILE or SSL_CERT_DIR of the environment cannot be used"
        raise UsageError(f"{text} ({type(error).__name__})") from None


def _replayed(contents: SessionContents, exchanges: list[int], client: httpx.Client, url: str) -> Iterator[Replayed]:
    for number in exchanges:
        try:
            body, stored = contents.sent(number), contents.answer(number)
        except MissingContentError:
            yield Replayed(number, "not_recorded")
            continue
        yield _once(client, url, number, body, _text(stored))


def _once(client: httpx.Client, url: str, number: int, body: bytes, before: str) -> Replayed:
    try:
        answer = client.post(f"{url}/chat/completions", content=body)
    except httpx.HTTPError as error:
        return Replayed(number, "failed", None, len(body), before, f"{type(error).__name__}: {error}")
    if answer.status_code != httpx.codes.OK:
        return Replayed(number, "failed", answer.status_code, len(body), before, answer.text[:2_000])
    sse = answer.headers.get("content-type", "").startswith("text/event-stream")
    found: Answer = answer_from_sse(answer.content) if sse else answer_from_json(answer.content)
    after = _text(found.message)
    return Replayed(number, "same" if after == before else "different", answer.status_code, len(body), before, after)


def _text(message: bytes | None) -> str:
    """What the assistant said and called."""
    fields = decode_message(message) if message is not None else {}
    calls = fields.get("tool_calls")
    said = text_of(fields.get("content"))
    return said + (msgspec.json.encode([each.get("function") for each in calls]).decode() if calls else "")


def _shown(each: Replayed) -> str:
    if each.outcome == "different":
        return f"{each.before[:60]!r} -> {each.after[:60]!r}"
    return repr(each.after[:60]) if each.outcome == "failed" else f"{each.bytes:,} bytes"
