"""Finish an exchange: from what came back to its one terminal event.

Nobody waits for it: the event rides along with the next commit. It is built after the client has its last byte.
"""

import time
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from commands import exchanges
from proxy.answers import MAX_INFLATED, Answer, answer_from_sse, completion_text, decoded, read_json
from proxy.beginning import Recording
from proxy.chains import ChainIndex
from proxy.facts import FactsCache
from proxy.long_answers import KEPT_END, End, head_of
from proxy.memory import SessionMemories, SessionMemory
from proxy.outcomes import Fault, fault_of_body, fault_of_stream
from proxy.running import Kind, Registry, Running
from proxy.sse import SseStream
from proxy.usage import Estimate, bounded_raw, parse_usage
from schema.appending import Appender
from schema.appends import Append
from schema.blobs import content_ref
from schema.exchanges import (
    ExchangeCancelled,
    ExchangeCompleted,
    ExchangeFailed,
    ExchangeInterrupted,
    InterruptionCause,
    SentLast,
    Timings,
    Try,
    Usage,
)
from schema.recorded import Body, NewEvent

MAX_ERROR_TEXT = 2_000  # characters
_MAX_TIER = 64
_COUNTED = 1 << 20  # characters of a text that are counted one by one
_BYTES_A_TOKEN = 4


class Elsewhere(msgspec.Struct, frozen=True):
    """Where a request went that did not stay with its first provider and model; the envelope as sent there."""

    provider: str
    model: str
    envelope: bytes


class Ending(msgspec.Struct, kw_only=True):
    """What is known at the end. `data` is the answer's body as received, as far as it was kept, and `end` what came
    behind it; `stream` has seen all of a stream that can be read; `reached` says that the upstream took the request, so
    that it may have cost something."""

    kind: Kind = "completed"
    form: Literal["sse", "json", "none"] = "none"
    data: bytes = b""
    end: End | None = None
    stream: SseStream | None = None
    content_encoding: str | None = None
    usage_raw: dict[str, Any] | None = None
    http_status: int | None = None
    reached: bool = False
    attempts: int = 1
    overhead_ms: float = 0.0
    ttft_ms: float | None = None
    error_code: str = "error"
    error_message: str | None = None
    upstream_request_id: str | None = None
    cause: InterruptionCause = "shutdown"
    tries: list[Try] = []
    elsewhere: Elsewhere | None = None


class Finisher:
    """Finishes exchanges; runs on the event loop."""

    def __init__(
        self,
        appender: Appender,
        chains: ChainIndex,
        facts: FactsCache,
        memories: SessionMemories,
        registry: Registry,
        recording: Recording,
        count: Callable[[str], int],
        redact: Callable[[str], str],
    ) -> None:
        self._appender = appender
        self._chains = chains
        self._facts = facts
        self._memories = memories
        self._registry = registry
        self._recording = recording
        self._count = count
        self._redact = redact

    def answered(self, running: Running, ending: Ending) -> None:
        """The answer is complete: remember it before the client can go on from it."""
        self._remember(running, ending, completed=True)

    def finish(self, running: Running, ending: Ending) -> None:
        """Record the end; a second end of the same exchange is ignored."""
        if not self._registry.remove(running):
            return
        answer = running.answer
        if answer is None:
            answer = self._remember(running, ending)
        memory, refused = self._memories.get(running.session_id), running.refused()
        usage = self._usage(running, ending, answer)
        if memory is not None and usage.source == "measured" and not refused:
            memory.measured(usage.prompt_tokens, running.tokens)
        if running.reserved is not None:
            last = ending.elsewhere
            asked = (last.provider, last.model) if last is not None else (None, None)
            running.reserved.settle(usage, *asked)
        if refused:  # its beginning is not in the log
            self._appender.lost(1)
            return
        bodies = self._bodies(running, answer, memory)
        facts = self._event(running, ending, answer, usage, bodies)
        (event,) = exchanges.decide("running", exchanges.FinishExchange(facts))
        if ending.elsewhere is not None:
            bodies.append(_body(content_ref(ending.elsewhere.envelope), ending.elsewhere.envelope, memory))
        kept = tuple([body for body, new in bodies if new]) if self._recording.contents else ()
        self._appender.append_later(
            Append(
                events=[NewEvent(exchanges.stream(running.exchange_id), event, kept)],
                metadata=msgspec.structs.replace(running.metadata, causation_position=running.position()),
                durable=self._recording.durable,
                keep=True,
            )
        )

    def _answer(self, ending: Ending) -> Answer:
        """What the answer says; where it came to its end and was none, it did not complete."""
        if ending.form == "none":
            return Answer()
        data = decoded(ending.data, ending.content_encoding)
        whole = ending.end is None and len(data) < MAX_INFLATED
        if ending.form == "sse":
            answer, fault = _streamed(ending, data, whole=whole)
        else:
            answer = _read(ending, data)
            fault = fault_of_body(data, answer, ending.content_encoding, whole=whole)
        if fault is not None and ending.kind == "completed":
            ending.kind, ending.error_code, ending.error_message = "failed", fault.code, fault.message
        return answer

    def _event(
        self,
        running: Running,
        ending: Ending,
        answer: Answer,
        usage: Usage,
        bodies: list[tuple[Body, bool]],
    ) -> exchanges.Ending:
        refs = [body.ref for body, _ in bodies]
        shared: dict[str, Any] = {
            "session_id": running.session_id,
            "exchange_id": running.exchange_id,
            "usage": usage,
            "usage_raw": bounded_raw(ending.usage_raw),
            "answer_ref": refs[0] if answer.message is not None else None,
            "other_refs": tuple(refs[1:]) if answer.message is not None else tuple(refs),
            "chain": running.tip.hex() if running.tip is not None else None,
            "finish_reason": answer.finish_reason,
            "http_status": ending.http_status,
            "timings": Timings(
                overhead_ms=_in_us(ending.overhead_ms),
                ttft_ms=ending.ttft_ms if ending.ttft_ms is None else _in_us(ending.ttft_ms),
                duration_ms=_in_us((time.perf_counter() - running.arrived) * 1_000),
            ),
            "attempts": ending.attempts,
            "model_answered": answer.model,
            "upstream_request_id": ending.upstream_request_id,
            "tries": tuple(ending.tries) if len(ending.tries) > 1 else None,
            "sent_last": _sent_last(ending.elsewhere),
            "service_tier": answer.service_tier and answer.service_tier[:_MAX_TIER],
        }
        match ending.kind:
            case "completed":
                return ExchangeCompleted(**shared)
            case "failed":
                message = self._redact(ending.error_message or "")[:MAX_ERROR_TEXT] or None
                return ExchangeFailed(**shared, error_code=ending.error_code, error_message=message)
            case "cancelled":
                return ExchangeCancelled(**shared)
            case "interrupted":
                return ExchangeInterrupted(**shared, cause=ending.cause)

    def _usage(self, running: Running, ending: Ending, answer: Answer) -> Usage:
        """The upstream's own figures; else our estimate of what it has worked on; none where it did not get so far."""

        def estimate() -> Estimate:
            return Estimate(running.tokens, self._completion(ending, answer))

        told = parse_usage(ending.usage_raw, estimate) if ending.usage_raw is not None else None
        if told is not None:
            return told
        rejected = ending.http_status is not None and not 200 <= ending.http_status < 300
        if not ending.reached or rejected or (ending.kind == "failed" and answer.message is None):
            return Usage()
        prompt, completion = estimate()
        return Usage(
            source="estimated",
            prompt_tokens=prompt,
            completion_tokens=completion,
            total_tokens=prompt + completion,
        )

    def _completion(self, ending: Ending, answer: Answer) -> int:
        """Our count of what the model wrote; of what was not kept as many as its bytes make likely."""
        text = completion_text(answer)
        counted = self._count(text[:_COUNTED]) if text else 0
        if len(text) > _COUNTED:
            counted = counted * len(text) // _COUNTED
        if ending.end is None:
            return counted
        kept, size = len(ending.data), len(ending.data) + ending.end.size
        return counted * size // kept if counted else size // _BYTES_A_TOKEN

    def _remember(self, running: Running, ending: Ending, *, completed: bool | None = None) -> Answer:
        """Read the answer, and let its conversation go on from it."""
        answer = running.answer = self._answer(ending)
        known = self._facts.of(answer.message) if answer.message is not None else None
        running.answer_facts = known
        canon = known.canon if known is not None else None
        running.tip = self._chains.finish(
            running.chain,
            running.exchange_id,
            running.scope.chains,
            running.canons,
            canon,
            completed=ending.kind == "completed" if completed is None else completed,
        )
        return answer

    def _bodies(self, running: Running, answer: Answer, memory: SessionMemory | None) -> list[tuple[Body, bool]]:
        """Those of the answer, each with whether its body is new to the session."""
        found: list[tuple[Body, bool]] = []
        if answer.message is not None and running.answer_facts is not None:
            found.append(_body(running.answer_facts.ref.hex(), answer.message, memory))
        for data in answer.others:
            found.append(_body(content_ref(data), data, memory))
        return found


def _streamed(ending: Ending, data: bytes, *, whole: bool) -> tuple[Answer, Fault | None]:
    answer, stream = answer_from_sse(data), ending.stream
    if stream is None:  # a compressed stream could not be read on its way
        stream = SseStream()
        stream.feed(data)
        stream.finish()
    else:
        whole = True
    ending.usage_raw = stream.usage_raw
    if ending.end is not None:
        reason, model = answer.finish_reason or stream.finish_reason, answer.model or stream.model
        answer = msgspec.structs.replace(answer, finish_reason=reason, model=model)
    return answer, fault_of_stream(stream, ending.content_encoding, whole=whole)


def _read(ending: Ending, data: bytes) -> Answer:
    if ending.end is None:
        answer, ending.usage_raw = read_json(data)
        return answer
    plain = ending.content_encoding in (None, "identity")
    head = head_of(data, (data[-KEPT_END:] + ending.end.data)[-KEPT_END:] if plain else b"")
    ending.usage_raw = head.usage_raw()
    return Answer(finish_reason=head.finish_reason(), model=head.model_name())


def _body(ref: str, data: bytes, memory: SessionMemory | None) -> tuple[Body, bool]:
    """A body, and whether it is new to the session; from now on it is not."""
    return Body(ref, data), memory is None or memory.store(bytes.fromhex(ref))


def _in_us(ms: float) -> float:
    """Rounded to microseconds, at a fifth of what `round` takes."""
    return int(ms * 1_000 + 0.5) / 1_000


def _sent_last(elsewhere: Elsewhere | None) -> SentLast | None:
    if elsewhere is None:
        return None
    ref = content_ref(elsewhere.envelope)
    return SentLast(provider=elsewhere.provider, model=elsewhere.model, envelope_ref=ref)
