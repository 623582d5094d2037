"""Imports of ledgers as messages of /ws."""

from collections.abc import Mapping

from api.live_view import Fields, Said, Say, View, on
from api.times import iso
from projections.ledger_rows import latest_use, task_count
from schema.ledgers import LedgerImported
from schema.recorded import Recorded
from schema.registry import Event


def _imported(view: View, recorded: Recorded, event: LedgerImported) -> Said:
    """Of Cline as the contract says it, of the other tools in the same way. `latest_count` is the number of tasks."""
    at = recorded.position
    fields: Fields = {
        "latest_ts": latest_use(view.db, event.tool, at=at),
        "latest_count": task_count(view.db, event.tool, at=at),
        "imported_count": event.rows,
        "timestamp": iso(recorded.timestamp),
    }
    if event.tool == "cline":
        yield "cline_usage_updated", None, fields
    else:
        yield "ledger_usage_updated", None, {"tool": event.tool, "ledger": event.ledger, **fields}


SAYS: Mapping[type[Event], Say] = dict((on(LedgerImported, _imported),))
