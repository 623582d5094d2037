"""Requests that come before the one in front of them is answered, over real sockets."""

import asyncio

from starlette.types import Receive, Scope, Send

from api.connections import Limits
from api.http_server import WHEN_GONE
from tests.api.sockets import connected, served

GET = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"
LONG = b"POST /long HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2000000\r\n\r\n"
PATIENCE_S = 20


class Slow:
    """Answers /slow, with what it has or as a stream, once it is let go; the others at once."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.release = asyncio.Event()
        self.gone = asyncio.Event()
        self.paths: list[str] = []
        self.ended = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.paths.append(scope["path"])
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message.get("body", b"")), message.get("more_body", False)
        if scope["path"] == "/slow":
            scope["extensions"][WHEN_GONE](self.gone.set)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
            self.begun.set()
            await self.release.wait()
        else:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(3):
            await send({"type": "http.response.body", "body": b"%d," % size, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        if scope["path"] == "/slow":
            self.ended.set()


SLOW = GET.replace(b"/health", b"/slow")
BEHIND = (
    [SLOW + GET],
    [SLOW, GET],
    [SLOW, GET * 3, GET],
    [SLOW, LONG + b"a" * 200_000],
    [SLOW + b"\r\n", b"GET /he"],
)


async def test_a_client_that_leaves_is_noticed_whatever_it_has_sent_behind() -> None:
    for pieces in BEHIND:
        app = Slow()
        async with served(app) as url, connected(url) as client:
            for piece in pieces:
                await client.send(piece)
                await asyncio.wait_for(app.begun.wait(), PATIENCE_S)
            client.writer.close()
            await asyncio.wait_for(app.gone.wait(), PATIENCE_S)
            app.release.set()  # nothing that it says from here on fails
            await asyncio.wait_for(app.ended.wait(), PATIENCE_S)
        assert app.paths == ["/slow"]


async def test_all_are_answered_in_their_order_however_many() -> None:
    app = Slow()
    async with served(app) as url, connected(url) as client:
        sending = asyncio.get_running_loop().create_task(client.send(SLOW + (GET * 30 + LONG + b"a" * 2_000_000) * 4))
        await asyncio.wait_for(app.begun.wait(), PATIENCE_S)
        app.release.set()
        bodies = [(await asyncio.wait_for(client.answer(), PATIENCE_S))[1] for _ in range(1 + 31 * 4)]
        await sending
    assert bodies == [b"first0,0,0,", *([b"0,0,0,"] * 30 + [b"2000000,2000000,2000000,"]) * 4]
    assert app.paths == ["/slow", *(["/health"] * 30 + ["/long"]) * 4]


async def test_an_answer_is_not_cut_off_by_a_deadline_of_the_request_behind_it() -> None:
    app = Slow()
    async with served(app, Limits(head_s=0.1, body_s=0.1, waiting=1)) as url, connected(url) as client:
        await client.send(SLOW + LONG + b"a")
        await asyncio.wait_for(app.begun.wait(), PATIENCE_S)
        for _ in range(2):
            async with connected(url) as silent:  # it goes, so the deadlines have been looked at since
                await asyncio.wait_for(silent.rest(), PATIENCE_S)
        app.release.set()
        assert await asyncio.wait_for(client.answer(), PATIENCE_S) == (200, b"first0,0,0,")
        assert (await asyncio.wait_for(client.rest(), PATIENCE_S)).startswith(b"HTTP/1.1 408 ")
