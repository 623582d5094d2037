"""The documentation is true: its commands and examples run against a real process, its links lead somewhere, and no
event or setting is missing.

In a page, a `sh` block of curl lines is run, a `python` block is run and must print the `text` block that follows it, a
`toml` block must load without a warning.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from api.configuration import Overrides, load
from docs.configuration_page import MEANINGS, settings
from schema.catalogue import REGISTRY
from tests.e2e.processes import ProxyProcess

ROOT = Path(__file__).resolve().parent.parent
CLIENT_PAGES = tuple(str(page.relative_to(ROOT)) for page in sorted(ROOT.glob("docs/clients/*.md")))
PAGES = (
    "README.md",
    *(
        f"docs/{name}.md"
        for name in ("quickstart", "live", "reduction", "compaction", "memory", "privacy", "limits", "ledgers")
    ),
    "docs/mcp.md",
    "docs/mcp-servers.md",
    "docs/usage.md",
    *CLIENT_PAGES,
)
PRINTED = "http://127.0.0.1:8000"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)\)")


class Example(NamedTuple):
    language: str
    text: str
    expected: str | None


def examples(page: str) -> list[Example]:
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    following = [text if language == "text" else None for language, text in blocks[1:]] + [None]
    return [Example(language, text, after) for (language, text), after in zip(blocks, following, strict=True)]


def of_language(language: str, *pages: str) -> list[Example]:
    return [example for page in pages for example in examples(page) if example.language == language]


def run(command: list[str], url: str, directory: Path = ROOT) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    environment["PYTHONPATH"] = str(ROOT)
    command = [part.replace(PRINTED, url).replace("ws:" + PRINTED[5:], "ws:" + url[5:]) for part in command]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=environment, cwd=directory, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def proxy() -> Iterator[ProxyProcess]:
    """Started as the documents say, without a configuration."""
    with ProxyProcess(fresh=True) as process:
        yield process


def test_the_examples_of_a_page_run_in_order(page: str, proxy: ProxyProcess) -> None:
    ran = 0
    for example in examples(page):
        if example.language == "python":
            assert run([sys.executable, "-c", example.text], proxy.url) == (example.expected or "")
        elif example.language == "sh" and "curl" in example.text:
            proxy.get("/api/sessions")  # waits until the read tables show what the examples before it did
            script = example.text.replace("curl -s ", "curl -s --fail ")
            assert run(["bash", "-euc", script], proxy.url)
        else:
            continue
        ran += 1
    assert ran >= 1


def test_the_commands_of_the_command_line_run(tmp_path: Path) -> None:
    with ProxyProcess(fresh=True) as process:
        chat = {"model": "demo/echo", "messages": [{"role": "user", "content": "hello"}]}
        answer = httpx.post(f"{process.url}/v1/chat/completions", json=chat, timeout=30)
        process.finished(answer.headers["x-exchange-id"])
        process.stop()
        place = {"./data": str(process.data)}
        lines = [line for example in of_language("sh", "docs/cli.md") for line in example.text.splitlines()]
        assert len(lines) >= 10
        for line in lines:
            program, *arguments = (
                place.get(word, word.replace("./data/", f"{process.data}/")) for word in shlex.split(line)
            )
            assert program == "chronoproxy"
            run([sys.executable, "-m", "chronoproxy", *arguments], process.url, tmp_path)


def test_the_first_run_prints_what_the_readme_shows(proxy: ProxyProcess) -> None:
    shown = of_language("text", "README.md")[0].text.splitlines()
    assert shown[0] == f"Chronoproxy listening on {PRINTED}"
    assert proxy.process is not None and proxy.process.stdout is not None
    second = proxy.process.stdout.readline().rstrip("\n")
    assert second.partition("data in")[0] == shown[1].partition("data in")[0].replace(PRINTED, proxy.url)


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for name in (*PAGES, "CONTRIBUTING.md", "docs/events.md", "docs/configuration.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
        assert named <= targets, name


def test_the_sample_configurations_load_without_a_warning(tmp_path: Path) -> None:
    keys = {"OPENAI_API_KEY": "k1", "GEMINI_API_KEY": "k2", "ALICE_KEY": "k3"}
    samples = of_language("toml", *PAGES, "docs/configuration.md")
    assert len(samples) >= 3
    for sample in samples:
        file = tmp_path / "config.toml"
        file.write_text(sample.text, encoding="utf-8")
        found = load(file, Overrides(data_dir=tmp_path), keys).warnings
        assert [each for each in found if not each.endswith("is no directory")] == []  # those of readers are theirs


def test_every_event_is_described() -> None:
    text = (ROOT / "docs/events.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^### (\w+)$", text, re.MULTILINE))
    assert set(REGISTRY.names()) <= headings
    assert all(REGISTRY.named(name).cls.__doc__ for name in REGISTRY.names())


def test_every_message_of_the_socket_is_described() -> None:
    """Those that the code names where it makes them, and those that clients may send."""
    sources = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "api").glob("*live*.py"))]
    sources.append((ROOT / "api" / "log_watcher.py").read_text(encoding="utf-8"))
    made = re.compile(r"(?:yield |hub\.say\(|text_of\(|Answered\(\s*|kind == )\"([a-z_]+)\"|\"(memory_[a-z_]+)\"")
    names = {name for text in sources for pair in made.findall(text) for name in pair if name}
    page = (ROOT / "docs/live.md").read_text(encoding="utf-8")
    assert len(names) >= 30
    assert sorted(name for name in names if f"`{name}`" not in page) == []


def test_every_setting_has_a_meaning_and_every_meaning_a_setting() -> None:
    assert set(settings()) == set(MEANINGS)


def test_links_between_pages_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in pages
        for link in LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / link).exists()
    ]
    assert broken == []
