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
