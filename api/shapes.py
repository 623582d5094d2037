"""The types of contract section 2 that answers are made of. Times are ISO-8601 texts (api/times.py)."""

from typing import Literal

from pydantic import BaseModel

from projections.exchange_rows import Outcome
from schema.sessions import Origin


class Session(BaseModel):
    id: int
    name: str
    provider: str
    model: str | None
    created_at: str
    is_active: bool
    reserved_tokens: int
    compaction_count: int
    last_compaction_at: str | None
    auto_compaction_enabled: bool
    auto_compaction_threshold: float
    consecutive_auto_compactions: int
    origin: Origin
    parent_id: int | None
    client_family: str | None
    position: int
    erased_at: str | None


class SessionX(Session):
    max_context: int
    provider_known: bool


class ProviderInfo(BaseModel):
    type: str
    base_url: str


class ProviderRef(BaseModel):
    """`info` is empty for a provider that the configuration does not name."""

    key: str
    name: str
    color: str
    icon: str
    info: ProviderInfo | dict[str, str]


class MemStat(BaseModel):
    memory_tokens: int
    chat_tokens: int
    memory_ratio: float


class Stats(BaseModel):
    total_requests: int
    max_tokens: int | None
    avg_tokens: float | None
    current_input_tokens: int
    current_output_tokens: int
    current_total_tokens: int
    cumulative_input_tokens: int
    cumulative_output_tokens: int
    cumulative_total_tokens: int


class CtxState(BaseModel):
    current_tokens: int
    max_context: int
    percentage: float
    reserved_tokens: int
    percentage_with_reserved: float
    compaction_ready: bool
    threshold: int


class Metric(BaseModel):
    id: int
    session_id: int
    timestamp: str
    estimated_tokens: int
    percentage: float
    content_preview: str
    prompt_tokens: int
    completion_tokens: int
    is_estimated: bool
    source: Literal["proxy"]
    memory_tokens: int
    chat_tokens: int
    memory_ratio: float
    model: str
    provider: str
    outcome: Outcome
    cached_tokens: int | None
    duration_ms: float | None
    cost_usd: float | None


class SessionDetail(BaseModel):
    session: SessionX
    provider: ProviderRef
    memory: MemStat
    stats: Stats
    recent_metrics: list[Metric]
    context: CtxState


class EventSummary(BaseModel):
    position: int
    type: str
    session_id: int | None
    timestamp: str
    actor: str
    by: str | None
    correlation_id: str | None
    causation_position: int | None
    summary: str


class Event(EventSummary):
    version: int
    data: dict[str, object]
    hash: str
    prev_hash: str
