"""A session's upstream requests once more: the very bytes, whatever was reduced, forked and undone in it."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.processes import ROOT, MockProcess, ProxyProcess, config_for


def replay(proxy: ProxyProcess, *arguments: str) -> tuple[int, Any]:
    command = [sys.executable, "-m", "chronoproxy", "replay", *arguments, "--data-dir", str(proxy.data), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def test_the_same_bytes_go_out(mock: MockProcess) -> None:
    with ProxyProcess(config_for(mock.base_url)) as proxy:
        messages: list[Any] = [{"role": "system", "content": "replayed"}]
        sent: list[str] = []

        def ask(path: list[Any], *, stream: bool = False) -> None:
            body = {"model": "mock", "messages": path, "stream": stream}
            headers = {"X-Session-Id": "replayed"}
            answer = httpx.post(f"{proxy.url}/v1/chat/completions", json=body, headers=headers, timeout=30)
            assert answer.status_code == 200
            proxy.finished(answer.headers["x-exchange-id"])
            sent.append(mock.report("_last")["body"])

        for number in range(14):
            function = {"name": "bash", "arguments": json.dumps({"command": f"step {number}"})}
            output = "\n".join(f"value_{number}_{line} = {line}" for line in range(900 if number == 0 else 120))
            messages += [
                {"role": "user", "content": f"question {number}"},
                {"role": "assistant", "content": None, "tool_calls": [{"id": f"c{number}", "function": function}]},
                {"role": "tool", "tool_call_id": f"c{number}", "content": output},
            ]
            ask(messages, stream=number % 2 == 1)
            messages.append({"role": "assistant", "content": f"done {number}"})
            if number == 8:
                assert httpx.post(f"{proxy.url}/api/compaction/1", json={}).json()["success"]
            if number == 10:
                ask([*messages[:13], {"role": "user", "content": "a fork"}])
                assert httpx.post(f"{proxy.url}/api/compaction/1/revert", json={}).status_code == 200
        assert len(set(sent)) == 15
        before = mock.report("_requests")["count"]
        code, found = replay(proxy, "1", "--against", mock.base_url)
        assert (code, {each["outcome"] for each in found}) == (0, {"same"})
        again = mock.report("_requests")["sha256"][before:]
        assert again == [hashlib.sha256(each.encode()).hexdigest() for each in sent]
        code, one = replay(proxy, "1", "--against", mock.base_url, "--exchange", "3")
        assert (code, [each["exchange_id"] for each in one]) == (0, [3])
        code, failed = replay(proxy, "1", "--against", "http://127.0.0.1:9/v1", "--limit", "1")
        assert (code, failed[0]["outcome"]) == (1, "failed")
        assert replay(proxy, "99", "--against", mock.base_url)[0] == 2
        assert replay(proxy, "1", "--against", "ftp://x")[0] == 2
        assert replay(proxy, "1", "--against", mock.base_url, "--key-env", "NO_SUCH_KEY")[0] == 2


def test_what_other_settings_would_have_sent(mock: MockProcess, tmp_path: Path) -> None:
    with ProxyProcess(config_for(mock.base_url)) as proxy:
        messages: list[Any] = [{"role": "user", "content": "go"}]
        for number in range(30):
            function = {"name": "bash", "arguments": json.dumps({"command": f"step {number}"})}
            output = "\n".join(f"value_{number}_{line} = {line}" for line in range(2500 if number == 0 else 100))
            messages += [
                {"role": "assistant", "content": None, "tool_calls": [{"id": f"c{number}", "function": function}]},
                {"role": "tool", "tool_call_id": f"c{number}", "content": output},
            ]
            body = {"model": "mock", "messages": messages}
            answer = httpx.post(f"{proxy.url}/v1/chat/completions", json=body, timeout=30)
            proxy.finished(answer.headers["x-exchange-id"])

        def what_if(config: str) -> Any:
            path = tmp_path / "other.toml"
            path.write_text(config, encoding="utf-8")
            command = [sys.executable, "-m", "chronoproxy", "what-if", "1", "--data-dir", str(proxy.data)]
            done = subprocess.run(
                [*command, "--config", str(path), "--json"], capture_output=True, text=True, cwd=ROOT, timeout=60
            )
            assert done.returncode == 0, done.stderr
            return json.loads(done.stdout)

        same = what_if("")
        assert same["what if"] == same["sent"]
        assert same["sent"]["tokens"] < same["received"]["tokens"]
        assert same["received"]["recall"] == 100.0
        without = what_if("[reduction]\nmask_old = false\nnormalize = false\ndeduplicate = false\n")
        assert same["sent"]["tokens"] < without["what if"]["tokens"] <= without["received"]["tokens"]
        by_age = what_if("[observation_masking.schema1]\nenabled = true\nwindow_turns = 1\n")
        assert by_age["what if"]["tokens"] < same["sent"]["tokens"]
