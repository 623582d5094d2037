"""A made-up day of a coding agent, for pictures and for tests of the dashboard: a provider that answers from a script,
and a client that works through files, reads them again, runs tests and fills its context until it is compacted.

Everything is made from one seed: the same story each time, but for the clock.
"""

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

Message = dict[str, Any]
MODEL = "atlas-large"
_FILES = ("billing/ledger.py", "billing/invoice.py", "billing/tax.py", "tests/test_ledger.py", "billing/export.py")
_WORDS = (
    "ledger",
    "entry",
    "amount",
    "total",
    "rounding",
    "invoice",
    "currency",
    "rate",
    "posted",
    "balance",
    "period",
)
_ASKS = (
    "Move the rounding rules out of invoice.py, and keep the old behaviour for credit notes.",
    "The export still writes the wrong total for two currencies. Find out why.",
    "Add a test for a credit note in a closed period.",
    "Rename Posting to Entry everywhere, and tell me what you left out.",
    "Is the tax line rounded before or after the discount?",
)
_THOUGHTS = (
    "I read the ledger first: the rounding happens in two places.",
    "The total is summed before conversion. I look at how the export calls it.",
    "The tests cover open periods only. I run them once more.",
    "That name also occurs in the templates, I search for it.",
)


def config(base_url: str, *, window: int = 60_000, more: str = "") -> str:
    """The configuration of a proxy in front of the story's provider."""
    return f"""
default_model = "{MODEL}"
{more}
[providers.atlas]
base_url = "{base_url}"
api_key = "story"

[models."{MODEL}"]
provider = "atlas"
model = "{MODEL}"
max_context_size = {window}
max_output_tokens = 8000
capabilities = ["tools", "stream"]
price.input = 2.0
price.output = 8.0
price.cache_read = 0.2

[models."atlas-small"]
provider = "atlas"
model = "atlas-small"
max_context_size = 32000
price.input = 0.3
price.output = 1.2

[compaction.auto]
auto_compact_cooldown = 0
"""


class Provider(ThreadingHTTPServer):
    """Answers completions from the script, with a usage of a quarter of the characters."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.base_url = f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        asked = json.loads(raw)
        text = _THOUGHTS[len(asked["messages"]) % len(_THOUGHTS)]
        prompt = len(raw) // 4
        usage = {"prompt_tokens": prompt, "completion_tokens": 60, "total_tokens": prompt + 60}
        usage["prompt_tokens_details"] = {"cached_tokens": prompt * 3 // 5}  # type: ignore[assignment]
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        answer = {"id": "c", "object": "chat.completion", "created": 0, "model": asked["model"], "usage": usage}
        body = json.dumps({**answer, "choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        return


@contextmanager
def provider() -> Iterator[Provider]:
    server = Provider()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Agent:
    """A client that sends its whole conversation each time, as clients do."""

    def __init__(self, client: httpx.Client, session: str, seed: int = 1, model: str = MODEL) -> None:
        self._client, self._session, self._model = client, session, model
        self._random = random.Random(seed)
        self._calls = 0
        self.messages: list[Message] = [
            {"role": "system", "content": "You are a careful engineer who works in small, tested steps."}
        ]

    def work(self, turns: int) -> None:
        """So many turns, each with a call of a tool; every fifth begins with something the user asks."""
        for turn in range(turns):
            if turn % 5 == 0 or len(self.messages) == 1:
                self.messages.append({"role": "user", "content": self._random.choice(_ASKS)})
            else:
                self.messages += self._tool_call()
            self.send()

    def send(self) -> httpx.Response:
        body = {"model": self._model, "messages": self.messages, "tools": []}
        body.pop("tools")
        answer = self._client.post("/v1/chat/completions", json=body, headers={"X-Session-Id": self._session})
        answer.raise_for_status()
        self.messages.append(answer.json()["choices"][0]["message"])
        return answer

    def _tool_call(self) -> list[Message]:
        self._calls += 1
        path = self._random.choice(_FILES)
        name, argument = self._random.choice(
            (("read_file", {"path": path}), ("run_tests", {"path": path}), ("search", {"text": path[8:14]}))
        )
        call = {"id": f"call_{self._calls}", "type": "function"}
        call["function"] = {"name": name, "arguments": json.dumps(argument)}  # type: ignore[assignment]
        asked = {"role": "assistant", "content": self._random.choice(_THOUGHTS), "tool_calls": [call]}
        return [asked, {"role": "tool", "tool_call_id": call["id"], "content": self._output(name, path)}]

    def _output(self, name: str, path: str) -> str:
        lines = self._random.randint(20, 160)
        if name == "run_tests":
            head = f"collected {lines} items\n"
            return head + "\n".join(f"{path}::test_{self._word()}_{self._word()} PASSED" for _ in range(lines))
        if name == "search":
            return "\n".join(f"{path}:{n * 7}: {self._sentence()}" for n in range(lines // 2))
        return f"# {path}\n" + "\n".join(
            f"def {self._word()}_{n}(entry): return {self._sentence()!r}" for n in range(lines)
        )

    def _word(self) -> str:
        return self._random.choice(_WORDS)

    def _sentence(self) -> str:
        return " ".join(self._word() for _ in range(self._random.randint(4, 9)))
