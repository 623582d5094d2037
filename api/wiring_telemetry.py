"""Telemetry, where it is configured: committed events go to a thread of its own, so that neither the traffic nor the
log waits for a collector."""

import importlib
import logging
import queue
import threading
from collections.abc import Sequence
from typing import Protocol

from api.configuration import Configuration, ConfigurationError
from api.configuration_telemetry import Telemetry
from api.telemetry import WATCHED, Operation, Translator
from chronoproxy import __version__
from schema.recorded import Recorded

_WAITING = 10_000  # commits

_log = logging.getLogger("chronoproxy.telemetry")


class Exports(Protocol):
    """What operations are given to (telemetry_export.py)."""

    def export(self, operation: Operation) -> None:
        """Does not wait for the network."""

    def close(self) -> None:
        """Send what waits."""


class TelemetryFeed:
    """`committed` is for the writer's thread; it never waits: what does not fit is left out, with one warning."""

    def __init__(self, translator: Translator, exports: Exports) -> None:
        self._translator, self._exports = translator, exports
        self._queue: queue.Queue[Sequence[Recorded] | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._run, name="telemetry")
        self._full = False

    def start(self) -> None:
        self._thread.start()

    def committed(self, events: Sequence[Recorded]) -> None:
        wanted = [each for each in events if isinstance(each.event, WATCHED)]
        if not wanted:
            return
        try:
            self._queue.put_nowait(wanted)
        except queue.Full:
            if not self._full:
                _log.warning("telemetry falls behind: some of it is left out")
            self._full = True

    def close(self) -> None:
        """Translate and send what waits."""
        self._queue.put(None)
        self._thread.join()
        self._exports.close()

    def _run(self) -> None:
        while (events := self._queue.get()) is not None:
            for recorded in events:
                operation = self._translator.operation(recorded)
                if operation is not None:
                    self._exports.export(operation)


def telemetry(configuration: Configuration) -> TelemetryFeed | None:
    """None where there is no endpoint. Raises ConfigurationError where the library is not installed."""
    section = configuration.telemetry
    if not section.endpoint:
        return None
    return TelemetryFeed(Translator(configuration.catalogue()), _exporter(section))


def _exporter(section: Telemetry) -> Exports:
    try:
        module = importlib.import_module("api.telemetry_export")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "opentelemetry":
            raise
        text = "telemetry.endpoint: OpenTelemetry is not installed; install chronoproxy[otel], or leave the key out"
        raise ConfigurationError(text) from None
    exporter: Exports = module.Exporter(section, __version__)
    return exporter
