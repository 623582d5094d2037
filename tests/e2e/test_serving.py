"""What the server makes of an upstream's answers and of its own arguments."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.e2e.processes import ROOT, MockProcess, ProxyProcess, config_for, plan

ORIGIN = "https://app.test"


def test_an_upstream_has_no_say_in_which_pages_may_read_an_answer(mock: MockProcess) -> None:
    theirs = {"Access-Control-Allow-Origin": "https://other.test", "Access-Control-Allow-Credentials": "true"}
    body = {"model": "mock", "messages": [{"role": "user", "content": "x"}]}
    config = config_for(mock.base_url, f'[server]\nallowed_origins = ["{ORIGIN}"]\n')
    with ProxyProcess(config) as proxy:
        for headers, allowed in (({}, None), ({"Origin": ORIGIN}, ORIGIN)):
            answer = httpx.post(
                f"{proxy.url}/v1/chat/completions", json=body, headers={**plan(headers=theirs), **headers}
            )
            assert answer.status_code == 200
            assert answer.headers.get("access-control-allow-origin") == allowed
            assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("command", [["serve"], ["events"], ["doctor"]])
def test_an_empty_data_directory_is_no_directory(tmp_path: Path, command: list[str]) -> None:
    before = tmp_path.stat().st_mode
    done = subprocess.run(
        [sys.executable, "-m", "chronoproxy", *command, "--data-dir", ""],
        cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2 and "it is empty" in done.stderr
    assert list(tmp_path.iterdir()) == [] and tmp_path.stat().st_mode == before


@pytest.mark.skipif(sys.platform == "win32", reason="modes are of POSIX")
def test_every_file_is_its_owners_alone_whatever_its_directory(tmp_path: Path) -> None:
    def others() -> list[str]:
        return [path.name for path in data.rglob("*") if path.stat().st_mode & 0o077]

    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    (data / "notes.txt").touch(mode=0o644)
    with ProxyProcess(directory=tmp_path) as proxy:
        body = {"messages": [{"role": "user", "content": "x"}]}
        answer = httpx.post(f"{proxy.url}/v1/chat/completions", json=body)
        proxy.finished(answer.headers["x-exchange-id"])
        assert (data / "events.sqlite-wal").exists()
        assert others() == ["notes.txt"] and data.stat().st_mode & 0o777 == 0o755
        assert "others may look into" in proxy.log.read_text()
        proxy.stop()
        for path in data.glob("*.sqlite"):
            path.chmod(0o644)  # as versions before made them
        proxy.start()
        assert others() == ["notes.txt"]
