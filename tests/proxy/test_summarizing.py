"""What is kept of a summary that the model did not write."""

from typing import Any

from proxy.redaction import Redactor
from proxy.summarizing import Summarizer

KEY = "sk-configured-key"


async def test_an_error_is_kept_without_keys_and_without_half_of_one() -> None:
    body = f"{'x' * 400} http://me:pass@host/ {'y' * 70} {KEY}".encode()

    async def chat(headers: Any, receive: Any, send: Any, **_: Any) -> None:
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": body})

    found = await Summarizer(chat, "m", 10, 1_000, Redactor([KEY]).error).summarize(1, "r", [])
    assert (found.text, found.error_code) == (None, "http_500")
    assert found.error_message == f"{'x' * 400} http://[redacted]@host/ {'y' * 70} [redacted]"[:499] + "…"
