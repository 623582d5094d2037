"""/metrics, read with the parser of Prometheus' own library."""

import msgspec
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from commands.prices import AdoptPriceBook
from schema.exchanges import SentLast, Try
from schema.prices import PriceRow
from schema.recorded import Metadata
from tests.api.house import House
from tests.projections.building import completed, failed, measured, started

_TRIES = (("demo", "echo"), ("demo", "echo"), ("acme", "big"), ("acme", "small"), ("gone", "x"))


async def samples(house: House) -> dict[tuple[str, ...], float]:
    answer = await house.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = text_string_to_metric_families(answer.text)
    return {_key(sample): sample.value for family in families for sample in family.samples}


def _key(sample: Sample) -> tuple[str, ...]:
    return (sample.name.removeprefix("chronoproxy_"), *(value for _, value in sorted(sample.labels.items())))


async def _finish(house: House, number: int, *ends: object, **fields: object) -> None:
    await house.record(started(number, 1, **fields), stream=f"exchange-{number}")
    for end in ends:
        await house.record(end, stream=f"exchange-{number}")  # type: ignore[arg-type]


async def test_an_empty_log(house: House) -> None:
    found = await samples(house)
    assert (found["event_position",], found["projection_lag_events",], found["ws_clients",]) == (0, 0, 0)
    assert found["request_seconds_count",] == 0


async def test_exchanges_are_counted_once_however_often_it_is_read(house: House) -> None:
    await house.client.post("/api/sessions", json={})
    await _finish(house, 1, completed(1, 1, measured(100, 20, cached_tokens=40)))
    await samples(house)
    await _finish(house, 2)
    await _finish(house, 3, failed(3, 1))
    await house.record(completed(2, 1, measured(7, 3)), stream="exchange-2")
    for _ in range(2):
        found = await samples(house)
        assert found["requests_total", "echo", "completed", "demo"] == 2
        assert found["requests_total", "echo", "failed", "demo"] == 1
        assert (found["tokens_total", "input"], found["tokens_total", "output"]) == (107, 23)
        assert (found["tokens_total", "cached"], found["tokens_total", "reasoning"]) == (40, 0)
        assert found["request_seconds_count",] == 3
        assert abs(found["request_seconds_sum",] - 0.27) < 1e-9
        assert (found["request_seconds_bucket", "0.1"], found["request_seconds_bucket", "+Inf"]) == (3, 3)
        assert (found["ttft_seconds_bucket", "0.1"], found["overhead_seconds_bucket", "0.0005"]) == (3, 3)
        assert found["events_total", "ExchangeStarted"] == 3
        assert found["event_position",] == house.log.head()


async def test_costs_are_those_of_now_and_say_what_has_no_price(house: House) -> None:
    await house.client.post("/api/sessions", json={})
    await _finish(house, 1, completed(1, 1, measured(100, 20)))
    book = AdoptPriceBook((PriceRow(model="echo", input=1_000_000, output=2_000_000),), "a" * 64)
    adopted = await house.handler.execute(book, Metadata(actor="system"))
    await house.waiter.until(adopted.position)
    await _finish(house, 2, completed(2, 1, measured(1_000, 20)))
    await _finish(house, 3, completed(3, 1, measured(1, 1)), provider="gone", model_sent="x")
    found = await samples(house)
    assert found["cost_usd_total", "echo", "demo"] == 0.00104
    assert found["unpriced_exchanges_total", "echo", "demo"] == 1
    assert found["unpriced_exchanges_total", "other", "other"] == 1
    await house.client.post("/api/prices/reprice", json={})
    found = await samples(house)
    assert ("cost_usd_total", "other", "other") not in found
    assert found["cost_usd_total", "echo", "demo"] == 0.00118
    assert found["unpriced_exchanges_total", "echo", "demo"] == 0


async def test_calls_of_providers(house: House) -> None:
    await house.client.post("/api/sessions", json={})
    await _finish(house, 1, completed(1, 1))
    await _finish(house, 2, msgspec.structs.replace(failed(2, 1), attempts=2))  # as it was once told
    tries = [Try(provider=name, model=model, duration_ms=1.0) for name, model in _TRIES]
    last = SentLast(provider="gone", model="x", envelope_ref="e1")
    end = msgspec.structs.replace(completed(3, 1), attempts=6, tries=tuple(tries), sent_last=last)
    await _finish(house, 3, end)
    found = await samples(house)
    counted = {
        name: [found.get((f"upstream_{kind}_total", name)) for kind in ("attempts", "retries", "fallbacks")]
        for name in ("demo", "acme", "other")
    }
    assert counted == {"demo": [6, 3, 0], "acme": [2, 0, 2], "other": [1, 0, 1]}


async def test_all_that_the_contract_names_is_there(house: House) -> None:
    await house.client.post("/api/sessions", json={})
    await _finish(house, 1, completed(1, 1))
    answer = await house.client.get("/metrics")
    families = {family.name.removeprefix("chronoproxy_") for family in text_string_to_metric_families(answer.text)}
    assert families >= {
        *("requests", "request_seconds", "ttft_seconds", "overhead_seconds", "tokens", "tokens_saved", "events"),
        *("event_position", "projection_lag_events", "ws_clients", "ws_resyncs", "mcp_calls"),
        *("cost_usd", "unpriced_exchanges"),
    }


async def test_labels_are_bounded_by_the_configuration(house: House) -> None:
    await house.client.post("/api/sessions", json={})
    for number, (provider, model) in enumerate([("demo", 'x"\n'), ("demo", "y"), ("gone", "echo"), ("acme", "big")], 1):
        await _finish(house, number, completed(number, 1), provider=provider, model_sent=model)
    found = await samples(house)
    counted = {key[1:]: value for key, value in found.items() if key[0] == "requests_total"}
    assert counted == {
        ("other", "completed", "demo"): 2,
        ("other", "completed", "other"): 1,
        ("big", "completed", "acme"): 1,
    }
