"""One-line summaries of events read straight from the log."""

from collections import OrderedDict

from projections.saying import model_label
from projections.summaries import SUMMARIES
from schema.exchanges import ExchangeStarted
from schema.log import EventLog
from schema.recorded import Recorded
from schema.unreadable import Unreadable

_KEPT = 10_000


class Summaries:
    """As in the timeline. An exchange's end is summed up with provider and model, which only its start names."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._labels: OrderedDict[int, str] = OrderedDict()

    def of(self, recorded: Recorded) -> str:
        if isinstance(recorded.event, Unreadable):
            return f"cannot be read: {recorded.event.reason}"
        summary, _ = SUMMARIES[type(recorded.event)](recorded.event, self._label(recorded))
        return summary

    def _label(self, recorded: Recorded) -> str:
        number, event = recorded.exchange_id, recorded.event
        if number is None:
            return ""
        if isinstance(event, ExchangeStarted):
            self._labels[number] = model_label(event.provider, event.model_sent)
        elif number not in self._labels:
            begun = self._log.read(stream=recorded.stream, types=("ExchangeStarted",))
            readable = begun and isinstance(begun[0].event, ExchangeStarted)
            self._labels[number] = self._label(begun[0]) if readable else ""
        while len(self._labels) > _KEPT:
            self._labels.popitem(last=False)
        return self._labels[number]
