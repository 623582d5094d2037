"""The Exchange of contract section 2 and its parts. Times are ISO-8601 texts (api/times.py)."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel

from api.shapes import Erased
from projections.exchange_rows import Outcome
from schema.exchanges import UsageSource


class MessageReduction(BaseModel):
    stage: str
    mask_hash: str | None
    tokens_before: int
    tokens_after: int


class Msg(BaseModel):
    """A message; `tool_calls` and `tool_call_id` only where it has them. `tokens` is an estimate. Once erased, `role`,
    `content` and `tokens` are null."""

    index: int
    ref: str
    role: str | None
    content: Any
    truncated: bool
    tool_calls: list[Any] = []
    tool_call_id: str = ""
    tokens: int | None
    pinned: bool
    origin: Literal["client", "assistant", "proxy"]
    reduction: MessageReduction | None
    erased: Erased = False


class Rewritten(BaseModel):
    ref_before: str
    ref_after: str
    stage: str


class MsgDiff(BaseModel):
    """From the list that was received to the one that was sent; contents as previews."""

    added: list[Msg]
    removed: list[Msg]
    rewritten: list[Rewritten]


class Resolution(BaseModel):
    rule: str
    branch: str | None
    parent_id: int | None


class MessageCounts(BaseModel):
    count: int
    tokens: int


class SentCounts(MessageCounts):
    identical: bool


class MessageList(MessageCounts):
    refs: list[str]


class SentList(SentCounts):
    refs: list[str]


class ReductionCount(BaseModel):
    stage: str
    count: int
    tokens_saved: int


class ReductionStep(ReductionCount):
    refs: list[str]


class ReductionCounts(BaseModel):
    applied: bool
    skipped_reason: str | None
    tokens_before: int
    tokens_after: int
    tokens_saved: int
    steps: Sequence[ReductionCount]


class Reduction(ReductionCounts):
    steps: Sequence[ReductionStep]


class UsageCounts(BaseModel):
    source: UsageSource
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None


class TimingValues(BaseModel):
    overhead_ms: float
    ttft_ms: float | None
    duration_ms: float | None


class ExchangeFault(BaseModel):
    """`message` is what the upstream said, null once erased."""

    code: str
    message: str | None


class Try(BaseModel):
    """One call of a provider: `error_code` where no usable answer came; `waited_ms` before it."""

    provider: str
    model: str
    http_status: int | None
    error_code: str | None
    duration_ms: float
    waited_ms: float | None


class Positions(BaseModel):
    started: int
    finished: int | None


class ExchangeSummary(BaseModel):
    """An exchange as lists show it: without refs. `provider` and `model_sent` are those of the last of `tries`, which
    are listed where there was more than one; `attempts` counts connections."""

    id: int
    session_id: int
    started_at: str
    finished_at: str | None
    outcome: Outcome
    stream: bool
    model_requested: str | None
    model_sent: str
    provider: str
    resolution: Resolution
    client_family: str | None
    received: MessageCounts
    sent: SentCounts
    reduction: ReductionCounts
    usage: UsageCounts
    cost_usd: float | None
    timings: TimingValues
    http_status: int | None
    finish_reason: str | None
    error: ExchangeFault | None
    attempts: int
    tries: list[Try]
    moved_from: int | None
    positions: Positions
    erased: Erased = False


class Exchange(ExchangeSummary):
    """`answer_ref` is the answer's first choice, `other_refs` are those of further ones."""

    answer_ref: str | None
    other_refs: list[str]
    received: MessageList
    sent: SentList
    reduction: Reduction
    diff: MsgDiff
