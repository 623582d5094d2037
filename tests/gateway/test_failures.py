"""What clients are told when a server behind the gateway fails, and when it is left alone."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.backend import Backend, Checked, Down, Invalid, Odd, Relayed
from gateway.gateway import Gateway
from gateway.jsonrpc import Call, Refusal
from gateway.messages import Incoming, ServerSettings
from gateway.recording import Recorder
from gateway.sessions import McpSessions
from gateway.tools import Caller, RpcError
from proxy.redaction import Redactor
from schema.context import ContentMasked
from schema.gateway import BreakerOpened, McpCallCompleted, McpCallFailed, McpCallRefused
from tests.api.house import House, open_house

CALLER = Caller()
KEY = "ghp_configured"


class Failing:
    """Answers with what `error` says, after `seconds`."""

    name = "failing"
    transport = "http"
    resting = False
    address = "https://failing.example/mcp"

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.result: dict[str, Any] = {"content": []}
        self.seconds = 0.0
        self.calls = 0

    async def identity(self) -> Mapping[str, Any]:
        return {"capabilities": {}, "serverInfo": {"name": "failing", "version": "1"}}

    def masks(self, tool: str) -> bool:
        return True

    async def request(self, method: str, params: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        self.calls += 1
        await asyncio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
        if method == "tools/list":
            return {"tools": [{"name": "read_a"}, {"name": "write_a"}, "odd"]}
        return self.result

    async def notify(self, method: str, params: Mapping[str, Any], caller: Caller) -> None: ...

    async def check(self) -> Checked:
        return Checked(connected=self.error is None, error=str(self.error) if self.error is not None else None)

    async def aclose(self) -> None: ...


class Rig:
    def __init__(self, house: House, **settings: Any) -> None:
        self.house, self.backend = house, Failing()
        backend: Backend = self.backend
        redact = Redactor([KEY])
        recorder = Recorder(house.appender, len, contents=True, redact=redact)
        self.gateway = Gateway(
            {"failing": (backend, ServerSettings(**settings))},
            recorder,
            McpSessions(b"s"),
            redact=redact,
            mask_chars=4_000,
        )

    async def refusal(self, name: str = "a") -> Refusal:
        with pytest.raises(Refusal) as caught:
            await self.call(name)
        return caught.value

    async def call(self, name: str = "a") -> dict[str, Any]:
        return await self.gateway.call("failing", "tools/call", {"name": name}, CALLER)

    async def events(self) -> list[Any]:
        await self.house.handler.flushed()
        return [recorded.event for recorded in self.house.events()]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (Down("gone"), -32002, "upstream_unreachable"),
        (Invalid("no JSON"), -32003, "upstream_invalid"),
        (Odd("a page"), -32603, "upstream_error"),
    ],
)
async def test_failures(house: House, error: Exception, code: int, reason: str) -> None:
    rig = Rig(house)
    rig.backend.error = error
    refusal = await rig.refusal()
    assert (refusal.status, refusal.code, refusal.reason) == (502, code, reason)
    assert refusal.data == {"server_name": "failing", "url": rig.backend.address, "error": str(error)}
    (failed,) = await rig.events()
    assert isinstance(failed, McpCallFailed) and (failed.outcome, failed.code) == (reason, code)
    assert failed.error_message == str(error)


@pytest.mark.parametrize("kind", [Down, Invalid, Odd])
async def test_a_failure_is_told_without_configured_keys(house: House, kind: type[Exception]) -> None:
    rig = Rig(house)
    rig.backend.error = kind(f"{'x' * 490} {KEY} of postgres://me:pass@host/db, with {KEY}")
    told = f"{'x' * 490} [redacted] of postgres://[redacted]@host/db, with [redacted]"[:500]
    refusal = await rig.refusal()
    assert (refusal.message, refusal.data["error"]) == (told, told)
    (failed,) = await rig.events()
    assert failed.error_message == told
    assert (await rig.gateway.servers["failing"].backend.check()).error == told[:300]


async def test_an_error_of_a_server_is_relayed_without_configured_keys(house: House) -> None:
    rig = Rig(house)
    echo = f"bad token {KEY}"
    rig.backend.error = Relayed({"code": -32000, "message": echo, "data": {KEY: [echo, 7]}, "more": echo})
    with pytest.raises(Relayed) as caught:
        await rig.call()
    told = "bad token [redacted]"
    assert caught.value.raw == {"code": -32000, "message": told, "data": {"[redacted]": [told, 7]}, "more": told}
    (failed,) = await rig.events()
    assert failed.error_message == told


async def test_an_error_that_is_nested_too_deep_to_be_looked_through(house: House) -> None:
    rig = Rig(house)
    nested: list[Any] = []
    for _ in range(5_000):
        nested = [nested]
    rig.backend.error = Relayed({"code": -32000, "message": "mine", "data": nested})
    refusal = await rig.refusal()
    assert (refusal.status, refusal.reason) == (502, "upstream_invalid")


async def test_what_is_cut_holds_no_half_of_a_key(house: House) -> None:
    rig = Rig(house)
    await rig.gateway.call("failing", "tools/call", {"name": "a", "arguments": {"k": "x" * 16_370 + KEY}}, CALLER)
    rig.backend.result = {"content": [{"type": "text", "text": "x" * 195 + KEY + "y" * 5_000}]}
    await rig.call()
    first, _, masked = await rig.events()
    assert isinstance(first, McpCallCompleted) and first.arguments is not None and "ghp" not in first.arguments
    assert isinstance(masked, ContentMasked) and masked.preview == "x" * 195 + "[reda"


async def test_too_slow(house: House) -> None:
    rig = Rig(house, timeout_s=0.02)
    rig.backend.seconds = 60.0
    refusal = await rig.refusal()
    assert (refusal.status, refusal.code, refusal.reason) == (502, -32002, "upstream_timeout")


async def test_five_failures_in_a_row(house: House) -> None:
    rig = Rig(house)
    rig.backend.error = Down("gone")
    for _ in range(5):
        assert (await rig.refusal()).reason == "upstream_unreachable"
    refusal = await rig.refusal()
    assert (refusal.status, refusal.code, refusal.reason) == (502, -32002, "circuit_open")
    assert refusal.headers == {"Retry-After": "30"}
    assert rig.backend.calls == 5
    *_, opened, refused = await rig.events()
    assert opened == BreakerOpened(server="failing", failures=5, outcome="upstream_unreachable", open_ms=30_000)
    assert isinstance(refused, McpCallRefused) and refused.outcome == "circuit_open"


async def test_what_tools_say_opens_nothing(house: House) -> None:
    rig = Rig(house)
    rig.backend.error = Relayed({"code": -32000, "message": "mine", "data": "any"})
    for _ in range(7):
        with pytest.raises(RpcError):
            await rig.call()
    assert rig.backend.calls == 7


async def test_an_error_is_relayed_as_it_is(house: House) -> None:
    rig = Rig(house)
    raw = {"code": -32000, "message": "mine", "data": {"code": 7, "text": "x" * 5_000}, "more": 1}
    rig.backend.error = Relayed(raw)
    reply = await rig.gateway.answer("failing", Incoming(Call("i", "tools/call", {"name": "a"}), CALLER))
    assert reply.status == 200
    assert b'"more":1' in reply.body and b"CHRONOPROXY_OBSERVATION_MASKED" in reply.body and b'"code":7' in reply.body


async def test_only_the_tools_that_are_allowed(house: House) -> None:
    rig = Rig(house, tools=("read_*",))
    listed = await rig.gateway.call("failing", "tools/list", {}, CALLER)
    assert listed["tools"] == [{"name": "read_a"}]
    assert await rig.call("read_a") == {"content": []}
    refusal = await rig.refusal("write_a")
    assert (refusal.status, refusal.code, refusal.reason) == (403, -32600, "tool_not_allowed")
    assert isinstance((await rig.events())[-1], McpCallRefused)


async def test_without_contents_nothing_is_kept_and_so_nothing_shortened(house: House) -> None:
    rig = Rig(house)
    recorder = Recorder(house.appender, len, contents=False, redact=Redactor([]))
    backend: Backend = rig.backend
    gateway = Gateway({"failing": (backend, ServerSettings())}, recorder, McpSessions(b"s"), redact=Redactor([]))
    rig.backend.error = Relayed({"code": 1, "message": "m", "data": "x" * 9_000})
    with pytest.raises(Relayed) as caught:
        await gateway.call("failing", "tools/call", {"name": "a", "arguments": {"key": 1}}, CALLER)
    assert caught.value.raw["data"] == "x" * 9_000
    (failed,) = await rig.events()
    assert isinstance(failed, McpCallFailed) and failed.arguments is None and failed.arguments_hash is not None


async def test_a_call_goes_on_where_its_key_is_lost(house: House) -> None:
    rig = Rig(house)
    call = {"name": "a", "arguments": {"key": 1}}
    await rig.gateway.call("failing", "tools/call", call, CALLER)
    (recorded,) = await rig.events()
    house.log.keys.destroy(recorded.session_id)
    house.log.sealer.forget(recorded.session_id)
    assert await rig.gateway.call("failing", "tools/call", call, CALLER) == {"content": []}
    assert len(await rig.events()) == 1
    assert house.log.keys.key(recorded.session_id) is None
