"""What the statistics of compactions answer with (contract 43-46, 51, 52)."""

from typing import Any

from pydantic import BaseModel, Field

from api import compaction_shapes as shapes
from api.shapes import CtxState


class GlobalTotals(BaseModel):
    total_compactions: int
    total_tokens_saved: int | None
    avg_compaction_ratio: float | None
    last_compaction_at: str | None


class SessionTotals(BaseModel):
    session_id: int
    compaction_count: int
    session_tokens_saved: int


class Everywhere(BaseModel):
    totals: GlobalTotals = Field(alias="global")
    sessions: list[SessionTotals]


class StatsConfig(BaseModel):
    threshold_percentage: int
    max_preserved_messages: int
    min_tokens_to_compact: int
    target_reduction_ratio: float


class GlobalStats(BaseModel):
    everywhere: Everywhere = Field(alias="global")
    config: StatsConfig
    active_session: shapes.CompState | None


class SessionStats(BaseModel):
    session_id: int
    compaction: shapes.CompState
    context: CtxState


class History(BaseModel):
    session_id: int
    history: list[shapes.HistoryRow]
    total_entries: int


class Chart(BaseModel):
    """Oldest first; `kinds` says of each point whether something was compacted or that was undone."""

    session_id: int
    labels: list[str]
    datasets: list[dict[str, Any]]
    timestamps: list[str]
    positions: list[int]
    kinds: list[str]


class AutoStatus(BaseModel):
    """`enabled` holds for the configuration and the session; `is_pending`: the next request will be compacted."""

    enabled: bool
    session_auto_enabled: bool
    threshold: float
    cooldown_minutes: int
    cooldown_remaining_seconds: float
    max_consecutive: int
    consecutive_count: int
    is_pending: bool
    last_compaction_at: str | None
    total_compactions: int


class UsedContext(BaseModel):
    current_tokens: int
    max_context: int
    usage_ratio: float
    usage_percentage: float


class AutoAlert(BaseModel):
    level: str
    message: str
    percentage: float
    tokens: int
    max_context: int
    action_recommended: str


class SessionAutoStatus(BaseModel):
    session_id: int
    status: AutoStatus
    context: UsedContext
    alert: AutoAlert | None


class PreviewUi(BaseModel):
    preview_messages_count: int
    preview_max_length: int
    show_savings_estimate: bool


class Ui(BaseModel):
    show_compact_button: bool
    manual_button_threshold: int
    show_detailed_tooltips: bool
    show_notifications: bool
    threshold_percentage: int
    critical_threshold: int
    preview: PreviewUi
