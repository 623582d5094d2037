"""Events of one exchange: a request by a client and what became of it. Stream `exchange-{id}`: exactly one
ExchangeStarted and, later, exactly one of the four terminal events."""

from typing import Any, Literal

import msgspec

from schema.registry import Event, SealedText

UsageSource = Literal["measured", "estimated", "none"]
InterruptionCause = Literal["found_open", "shutdown"]
RefusedByLimit = Literal["rate_limit_exceeded", "budget_exceeded"]
LimitUnit = Literal["tokens", "requests", "micro_usd"]


class Blob(msgspec.Struct, frozen=True, gc=False):
    """The bodies stored with an event: sha256 of the sealed bytes (64 hex) and the refs of its parts in order."""

    sha256: str
    refs: tuple[str, ...]


class Resolution(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Which rule found the session (contract 3.3.2)."""

    rule: str
    branch: Literal["fork", "client_compaction", "retry"] | None = None
    parent_id: int | None = None


class MessageRefs(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A list of messages as a difference: the first `keep` refs of exchange `base_exchange` (an earlier one of the
    session), then `added`. A ref is the sha256 (64 hex) of one message's JSON bytes as received. `system_tokens` is the
    part of `tokens` that system and developer messages take, `memory_tokens` that of results of memory tools."""

    base_exchange: int | None = None
    keep: int = 0
    added: tuple[str, ...] = ()
    count: int
    tokens: int
    system_tokens: int = 0
    memory_tokens: int = 0


class ReductionStep(msgspec.Struct, frozen=True, gc=False):
    """How many messages of a request went upstream shorter for one reason, and what that saved."""

    stage: str
    count: int
    tokens_saved: int


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Token counts of one upstream call; cached, cache-write and reasoning tokens are parts of the others."""

    source: UsageSource = "none"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None


class Timings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Milliseconds: our own share before the upstream call, to the first body byte, to the end."""

    overhead_ms: float = 0.0
    ttft_ms: float | None = None
    duration_ms: float | None = None


class Try(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One call of a provider: its answer's status, or our code where no usable answer came; how long that took, and for
    how long we had waited before."""

    provider: str
    model: str
    http_status: int | None = None
    error_code: str | None = None
    duration_ms: float
    waited_ms: float | None = None


class SentLast(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where the request went in the end: the provider, its name for the model, and the body's envelope."""

    provider: str
    model: str
    envelope_ref: str


class ExchangeStarted(Event, frozen=True, kw_only=True):
    """A request was accepted and goes upstream. `sent` and `sent_envelope_ref` are None where what went upstream equals
    what was received. An envelope is all of the body outside the messages (see proxy/envelope.py); `chain` is the
    canonical hash of the received messages; `key` is the configured name of the client's key; `steps` say what `sent`
    saves; `over_threshold` that the context was full enough for an automatic compaction, as later stages found it."""

    session_id: int
    exchange_id: int
    api: Literal["chat"] = "chat"
    model_requested: str | None = None
    model_sent: str
    provider: str
    stream: bool = False
    resolution: Resolution
    client_family: str | None = None
    key: str | None = None
    received: MessageRefs
    sent: MessageRefs | None = None
    envelope_ref: str
    sent_envelope_ref: str | None = None
    chain: str | None = None
    skipped_reason: str | None = None
    steps: tuple[ReductionStep, ...] | None = None
    over_threshold: bool | None = None
    preview: SealedText = None
    blob: Blob | None = None


class Finished(Event, frozen=True, kw_only=True):
    """What every terminal event says. `usage_raw` is the upstream's own object; `answer_ref` the assistant message of
    choice 0 (partial where the exchange did not complete), `other_refs` those of further choices; `chain` the canonical
    hash of the received messages plus that answer, the tip that a next request continues. `tries` are all calls where
    there was more than one, `sent_last` stands where the last one was of another provider or model than the first;
    `service_tier` is how the upstream says it served the request, where that is not in its usage object."""

    session_id: int
    exchange_id: int
    usage: Usage
    usage_raw: dict[str, Any] | None = None
    answer_ref: str | None = None
    other_refs: tuple[str, ...] = ()
    chain: str | None = None
    finish_reason: str | None = None
    http_status: int | None = None
    timings: Timings
    attempts: int = 1
    model_answered: str | None = None
    upstream_request_id: str | None = None
    tries: tuple[Try, ...] | None = None
    sent_last: SentLast | None = None
    service_tier: str | None = None
    blob: Blob | None = None


class ExchangeCompleted(Finished, frozen=True, kw_only=True):
    """The upstream's answer went to the client whole."""


class ExchangeFailed(Finished, frozen=True, kw_only=True):
    """The upstream refused, could not be reached, or broke off."""

    error_code: str
    error_message: SealedText = None


class ExchangeCancelled(Finished, frozen=True, kw_only=True):
    """The client left before the end."""


class ExchangeInterrupted(Finished, frozen=True, kw_only=True):
    """The program ended first: found open at a start, or shut down while running."""

    cause: InterruptionCause


class ExchangeRefused(Event, frozen=True, kw_only=True):
    """Requests that we refused before anything went upstream: `count` of them since the last such event of the session
    and code (without a session: of the key and code), at most one event a minute. `tokens` of the last one, as it would
    have gone upstream, and the `limit`, in `unit` (None: tokens); `scope` names the limit where there are several.
    `session_id` is None where the request belonged to none yet, and none was started for it."""

    session_id: int | None = None
    code: Literal["context_length_exceeded"] | RefusedByLimit
    count: int
    tokens: int
    limit: int
    model_sent: str
    provider: str
    scope: str | None = None
    unit: LimitUnit | None = None


EVENTS = (ExchangeStarted, ExchangeCompleted, ExchangeFailed, ExchangeCancelled, ExchangeInterrupted, ExchangeRefused)
