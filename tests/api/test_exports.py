"""A session as a file."""

import csv
import io
import json

import pytest

from schema.exchanges import ExchangeCompleted, ExchangeStarted, MessageRefs, Resolution, Timings, Usage
from schema.registry import Event
from tests.api.house import House

HEADER = ["Timestamp", "Tokens Total", "Pourcentage", "Aperçu", "Prompt Tokens", "Completion Tokens", "Type", "Source"]


def exchange(number: int, preview: str, usage: Usage) -> tuple[Event, Event]:
    started = ExchangeStarted(
        session_id=1,
        exchange_id=number,
        model_sent="acme-big",
        provider="acme",
        resolution=Resolution(rule="auto_new"),
        received=MessageRefs(added=("a" * 64,), count=1, tokens=9),
        envelope_ref="e" * 64,
        preview=preview,
    )
    return started, ExchangeCompleted(session_id=1, exchange_id=number, usage=usage, timings=Timings())


async def filled(house: House, previews: list[str]) -> None:
    await house.client.post("/api/sessions", json={"name": "s"})
    for number, preview in enumerate(previews, 1):
        source = "measured" if number % 2 else "estimated"
        usage = Usage(source=source, prompt_tokens=370, completion_tokens=10, total_tokens=380)  # type: ignore[arg-type]
        await house.record(*exchange(number, preview, usage), stream=f"exchange-{number}")


async def rows(house: House, query: str = "") -> list[list[str]]:
    answer = await house.client.get(f"/api/export/csv{query}")
    assert answer.status_code == 200
    assert answer.text.endswith("\r\n")
    return list(csv.reader(io.StringIO(answer.text, newline="")))


async def test_csv(house: House) -> None:
    await filled(house, ["one", 'two, with "quotes"\nand a line', "three"])
    answer = await house.client.get("/api/export/csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == "attachment; filename=session_1_20261122_233351.csv"
    assert not answer.content.startswith(b"\xef\xbb\xbf")
    found = await rows(house)
    assert found[0] == HEADER
    assert [row[3] for row in found[1:]] == ["three", 'two, with "quotes"\nand a line', "one"]
    assert found[1][1:3] == ["380", "0.19%"]
    assert [row[4:] for row in found[1:3]] == [["370", "10", "Réel", "proxy"], ["370", "10", "Estimé", "proxy"]]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
async def test_no_cell_is_a_formula(house: House, start: str) -> None:
    await filled(house, [f"{start}cmd|x"])
    answer = await house.client.get("/api/export/csv")
    assert f"'{start}cmd|x" in answer.text


async def test_more_rows_than_a_page(house: House) -> None:
    await filled(house, [])
    events = [
        event
        for number in range(1, 1_203)
        for event in exchange(number, str(number), Usage(source="measured", total_tokens=1))
    ]
    for first in range(0, len(events), 400):
        await house.record(*events[first : first + 400], stream="test")
    assert [row[3] for row in (await rows(house))[1:]] == [str(number) for number in range(1_202, 0, -1)]
    body = (await house.client.get("/api/export/json")).json()
    assert len(body["metrics"]) == 1_202


async def test_json(house: House) -> None:
    await filled(house, ["one", "two"])
    answer = await house.client.get("/api/export/json?session_id=1")
    body = answer.json()
    assert (set(body), body["exported_at"]) == ({"session", "metrics", "exported_at"}, "2026-11-22T23:33:51.123Z")
    detail = (await house.client.get("/api/sessions/1")).json()
    assert (body["session"]["id"], body["metrics"]) == (1, detail["recent_metrics"])


async def test_events_as_lines(house: House) -> None:
    await filled(house, ["one"])
    answer = await house.client.get("/api/export/json?format=jsonl")
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    for position, line in enumerate(lines, 1):
        found = (await house.client.get(f"/api/events/{position}")).json()
        assert line == {key: value for key, value in found.items() if key not in ("changes", "refs")}
    assert len(lines) == 4


async def test_an_export_as_of_an_earlier_event(house: House) -> None:
    await filled(house, ["one", "two"])
    assert len(await rows(house, "?at=4")) == 2
    assert (await house.client.get("/api/export/json?at=2")).json()["metrics"] == []
    lines = (await house.client.get("/api/export/json?format=jsonl&at=3")).text.splitlines()
    assert len(lines) == 3


@pytest.mark.parametrize("kind", ["csv", "json"])
async def test_without_a_session(house: House, kind: str) -> None:
    answer = await house.client.get(f"/api/export/{kind}")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_active_session")
    answer = await house.client.get(f"/api/export/{kind}?session_id=7")
    assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")
    for query in ("session_id=0", "session_id=x", "at=x", "format=xml"):
        if (kind, query) != ("csv", "format=xml"):
            assert (await house.client.get(f"/api/export/{kind}?{query}")).status_code == 422
