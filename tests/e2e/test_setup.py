"""What `chronoproxy setup` prints points the real clients at the proxy: its text is used as it stands."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.processes import ROOT, ProxyProcess

CLIENTS = ("aider", "cline", "continue", "llm", "opencode", "openai-node", "openai-python", "zed")
NODE_MODULES = ROOT / "tests" / "node" / "node_modules"
OPENCODE = ROOT / ".clients" / "node_modules" / ".bin" / "opencode"
AIDER = ROOT / ".clients" / "aider" / "bin" / "aider"

_GUARDED = """
default_model = "small"
[server]
token = "the-secret-token"
port = 9000
[providers.acme]
base_url = "http://127.0.0.1:1/v1"
api_key = "sk-acme-secret"
[models."acme/large"]
provider = "acme"
max_context_size = 1000
[models.small]
provider = "acme"
max_context_size = 2000
"""


@pytest.fixture(scope="module")
def demo() -> Any:
    with ProxyProcess() as proxy:
        yield proxy


def setup(client: str, *arguments: str, environment: dict[str, str] | None = None) -> str:
    command = [sys.executable, "-m", "chronoproxy", "setup", client, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def steps(client: str, proxy: ProxyProcess) -> list[dict[str, Any]]:
    found = json.loads(setup(client, "--url", proxy.url, "--json"))
    assert set(found) == {"title", "steps", "note"}
    steps: list[dict[str, Any]] = found["steps"]
    return steps


def write(found: list[dict[str, Any]], directory: Path) -> None:
    for step in found:
        if step["place"] is not None:
            (directory / step["place"]).write_text(step["text"], encoding="utf-8")


def run(command: list[str], directory: Path, **environment: str) -> str:
    where = {**os.environ, "HOME": str(directory), "PWD": str(directory), **environment}
    done = subprocess.run(command, cwd=directory, env=where, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def latest(proxy: ProxyProcess) -> Any:
    (exchange,) = proxy.get("/api/exchanges", limit=1)["exchanges"]
    return proxy.finished(exchange["id"])


def test_llm(demo: ProxyProcess, tmp_path: Path) -> None:
    program, found = str(Path(sys.executable).with_name("llm")), steps("llm", demo)
    write(found, tmp_path)
    command = found[1]["text"].split()
    run([program, *command[1:]], tmp_path, LLM_USER_PATH=str(tmp_path))
    said = run([program, "-m", "chronoproxy/demo/echo", "hello llm"], tmp_path, LLM_USER_PATH=str(tmp_path))
    assert said.strip() == "hello llm"
    assert latest(demo)["outcome"] == "completed"


def test_openai_python(demo: ProxyProcess, tmp_path: Path) -> None:
    code, exports = steps("openai-python", demo)
    assert run([sys.executable, "-c", code["text"]], tmp_path) == "Hello.\n"
    assert latest(demo)["resolution"]["rule"] == "header:x-session-id"
    program = (
        "from openai import OpenAI; print(OpenAI().chat.completions.create(model='demo/echo',"
        " messages=[{'role': 'user', 'content': 'plain'}]).choices[0].message.content)"
    )
    said = run(["bash", "-euc", f'{exports["text"]}\n"{sys.executable}" -c "{program}"'], tmp_path)
    assert said == "plain\n"


@pytest.mark.extra
@pytest.mark.skipif(not NODE_MODULES.is_dir() or shutil.which("node") is None, reason="no Node with the openai package")
def test_openai_node(demo: ProxyProcess, tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(NODE_MODULES)
    (tmp_path / "program.mjs").write_text(steps("openai-node", demo)[0]["text"], encoding="utf-8")
    assert run(["node", "program.mjs"], tmp_path) == "Hello.\n"
    exchange = latest(demo)
    assert (exchange["client_family"], exchange["outcome"]) == ("openai-node", "completed")


@pytest.mark.extra
@pytest.mark.skipif(not OPENCODE.exists(), reason="opencode is not there: make setup-clients")
def test_opencode(demo: ProxyProcess, tmp_path: Path) -> None:
    write(steps("opencode", demo), tmp_path)
    assert "hello opencode" in run([str(OPENCODE), "run", "hello opencode"], tmp_path)
    exchange = latest(demo)
    assert (exchange["client_family"], exchange["resolution"]["rule"]) == ("opencode", "header:x-session-id")


@pytest.mark.extra
@pytest.mark.skipif(not AIDER.exists(), reason="aider is not there: make setup-clients")
def test_aider(demo: ProxyProcess, tmp_path: Path) -> None:
    write(steps("aider", demo), tmp_path)
    flags = ["--yes-always", "--no-git", "--no-check-update", "--no-analytics", "--no-show-model-warnings"]
    said = run([str(AIDER), *flags, "--message", "hello aider"], tmp_path)
    assert "Tokens:" in said
    exchange = latest(demo)
    assert (exchange["stream"], exchange["usage"]["source"]) == (True, "measured")


@pytest.mark.parametrize("client", CLIENTS)
def test_every_text_is_what_it_says(client: str, demo: ProxyProcess) -> None:
    for step in steps(client, demo):
        assert step["text"]
        if step["language"] == "json":
            json.loads(step["text"])
        elif step["language"] == "yaml":
            assert yaml.safe_load(step["text"])
        elif step["language"] == "python":
            compile(step["text"], client, "exec")
    assert f"{demo.url}/v1" in setup(client, "--url", demo.url)


@pytest.mark.parametrize("client", CLIENTS)
def test_address_and_models_of_the_configuration_and_no_secret(client: str, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(_GUARDED, encoding="utf-8")
    said = setup(client, "--config", str(config))
    assert "http://127.0.0.1:9000/v1" in said
    assert "small" in said
    assert "secret" not in said
    assert "CHRONOPROXY_KEY" in said
    if client in ("continue", "opencode", "aider", "zed", "llm"):
        assert "acme/large" in said
        assert "2000" in said or client == "llm"


def test_an_unknown_client_is_told_which_there_are() -> None:
    command = [sys.executable, "-m", "chronoproxy", "setup", "emacs"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert all(client in done.stderr for client in CLIENTS)
