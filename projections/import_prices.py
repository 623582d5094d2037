"""What imported usage cost by our own books, where the client did not say."""

import re
from collections.abc import Iterator

from projections.ledger_rows import PartRow
from projections.pricing import Consumption, Pricing, Served, cost
from projections.usage_entries import HOUR_MS
from schema.prices import PriceRow

_SNAPSHOT = re.compile(r"[-@](?:20\d\d-?[01]\d-?[0-3]\d|latest)$")  # clients write down what answers are named


def import_cost(prices: Pricing, part: PartRow) -> int | None:
    """In micro-dollars; None where no book has a price. Which row holds for requests of a length goes by their mean."""
    if not part.model or not prices:
        return None
    used = Consumption(part.input, part.output, part.cached, part.cache_write)
    for name in dict.fromkeys(_names(part.model)):
        row = _row(prices, part, name, part.input // part.calls)
        if row is not None:
            return cost(row, used)
    return None


def _row(prices: Pricing, part: PartRow, model: str, tokens: int) -> PriceRow | None:
    """Clients have their own names for providers: where no row is for any, that of the only one that has the model."""
    found = prices.row(_served(part, part.provider or "", model), tokens)
    if found is None and len(only := prices.sellers(part.since, model)) == 1:
        found = prices.row(_served(part, only[0], model), tokens)
    return found


def _served(part: PartRow, provider: str, model: str) -> Served:
    return Served(part.since, part.hour * HOUR_MS, provider, model)


def _names(model: str) -> Iterator[str]:
    """As it is written, without the provider before it, and without the date of a snapshot."""
    for name in (model, model.rpartition("/")[2]):
        yield name
        yield _SNAPSHOT.sub("", name)
