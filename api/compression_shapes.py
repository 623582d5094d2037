"""What a compression answers with (contract 53), and how a row becomes that. Pure."""

from typing import Literal

from pydantic import BaseModel

from api.compaction_shapes import ratio
from projections.compaction import DecisionRow


class Compressed(BaseModel):
    """`compression_ratio` in percent; `summary` is what stands for the rest, by a model where one is configured."""

    compressed: bool
    session_id: int
    original_tokens: int
    compressed_tokens: int
    tokens_saved: int
    compression_ratio: float
    messages_before: int
    messages_after: int
    system_preserved: int
    recent_preserved: int
    log_id: int | None = None
    summary: str | None = None
    reason: Literal["no_messages", "insufficient_messages"] | None = None


def compressed(row: DecisionRow) -> Compressed:
    """Of what was done."""
    return Compressed(
        compressed=True,
        session_id=row.session_id,
        original_tokens=row.tokens_before,
        compressed_tokens=row.tokens_after,
        tokens_saved=row.saved,
        compression_ratio=ratio(row.saved, row.tokens_before),
        messages_before=row.messages_before,
        messages_after=row.messages_after,
        system_preserved=row.system_preserved,
        recent_preserved=row.recent_preserved,
        log_id=row.number,
        summary=row.summary,
    )
