"""The chart of a session's compactions, replayed from the events themselves (contract 46). Pure."""

from typing import Any

from api import compaction_shapes as shapes
from api.compaction_stats_shapes import Chart
from api.times import iso
from schema.compaction import CompactionPerformed, CompactionReverted
from schema.recorded import Recorded


def chart(session_id: int, events: list[Recorded], limit: int) -> Chart:
    """The newest points of compactions and their undoing; an undoing takes back what was saved."""
    saved: list[int] = []
    ratios: list[float] = []
    shares: dict[int, float] = {}
    for recorded in events:
        event = recorded.event
        if isinstance(event, CompactionPerformed):
            gain = event.tokens_before - event.tokens_after
            shares[event.history_id] = shapes.ratio(gain, event.tokens_before)
            saved.append(gain)
            ratios.append(shares[event.history_id])
        elif isinstance(event, CompactionReverted) and event.history_id is not None:
            saved.append(-event.tokens_restored)
            ratios.append(-shares.get(event.history_id, 0.0))
    kept = [each for each in events if not (isinstance(each.event, CompactionReverted) and each.event.log_id)]
    total, sums = 0, list[int]()
    for gain in saved:
        total += gain
        sums.append(total)
    newest = slice(max(len(kept) - limit, 0), None)
    shown = kept[newest]
    return Chart(
        session_id=session_id,
        labels=[iso(each.timestamp)[11:16] for each in shown],
        datasets=_datasets(saved[newest], sums[newest], ratios[newest]) if shown else [],
        timestamps=[iso(each.timestamp) for each in shown],
        positions=[each.position for each in shown],
        kinds=["compacted" if each.type == "CompactionPerformed" else "reverted" for each in shown],
    )


def _datasets(saved: list[int], sums: list[int], ratios: list[float]) -> list[dict[str, Any]]:
    """In the form that Chart.js draws."""
    return [
        {
            "label": "Tokens économisés",
            "data": saved,
            "borderColor": "#22c55e",
            "backgroundColor": "rgba(34, 197, 94, 0.1)",
            "fill": True,
            "tension": 0.4,
        },
        {
            "label": "Cumul économisé",
            "data": sums,
            "borderColor": "#3b82f6",
            "backgroundColor": "transparent",
            "borderDash": [5, 5],
            "fill": False,
            "tension": 0.4,
        },
        {
            "label": "Ratio compaction (%)",
            "data": ratios,
            "borderColor": "#a855f7",
            "backgroundColor": "transparent",
            "yAxisID": "y1",
            "fill": False,
            "tension": 0.4,
        },
    ]
