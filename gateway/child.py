"""A program that speaks MCP on its standard input and output: started, spoken to, and seen to its end by one task."""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from gateway.backend import Down, Invalid, Relayed
from gateway.ending import ask_to_end, end_all, kill
from gateway.flood import Flood
from gateway.jsonrpc import METHOD_NOT_FOUND, encode
from gateway.lines import PIECE, LineTooLongError, lines_of
from gateway.negotiation import Agreed, negotiate

MAX_LINE = 64 << 20  # bytes of one message
_THREAD_FROM = 131_072  # bytes; shorter messages are decoded on the loop
_LAST_WORDS = 4_096  # bytes of its standard error that are kept; the last line is told
_GRACE_S = 2.0
_LAST_S = 0.2
_AT_ONCE = 64  # messages that are read without letting others work
_UNHEARD = 32_768  # bytes that wait for the program; at 64 KiB writing waits, too
_WORDS_S = 0.02  # so that a flood of words waits in the pipe and not in memory
_INHERITED = (
    ("APPDATA", "HOMEDRIVE", "HOMEPATH", "LOCALAPPDATA", "PATH", "PATHEXT", "SYSTEMDRIVE", "SYSTEMROOT", "TEMP",
     "USERNAME", "USERPROFILE")
    if sys.platform == "win32"
    else ("HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER")
)  # fmt: skip
_LAUNCHER = str(Path(__file__).with_name("launcher.py"))


class Program(msgspec.Struct, frozen=True):
    """What is run. Its environment is `env` and a few harmless variables of ours, so that no key comes to it."""

    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    shown: str = ""  # the command as it is told of, where that is another

    def argv(self) -> list[str]:
        """On Linux it ends with us, whatever ends us; elsewhere when its standard input does."""
        own = [self.command, *self.args]
        return [sys.executable, "-I", "-S", _LAUNCHER, str(os.getpid()), *own] if sys.platform == "linux" else own

    def environment(self, ours: Mapping[str, str]) -> dict[str, str]:
        inherited = {name: ours[name] for name in _INHERITED if name in ours and not ours[name].startswith("()")}
        return inherited | dict(self.env)


class Child:
    """One run of a program. `ended` is called with the exit code and the number of calls under way, once, when it has
    gone by itself."""

    def __init__(self, name: str, program: Program, ended: Callable[["Child", int | None, int], None]) -> None:
        self._name, self._program, self._ended = name, program, ended
        self._process: asyncio.subprocess.Process | None = None
        self._owner: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._next = 0
        self._stopping = self._ending = False
        self._last_words, self._words_lost = b"", False
        self._writing = asyncio.Lock()
        self.agreed: Agreed | None = None
        self.pid: int | None = None

    @property
    def alive(self) -> bool:
        """Whether it can be called; not so from the moment that it is about to end."""
        return self._owner is not None and not self._owner.done() and not self._stopping and not self._ending

    @property
    def busy(self) -> bool:
        return bool(self._waiting)

    async def start(self, client: Mapping[str, str]) -> Agreed:
        """Raises Down, Invalid, and RpcError where the server refuses the handshake."""
        program = self._program
        try:
            self._process = await asyncio.create_subprocess_exec(
                *program.argv(),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=program.environment(os.environ),
                start_new_session=True,
                limit=PIECE,
            )
        except (OSError, ValueError) as error:
            raise Down(f"{self._name} cannot be started: {error}") from None
        self.pid = self._process.pid
        self._owner = asyncio.get_running_loop().create_task(self._own(self._process))
        self.agreed = await negotiate(self._ask, self.notify, client)
        return self.agreed

    async def request(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Raises Relayed, Down and Invalid. Cancelled, it tells the server."""
        return await self._ask(method, self.agreed.params(params) if self.agreed is not None else params)

    async def notify(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        await self._send({"jsonrpc": "2.0", "method": method, "params": params})
        return {}

    async def stop(self, grace_s: float = _GRACE_S) -> None:
        """As the protocol asks: its input ends, then it is asked to end, then it is made to."""
        self._stopping = True
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        for end in (ask_to_end, end_all, kill):
            if await self._gone(grace_s):
                break
            end(process)
        await self._gone(grace_s)
        if self._owner is not None:
            self._owner.cancel()
            await asyncio.wait({self._owner})

    async def over(self) -> None:
        """Wait for its end, which has begun."""
        if self._owner is not None:
            await asyncio.wait({self._owner})

    async def _gone(self, within_s: float) -> bool:
        if self._owner is None or self._owner.done():
            return True
        done, _ = await asyncio.wait({self._owner}, timeout=within_s)
        return bool(done)

    async def _ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        self._next += 1
        number = self._next
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            await self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
            return await future
        except asyncio.CancelledError:
            self._take_back(number)
            raise
        finally:
            self._waiting.pop(number, None)

    def _take_back(self, number: int) -> None:
        if self.alive and self._process is not None and self._process.stdin is not None:
            params = {"requestId": number, "reason": "the caller does not wait any more"}
            line = encode({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}) + b"\n"
            with contextlib.suppress(OSError, RuntimeError):
                self._process.stdin.write(line)

    async def _send(self, message: Mapping[str, Any]) -> None:
        if not self.alive or self._process is None or self._process.stdin is None:
            raise Down(self._farewell())
        async with self._writing:
            try:
                self._process.stdin.write(encode(message) + b"\n")
                await self._process.stdin.drain()
            except (OSError, RuntimeError):
                self._ending = True  # of its own, most likely, and then with a code that tells why
                asyncio.get_running_loop().call_later(_LAST_S, end_all, self._process)
                raise Down(self._farewell(), told=True) from None

    async def _own(self, process: asyncio.subprocess.Process) -> None:
        """Reads until the program is gone."""
        listening = asyncio.get_running_loop().create_task(self._hear_words(process))
        by_itself, trusted = True, False
        try:
            trusted = await self._read(process)
        finally:
            by_itself, self._ending = not self._stopping, True
            await self._bury(process, listening, _LAST_S if trusted else 0.0)
            calls = len(self._waiting)
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(Down(self._farewell(), told=True))
            self._waiting.clear()
            if by_itself:
                self._ended(self, process.returncode, calls)

    async def _bury(
        self, process: asyncio.subprocess.Process, listening: "asyncio.Task[None]", patience_s: float
    ) -> None:
        """Where its output has ended it is about to end itself, with a code that tells more than our signal would."""
        loop = asyncio.get_running_loop()
        waiting = loop.create_task(process.wait())
        draining = loop.create_task(_drain(process))  # the wait is for its pipes, too
        for end, wait_s in ((end_all, patience_s), (kill, _GRACE_S)):  # and what it has started itself
            await asyncio.wait({waiting}, timeout=wait_s)
            end(process)
        await waiting
        draining.cancel()
        await asyncio.wait({listening}, timeout=_LAST_S)
        listening.cancel()

    async def _read(self, process: asyncio.subprocess.Process) -> bool:
        """Until its output ends; False where it cannot be listened to any more."""
        assert process.stdout is not None
        flood, heard = Flood(time.monotonic), 0
        try:
            async for line in lines_of(process.stdout, MAX_LINE):
                if not await self._heard(line) and flood.heard(len(line)):
                    return self._broken_off(f"{self._name} floods its output with what nobody has asked it for.")
                heard += 1
                if heard % _AT_ONCE == 0:  # what is there already can be read without ever waiting
                    await asyncio.sleep(0)
        except LineTooLongError:
            return self._broken_off(f"{self._name} sent a message of more than {MAX_LINE:,} bytes.")
        return True

    def _broken_off(self, text: str) -> bool:
        self._spoil(text)
        self._ending = True
        return False

    async def _heard(self, line: bytes) -> bool:
        """Whether somebody has waited for it."""
        text = line.strip()
        if not text.startswith((b"{", b"[")):
            return False  # some programs talk beside the protocol
        try:
            message = json.loads(text) if len(text) < _THREAD_FROM else await asyncio.to_thread(json.loads, text)
        except (ValueError, RecursionError):
            self._spoil(f"{self._name} answered with what is no JSON.")
            return False
        return isinstance(message, dict) and await self._understood(message)

    async def _understood(self, message: Mapping[str, Any]) -> bool:
        number, method = message.get("id"), message.get("method")
        if isinstance(method, str):
            if "id" in message:
                await self._answer(number, method)
            return False  # notifications of progress and logs have nobody to go to
        future = self._waiting.get(number) if isinstance(number, int) else None
        if future is None or future.done():
            return False
        if isinstance(message.get("error"), dict):
            future.set_exception(Relayed(message["error"]))
        elif isinstance(message.get("result"), dict):
            future.set_result(message["result"])
        else:
            future.set_exception(Invalid(f"{self._name} answered with what is no JSON-RPC."))
        return True

    async def _answer(self, number: object, method: str) -> None:
        """What servers ask: there is no user behind us, and no model."""
        refused = {"code": METHOD_NOT_FOUND, "message": f"The gateway does not answer {method[:80]}."}
        answer = {"result": {}} if method == "ping" else {"error": refused}
        stdin = self._process.stdin if self._process is not None else None
        if stdin is not None and stdin.transport.get_write_buffer_size() > _UNHEARD:
            return  # it asks without listening, and to wait for that would make both wait for ever
        with contextlib.suppress(Down):
            await self._send({"jsonrpc": "2.0", "id": number, **answer})

    def _spoil(self, text: str) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(Invalid(text))

    async def _hear_words(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while chunk := await process.stderr.read(PIECE):
            heard = self._last_words + chunk
            self._last_words, self._words_lost = heard[-_LAST_WORDS:], self._words_lost or len(heard) > _LAST_WORDS
            if len(chunk) == PIECE:
                await asyncio.sleep(_WORDS_S)

    def _farewell(self) -> str:
        code = self._process.returncode if self._process is not None else None
        said = self._last_line() if code else ""
        return f"{self._name} has ended" + (f" with {code}" if code is not None else "") + (said and f": {said}")

    def _last_line(self) -> str:
        """Whole, so that secrets are found in it; its first word may be the rest of one where the line is longer than
        what is kept."""
        lines = self._last_words.decode("utf-8", "replace").strip().splitlines()
        if len(lines) == 1 and self._words_lost:
            return lines[0].partition(" ")[2]
        return lines[-1] if lines else ""


async def _drain(process: asyncio.subprocess.Process) -> None:
    """What it still says is for nobody."""
    assert process.stdout is not None
    while await process.stdout.read(PIECE):
        pass
