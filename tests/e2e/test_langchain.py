"""LangChain's ChatOpenAI over a socket: a framework that asks for no usage where a base URL is set."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.processes import ProxyProcess

pytestmark = pytest.mark.extra
langchain_openai = pytest.importorskip("langchain_openai", reason="langchain is not there: make setup-extra")


@pytest.fixture
def model(proxy: ProxyProcess) -> Iterator[Any]:
    with httpx.Client() as client:  # its own one would be kept for all models, and never closed
        yield langchain_openai.ChatOpenAI(
            model="mock", base_url=f"{proxy.url}/v1", api_key="unused", http_client=client
        )


def test_a_stream_and_its_usage(proxy: ProxyProcess, model: Any) -> None:
    chunks = list(model.stream("stream me"))
    assert "".join(chunk.content for chunk in chunks) == "echo: stream me"
    assert not any(chunk.usage_metadata for chunk in chunks)  # it asked for none, and sees none
    (listed,) = proxy.get("/api/exchanges", limit=1)["exchanges"]
    exchange = proxy.finished(listed["id"])
    assert (exchange["outcome"], exchange["stream"], exchange["usage"]["source"]) == ("completed", True, "measured")


def test_tools_and_a_conversation(proxy: ProxyProcess, model: Any) -> None:
    first = model.invoke([("user", "langchain one")])
    second = model.invoke([("user", "langchain one"), ("assistant", first.content), ("user", "two")])
    assert second.content == "echo: two"
    latest, before = proxy.get("/api/exchanges", limit=2)["exchanges"]
    assert latest["session_id"] == before["session_id"]
    assert latest["resolution"]["rule"] == "hash_chain"
