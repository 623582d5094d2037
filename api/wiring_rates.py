"""The requests of the last minute before a start, so that a restart gives nobody new places."""

from proxy.limiter import Limiter
from proxy.rate import RequestRate
from proxy.rate_window import WINDOW_S
from proxy.spending import last_before
from schema.exchanges import ExchangeStarted
from schema.log import EventLog


def restore_rates(log: EventLog, rate: RequestRate, limits: Limiter | None, now_ms: int) -> None:
    """Count them where they stood: `now_ms` since the epoch."""
    start = last_before(log, now_ms - int(WINDOW_S * 1_000) + 1)
    for recorded in log.scan(after=start, types=("ExchangeStarted",)):
        event, ago_s = recorded.event, max(now_ms - recorded.timestamp, 0) / 1_000
        if isinstance(event, ExchangeStarted):
            rate.counted(ago_s)
            if limits is not None:
                limits.entered(recorded.by, event.provider, event.key, ago_s)
