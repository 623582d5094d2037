"""Reading ledgers, and deciding on what they hold: `python -m benchmarks.ledgers [TASKS]`.

CPU for each task or line, beside the parser of the standard library that reads the same files whole; and the memory
that the process takes while it reads.
"""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from commands.ledgers import ImportLedgers, Reading, decide, evolve, initial_state, row
from ledgers.places import Machine, real, shelf
from ledgers.reading import Trouble, imported, pieces
from ledgers.tasks import Task

_TASKS = 20_000
_LINES = 50  # of one session
_TEXT = "Please look at the parser once more, it fails on nested brackets. " * 8


def main(tasks: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        home = real(Path(name))
        history, sessions = _history(home, tasks), _sessions(home, tasks // _LINES)
        print(f"{tasks:,} tasks in one file of {history.stat().st_size >> 20} MiB, {tasks:,} lines in sessions")
        _compare(
            "Cline's history, a task", tasks, _read(home, "cline_history"), lambda: json.loads(history.read_text())
        )
        _compare(
            "Claude Code, a line", tasks, _read(home, "claude_code_projects"),
            lambda: [json.loads(line) for path in sessions for line in path.read_text().splitlines()],
        )  # fmt: skip
        _decided(home, tasks)
        print(f"the process took {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10:,} MiB at most")


def _history(home: Path, tasks: int) -> Path:
    path = home / ".cline/data/state/taskHistory.json"
    path.parent.mkdir(parents=True)
    items = (
        {
            "id": str(1_700_000_000_000 + number), "ts": 1_700_000_000_500 + number, "task": _TEXT, "tokensIn": number,
            "tokensOut": 10, "cacheWrites": 0, "cacheReads": 5, "totalCost": 0.125, "size": 1, "modelId": "gpt-5",
        }
        for number in range(tasks)
    )  # fmt: skip
    path.write_text(json.dumps(list(items)))
    return path


def _sessions(home: Path, sessions: int) -> list[Path]:
    folder = home / ".claude/projects/p"
    folder.mkdir(parents=True)
    paths = [folder / f"session-{number}.jsonl" for number in range(sessions)]
    for number, path in enumerate(paths):
        path.write_text("".join(f"{json.dumps(_line(number, line))}\n" for line in range(_LINES)))
    return paths


def _line(session: int, line: int) -> dict[str, object]:
    usage = {"input_tokens": 10, "output_tokens": line, "cache_read_input_tokens": 1_000}
    content = [{"type": "text", "text": _TEXT}]
    message = {"id": f"m{session}-{line}", "model": "claude-x", "content": content, "usage": usage}
    return {
        "type": "assistant", "timestamp": "2026-11-22T23:33:51.123Z", "sessionId": f"session-{session}",
        "requestId": f"r{session}-{line}", "message": message,
    }  # fmt: skip


def _found(home: Path, kind: str) -> Iterator[Task]:
    stand, trouble = shelf(Machine(home, {}, "linux")), Trouble()
    for ledger in stand.ledgers:
        if ledger.kind.name == kind and ledger.path.exists():
            for piece in pieces(ledger, stand.places, trouble):
                yield from piece


def _read(home: Path, kind: str) -> Callable[[], object]:
    return lambda: sum(task.tokens_in for task in _found(home, kind))


def _compare(name: str, count: int, ours: Callable[[], object], theirs: Callable[[], object]) -> None:
    own, other = (_cpu(work) * 1e6 / count for work in (ours, theirs))
    print(f"{name}: {own:.2f} us; json.loads alone {other:.2f} us; ratio {own / other:.2f}")


def _decided(home: Path, tasks: int) -> None:
    ledger = next(each for each in shelf(Machine(home, {}, "linux")).ledgers if each.path.exists())
    rows = tuple(row(imported(ledger, task, None)) for task in _found(home, "cline_history"))
    reading = Reading(ledger=ledger.shown, tool="cline", kind="cline_history", rows=rows)
    state, command = initial_state(), ImportLedgers((reading,))
    first = _cpu(lambda: [evolve(state, event) for event in decide(state, command)])
    again = _cpu(lambda: decide(state, command))
    print(f"deciding on a new task {first * 1e6 / tasks:.2f} us, on a known one {again * 1e6 / tasks:.2f} us")


def _cpu(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else _TASKS)
