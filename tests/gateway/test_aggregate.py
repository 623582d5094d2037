"""All servers as one list of tools, without waiting for those that keep failing."""

from collections.abc import Mapping
from typing import Any

from gateway.aggregate import Aggregate
from gateway.tools import Caller


async def test_a_server_that_keeps_failing_is_not_waited_for() -> None:
    called: list[str] = []

    async def call(server: str, method: str, params: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        called.append(server)
        return {"tools": [{"name": "look"}]}

    everything = Aggregate(("one", "dead"), call, lambda name: name == "dead", "1")
    assert await everything.request("tools/list", {}, Caller()) == {"tools": [{"name": "one__look"}]}
    await everything.request("tools/call", {"name": "dead__look"}, Caller())  # who asks for it by name may wait
    assert called == ["one", "dead"]
