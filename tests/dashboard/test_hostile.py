"""Text of models, tools and people that would be a program in a page: it is shown, and nothing of it runs."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from benchmarks import story
from tests.dashboard.browsing import Watched, sync_api
from tests.e2e.processes import ProxyProcess

pytestmark = pytest.mark.extra
Open = Callable[..., Watched]
expect: Any = sync_api.expect
CORPUS = (
    "<script>window.ran=1</script>",
    "<img src=x onerror=window.ran=1>",
    '"><svg/onload=window.ran=1>',
    "'-alert(1)-'",
    "javascript:alert(1)",
    "<iframe srcdoc='<script>parent.ran=1</script>'></iframe>",
    "</textarea><script>window.ran=1</script>",
    "{{constructor.constructor('window.ran=1')()}}",
    "<a href='javascript:window.ran=1' autofocus onfocus=window.ran=1>x</a>",
    "<style>*{display:none}</style>",
    "\u202eevil\u2066 \u0000\u001b[31m",
    "__proto__",
)
PLACES = (
    "",
    "sessions",
    "session/1",
    "session/1/compactions",
    "session/1/exchanges",
    "exchange/1",
    "exchange/2",
    "audit",
    "event/3",
    "content",
    "memory",
    "mcp",
    "usage",
    "models",
    "system",
)


def conversation(text: str) -> list[dict[str, Any]]:
    """The text as what a user, a model and a tool say, as a file's name, and long enough to be masked."""
    call = {
        "id": text,
        "type": "function",
        "function": {"name": "read_file", "arguments": f'{{"path": "{len(text)}"}}'},
    }
    return [
        {"role": "system", "content": text},
        {"role": "user", "content": text},
        {"role": "assistant", "content": text, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": text, "content": f"{text}\n" * 400},
    ]


def test_nothing_runs(open_page: Open, upstream: story.Provider) -> None:
    with ProxyProcess(story.config(upstream.base_url)) as proxy:
        with httpx.Client(base_url=proxy.url, timeout=30) as client:
            messages = [message for text in CORPUS for message in conversation(text)]
            for end in (2, len(messages)):
                body = {"model": story.MODEL, "messages": messages[:end]}
                client.post("/v1/chat/completions", json=body, headers={"X-Session-Id": "x"}).raise_for_status()
            for text in CORPUS:
                client.post("/api/sessions", json={"name": text or "-"}).raise_for_status()
            client.post("/api/sessions/1/activate").raise_for_status()
            client.patch("/api/sessions/1", json={"name": "".join(CORPUS)[:200]}).raise_for_status()
            memory = {"content": " ".join(CORPUS), "metadata": {CORPUS[0]: CORPUS[1]}}
            client.post("/api/memory/store?session_id=1", json=memory)
            client.post("/api/compaction/1", json={"force": True, "preserve_messages": 0}).raise_for_status()
        watched = open_page("", url=proxy.url)
        for place in PLACES:
            page = watched.go(place)
            page.wait_for_load_state("networkidle")
            assert page.evaluate("window.ran") is None, place
            assert page.locator("main script, main img, main iframe, main svg, main style").count() == 0, place
        page = watched.go("session/1")
        page.get_by_text("Messages of the context at this moment").click()
        expect(page.locator("details[open] .message").first).to_be_visible()
        assert "<script>window.ran=1</script>" in page.locator("h1").inner_text()
        watched.go("session/1/compactions").get_by_text("Difference, line by line").click()
        assert watched.page.evaluate("window.ran") is None
