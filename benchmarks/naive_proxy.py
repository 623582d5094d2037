"""The proxy that one would write in an afternoon, for comparison: FastAPI, pydantic in and out, httpx, no recording.

`python -m benchmarks.naive_proxy UPSTREAM_URL PORT`
"""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class Message(Open):
    role: str
    content: str | None = None


class Chat(Open):
    model: str
    messages: list[Message]
    stream: bool = False


class Choice(Open):
    index: int
    message: Message


class Completion(Open):
    id: str
    choices: list[Choice]


async def relay(client: httpx.AsyncClient, url: str, body: dict[str, object]) -> AsyncIterator[str]:
    """The upstream's stream, each event parsed, as such proxies do to see the usage."""
    async with client.stream("POST", url, json=body) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: {"):
                json.loads(line[6:])
            if line:
                yield line + "\n\n"


def make_app(upstream: str) -> FastAPI:
    client = httpx.AsyncClient(timeout=60)
    url = f"{upstream}/chat/completions"

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await client.aclose()

    app = FastAPI(lifespan=lifespan)

    @app.post("/v1/chat/completions", response_model=Completion, response_model_exclude_unset=True)
    async def chat(chat: Chat) -> Response | Completion:
        body = chat.model_dump(exclude_unset=True)
        if chat.stream:
            return StreamingResponse(relay(client, url, body), media_type="text/event-stream")
        answer = await client.post(url, json=body)
        return Completion.model_validate(answer.json())

    return app


if __name__ == "__main__":
    uvicorn.run(make_app(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]), log_level="error", access_log=False)
