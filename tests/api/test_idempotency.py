"""A write that comes again with its Idempotency-Key: the same answer, no second event."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from api.gate import GateSettings
from api.idempotency import Keys
from schema.appends import Append
from schema.idempotency import HOUR_MS, Idempotent
from schema.recorded import Metadata
from tests.api.house import House, open_house

KEY = {"Idempotency-Key": "k-1"}
SAME = ("x-event-position", "x-event-count")


async def test_the_same_answer_and_no_second_event(house: House) -> None:
    first = await house.client.post("/api/sessions", json={"name": "One"}, headers=KEY)
    assert (first.status_code, "idempotent-replayed" in first.headers) == (200, False)
    await house.client.patch("/api/sessions/1", json={"name": "Two"})
    head = house.log.head()
    again = await house.client.post("/api/sessions", json={"name": "One"}, headers=KEY)
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert [again.headers[name] for name in SAME] == [first.headers[name] for name in SAME]
    assert house.log.head() == head


async def test_every_method_and_a_write_that_changes_nothing(house: House) -> None:
    for name in ("a", "b"):
        await house.client.post("/api/sessions", json={"name": name})
    calls: tuple[tuple[str, str, dict[str, object]], ...] = (
        ("PATCH", "/api/sessions/1", {"name": "c"}),
        ("POST", "/api/sessions/1/activate", {}),
        ("POST", "/api/sessions/toggle-auto", {"enabled": True}),
        ("DELETE", "/api/sessions/2", {}),
    )
    answers = [await house.client.request(method, path, json=body, headers=KEY) for method, path, body in calls]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert answers[2].headers["x-event-count"] == "0"
    head = house.log.head()
    again = [await house.client.request(method, path, json=body, headers=KEY) for method, path, body in calls]
    assert [answer.json() for answer in again] == [answer.json() for answer in answers]
    assert [answer.headers["x-event-position"] for answer in again] == [
        answer.headers["x-event-position"] for answer in answers
    ]
    assert house.log.head() == head


async def test_another_request_with_the_key_is_refused(house: House) -> None:
    await house.client.post("/api/sessions", json={"name": "One"}, headers=KEY)
    for answer in (
        await house.client.post("/api/sessions", json={"name": "Two"}, headers=KEY),
        await house.client.post("/api/sessions", json={"name": "One", "provider": "demo"}, headers=KEY),
        await house.client.post("/api/sessions", headers=KEY),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reuse")
        (detail,) = answer.json()["detail"]
        assert (detail["loc"], detail["input"]) == (["header", "Idempotency-Key"], KEY["Idempotency-Key"])


async def test_what_means_the_same_is_the_same_request(house: House) -> None:
    first = await house.client.post("/api/sessions", json={"name": "One", "provider": "demo"}, headers=KEY)
    text = {**KEY, "Content-Type": "application/json"}
    for answer in (
        await house.client.post("/api/sessions?x=1", json={"provider": "demo", "name": "One"}, headers=KEY),
        await house.client.post("/api/sessions", content=b' {"name":"\\u004fne" ,"provider":"demo"}', headers=text),
    ):
        assert (answer.status_code, answer.json()["id"]) == (200, first.json()["id"])
    other = {"Idempotency-Key": "k-2"}
    empty = await house.client.post("/api/sessions", headers=other)
    for body in (b"{}", b" { } "):
        again = await house.client.post("/api/sessions", content=body, headers={**text, **other})
        assert (again.status_code, again.json()) == (200, empty.json())


async def test_what_an_address_reads_of_its_query_is_a_part_of_the_request(house: House) -> None:
    for name in ("a", "b"):
        await house.client.post("/api/sessions", json={"name": name})

    async def store(query: str) -> int:
        body = {"content": "a text to remember"}
        return (await house.client.post(f"/api/memory/store?{query}", json=body, headers=KEY)).status_code

    assert [await store(query) for query in ("session_id=1", "x=2&session_id=1", "session_id=2")] == [200, 200, 422]


async def test_a_body_that_only_one_reader_takes_is_compared_as_it_is_written(house: House) -> None:
    text = {**KEY, "Content-Type": "application/json"}
    bodies = (b'{"name":"a","x":"\\ud800"}', b'{"name":"a","x":"\\ud800"}', b'{"x":"\\ud800","name":"a"}')
    answers = [await house.client.post("/api/sessions", content=body, headers=text) for body in bodies]
    assert [answer.status_code for answer in answers] == [200, 200, 422]


async def test_who_read_the_position_anew_may_try_again_with_the_same_key(house: House) -> None:
    await house.client.post("/api/sessions", json={"name": "a"})
    position = (await house.client.patch("/api/sessions/1", json={"name": "b"})).headers["x-event-position"]
    body, path = {"name": "c"}, "/api/sessions/1"
    stale = await house.client.patch(path, json=body, headers={**KEY, "X-Expected-Position": "1"})
    assert (stale.status_code, stale.json()["code"]) == (409, "version_conflict")
    fresh = {**KEY, "X-Expected-Position": position}
    first = await house.client.patch(path, json=body, headers=fresh)
    assert (first.status_code, first.json()["name"]) == (200, "c")
    again = await house.client.patch(path, json=body, headers=fresh)  # the position is another one by now
    assert (again.status_code, again.json(), again.headers["idempotent-replayed"]) == (200, first.json(), "true")


async def test_a_key_is_of_its_method_path_and_credential(house: House) -> None:
    numbers = [
        (await house.client.post("/api/sessions", json={}, headers={**KEY, "Authorization": f"Bearer {who}"})).json()
        for who in ("a", "b")
    ]
    assert [session["id"] for session in numbers] == [1, 2]
    for number in (1, 2):
        answer = await house.client.patch(f"/api/sessions/{number}", json={"name": "n"}, headers=KEY)
        assert answer.json()["id"] == number


async def test_a_refusal_is_kept_too(house: House) -> None:
    first = await house.client.post("/api/sessions/1/activate", headers=KEY)
    assert (first.status_code, first.json()["code"]) == (404, "session_not_found")
    await house.client.post("/api/sessions", json={})
    again = await house.client.post("/api/sessions/1/activate", headers=KEY)
    assert (again.status_code, again.json()) == (404, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    assert (await house.client.post("/api/sessions/1/activate")).status_code == 200


async def test_invalid_fields_are_not_kept(house: House) -> None:
    assert (await house.client.post("/api/sessions", json={"name": 1}, headers=KEY)).status_code == 422
    assert (await house.client.post("/api/sessions", json={"name": "a"}, headers=KEY)).status_code == 200


async def test_only_one_of_two_at_once_is_carried_out(house: House) -> None:
    calls = [house.client.post("/api/sessions", json={"name": "One"}, headers=KEY) for _ in range(8)]
    answers = await asyncio.gather(*calls)
    assert house.types().count("SessionStarted") == 1
    assert {answer.status_code for answer in answers} <= {200, 409}
    refused = [answer.json()["code"] for answer in answers if answer.status_code == 409]
    assert set(refused) <= {"idempotency_in_progress"}
    assert {answer.json()["id"] for answer in answers if answer.status_code == 200} == {1}


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "caf\u00e9"])
async def test_keys_that_are_none(house: House, key: str) -> None:
    answer = await house.client.post("/api/sessions", json={}, headers={b"Idempotency-Key": key.encode()})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_field")
    assert answer.json()["detail"][0]["loc"] == ["header", "Idempotency-Key"]
    assert house.log.head() == 0


async def test_kept_over_a_restart_and_without_what_was_sent(tmp_path: Path) -> None:
    sent = {"Idempotency-Key": "very-own-key", "Authorization": "Bearer own-credential"}
    async with open_house(tmp_path, GateSettings()) as house:
        first = await house.client.post("/api/sessions", json={"name": "own name"}, headers=sent)
    async with open_house(tmp_path, GateSettings()) as house:
        again = await house.client.post("/api/sessions", json={"name": "own name"}, headers=sent)
        assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith("events"))
    for secret in (b"very-own-key", b"own-credential", b"own name"):
        assert secret not in stored


async def test_a_key_holds_as_long_as_is_configured(house: House) -> None:
    first = await house.client.post("/api/sessions", json={"name": "One"}, headers=KEY)
    kept_at = house.events()[-1].timestamp

    async def after(hours: int, kept_hours: int) -> int:
        """The session that the same request gives then."""
        house.app.state.services = msgspec.structs.replace(
            house.app.state.services,
            clock=lambda: kept_at + hours * HOUR_MS,
            idempotency=Keys(house.log.keys.secret("idempotency keys"), kept_hours * HOUR_MS),
        )
        return int((await house.client.post("/api/sessions", json={"name": "One"}, headers=KEY)).json()["id"])

    number = first.json()["id"]
    assert [await after(23, 24), await after(30, 48)] == [number, number]
    assert await after(3, 2) > number


async def test_what_is_kept_longer_than_that_is_forgotten(house: House) -> None:
    async def keep(key: bytes, hours: int) -> None:
        idempotent = Idempotent(key, b"r" * 32, kept_ms=hours * HOUR_MS)
        await house.appender.append(Append(events=(), metadata=Metadata(actor="api"), idempotent=idempotent))

    await keep(b"a" * 32, 24)
    await keep(b"b" * 32, 24)
    assert house.log.kept(b"a" * 32, 0) is not None
    await keep(b"c" * 32, -1)  # what was kept until an hour from now
    assert house.log.kept(b"a" * 32, 0) is None
    assert house.log.kept(b"c" * 32, 0) is not None
