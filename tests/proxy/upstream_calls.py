"""How the tests of the upstream client call it, and what they read from an answer."""

import json

import msgspec

from proxy.upstream import UpstreamAnswer, UpstreamHeaders, UpstreamRequest
from tests.servers.mock_provider import MockProvider, Plan

BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).encode()
STREAM = json.dumps({"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi there"}]}).encode()


def request(
    url: str, *, body: bytes = BODY, plan: Plan | None = None, connect_s: float = 5.0, read_s: float = 5.0
) -> UpstreamRequest:
    """A POST with the mock provider's plan for it."""
    chosen = msgspec.json.encode(plan or Plan()).decode()
    headers = [("Content-Type", "application/json"), ("Accept-Encoding", "identity"), ("x-mock", chosen)]
    return UpstreamRequest(url, UpstreamHeaders(headers), body, connect_s, read_s)


def chat_url(provider: MockProvider) -> str:
    return f"{provider.base_url}/chat/completions"


async def whole(answer: UpstreamAnswer) -> bytes:
    """The body to its end; the connection is given back."""
    try:
        return b"".join([chunk async for chunk in answer.chunks()])
    finally:
        await answer.aclose()
