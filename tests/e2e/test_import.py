"""`chronoproxy import`, as a process, with and without a server on the data directory; and a server that polls."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from api.configuration import ConfigurationError, Overrides, load
from tests.api.ledger_files import CLINE, history, item
from tests.e2e.processes import ROOT, ProxyProcess


def command(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-m", "chronoproxy", "import", *arguments, "--data-dir", str(home / "data")],
        capture_output=True, text=True, env=environment, cwd=home, timeout=120, check=False,
    )  # fmt: skip


def printed(home: Path, *arguments: str, code: int = 0) -> Any:
    answer = command(home, *arguments, "--json")
    assert answer.returncode == code, answer.stderr
    return json.loads(answer.stdout)


def test_without_a_server(tmp_path: Path) -> None:
    history(tmp_path, [item(1), item(2, tokensIn=-1)])
    done = command(tmp_path, "--all")
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[0].split() == ["ledger", "imported", "as", "before", "errors"]
    assert done.stdout.splitlines()[1].split() == [f"~/{CLINE}", "1", "0", "1"]
    assert "entry 2 is not taken: tokensIn is no number of tokens" in done.stdout
    again = printed(tmp_path, "cline", "--dry-run", code=1)
    assert (again["imported_count"], again["skipped_count"], again["dry_run"]) == (0, 1, True)


def test_with_a_server(tmp_path: Path) -> None:
    history(tmp_path, [item(1), item(2)])
    with ProxyProcess(directory=tmp_path) as proxy:
        path = str(tmp_path / CLINE)
        assert printed(tmp_path, path, "--dry-run")["imported_count"] == 2
        assert proxy.get("/api/cline/usage")["total"] == 0
        assert printed(tmp_path, path)["imported_count"] == 2
        assert proxy.get("/api/cline/usage")["total"] == 2
        refused = command(tmp_path)
        assert refused.returncode == 2
        assert "say --all; found: cline" in refused.stderr


def test_a_server_that_polls(tmp_path: Path) -> None:
    other = history(tmp_path, [item(7)], Path("elsewhere/taskHistory.json"))
    config = f'[cline]\nledgers = ["{other}"]\n[cline.polling]\nenabled = true\ninterval_seconds = 5\n'
    config += "[recording]\nlog_watcher = true\n"
    with ProxyProcess(config, tmp_path) as proxy:
        deadline = time.monotonic() + 30
        while proxy.get("/api/cline/status")["total"] != 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert proxy.get("/api/cline/usage")["items"][0]["task_id"] == item(7)["id"]
        assert proxy.get("/health")["log_watcher"] == {
            "status": "running", "log_file_exists": False, "log_path": "~/.continue/logs/core.log",
        }  # fmt: skip
        settings = {each["key"]: each["value"] for each in proxy.get("/api/settings")["settings"]}
        assert settings["cline.polling.enabled"] is True


@pytest.mark.parametrize("text", ["nano:/x", "aider_history:", "x"])
def test_ledgers_that_the_configuration_cannot_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[ledgers]\npaths = ["{text}"]\n')
    with pytest.raises(ConfigurationError, match=r"ledgers\.paths"):
        load(file, Overrides(data_dir=tmp_path), {})
