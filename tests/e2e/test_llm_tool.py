"""The `llm` command line tool over a socket, as a person uses it."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.e2e.processes import ProxyProcess

_MODELS = """
- model_id: through
  model_name: {model}
  api_base: {url}/v1
  api_key_name: through
"""


class Llm:
    """The tool with a home of its own."""

    def __init__(self, home: Path, url: str, model: str = "mock") -> None:
        self._home = home
        home.mkdir()
        (home / "extra-openai-models.yaml").write_text(_MODELS.format(url=url, model=model), encoding="utf-8")
        (home / "keys.json").write_text('{"through": "client-key"}', encoding="utf-8")

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        program = Path(sys.executable).with_name("llm")
        environment = {**os.environ, "LLM_USER_PATH": str(self._home), "HOME": str(self._home)}
        command = [str(program), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def llm(proxy: ProxyProcess, tmp_path: Path) -> Llm:
    return Llm(tmp_path / "llm", proxy.url)


def head(proxy: ProxyProcess) -> int:
    return int(httpx.get(f"{proxy.url}/health").json()["position"])


@pytest.mark.parametrize("way", [(), ("--no-stream",)])
def test_a_conversation_stays_one_session(llm: Llm, proxy: ProxyProcess, way: tuple[str, ...]) -> None:
    first = llm("-m", "through", *way, f"first question {way}")
    assert (first.returncode, first.stdout.strip()) == (0, f"echo: first question {way}"), first.stderr
    second = llm("-c", *way, "second question")
    assert (second.returncode, second.stdout.strip()) == (0, "echo: second question"), second.stderr
    latest, before = proxy.get("/api/exchanges", limit=2)["exchanges"]
    assert latest["session_id"] == before["session_id"]
    assert latest["resolution"]["rule"] == "hash_chain"
    assert (before["received"]["count"], latest["received"]["count"]) == (1, 3)
    for exchange in (latest, before):
        ended = proxy.finished(exchange["id"])
        assert (ended["outcome"], ended["stream"]) == ("completed", not way)
        assert ended["usage"]["source"] == "measured"


def test_an_unknown_model_is_told(proxy: ProxyProcess, tmp_path: Path) -> None:
    before = head(proxy)
    answer = Llm(tmp_path / "llm", proxy.url, model="nothing/like-it")("-m", "through", "hello")
    assert answer.returncode == 1
    assert "nothing/like-it" in answer.stderr
    assert head(proxy) == before


def test_what_it_wrote_down_itself_is_counted_once(proxy: ProxyProcess) -> None:
    """The tool's own records of the same requests: imported, found to be the exchanges, and added to nothing."""
    home = proxy.directory / ".config" / "io.datasette.llm"
    home.parent.mkdir(parents=True)
    tool = Llm(home, proxy.url)
    for arguments in (("-m", "through", "count me"), ("-c", "and me")):
        assert tool(*arguments).returncode == 0
    latest, before = proxy.get("/api/exchanges", limit=2)["exchanges"]
    ended = [proxy.finished(exchange["id"]) for exchange in (before, latest)]
    answer = httpx.post(f"{proxy.url}/api/ledgers/import", json={"tool": "llm"}).json()
    assert (answer["imported_count"], answer["error_count"], answer["problems"]) == (1, 0, [])
    (task,) = proxy.get("/api/ledgers/usage", tool="llm")["items"]
    assert (task["calls"], task["match"]["rule"], task["match"]["exchanges"]) == (2, "calls", 2)
    assert task["tokens_in"] == sum(exchange["usage"]["prompt_tokens"] for exchange in ended)
    assert task["tokens_out"] == sum(exchange["usage"]["completion_tokens"] for exchange in ended)
    assert (task["counted_in"], task["counted_out"], task["match"]["difference_in"]) == (0, 0, 0)
    again = httpx.post(f"{proxy.url}/api/ledgers/import", json={"tool": "llm"})
    assert (again.json()["imported_count"], again.headers["x-event-count"]) == (0, "0")
