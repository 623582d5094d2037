"""The types of contract section 2 that answers are made of. Times are ISO-8601 texts (api/times.py)."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from projections.exchange_rows import Outcome
from schema.sessions import Origin

_SESSION: JsonDict = {
    "id": 5,
    "name": "Refactoring the parser",
    "provider": "demo",
    "model": None,
    "created_at": "2026-11-22T23:33:51.123Z",
    "is_active": True,
    "reserved_tokens": 0,
    "compaction_count": 0,
    "last_compaction_at": None,
    "auto_compaction_enabled": False,
    "auto_compaction_threshold": 0.85,
    "consecutive_auto_compactions": 0,
    "origin": "manual",
    "parent_id": None,
    "client_family": None,
    "position": 12,
    "erased_at": None,
}
_EVENT: JsonDict = {
    "position": 11,
    "type": "SessionStarted",
    "session_id": 5,
    "timestamp": "2026-11-22T23:33:51.123Z",
    "actor": "api",
    "by": None,
    "correlation_id": "0f3c9a",
    "causation_position": None,
    "summary": "session 5 started (manual)",
}


class Refused(BaseModel):
    """Every error: `code` is for programs, `error` for people; a 422 tells in `detail` which fields are invalid.
    Some codes have further fields, and on /api/cline `detail` repeats the text of other errors. OpenAI paths have the
    shape of that API instead."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [{"error": "There is no session 7.", "code": "session_not_found", "session_id": 7}]
        },
    )
    error: str
    code: str
    detail: list[dict[str, object]] | str | None = None


class OpenAIProblem(BaseModel):
    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIRefused(BaseModel):
    """Every error on a path of the OpenAI API, in the shape of that API."""

    error: OpenAIProblem


Erased = Annotated[
    bool,
    Field(
        exclude_if=lambda value: not value,
        description="Its contents were erased since: what is null here is gone for good. Only there where it is so.",
    ),
]


class Session(BaseModel):
    """`name` is "[erased]" where its contents were."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SESSION]})

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
    erased: Erased = False


class SessionX(Session):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{**_SESSION, "max_context": 262_144, "provider_known": True}]}
    )

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
    """`content_preview` is the beginning of the first user message, empty where there is none, null once erased."""

    id: int
    session_id: int
    timestamp: str
    estimated_tokens: int
    percentage: float
    content_preview: str | None
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
    erased: Erased = False


class SessionDetail(BaseModel):
    session: SessionX
    provider: ProviderRef
    memory: MemStat
    stats: Stats
    recent_metrics: list[Metric]
    context: CtxState


class EventSummary(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [_EVENT]})

    position: int
    type: str
    session_id: int | None
    timestamp: str
    actor: str
    by: str | None
    correlation_id: str | None
    causation_position: int | None
    summary: str
    error: str | None = Field(
        default=None,
        exclude_if=lambda value: value is None,
        description="Why the event cannot be read; not there where it can.",
    )


class Event(EventSummary):
    """`data` is what the event's type holds (docs/events.md), nothing where it cannot be read; the hashes chain it to
    the one before."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {**_EVENT, "version": 1, "data": {"session_id": 5, "name": "n"}, "hash": "9f...", "prev_hash": "03..."}
            ]
        }
    )

    version: int
    data: dict[str, object]
    hash: str
    prev_hash: str
    erased: Erased = False


class Change(BaseModel):
    """A value of the read tables before and after an event; null where there was none."""

    entity: str
    field: str
    before: Any
    after: Any


class EventRef(BaseModel):
    """A message that an event names; `role` and `preview` are null where the log does not hold it. Of one that was
    erased `tokens` are those that the event itself tells, null where it tells none."""

    ref: str
    role: str | None
    preview: str | None
    tokens: int | None
    erased: Erased = False


class EventDetail(Event):
    changes: list[Change]
    refs: list[EventRef]


class LogProblem(BaseModel):
    """Something that is not as it was written."""

    position: int | None
    kind: str
    text: str


class LogVerification(BaseModel):
    """`problems` holds the first hundred of `problems_total`."""

    ok: bool
    first: int = Field(alias="from")
    to: int
    checked: int
    head_hash: str
    first_bad_position: int | None
    erased_sessions: int
    duration_ms: int
    problems: list[LogProblem]
    problems_total: int
