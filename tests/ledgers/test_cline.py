"""Cline's history, whole, cut, growing, and written by somebody who means harm."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ledgers import reading
from tests.api.ledger_files import item
from tests.ledgers.reading import AT, AT_MS, Home, numbers

PLACE = ".cline/data/state/taskHistory.json"
SESSIONS = ".cline/data/db/sessions.db"
DEEP = '{"a":' * 20_000 + "1" + "}" * 20_000


def test_an_entry(home: Home) -> None:
    home.json(PLACE, [item(1)])
    (task,) = home.read("cline_history").tasks
    assert numbers(task) == (101, 10, 2, 1)
    assert (task.task_id, task.ts, task.started_at) == ("1795000000001", 1_795_000_001_001, 1_795_000_000_001)
    assert (task.model_id, task.total_cost) == ("gpt-5", 0.25)


def test_its_oldest_form(home: Home) -> None:
    old = {"id": "1700000000000", "ts": 1_700_000_001_000, "task": "x", "tokensIn": 1, "tokensOut": 2, "totalCost": 0}
    home.json(PLACE, [{**old, "shadowGitConfigWorkTree": "/x"}, {"id": 1_700_000_000_001, "ts": None}])
    first, second = home.read("cline_history").tasks
    assert (numbers(first), first.total_cost, first.model_id) == ((1, 2, 0, 0), 0.0, None)
    assert (second.task_id, second.ts, second.total_cost) == ("1700000000001", 1_700_000_000_001, None)


@pytest.mark.parametrize(
    "place",
    [
        ".cline/data/tasks/taskHistory.json",
        ".config/Code - Insiders/User/globalStorage/saoudrizwan.claude-dev/state/taskHistory.json",
        ".config/Windsurf/User/globalStorage/saoudrizwan.claude-dev/state/taskHistory.json",
        ".vscode-server/data/User/globalStorage/saoudrizwan.claude-dev/state/taskHistory.json",
    ],
)
def test_its_places(home: Home, place: str) -> None:
    home.json(place, [item(1)])
    assert len(home.read("cline_history").tasks) == 1


@pytest.mark.parametrize(
    ("variable", "place"),
    [("CLINE_DATA_DIR", "x/state"), ("CLINE_DIR", "x/data/tasks"), ("XDG_CONFIG_HOME", "x/Cursor/User/globalStorage/"
    "saoudrizwan.claude-dev/state")],
)  # fmt: skip
def test_places_of_the_environment(tmp_path: Path, variable: str, place: str) -> None:
    home = Home(tmp_path, {variable: "~/x"})
    home.json(f"{place}/taskHistory.json", [item(1)])
    home.json(PLACE, [item(2)])
    assert item(1)["id"] in [task.task_id for task in home.read("cline_history").tasks]


def test_so_many_tasks_and_no_more(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_TASKS", 3)
    home.json(PLACE, [item(number) for number in range(3)])
    assert (len(home.read("cline_history").tasks), home.read("cline_history").problems) == (3, [])
    home.json(PLACE, [item(number) for number in range(4)])
    found = home.read("cline_history")
    assert (len(found.tasks), found.problems) == (3, ["there are more than 3 tasks"])


def test_what_was_cut_is_read_as_far_as_it_is_whole(home: Home) -> None:
    whole = json.dumps([item(number) for number in range(3)])
    ends = [index for index, char in enumerate(whole) if char == "}"]
    for cut in range(1, len(whole), 7):
        home.write(PLACE, whole[:cut])
        found = home.read("cline_history")
        assert len(found.tasks) == sum(end < cut for end in ends) - (cut - 1 in ends)
        assert found.errors == 1
    home.write(PLACE, whole)
    assert (len(home.read("cline_history").tasks), home.read("cline_history").errors) == (3, 0)


HOSTILE: dict[str, tuple[Any, str]] = {
    "no id": ({"ts": 1}, "id is no id"),
    "a text as id": ({**item(1), "id": "who goes there?"}, "id is no id"),
    "a list as id": ({**item(1), "id": [1]}, "id is no id"),
    "negative": ({**item(1), "tokensIn": -1}, "tokensIn is no number of tokens"),
    "huge": ({**item(1), "tokensOut": 10**15}, "tokensOut is no number of tokens"),
    "beyond 64 bits": ({**item(1), "tokensOut": 10**30}, "tokensOut is no number of tokens"),
    "a fraction": ({**item(1), "cacheReads": 0.5}, "cacheReads is no number of tokens"),
    "a flag": ({**item(1), "cacheWrites": True}, "cacheWrites is no number"),
    "a text": ({**item(1), "tokensIn": "12"}, "tokensIn is no number"),
    "an object": ({**item(1), "totalCost": {"a": 1}}, "totalCost is no number"),
    "a debt": ({**item(1), "totalCost": -0.1}, "totalCost is no amount of money"),
    "no time": ({**item(1), "ts": "yesterday"}, "ts is no time"),
    "before time": ({**item(1), "ts": -5}, "ts is no time"),
    "after time": ({**item(1), "ts": 10**17}, "ts is no time"),
    "lines as model": ({**item(1), "modelId": "a\nb"}, "modelId is no name"),
    "a long model": ({**item(1), "modelId": "m" * 129}, "modelId is no name"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_values_that_cannot_be(home: Home, name: str) -> None:
    value, problem = HOSTILE[name]
    home.json(PLACE, [item(0), value, item(2)])
    found = home.read("cline_history")
    assert [task.tokens_in for task in found.tasks] == [100, 102]
    assert (found.errors, found.problems) == (1, [f"entry 2 is not taken: {problem}"])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (DEEP, "is nested too deep"),
        (f'{{"id":"1","deep":{DEEP}}}', "is nested too deep"),
        (f'{{"id":"1795000000001","tokensIn":{DEEP}}}', "is nested too deep"),
        ('{"id":"1795000000001","tokensIn":NaN}', "is no JSON"),
        ('{"id":"1795000000001","tokensIn":1e999}', "has a field of another type than expected"),
        ('{"id":"1795000000001","tokensIn":-}', "is no JSON"),
        ('"a text, with [ and {"', "has a field of another type than expected"),
        ("17", "has a field of another type than expected"),
        ("null", "has a field of another type than expected"),
        ("[]", "has a field of another type than expected"),
    ],
    ids=range(10),
)
def test_entries_that_are_none(home: Home, text: str, problem: str) -> None:
    home.write(PLACE, f"[{json.dumps(item(0))},{text}, {json.dumps(item(2))} ]\n")
    found = home.read("cline_history")
    assert [task.tokens_in for task in found.tasks] == [100, 102]
    assert (found.errors, found.problems) == (1, [f"entry 2 {problem}"])


def test_long_texts_are_passed_over(home: Home) -> None:
    home.json(PLACE, [item(0, task="x" * (10 << 20)), item(1, task='"\\[{' * (1 << 18)), item(2)])
    found = home.read("cline_history")
    assert ([task.tokens_in for task in found.tasks], found.errors) == ([100, 101, 102], 0)
    home.json(PLACE, [item(0, task="x" * (33 << 20)), item(2)])
    found = home.read("cline_history")
    assert ([task.tokens_in for task in found.tasks], found.problems) == ([102], ["entry 1 is too long"])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "the file is no list"),
        ("{}", "the file is no list"),
        ("\x00" * 100, "the file is no list"),
        ("[", "the file ends in the middle: what was whole was read"),
        ("[]]", "something follows the end of the list"),
        ("[] [1]", "something follows the end of the list"),
    ],
)
def test_files_that_are_no_list(home: Home, text: str, problem: str) -> None:
    home.write(PLACE, text)
    assert home.read("cline_history") == ([], [problem], 1)


def test_a_mark_at_the_beginning(home: Home) -> None:
    home.write(PLACE, b"\xef\xbb\xbf" + json.dumps([item(1)]).encode())
    assert len(home.read("cline_history").tasks) == 1


def test_what_is_no_file(home: Home) -> None:
    (home.path / PLACE).mkdir(parents=True)
    assert home.read("cline_history").errors == 1
    (home.path / PLACE).rmdir()
    os.mkfifo(home.path / PLACE)
    found = home.read("cline_history")
    assert found == ([], ["the ledger is no regular file"], 1)


def test_links_within_the_places_are_followed(home: Home) -> None:
    target = home.json(".cline/data/tasks/taskHistory.json", [item(1)])
    (home.path / PLACE).parent.mkdir(parents=True)
    (home.path / PLACE).symlink_to(target)
    assert len(home.read("cline_history").tasks) == 2
    target.unlink()
    assert home.read("cline_history").errors == 1


_SESSIONS = (
    "CREATE TABLE sessions(session_id TEXT PRIMARY KEY, source TEXT, started_at TEXT, ended_at TEXT, updated_at TEXT,"
    " status TEXT, provider TEXT, model TEXT, cwd TEXT, parent_session_id TEXT, is_subagent INTEGER, prompt TEXT,"
    " metadata_json TEXT)"
)
_INSERT = "INSERT INTO sessions VALUES (?, 'cli', ?, ?, NULL, 'done', 'openai', 'gpt-5', '/x', ?, 0, 'secret', ?)"


def _session(name: Any, metadata: Any, *, parent: str | None = None, at: Any = AT) -> tuple[str, tuple[Any, ...]]:
    text = metadata if isinstance(metadata, str | bytes) else json.dumps(metadata)
    return _INSERT, (name, at, at, parent, text)


def test_sessions_of_version_4(home: Home) -> None:
    flat = {"title": "secret", "tokensIn": 5, "tokensOut": 6, "cacheReads": 7, "cacheWrites": 8, "totalCost": 0.5}
    used = {"inputTokens": 1, "outputTokens": 2, "cacheReadTokens": 3, "cacheWriteTokens": 4, "totalCost": 0.25}
    nested = {"usage": used, "aggregateUsage": {"inputTokens": 999}, "aggregatedAgentsCost": 9}
    rows = [_session("a", flat), _session("b", nested, parent="a"), _session("c", {}), _session("d", "")]
    home.database(SESSIONS, _SESSIONS, rows=rows)
    a, b, c, d = home.read("cline_sessions").tasks
    assert (numbers(a), a.total_cost, a.provider, a.model_id) == ((5, 6, 7, 8), 0.5, "openai", "gpt-5")
    assert (numbers(b), b.total_cost, b.parent_id, b.ts) == ((1, 2, 3, 4), 0.25, "a", AT_MS)
    assert (numbers(c), numbers(d)) == ((0, 0, 0, 0), (0, 0, 0, 0))


def test_sessions_that_cannot_be(home: Home) -> None:
    rows = [
        _session("a", "{"), _session("b", f'{{"usage":{DEEP}}}'), _session("c c", {}), _session("d", {"tokensIn": -1}),
        _session("e", {}, at="never"), _session("f", "[]"), _session("g", {"tokensIn": 3}), _session("h", b"\xff\xfe"),
    ]  # fmt: skip
    home.database(SESSIONS, _SESSIONS, rows=rows)
    found = home.read("cline_sessions")
    assert ([task.task_id for task in found.tasks], found.errors) == (["g"], 7)
    assert not any("secret" in problem for problem in found.problems)
