"""The commands beside `serve`, as processes, with and without a server on the data directory."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.cli import main
from api.cli_config import STARTER
from api.configuration_sections import (
    Compaction,
    CompactionAuto,
    CompactionPreview,
    CompactionUi,
    Compression,
    MemoryEmbedder,
    ModelEntry,
    PriceEntry,
    ProviderEntry,
    RateLimit,
    RecordingSection,
    Reduction,
    RetentionSection,
    Sanitizer,
    Schema1,
    Section,
    Server,
)
from schema.keys import KeyStore
from schema.log import EventLog
from tests.e2e.processes import KEY, ROOT, MockProcess, ProxyProcess, config_for
from tests.schema.writing import Writing, completed

REBUILT = ["names", "events", "duration_ms", "equal", "checksum_before", "checksum_after"]


def command(*arguments: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("CHRONOPROXY_CONFIG", None)
    if home is not None:
        environment |= {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "XDG_DATA_HOME": str(home / "data")}
    return subprocess.run(
        [sys.executable, "-m", "chronoproxy", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        cwd=home or ROOT,
        timeout=60,
        check=False,
    )


def inside(*arguments: str) -> int:
    """The exit code of the same in this process, for what needs no process of its own."""
    try:
        return main(arguments)
    except SystemExit as left:
        return int(left.code or 0)


def printed(*arguments: str) -> Any:
    answer = command(*arguments, "--json")
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


@pytest.fixture(scope="module")
def served(mock: MockProcess) -> Any:
    """A running proxy with two exchanges and a session."""
    with ProxyProcess(config_for(mock.base_url), fresh=True) as proxy:
        for text in ("one", "two"):
            body = {"model": "mock", "messages": [{"role": "user", "content": text}]}
            answer = httpx.post(f"{proxy.url}/v1/chat/completions", json=body)
            proxy.finished(answer.headers["x-exchange-id"])
        httpx.post(f"{proxy.url}/api/sessions", json={"name": "by hand"})
        yield proxy


def places(proxy: ProxyProcess) -> tuple[str, ...]:
    return ("--data-dir", str(proxy.data), "--config", str(proxy.directory / "config.toml"))


def test_events_are_those_of_the_api(served: ProxyProcess) -> None:
    answer = command("events", *places(served), "--json")
    events = [json.loads(line) for line in answer.stdout.splitlines()]
    worked_out = ("changes", "refs")
    for number, event in enumerate(events, 1):
        found = served.get(f"/api/events/{number}")
        assert event == {key: value for key, value in found.items() if key not in worked_out}
    assert len(events) == httpx.get(f"{served.url}/health").json()["position"]


def test_events_are_chosen(served: ProxyProcess) -> None:
    def positions(*arguments: str) -> list[int]:
        lines = command("events", *places(served), "--json", *arguments).stdout.splitlines()
        return [json.loads(line)["position"] for line in lines]

    every = positions()
    assert positions("--reverse") == every[::-1]
    assert positions("--from", "3", "--to", "5") == [3, 4, 5]
    assert positions("--limit", "2", "--reverse", "--to", "5") == [5, 4]
    typed = positions("--type", "ExchangeCompleted", "--type", "ExchangeStarted")
    assert len(typed) == 4
    assert set(positions("--exchange", "2")) < set(typed)
    assert set(positions("--session", "1")) < set(every)
    assert positions("--session", "999") == []


def test_events_follow_until_interrupted(served: ProxyProcess) -> None:
    arguments = [sys.executable, "-m", "chronoproxy", "events", *places(served), "--follow", "--type", "SessionStarted"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment) as follower:
        assert follower.stdout is not None
        first = [follower.stdout.readline() for _ in range(3)]
        httpx.post(f"{served.url}/api/sessions", json={"name": "another"})
        last = follower.stdout.readline()
        follower.send_signal(signal.SIGINT)
        assert follower.wait(20) == 130
    assert all("SessionStarted" in line for line in (*first, last))
    assert int(last.split()[0]) > int(first[-1].split()[0])


def test_a_reader_that_has_enough_ends_it_quietly(served: ProxyProcess) -> None:
    pipe = f'"{sys.executable}" -m chronoproxy events --data-dir "{served.data}" | head -n 1'
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    answer = subprocess.run(pipe, shell=True, capture_output=True, text=True, env=environment, check=False)
    assert (answer.stdout.count("\n"), answer.stderr) == (1, "")


def test_verify_under_a_running_server(served: ProxyProcess) -> None:
    found = printed("verify", *places(served))
    assert (found["ok"], found["from"], found["problems"]) == (True, 1, [])
    assert found["checked"] == found["to"] >= 7
    head = f"{found['to']}:{found['head_hash']}"
    assert command("verify", *places(served), "--head", head).returncode == 0
    assert command("verify", *places(served), "--head", f"{found['to']}:{'0' * 64}").returncode == 1
    assert command("verify", *places(served), "--head", "nonsense").returncode == 2
    for nothing in (("--from", "99999"), ("--from", "3", "--to", "2")):
        assert command("verify", *places(served), *nothing).returncode == 2


@pytest.mark.parametrize(
    ("span", "said"),
    [(("--from", "999999"), "there is no event 999,999"), (("--from", "5", "--to", "3"), "from 5 to 3")],
)
def test_verify_says_nothing_of_events_that_it_did_not_see(
    served: ProxyProcess, span: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inside("verify", *places(served), *span) == 2
    told = capsys.readouterr()
    assert (told.out, said in told.err) == ("", True)


def test_verify_of_an_empty_log_names_no_head(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = KeyStore(tmp_path / "keys.sqlite")
    EventLog(tmp_path / "events.sqlite", keys).close()
    keys.close()
    assert inside("verify", "--data-dir", str(tmp_path)) == 0
    assert capsys.readouterr().out.endswith("\nok\n")


@pytest.mark.parametrize("name", ["events", "keys"])
@pytest.mark.parametrize("statement", ["UPDATE format SET version = 0", "DELETE FROM format", "DROP TABLE format"])
@pytest.mark.parametrize("arguments", [("verify",), ("rebuild",), ("serve", "--port", "0")])
def test_a_file_whose_format_is_not_known_is_told_by_all_commands(
    tmp_path: Path, name: str, statement: str, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    keys = KeyStore(tmp_path / "keys.sqlite")
    EventLog(tmp_path / "events.sqlite", keys).close()
    keys.close()
    with closing(sqlite3.connect(tmp_path / f"{name}.sqlite", isolation_level=None)) as db:
        db.execute(statement)
    assert inside(*arguments, "--data-dir", str(tmp_path)) == 3
    told = capsys.readouterr().err
    assert f"{name}.sqlite" in told and "it was changed or is damaged" in told


def test_doctor_finds_the_running_server_and_shows_no_key(served: ProxyProcess) -> None:
    answer = command("doctor", *places(served), "--json")
    findings = json.loads(answer.stdout)
    assert KEY not in answer.stdout + answer.stderr
    found = {finding["check"]: finding for finding in findings}
    assert found["event log"]["state"] == "ok"
    assert found["read tables"]["state"] == "ok"
    assert found["provider mock"]["text"].startswith("http://127.0.0.1:")
    assert {finding["state"] for finding in findings} <= {"ok", "warn", "fail"}


def test_doctor_fails_where_a_provider_does_not_answer(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[providers.gone]\nbase_url = "http://user:secret@127.0.0.1:9/v1"\n')
    arguments = ("--data-dir", str(tmp_path / "none"), "--config", str(tmp_path / "config.toml"))
    answer = command("doctor", *arguments, home=tmp_path)
    assert answer.returncode == 1
    assert "does not answer" in answer.stdout
    assert "secret" not in answer.stdout
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("name", "value"), [("HTTPS_PROXY", "http://user:secret@[::bad"), ("SSL_CERT_FILE", "gone.pem")]
)
def test_doctor_names_a_way_that_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    (tmp_path / "config.toml").write_text('[providers.far]\nbase_url = "https://nowhere.invalid/v1"\n')
    arguments = ("--data-dir", str(tmp_path / "none"), "--config", str(tmp_path / "config.toml"), "--json")
    assert main(["doctor", *arguments]) == 1
    printed = capsys.readouterr().out
    told = {(each["check"], each["state"]): each["text"] for each in json.loads(printed)}
    assert told["configuration", "warn"].startswith(f"{name} of the environment: ")
    assert "cannot be asked" in told["provider far", "fail"] and name in told["provider far", "fail"]
    assert "secret" not in printed


def test_replay_names_a_way_that_cannot_be(
    served: ProxyProcess, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://user:secret@[::bad")
    assert inside("replay", "1", "--against", "http://nowhere.invalid/v1", *places(served)) == 2
    told = capsys.readouterr().err
    assert "HTTP_PROXY" in told and "secret" not in told


def test_rebuild_is_done_by_a_running_server(served: ProxyProcess) -> None:
    before = httpx.get(f"{served.url}/health").json()["position"]
    done = printed("rebuild", *places(served))
    assert (done["equal"], done["events"]) == (True, before)
    assert list(done) == REBUILT
    assert served.get(f"/api/events/{before + 1}")["type"] == "ReadModelRebuilt"


def test_a_stopped_log_is_rebuilt_and_a_changed_one_is_told(mock: MockProcess) -> None:
    with ProxyProcess(config_for(mock.base_url)) as proxy:
        httpx.post(f"{proxy.url}/api/sessions", json={"name": "kept"})
        proxy.stop()
        first = printed("rebuild", *places(proxy))
        assert list(first) == REBUILT
        assert (first["equal"], first["events"], first["checksum_before"]) == (True, 3, first["checksum_after"])
        db = sqlite3.connect(proxy.data / "read.sqlite", isolation_level=None)
        db.execute("UPDATE timeline SET summary = 'something else'")
        db.close()
        answer = command("rebuild", *places(proxy))
        assert (answer.returncode, "changed: timeline" in answer.stdout) == (1, True)
        db = sqlite3.connect(proxy.data / "events.sqlite", isolation_level=None)
        db.execute("DROP TRIGGER events_are_not_changed")
        db.execute("UPDATE events SET actor = 'mcp' WHERE position = 2")
        db.close()
        answer = command("verify", *places(proxy))
        assert answer.returncode == 1
        assert "changed_event: event 2: its stored values do not give its hash" in answer.stdout


def test_doctor_knows_read_tables_of_another_version(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = KeyStore(tmp_path / "keys.sqlite")
    EventLog(tmp_path / "events.sqlite", keys).close()
    keys.close()
    with closing(sqlite3.connect(tmp_path / "read.sqlite", isolation_level=None)) as db:
        db.execute("CREATE TABLE tracking(name TEXT, position INTEGER)")
        db.execute("PRAGMA user_version = 1")
    inside("doctor", "--data-dir", str(tmp_path), "--json", "--offline")
    found = {finding["check"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert (found["read tables"]["state"], "builds them anew" in found["read tables"]["text"]) == ("warn", True)


def test_an_event_that_no_table_can_hold_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = KeyStore(tmp_path / "keys.sqlite")
    log = EventLog(tmp_path / "events.sqlite", keys)
    with Writing(log) as writing:
        writing.commit(completed(7))
    log.close()
    keys.close()
    assert inside("rebuild", "--data-dir", str(tmp_path)) == 3
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = [line for line in told.err.splitlines() if line.startswith("chronoproxy:")]
    assert "ExchangeCompleted at 1" in line and "exchange 7 never began" in line
    assert "Traceback" not in told.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("events",),
        ("verify",),
        ("rebuild",),
    ],
)
def test_a_directory_without_a_log_is_told_and_nothing_made(
    tmp_path: Path, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert inside(*arguments, "--data-dir", str(tmp_path / "none")) == 2
    printed = capsys.readouterr()
    assert (printed.out, "there is no event log in" in printed.err) == ("", True)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("events", "--limit", "0"),
        ("events", "--from", "-1"),
        ("events", "--session", "1e3"),
        ("events", "--type", "Nothing"),
        ("events", "--reverse", "--follow"),
        ("verify", "--to", "x"),
        ("config",),
        ("config", "check", "/nowhere.toml"),
        ("nonsense",),
        (),
    ],
)
def test_wrong_use_is_told(
    served: ProxyProcess, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert inside(*arguments, *(places(served) if arguments[:1] == ("events",) else ())) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err


@pytest.mark.parametrize("name", ["--config", "--path"])
def test_a_configuration_to_start_from_where_it_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    path = tmp_path / "elsewhere" / "mine.toml"
    assert main(["config", "init", name, str(path)]) == 0
    assert path.read_text(encoding="utf-8") == STARTER
    assert not (tmp_path / "config").exists()
    assert main(["config", "init", name, str(path)]) == 2
    for more in (("--config", "a", "--path", "b"), ("--data-dir", str(tmp_path))):
        with pytest.raises(SystemExit):
            main(["config", "init", *more])


def test_a_configuration_to_start_from(tmp_path: Path) -> None:
    answer = command("config", "init", home=tmp_path)
    path = tmp_path / "config" / "chronoproxy" / "config.toml"
    assert (answer.returncode, path.read_text(encoding="utf-8")) == (0, STARTER)
    assert command("config", "init", home=tmp_path).returncode == 2
    assert command("config", "init", "--force", home=tmp_path).returncode == 0
    checked = command("config", "check", "--json", home=tmp_path)
    assert json.loads(checked.stdout)["file"] == str(path)
    if sys.platform != "win32":
        assert path.stat().st_mode & 0o077 == 0


def test_the_configuration_to_start_from_is_valid_when_all_of_it_is_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "all.toml"
    used = [line.removeprefix("# ") if " = " in line or "# [" in line else line for line in STARTER.split("\n")]
    text = "\n".join(used).replace('token = "${CHRONOPROXY_TOKEN}"', "").replace("${ALICE_KEY}", "a key of hers")
    path.write_text(text, encoding="utf-8")
    assert inside("config", "check", str(path), "--json") == 0
    assert json.loads(capsys.readouterr().out)["values"]["models"]["gpt"]["provider"] == "openai"


def _section(model: Any, name: str) -> bool:
    """Whether it is a table of its own."""
    return isinstance(model.model_fields[name].annotation, type) and issubclass(
        model.model_fields[name].annotation, Section
    )


@pytest.mark.parametrize(
    "model",
    [
        *(Server, RateLimit, RecordingSection, Sanitizer, Compression, Reduction, Compaction, CompactionAuto),
        *(
            MemoryEmbedder,
            RetentionSection,
            Schema1,
            CompactionUi,
            CompactionPreview,
            ProviderEntry,
            ModelEntry,
            PriceEntry,
        ),
    ],
)
def test_the_configuration_to_start_from_names_every_key(model: Any) -> None:
    assert [name for name in model.model_fields if not _section(model, name) and f"{name} =" not in STARTER] == []


def test_a_faulty_configuration_is_told_without_its_secrets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "faulty.toml"
    path.write_text('[server]\ntoken = "very-secret-token"\nport = "x"\n', encoding="utf-8")
    assert inside("config", "check", str(path)) == 2
    printed = capsys.readouterr()
    assert "server.port" in printed.err
    assert "very-secret-token" not in printed.err
