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


def test_with_a_server_that_polls_another_ledger(tmp_path: Path) -> None:
    history(tmp_path, [item(1), item(2)], Path(".config/Code/User/globalStorage/kilocode.kilo-code/tasks/x.json"))
    other = history(tmp_path, [item(7)], Path("elsewhere/taskHistory.json"))
    config = f'[cline]\nledgers = ["{other}"]\n[cline.polling]\nenabled = true\n[recording]\nlog_watcher = true\n'
    with ProxyProcess(config, tmp_path) as proxy:
        deadline = time.monotonic() + 30
        while proxy.get("/api/cline/status")["total"] != 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert proxy.get("/api/cline/usage")["items"][0]["task_id"] == item(7)["id"]
        assert proxy.get("/health")["log_watcher"] == {
            "status": "running", "log_file_exists": False, "log_path": "~/.continue/logs/core.log",
        }  # fmt: skip
        codex = tmp_path / ".codex/sessions/rollout-1.jsonl"
        codex.parent.mkdir(parents=True)
        codex.write_text(json.dumps({"type": "session_meta", "payload": {"id": 7}}) + "\nbroken\n")
        done = printed(tmp_path, str(tmp_path / ".codex"), code=1)
        assert (done["imported_count"], done["error_count"]) == (0, 2)
        refused = command(tmp_path)
        assert refused.returncode == 2
        assert "say --all; found: cline, codex, kilo" in refused.stderr


@pytest.mark.parametrize("text", ["nano:/x", "aider_history:", "x"])
def test_ledgers_that_the_configuration_cannot_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[ledgers]\npaths = ["{text}"]\n')
    with pytest.raises(ConfigurationError, match=r"ledgers\.paths"):
        load(file, Overrides(data_dir=tmp_path), {})
