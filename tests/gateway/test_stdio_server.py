"""Programs behind the gateway: real processes that answer, fail, die, and are started again."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.backend import Down, Invalid, Relayed
from gateway.child import Child, Program
from gateway.stdio_server import StdioServer
from gateway.tools import Caller
from schema.gateway import McpServerCrashed, McpServerStarted

SERVER = str(Path(__file__).parents[1] / "servers" / "mcp_stdio.py")
TOOLS = (
    "echo", "environment", "count", "exit", "exit_once", "wait", "big", "garbage", "error", "spawn", "ask", "stuck",
    "close_input", "flood", "words",
)  # fmt: skip
ME = {"name": "test", "version": "1"}


class Rig:
    """`facts` are the starts and crashes that were told."""

    def __init__(self, *args: str, **settings: Any) -> None:
        self.facts: list[McpServerStarted | McpServerCrashed] = []
        program = Program(sys.executable, ("-S", SERVER, *args), {"GIVEN": "to it"})
        self.server = StdioServer("by-hand", program, self.facts.append, ME, **{"first_delay_s": 0.01, **settings})

    async def call(self, name: str, key: str = "", **arguments: Any) -> dict[str, Any]:
        params = {"name": name, "arguments": arguments}
        return await self.server.request("tools/call", params, Caller(state_key=key))

    async def text(self, name: str, key: str = "", **arguments: Any) -> str:
        return str((await self.call(name, key, **arguments))["content"][0]["text"])

    async def pid(self, key: str = "") -> int:
        return int((await self.text("count", key)).split()[0])


Making = Callable[..., Rig]


@pytest.fixture
async def making() -> AsyncIterator[Making]:
    made: list[Rig] = []

    def make(*args: str, **settings: Any) -> Rig:
        made.append(Rig(*args, **settings))
        return made[-1]

    yield make
    for rig in made:
        await rig.server.aclose()


async def gone(pid: int) -> None:
    """Wait until the process has ended."""
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        await asyncio.sleep(0.01)


async def test_one_program_serves_many_calls(making: Making) -> None:
    rig = making()
    assert (await rig.server.identity())["serverInfo"] == {"name": "by-hand", "version": "9"}
    first = await rig.pid()
    assert await rig.text("count") == f"{first} 2"
    assert not rig.server.resting
    assert (await rig.call("echo", text="é"))["unknownKey"] == 1
    slow = asyncio.get_running_loop().create_task(rig.text("wait", seconds=0.05))
    assert await rig.text("echo", text="meanwhile") == "meanwhile"  # it does not stand in line
    assert await slow == "waited"
    assert [type(fact) for fact in rig.facts] == [McpServerStarted]
    assert (await rig.server.check()).tools == TOOLS


async def test_keys_of_ours_do_not_come_to_it(making: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    found = json.loads(await making().text("environment"))
    assert found["GIVEN"] == "to it"
    assert set(found) - {"GIVEN", "LC_CTYPE", "PWD", "SHLVL", "_"} <= {
        "HOME",
        "LOGNAME",
        "PATH",
        "SHELL",
        "TERM",
        "USER",
    }


async def test_killed_while_it_works(making: Making) -> None:
    rig = making()
    pid = await rig.pid()
    call = asyncio.get_running_loop().create_task(rig.call("wait"))
    await rig.text("echo", text="it has begun")
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(Down) as caught:
        await call
    assert caught.value.told and "ended with -9" in str(caught.value)
    assert await rig.pid() != pid
    crashed = rig.facts[1]
    assert isinstance(crashed, McpServerCrashed) and (crashed.exit_code, crashed.calls) == (-9, 1)


async def test_its_last_words_are_told(making: Making) -> None:
    with pytest.raises(Down, match="ended with 3: the last words"):
        await making().call("exit")


async def test_of_a_very_long_last_line_no_half_word_is_told(making: Making) -> None:
    with pytest.raises(Down) as caught:
        await making().call("exit", words=f"{'s' * 9_000}-secret {'so it ended ' * 10}")
    assert str(caught.value) == f"by-hand has ended with 3: {'so it ended ' * 10}".strip()


async def test_only_what_only_reads_is_called_again(making: Making, tmp_path: Path) -> None:
    rig = making()
    assert await rig.text("exit_once", path=str(tmp_path / "once")) == "again"
    assert [type(fact) for fact in rig.facts] == [McpServerStarted, McpServerCrashed, McpServerStarted]


async def test_it_is_left_alone_longer_each_time(making: Making) -> None:
    rig = making()
    for _ in range(3):
        with pytest.raises(Down):
            await rig.call("exit")
    assert [fact.retry_ms for fact in rig.facts if isinstance(fact, McpServerCrashed)] == [10, 20, 40]
    await rig.pid()
    with pytest.raises(Down):
        await rig.call("exit")
    assert isinstance(rig.facts[-1], McpServerCrashed) and rig.facts[-1].retry_ms == 10


async def test_what_cannot_be_started(making: Making) -> None:
    rig = making(first_delay_s=5.0)
    rig.server._program = Program("/no/such/program")
    with pytest.raises(Down, match="no/such/program"):
        await rig.call("echo")
    with pytest.raises(Down, match="is started again in"):
        await rig.call("echo")
    assert (await rig.server.check()).connected is False
    assert rig.server.resting
    assert (await rig.server.identity())["serverInfo"]["name"] == "unknown"


async def test_a_call_that_nobody_waits_for_is_taken_back(making: Making, tmp_path: Path) -> None:
    rig = making()
    place = tmp_path / "cancelled"
    call = asyncio.get_running_loop().create_task(rig.call("wait", path=str(place)))
    await rig.text("echo", text="begun")
    call.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await call
    while not place.exists():
        await asyncio.sleep(0.01)
    assert await rig.text("echo", text="still there") == "still there"


async def test_odd_answers(making: Making) -> None:
    rig = making()
    with pytest.raises(Relayed) as caught:
        await rig.call("error")
    assert caught.value.raw == {"code": -32050, "message": "mine", "data": ["any", {"code": 7}]}
    with pytest.raises(Invalid):
        await rig.call("garbage")
    refused = json.loads(await rig.text("ask"))
    assert (refused["id"], refused["error"]["code"]) == ("mine", -32601)
    assert len(await rig.text("big", size=20_000_000)) == 20_000_000
    with pytest.raises(Relayed, match="no resources/list"):
        await rig.server.request("resources/list", {}, Caller())


async def test_a_message_that_is_too_long_ends_the_program_and_not_the_next_call(
    making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.child.MAX_LINE", 100_000)
    rig = making()
    pid = await rig.pid()
    with pytest.raises(Invalid, match="more than 100,000 bytes"):
        await rig.call("big", size=1_000_000)
    assert await rig.pid() != pid
    assert [type(fact) for fact in rig.facts] == [McpServerStarted, McpServerCrashed, McpServerStarted]


@pytest.mark.parametrize("line", ["y", '{"jsonrpc":"2.0","method":"notifications/progress","params":{}}'])
async def test_a_flood_is_broken_off(making: Making, line: str) -> None:
    rig = making()
    pid = await rig.pid()
    with pytest.raises(Invalid, match="floods its output"):
        await rig.call("flood", line=line)
    assert await rig.pid() != pid
    await gone(pid)


async def test_a_flood_of_words_disturbs_nobody(making: Making) -> None:
    rig = making()
    assert await rig.text("words", times=100_000) == "said"
    assert await rig.text("echo", text="still there") == "still there"


async def test_others_work_while_a_flood_is_read() -> None:
    output = asyncio.StreamReader()
    output.feed_data(b"y\n" * 6_400)
    output.feed_eof()
    turns = 0

    async def work() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    working = asyncio.get_running_loop().create_task(work())
    child = Child("by-hand", Program("none"), lambda *_: None)
    program: Any = SimpleNamespace(stdout=output)
    assert await child._read(program)
    working.cancel()
    assert turns >= 99


async def test_one_that_closes_its_input_is_started_anew(making: Making) -> None:
    rig = making()
    pid = await rig.pid()
    await rig.text("close_input")
    with pytest.raises(Down):
        await rig.call("big", size=1)
    assert await rig.pid() != pid
    await gone(pid)


async def test_a_server_of_the_later_era(making: Making) -> None:
    rig = making("--modern")
    assert await rig.text("echo", text="enveloped") == "enveloped"
    assert isinstance(rig.facts[0], McpServerStarted) and rig.facts[0].protocol == "2026-07-28"


async def test_one_program_for_each_client(making: Making) -> None:
    rig = making(stateful=True)
    one, other = await rig.pid("a"), await rig.pid("b")
    assert one != other
    assert await rig.text("count", "a") == f"{one} 2"


async def test_an_idle_one_is_stopped(making: Making) -> None:
    rig = making(idle_s=0.1)
    pid = await rig.pid()
    await gone(pid)
    assert await rig.pid() != pid
    assert not any(isinstance(fact, McpServerCrashed) for fact in rig.facts)


def wrapped(rig: Rig) -> Rig:
    """Its program is started by another one, and hears neither the end of its input nor a signal."""
    rig.server._program = Program("/bin/sh", ("-c", f"{sys.executable} -S {SERVER} --deaf; exit 7"))
    return rig


@pytest.mark.parametrize("apart", [False, True])
async def test_what_it_has_started_ends_with_it(making: Making, apart: bool) -> None:
    rig = making()
    grandchild = int(await rig.text("spawn", apart=apart))
    await rig.server.aclose()
    await gone(grandchild)


async def test_what_stands_behind_another_program_ends_with_it(making: Making) -> None:
    rig = wrapped(making())
    pids = [await rig.pid(), int(await rig.text("spawn", apart=True))]
    await rig.server.aclose()
    for pid in pids:
        await gone(pid)
    rig = wrapped(making())
    pids = [await rig.pid(), int(await rig.text("spawn", apart=True))]
    os.kill(pids[0], signal.SIGKILL)
    while len(rig.facts) < 2:
        await asyncio.sleep(0.01)
    await gone(pids[1])
    assert isinstance(rig.facts[1], McpServerCrashed) and rig.facts[1].exit_code == 7


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_the_process_that_is_told_can_be_ended(making: Making, number: signal.Signals) -> None:
    rig = making()
    pid = await rig.pid()
    assert isinstance(rig.facts[0], McpServerStarted) and rig.facts[0].pid is not None
    os.kill(rig.facts[0].pid, number)
    await gone(pid)
    while len(rig.facts) < 2:
        await asyncio.sleep(0.01)
    assert isinstance(rig.facts[1], McpServerCrashed) and rig.facts[1].exit_code == -number


async def test_one_that_does_not_hear_is_made_to_end(making: Making) -> None:
    rig = making()
    pid = await rig.pid()
    call = asyncio.get_running_loop().create_task(rig.call("stuck"))
    await asyncio.sleep(0)
    await rig.server.aclose()
    await gone(pid)
    with pytest.raises(Down):
        await call


def test_its_address_is_the_command_as_it_may_be_told_of() -> None:
    told: list[McpServerStarted | McpServerCrashed] = []
    plain, shown = (Program("/home/me/tool", shown=text) for text in ("", "~/tool"))
    addresses = [StdioServer("one", program, told.append, ME).address for program in (plain, shown)]
    assert addresses == ["stdio:/home/me/tool", "stdio:~/tool"]
