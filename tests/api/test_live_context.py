"""/ws about contexts: what is told when something is compacted, compressed, undone or set."""

from tests.api.house import House
from tests.api.test_live import Page, address, page
from tests.projections.building import compacted, compressed, undone

__all__ = ["address"]  # a fixture
STREAM = "session-1"


async def _quiet(client: Page, messages: int) -> None:
    await client.types(messages)
    await client.nothing_more()


async def test_a_compaction_is_told_once_and_so_is_its_undoing(house: House, address: str) -> None:
    await house.client.post("/api/sessions", json={"name": "s"})
    async with page(address) as client:
        await _quiet(client, 1)
        position = await house.record(compacted(4, summary="with sk-s3cret in it"), stream=STREAM)
        told = await client.next()
        assert (told["type"], told["position"], told["session_id"]) == ("compaction_event", position, 1)
        assert (told["history_id"], told["trigger_reason"]) == (4, "manual")
        result = told["compaction"]
        assert (result["compacted"], result["original_tokens"], result["tokens_saved"]) == (True, 100, 60)
        assert (result["summarized_count"], result["compaction_ratio"], result["trigger_reason"]) == (2, 60.0, "manual")
        assert result["summary_text"] == "with [redacted] in it"
        position = await house.record(undone(4), stream=STREAM)
        told = await client.next()
        assert told == {
            "type": "compaction_reverted",
            "position": position,
            "session_id": 1,
            "kind": "compaction",
            "history_id": 4,
            "tokens_restored": 60,
        }
        await client.nothing_more()


async def test_a_compression(house: House, address: str) -> None:
    await house.client.post("/api/sessions", json={"name": "s"})
    async with page(address) as client:
        await _quiet(client, 1)
        await house.record(compressed(7, model="demo/echo"), stream=STREAM)
        told = await client.next()
        assert (told["type"], told["session_id"]) == ("compression_event", 1)
        shown = told["compression"]
        assert (shown["compressed"], shown["log_id"], shown["compressed_tokens"]) == (True, 7, 40)
        await house.record(undone(7, kind="compression"), stream=STREAM)
        told = await client.next()
        assert (told["kind"], told["log_id"], "history_id" in told) == ("compression", 7, False)


async def test_the_settings_of_a_session(house: House, address: str) -> None:
    await house.client.post("/api/sessions", json={"name": "s"})
    async with page(address) as client:
        await _quiet(client, 1)
        await house.client.post("/api/compaction/1/reserved", json={"reserved_tokens": 100})
        told = await client.next()
        assert (told["type"], told["session_id"], told["reserved_tokens"]) == ("reserved_tokens_updated", 1, 100)
        await house.client.post("/api/compaction/1/toggle-auto", json={"enabled": False})
        told = await client.next()
        assert (told["type"], told["session_id"], told["enabled"]) == ("auto_compaction_toggled", 1, False)
        await house.client.post("/api/compaction/1/toggle-auto", json={"enabled": False})  # so already
        await client.nothing_more()


async def test_what_an_event_about_a_context_changed(house: House) -> None:
    await house.client.post("/api/sessions", json={"name": "s"})
    answer = await house.client.post("/api/compaction/1/reserved", json={"reserved_tokens": 100})
    event = (await house.client.get(f"/api/events/{answer.headers['x-event-position']}")).json()
    changes = {(each["entity"], each["field"]): (each["before"], each["after"]) for each in event["changes"]}
    assert changes == {("session:1", "reserved_tokens"): (0, 100)}
    position = await house.record(compacted(4), stream=STREAM)
    event = (await house.client.get(f"/api/events/{position}")).json()
    fields = {each["field"]: (each["before"], each["after"]) for each in event["changes"]}
    assert fields["compaction_count"] == (0, 1)
    assert set(fields) == {"compaction_count", "last_compaction_at"}
    assert [each["ref"] for each in event["refs"]] == ["a", "b", "digest"]
