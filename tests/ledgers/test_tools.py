"""The ledgers of the other tools, each in its own format."""

import base64
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest

from ledgers.tasks import Task
from tests.api.ledger_files import item
from tests.ledgers.reading import AT, AT_MS, Home, numbers

ROO = ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/tasks"
CLAUDE = ".claude/projects/-home-x"
CODEX = ".codex/sessions/2026/11/22"
STORAGE = ".local/share/opencode/storage"
DATA = ".local/share/opencode/opencode.db"


def by_id(tasks: list[Task]) -> dict[str, Task]:
    assert len({task.task_id for task in tasks}) == len(tasks)
    return {task.task_id: task for task in tasks}


def test_roo_and_kilo(home: Home) -> None:
    home.json(f"{ROO}/a/history_item.json", {**item(1), "id": "a", "parentTaskId": "b", "workspace": "/x"})
    home.json(f"{ROO}/b/history_item.json", {**item(2), "id": "b"})
    home.json(f"{ROO}/_index.json", {"version": 1, "entries": []})
    home.write(f"{ROO}/c/history_item.json", '{"id":"c"')
    found = home.read("roo_tasks")
    tasks = by_id(found.tasks)
    assert (numbers(tasks["a"]), tasks["a"].parent_id) == ((101, 10, 2, 1), "b")
    assert found.problems == ["the item of task c is no JSON"]
    home.json(".config/Code/User/globalStorage/kilocode.kilo-code/tasks/k/history_item.json", {**item(1), "id": "k"})
    assert [task.task_id for task in home.read("kilo_tasks").tasks] == ["k"]


def answer(name: str, out: int, session: str = "s1", **usage: Any) -> dict[str, Any]:
    return {
        "type": "assistant", "timestamp": AT, "sessionId": session, "requestId": f"req-{name}", "cwd": "/x",
        "message": {
            "id": f"msg-{name}", "role": "assistant", "model": "claude-x", "content": [{"type": "text", "text": "s"}],
            "usage": {
                "input_tokens": 10, "output_tokens": out, "cache_creation_input_tokens": 5,
                "cache_read_input_tokens": 100, **usage,
            },
        },
    }  # fmt: skip


def test_claude_code_counts_an_answer_once(home: Home) -> None:
    first = [{"type": "user", "message": {"content": "secret"}}, answer("a", 1), answer("a", 7), answer("a", 7)]
    home.lines(f"{CLAUDE}/s1.jsonl", *first, answer("b", 3), {"type": "summary"})
    home.lines(f"{CLAUDE}/s2.jsonl", *first, answer("b", 3), answer("c", 4, "s2"))  # resumed
    home.lines(f"{CLAUDE}/s1/subagents/agent-1.jsonl", answer("d", 5))
    tasks = by_id(home.read("claude_code_projects").tasks)
    assert {name: numbers(task) for name, task in tasks.items()} == {
        "s1": (20, 10, 200, 10), "s2": (10, 4, 100, 5), "s1/agent-1": (10, 5, 100, 5),
    }  # fmt: skip
    assert (tasks["s1/agent-1"].parent_id, tasks["s1"].calls, tasks["s1"].ts) == ("s1", 2, AT_MS)


def test_claude_code_leaves_answers_to_the_tasks_that_hold_them(home: Home) -> None:
    first = home.lines(f"{CLAUDE}/s1.jsonl", answer("a", 7))
    home.lines(f"{CLAUDE}/s2.jsonl", answer("a", 7), answer("b", 3, "s2"))
    home.lines(f"{CLAUDE}/s0.jsonl", answer("b", 3, "s0"))
    tasks = by_id(home.read("claude_code_projects").tasks)
    assert {name: numbers(task)[1] for name, task in tasks.items()} == {"s0": 3, "s1": 7}
    owners = {base64.b64decode(task.answers or ""): name for name, task in tasks.items()}
    owners = {key: {"s0": "s2"}.get(name, name) for key, name in owners.items()}  # s2 held it before there was an s0
    first.unlink()
    tasks = by_id(home.read("claude_code_projects", owners).tasks)
    assert {name: (numbers(task)[1], task.answers) for name, task in tasks.items()} == {"s2": (3, None)}


def test_claude_code_grows(home: Home) -> None:
    path = home.lines(f"{CLAUDE}/s1.jsonl", answer("a", 1))
    whole = path.read_bytes() + json.dumps(answer("b", 2)).encode()
    for cut in (len(path.read_bytes()) + 10, len(whole) - 1):
        path.write_bytes(whole[:cut])
        found = home.read("claude_code_projects")
        assert ([numbers(task)[1] for task in found.tasks], found.errors) == ([1], 0)
    path.write_bytes(whole)  # without the end of the line, but whole
    assert [numbers(task)[1] for task in home.read("claude_code_projects").tasks] == [3]


def test_claude_code_lines_that_cannot_be(home: Home) -> None:
    bad = [
        answer("b", -1), {**answer("c", 1), "timestamp": None}, {"type": "assistant", "message": {"usage": 7}}, 17, [],
    ]  # fmt: skip
    synthetic = answer("e", 5)
    synthetic["message"]["model"] = "<synthetic>"
    path = home.lines(f"{CLAUDE}/s1.jsonl", *bad, {"type": [1]}, {"type": "assistant"}, synthetic, answer("a", 4))
    path.write_bytes(b'{"a":' * 20_000 + b"\n\xff\xfe\n\n" + path.read_bytes())
    found = home.read("claude_code_projects")
    assert [numbers(task) for task in found.tasks] == [(10, 4, 100, 5)]
    assert found.errors == 7
    assert found.problems[0] == "s1: line 1 is not taken: is nested too deep"


def test_claude_code_of_the_environment(home: Home) -> None:
    for name in ("one", "two"):
        home.lines(f"{name}/projects/p/s-{name}.jsonl", answer(name, 1))
    home.machine.environment["CLAUDE_CONFIG_DIR"] = "~/one,~/two"  # type: ignore[index]
    assert set(by_id(home.read("claude_code_projects").tasks)) == {"s-one", "s-two"}


def test_several_models(home: Home) -> None:
    other = answer("b", 90)
    other["message"]["model"] = "claude-y"
    home.lines(f"{CLAUDE}/s1.jsonl", answer("a", 1), other)
    (task,) = home.read("claude_code_projects").tasks
    assert (task.model_id, [(used.model_id, used.tokens_out) for used in task.models]) == (
        "claude-y", [("claude-y", 90), ("claude-x", 1)],
    )  # fmt: skip


def test_models_and_times_of_answers(home: Home) -> None:
    other = answer("b", 90)
    other["message"]["model"] = "claude-y"
    later = {**answer("c", 7), "timestamp": "2026-11-24T01:00:00Z"}
    home.lines(f"{CLAUDE}/s1.jsonl", answer("a", 1), other, later, answer("d", 2))
    (task,) = home.read("claude_code_projects").tasks
    hour, last = AT_MS // 3_600_000, AT_MS // 3_600_000 + 26
    assert [(each.hour, each.model_id, each.calls, each.tokens_out) for each in task.hours] == [
        (hour, "claude-x", 2, 3), (hour, "claude-y", 1, 90), (last, "claude-x", 1, 7),
    ]  # fmt: skip
    assert (sum(each.cache_read_tokens for each in task.hours), task.hours[0].tokens_in) == (400, 20)


def test_a_task_of_more_hours_than_are_told_apart(home: Home) -> None:
    begun = 1_780_000_000  # seconds
    times = (datetime.fromtimestamp(begun + 3_600 * number, UTC).isoformat() for number in range(1_100))
    home.lines(f"{CLAUDE}/s1.jsonl", *({**answer(str(n), 1), "timestamp": time} for n, time in enumerate(times)))
    (task,) = home.read("claude_code_projects").tasks
    assert len(task.hours) == 47  # days
    assert all(each.hour % 24 == 0 for each in task.hours)
    assert sum(each.tokens_in for each in task.hours) == task.tokens_in


def meta(name: str, at: str = AT, **fields: Any) -> dict[str, Any]:
    return {"type": "session_meta", "timestamp": at, "payload": {"id": name, "timestamp": at, "cwd": "/x", **fields}}


def count(*totals: int, at: str = "2026-11-22T23:40:00Z") -> dict[str, Any]:
    used = dict(zip(("input_tokens", "cached_input_tokens", "output_tokens"), totals, strict=True))
    info = {"total_token_usage": used, "last_token_usage": {"input_tokens": 999}}
    return {"type": "event_msg", "timestamp": at, "payload": {"type": "token_count", "info": info, "rate_limits": {}}}


def turn(model: str) -> dict[str, Any]:
    return {"type": "turn_context", "timestamp": AT, "payload": {"model": model, "cwd": "/x"}}


HEARTBEAT = {"type": "event_msg", "timestamp": AT, "payload": {"type": "token_count", "info": None}}


def test_codex_counts_up(home: Home) -> None:
    home.lines(
        f"{CODEX}/rollout-1-a.jsonl",
        *(meta("a", model_provider="openai"), turn("gpt-5"), HEARTBEAT, count(10, 5, 3), count(10, 5, 3)),
        *(turn("gpt-5-mini"), count(30, 15, 7), {"type": "response_item", "payload": {"content": "secret"}}),
    )
    (task,) = home.read("codex_sessions").tasks
    assert (numbers(task), task.calls, task.provider) == ((30, 7, 15, 0), 2, "openai")
    assert [(used.model_id, used.tokens_in) for used in task.models] == [("gpt-5-mini", 20), ("gpt-5", 10)]


def test_codex_forks_do_not_count_what_they_copied(home: Home) -> None:
    parent = [meta("a"), turn("m"), count(10, 0, 1), count(20, 0, 2), count(40, 0, 4)]
    home.lines(f"{CODEX}/rollout-1-a.jsonl", *parent)
    copied = [count(10, 0, 1, at="2026-11-22T23:50:00Z"), count(20, 0, 2, at="2026-11-22T23:50:00Z")]
    home.lines(f"{CODEX}/rollout-2-b.jsonl", meta("b", forked_from_id="a"), *parent[:1], *copied, count(25, 0, 3))
    home.lines(f"{CODEX}/rollout-3-c.jsonl", meta("c", parent_thread_id="a"), *copied)  # and no more
    home.lines(f"{CODEX}/rollout-4-d.jsonl", meta("d", parent_thread_id="a"), count(7, 0, 7))
    lost = [count(10, 0, 1, at=AT), count(500, 0, 50, at=AT), count(510, 0, 51)]
    home.lines(".codex/archived_sessions/rollout-5-e.jsonl", meta("e", forked_from_id="gone"), *lost)
    tasks = by_id(home.read("codex_sessions").tasks)
    assert {name: numbers(task)[:2] for name, task in tasks.items()} == {
        "a": (40, 4), "b": (5, 1), "d": (7, 7), "e": (10, 1),
    }  # fmt: skip
    assert tasks["b"].parent_id == "a"


def test_codex_begins_anew_where_counts_fall(home: Home) -> None:
    home.lines(f"{CODEX}/rollout-1-a.jsonl", meta("a"), count(100, 0, 10), count(20, 0, 2))
    (task,) = home.read("codex_sessions").tasks
    assert numbers(task)[:2] == (120, 12)


def message(at: int = AT_MS, **tokens: Any) -> dict[str, Any]:
    return {
        "role": "assistant", "modelID": "m", "providerID": "acme", "cost": 0.5,
        "time": {"created": at, "completed": at + 9}, "path": {"cwd": "/x"},
        "tokens": {"input": 10, "output": 3, "reasoning": 1, "cache": {"read": 4, "write": 2}, **tokens},
    }  # fmt: skip


@pytest.mark.parametrize(("total", "output"), [(None, 7), (24, 7), (22, 5), (999, 7)])
def test_the_reasoning_of_opencode(home: Home, total: int | None, output: int) -> None:
    """Beside the output, unless the total says that it is within."""
    used: dict[str, Any] = {"input": 10, "output": 5, "reasoning": 2, "cache": {"read": 4, "write": 3}, "total": total}
    home.json(f"{STORAGE}/message/ses_a/msg_1.json", message(**used))
    (task,) = home.read("opencode_storage").tasks
    assert (task.tokens_out, task.reasoning_tokens) == (output, 2)


def test_opencode_files(home: Home) -> None:
    home.json(f"{STORAGE}/session/p/ses_b.json", {"id": "ses_b", "parentID": "ses_a", "title": "secret"})
    home.json(f"{STORAGE}/message/ses_a/msg_1.json", {"role": "user", "time": {"created": 1}})
    home.json(f"{STORAGE}/message/ses_a/msg_2.json", message())
    home.json(f"{STORAGE}/message/ses_a/msg_3.json", message(AT_MS + 5, input=20))
    home.json(f"{STORAGE}/message/ses_b/msg_4.json", message())
    home.write(f"{STORAGE}/message/ses_b/msg_5.json", '{"role":"assist')
    home.json(f"{STORAGE}/part/msg_5/prt_1.json", {"text": "secret"})
    found = home.read("opencode_storage")
    tasks = by_id(found.tasks)
    assert (numbers(tasks["ses_a"]), tasks["ses_a"].total_cost) == ((30, 8, 8, 4), 1.0)
    assert (tasks["ses_a"].started_at, tasks["ses_a"].ts, tasks["ses_a"].reasoning_tokens) == (AT_MS, AT_MS + 5, 2)
    assert (tasks["ses_b"].parent_id, tasks["ses_b"].provider) == ("ses_a", "acme")
    assert found.problems == ["msg_5 is not taken: is no JSON"]


_TABLES = (
    "CREATE TABLE session(id TEXT PRIMARY KEY, parent_id TEXT, title TEXT)",
    "CREATE TABLE message(id TEXT PRIMARY KEY, session_id TEXT, time_created INTEGER, data TEXT)",
)


def _message(name: str, session: str, data: Any) -> tuple[str, tuple[Any, ...]]:
    return "INSERT INTO message VALUES (?, ?, 1, ?)", (name, session, json.dumps(data))


def test_opencode_database(home: Home) -> None:
    rows = [
        ("INSERT INTO session VALUES (?, ?, 'secret')", ("ses_b", "ses_a")),
        *(_message("1", "ses_b", message()), _message("2", "ses_a", message()), _message("3", "ses_a", message())),
        *(_message("4", "ses_a", message(output=-1)), _message("5", "ses_a", "text")),
    ]
    home.database(DATA, *_TABLES, rows=rows)
    found = home.read("opencode_database")
    tasks = by_id(found.tasks)
    assert (numbers(tasks["ses_a"]), tasks["ses_b"].parent_id, found.errors) == ((20, 8, 8, 4), "ses_a", 2)


def test_a_database_that_is_being_written_to(home: Home) -> None:
    path = home.database(DATA, *_TABLES, rows=[_message("1", "a", message())])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("BEGIN IMMEDIATE")
        other.execute(*_message("2", "a", message()))
        assert [task.tokens_in for task in home.read("opencode_database").tasks] == [10]
        other.execute("COMMIT")
        assert [task.tokens_in for task in home.read("opencode_database").tasks] == [20]
    before = sorted(file.name for file in path.parent.iterdir())
    assert before == ["opencode.db"]
    assert [task.tokens_in for task in home.read("opencode_database").tasks] == [20]
    assert sorted(file.name for file in path.parent.iterdir()) == before


HOSTILE = {
    "no database": (b"not a database" * 100, "the ledger is no SQLite database"),
    "empty": (b"", "the ledger is no SQLite database"),
    "cut": (b"SQLite format 3\0" + b"\xff" * 4_000, "the ledger cannot be read as a database: SQLITE_NOTADB"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_files_that_are_no_database(home: Home, name: str) -> None:
    data, problem = HOSTILE[name]
    home.write(DATA, data)
    assert home.read("opencode_database") == ([], [problem], 1)


def test_a_view_in_the_place_of_a_table(home: Home) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS session_id, i AS data FROM n"
    home.database(DATA, f"CREATE VIEW message AS {endless}")
    assert home.read("opencode_database").problems == ["the ledger has no table of messages"]


def test_a_value_that_is_too_long(home: Home) -> None:
    rows = [_message("1", "a", message()), _message("3", "b", message())]
    long = "INSERT INTO message VALUES ('2', 'a', 1, ?)"
    home.database(DATA, *_TABLES, rows=[rows[0], (long, ("x" * ((32 << 20) + 1),)), rows[1]])
    found = home.read("opencode_database")
    assert ([task.task_id for task in found.tasks], found.problems) == (["a", "b"], ["row 2 is not taken: is no JSON"])


def test_a_writer_that_crashed(home: Home) -> None:
    """It left its log behind."""
    path = home.database(DATA, *_TABLES)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute(*_message("1", "a", message()))
        log = path.with_name("opencode.db-wal").read_bytes()
        data = path.read_bytes()
    path.write_bytes(data)
    path.with_name("opencode.db-wal").write_bytes(log)
    assert [task.tokens_in for task in home.read("opencode_database").tasks] == [10]
    assert path.read_bytes() == data
    assert path.with_name("opencode.db-wal").read_bytes() == log


def test_more_models_than_anybody_uses(home: Home) -> None:
    answers = [answer(str(number), 1) for number in range(40)]
    for number, each in enumerate(answers):
        each["message"]["model"] = f"m{number:02}"
    home.lines(f"{CLAUDE}/s1.jsonl", *answers)
    (task,) = home.read("claude_code_projects").tasks
    assert (len(task.models), task.models[-1].model_id, task.models[-1].tokens_in) == (31, None, 100)
    assert sum(used.tokens_in for used in task.models) == task.tokens_in


def test_a_cut_database(home: Home) -> None:
    rows = [_message(str(number), "a", message()) for number in range(200)]
    path = home.database(DATA, *_TABLES, rows=rows)
    path.write_bytes(path.read_bytes()[:20_000])
    found = home.read("opencode_database")
    assert found.errors >= 1 and found.problems[-1].startswith("the ledger cannot be read as a database: SQLITE_")


def test_continue(home: Home) -> None:
    usage = {"promptTokens": 50, "completionTokens": 5, "promptTokensDetails": {"cachedTokens": 20}, "totalCost": 0.1}
    home.json(".continue/sessions/s1.json", {"sessionId": "s1", "title": "secret", "history": [], "usage": usage})
    home.json(".continue/sessions/s2.json", {"sessionId": "s2", "history": []})
    home.json(".continue/sessions/sessions.json", [{"sessionId": "s1", "dateCreated": str(AT_MS), "title": "secret"}])
    (task,) = home.read("continue_folder").tasks
    assert (numbers(task), task.started_at, task.total_cost, task.overlaps) == ((50, 5, 20, 0), AT_MS, 0.1, False)


def test_the_dev_data_of_continue(home: Home) -> None:
    def generated(at: str, taken: Any) -> dict[str, Any]:
        return {
            "eventName": "tokensGenerated", "timestamp": at, "model": "m 1", "provider": "acme", "promptTokens": taken,
            "generatedTokens": 2,
        }  # fmt: skip

    home.lines(
        ".continue/dev_data/0.2.0/tokensGenerated.jsonl",
        *(generated(AT, 10), generated("2026-11-22T01:00:00Z", 5), generated("2026-11-21T01:00:00Z", 1)),
        generated(AT, "many"),
    )
    home.json(".continue/sessions/s1.json", {"sessionId": "s1", "usage": {"promptTokens": 50}})
    home.database(
        ".continue/dev_data/devdata.sqlite",
        "CREATE TABLE tokens_generated(id INTEGER PRIMARY KEY, model TEXT, provider TEXT, tokens_generated INTEGER,"
        " tokens_prompt INTEGER, timestamp DATETIME)",
        "INSERT INTO tokens_generated VALUES (1, 'm 1', 'acme', 3, 30, '2026-10-01 01:02:03')",
        "INSERT INTO tokens_generated VALUES (2, 'm 1', 'acme', 3, 30, '2026-11-22 01:02:03')",
    )
    found = home.read("continue_folder")
    tasks = by_id(found.tasks)
    assert {name: (task.tokens_in, task.overlaps, task.precision) for name, task in tasks.items()} == {
        "lines:2026-11-21:acme:m_1": (1, False, "estimated"), "lines:2026-11-22:acme:m_1": (15, False, "estimated"),
        "database:2026-10-01:acme:m_1": (30, False, "estimated"),
        "database:2026-11-22:acme:m_1": (30, True, "estimated"), "s1": (50, True, "reported"),
    }  # fmt: skip
    assert found.problems == ["tokensGenerated.jsonl: line 4 is not taken: promptTokens is no number"]


CHATS = """
# aider chat started at 2026-11-22 10:00:00

> aider --model gpt-5
> Model: openai/gpt-5 with diff edit format
#### a secret question
> Tokens: 12k sent, 950 received. Cost: $0.02 message, $0.02 session.
an answer
> Tokens: 1.5M sent, 3k cache write, 2.5k cache hit, 1.2k received. Cost: $1.05 message, $1.07 session.

# aider chat started at 2026-11-22 11:00:00
> Main model: claude-x with diff edit format
> Tokens: 1,234 sent, 5 received.
"""


def test_aider(home: Home) -> None:
    home.write(".aider.chat.history.md", CHATS + "> Tokens: 1.2.3k sent, 5 received.\n" + "x" * 9_000)
    found = home.read("aider_history")
    first, second = found.tasks
    assert (numbers(first), first.total_cost, first.model_id) == (
        (1_512_000, 2_150, 2_500, 3_000), 1.07, "openai/gpt-5",
    )  # fmt: skip
    assert (numbers(second), second.total_cost, second.precision) == ((1_234, 5, 0, 0), None, "rounded")
    assert (first.until, found.errors) == (second.ts, 1)


@pytest.mark.parametrize("sent", ["999999999999999999999M", "abc", "-1"])
def test_a_line_of_aider_with_an_impossible_number(home: Home, sent: str) -> None:
    home.write(".aider.chat.history.md", f"{CHATS}> Tokens: {sent} sent, 5 received.\n")
    found = home.read("aider_history")
    assert len(found.tasks) == 2
    assert found.errors == 1 and found.problems[0].endswith("is not taken: the tokens are no numbers")


def test_aiders_analytics(home: Home) -> None:
    def sent(time: Any, taken: Any) -> dict[str, Any]:
        used = {"main_model": "gpt-5", "prompt_tokens": taken, "completion_tokens": 3, "cost": 0.5}
        return {"event": "message_send", "properties": used, "user_id": "x", "time": time}

    launched = {"event": "launched", "properties": {}, "time": 1_795_390_000}
    home.lines("log.jsonl", launched, sent(1_795_390_431, 10), sent(1_795_390_432, 20), launched, sent(None, 1), 3)
    home.machine.environment["AIDER_ANALYTICS_LOG"] = str(home.path / "log.jsonl")  # type: ignore[index]
    found = home.read("aider_analytics")
    (task,) = found.tasks
    assert (numbers(task), task.total_cost, task.calls, task.ts) == ((30, 6, 0, 0), 1.0, 2, 1_795_390_432_000)
    assert found.errors == 2


def test_llm(home: Home) -> None:
    columns = "model TEXT, resolved_model TEXT, input_tokens INTEGER, output_tokens INTEGER, token_details TEXT"
    details = json.dumps({"prompt_tokens_details": {"cached_tokens": 4}})
    home.database(
        ".config/io.datasette.llm/logs.db",
        f"CREATE TABLE responses(id TEXT PRIMARY KEY, prompt TEXT, conversation_id TEXT, datetime_utc TEXT, {columns})",
        f"CREATE TABLE turns(id TEXT PRIMARY KEY, thread_id TEXT, datetime_utc TEXT, {columns})",
        rows=[
            ("INSERT INTO responses VALUES ('r1', 'secret', 'c', ?, 'm', NULL, 10, 2, ?)", (AT, details)),
            ("INSERT INTO responses VALUES ('r2', 'secret', NULL, ?, 'm', NULL, 1, 1, NULL)", (AT,)),
            ("INSERT INTO turns VALUES ('r1', 'c', ?, 'm', NULL, 10, 2, ?)", (AT, details)),
            ("INSERT INTO turns VALUES ('t1', 'c', ?, 'm', 'm-2', 20, 3, '{}')", (AT,)),
            ("INSERT INTO turns VALUES ('t2', 'c', ?, 'm', NULL, 1.5, 3, '{}')", (AT,)),
        ],
    )
    found = home.read("llm_logs")
    tasks = by_id(found.tasks)
    assert (numbers(tasks["c"]), numbers(tasks["r2"]), found.errors) == ((30, 5, 4, 0), (1, 1, 0, 0), 1)


def test_links_in_folders_lead_nowhere(home: Home) -> None:
    outside = home.lines("outside/s9.jsonl", answer("x", 9))
    home.lines(f"{CLAUDE}/s1.jsonl", answer("a", 1))
    (home.path / CLAUDE / "s2.jsonl").symlink_to(outside)
    (home.path / CLAUDE / "s3.jsonl").symlink_to(home.path / CLAUDE / "s1.jsonl")
    (home.path / CLAUDE / "more").symlink_to(outside.parent)
    found = home.read("claude_code_projects")
    assert [task.task_id for task in found.tasks] == ["s1"]
    assert sorted(found.problems) == [
        "more is a link out of the places that may be read", "s2.jsonl is a link out of the places that may be read",
    ]  # fmt: skip
