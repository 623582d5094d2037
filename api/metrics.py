"""GET /metrics for Prometheus (contract N9). Labels are bounded: what the configuration does not name is `other`."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import StreamingResponse
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from api.disk import disk_of
from api.reading import LIVE
from api.services import Services, Use
from projections.gateway import mcp_outcomes
from projections.metrics import Calls, ExchangeTally, Histogram, Requests
from projections.timeline import events_by_type
from projections.usage import wire_usage
from projections.usage_entries import Asked
from proxy.providers import Catalogue

router = APIRouter(tags=["health"], dependencies=LIVE)

_OTHER = "other"
_TEXT: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "The counters"}
}


@router.get("/metrics", response_class=StreamingResponse, responses=_TEXT)
async def metrics(services: Use) -> Response:
    """Counters since the first event of the log, in the text format of Prometheus."""
    counted = (await services.reads.run(_counted, services.tally, services.catalogue)).value
    counted.append((await services.reads.run(_mcp_calls, frozenset(services.looker.names()))).value)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected([*counted, *_gauges(services)]))
    return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _counted(db: sqlite3.Connection, tally: ExchangeTally, catalogue: Catalogue, *, at: int) -> list[Metric]:
    with tally.lock:
        tally.advance(db, at=at)
        return [_events(db, at=at), *_exchanges(tally, catalogue), *_costs(db, catalogue, at=at)]


def _costs(db: sqlite3.Connection, catalogue: Catalogue, *, at: int) -> Iterator[Metric]:
    """As priced now: history priced anew at lower prices looks to Prometheus like a counter that began again. What has
    no price has no cost, rather than one of 0."""
    found: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    for entry in wire_usage(db, Asked(group_by="model"), at=at):
        provider, _, model = entry.key.partition("/")
        sums = found[_labels(catalogue, provider, model)]
        sums[0] += entry.cost
        sums[1] += entry.priced
        sums[2] += entry.unpriced
    names = ("provider", "model")
    cost = CounterMetricFamily("chronoproxy_cost_usd", "Cost of finished exchanges that have a price.", labels=names)
    text = "Finished exchanges that used something of which the price is not known."
    unpriced = CounterMetricFamily("chronoproxy_unpriced_exchanges", text, labels=names)
    for labels, (micros, priced, without) in sorted(found.items()):
        if priced:
            cost.add_metric(labels, micros / 1_000_000)
        unpriced.add_metric(labels, without)
    yield cost
    yield unpriced


def _mcp_calls(db: sqlite3.Connection, known: frozenset[str], *, at: int) -> Metric:
    """Outcomes are of a fixed set; servers that were once configured are `other`."""
    found: dict[tuple[str, str], int] = defaultdict(int)
    for (server, outcome), count in mcp_outcomes(db, at=at).items():
        found[server if server in known else _OTHER, outcome] += count
    calls = CounterMetricFamily("chronoproxy_mcp_calls", "Calls of MCP servers.", labels=("server", "outcome"))
    for labels, count in sorted(found.items()):
        calls.add_metric(labels, count)
    return calls


class _Collected(Collector):
    """Families that are made already, as the library asks for them."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def _exchanges(tally: ExchangeTally, catalogue: Catalogue) -> Iterator[Metric]:
    requests = CounterMetricFamily(
        "chronoproxy_requests", "Finished exchanges.", labels=("provider", "model", "outcome")
    )
    for labels, count in sorted(_bounded(tally.requests, catalogue).items()):
        requests.add_metric(labels, count)
    yield requests
    yield from _calls(tally, catalogue)
    yield _histogram("request_seconds", "From the request to the end of its answer.", tally.request_seconds)
    yield _histogram("ttft_seconds", "From the request to the first byte of the answer's body.", tally.ttft_seconds)
    yield _histogram("overhead_seconds", "The proxy's own share before the upstream call.", tally.overhead_seconds)
    text = "Tokens of finished exchanges; cached and reasoning ones are parts of the others."
    tokens = CounterMetricFamily("chronoproxy_tokens", text, labels=("kind",))
    for kind, count in tally.tokens.items():
        tokens.add_metric((kind,), count)
    yield tokens
    text = "Tokens that were received and did not go upstream, of finished exchanges."
    saved = CounterMetricFamily("chronoproxy_tokens_saved", text, labels=("stage",))
    for stage, count in tally.saved.items():
        saved.add_metric((stage,), max(count, 0))
    yield saved


def _calls(tally: ExchangeTally, catalogue: Catalogue) -> Iterator[Metric]:
    found: dict[str, Calls] = defaultdict(Calls)
    for provider, calls in tally.calls.items():
        found[provider if catalogue.provider_known(provider) else _OTHER].add(calls)
    families = {
        "attempts": ("upstream_attempts", "Calls of a provider, of finished exchanges."),
        "retries": ("upstream_retries", "Those that repeat a call that failed, of the same provider and model."),
        "fallbacks": ("upstream_fallbacks", "Those in the place of another provider or model that failed."),
    }
    for name, (family, text) in families.items():
        counter = CounterMetricFamily(f"chronoproxy_{family}", text, labels=("provider",))
        for provider, calls in sorted(found.items()):
            counter.add_metric((provider,), getattr(calls, name))
        yield counter


def _bounded(requests: dict[Requests, int], catalogue: Catalogue) -> dict[Requests, int]:
    """Clients choose models, and each label is a time series for ever."""
    found: dict[Requests, int] = defaultdict(int)
    for labels, count in requests.items():
        found[Requests(*_labels(catalogue, labels.provider, labels.model), labels.outcome)] += count
    return found


def _labels(catalogue: Catalogue, provider: str, model: str) -> tuple[str, str]:
    known = catalogue.model_known(provider, model)
    return provider if catalogue.provider_known(provider) else _OTHER, model if known else _OTHER


def _events(db: sqlite3.Connection, *, at: int) -> Metric:
    events = CounterMetricFamily("chronoproxy_events", "Events in the log.", labels=("type",))
    for name, count in events_by_type(db, at=at).items():
        events.add_metric((name,), count)
    return events


def _gauges(services: Services) -> Iterator[Metric]:
    head, hub = services.log.head(), services.hub
    behind = head - min((part.position for part in services.health.projections()), default=head)
    yield GaugeMetricFamily("chronoproxy_event_position", "Position of the last event.", head)
    yield GaugeMetricFamily(
        "chronoproxy_projection_lag_events", "Events that the read tables do not show yet.", max(behind, 0)
    )
    yield GaugeMetricFamily("chronoproxy_stored_bytes", "All files of the data directory.", services.vacuums.size())
    free = disk_of(services.log.path.parent).free_bytes
    yield GaugeMetricFamily("chronoproxy_disk_free_bytes", "Room that the disk has for the data directory.", free)
    yield _refused(services)
    yield GaugeMetricFamily("chronoproxy_ws_clients", "Clients of /ws.", hub.clients)
    yield CounterMetricFamily("chronoproxy_ws_resyncs", "Clients of /ws told to read anew.", hub.resyncs)


def _refused(services: Services) -> Metric:
    family = CounterMetricFamily(
        "chronoproxy_refused", "Requests that we refused before anything was sent, since the start.", labels=("code",)
    )
    for code, count in sorted(services.refused().items()):
        family.add_metric((code,), count)
    return family


def _histogram(name: str, text: str, values: Histogram) -> HistogramMetricFamily:
    buckets, total = [], 0
    for bound, count in zip((*map(str, values.bounds), "+Inf"), values.counts, strict=True):
        total += count
        buckets.append((bound, total))
    return HistogramMetricFamily(f"chronoproxy_{name}", text, buckets=buckets, sum_value=values.sum)
