"""The six escapes: link, sibling, `..`, absolute, NUL, and the exchange of a directory while it is used."""

import itertools
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.arguments import ToolFailure
from gateway.bounds import Allowance
from gateway.fast_filesystem import server
from gateway.fs_archive import CompressFiles, ExtractArchive, compress_files, extract_archive
from gateway.fs_move import CopyFile, DeleteFile, MoveFile, copy_file, delete_file, move_file
from gateway.fs_read import ReadFile, read_file
from gateway.fs_search import SearchCode, search_code
from gateway.fs_sync import SyncDirectories, sync_directories
from gateway.fs_write import WriteFile, write_file
from gateway.roots import NO_ROOTS, READ_ONLY, Roots
from gateway.tools import InProcessServer
from gateway.walking import walk
from tests.gateway.calling import call, refused
from tests.gateway.conftest import SECRET

ESCAPES = (
    "{root}/link.txt",
    "{root}/linked/secret.txt",
    "{outside}/secret.txt",
    "{root}/../open-not/secret.txt",
    "../open-not/secret.txt",
    "{root}/src/../../open-not/secret.txt",
    "/etc/hostname",
    "{root}/notes.txt\0",
    "{root}-not/secret.txt",
    "{root}/./linked/./secret.txt",
    "{root}//linked//secret.txt",
)
FILES: Mapping[str, Mapping[str, Any]] = {
    "fast_read_file": {"path": "{}"},
    "fast_get_file_info": {"path": "{}/x"},
    "fast_extract_lines": {"path": "{}", "start_line": 1},
    "fast_write_file": {"path": "{}", "content": "x"},
    "fast_large_write_file": {"path": "{}", "content": "x"},
    "fast_create_directory": {"path": "{}/new"},
    "fast_list_directory": {"path": "{}"},
    "fast_get_directory_tree": {"path": "{}"},
    "fast_get_disk_usage": {"path": "{}"},
    "fast_find_large_files": {"path": "{}", "min_size": "1B"},
    "fast_search_files": {"path": "{}", "pattern": "for", "content_search": True},
    "fast_search_code": {"path": "{}", "pattern": "for"},
    "fast_edit_block": {"path": "{}", "old_text": "not", "new_text": ""},
    "fast_safe_edit": {"path": "{}", "old_text": "not", "new_text": ""},
    "fast_edit_multiple_blocks": {"path": "{}", "edits": [{"line_number": 1, "new_text": ""}]},
    "fast_edit_blocks": {"path": "{}", "edits": [{"old_text": "not", "new_text": ""}]},
    "fast_copy_file": {"source": "{}", "destination": "{root}/copy"},
    "fast_move_file": {"source": "{}/secret.txt", "destination": "{root}/moved"},
    "fast_delete_file": {"path": "{}/secret.txt"},
    "fast_compress_files": {"paths": ["{}"], "output_path": "{root}/all.zip"},
    "fast_extract_archive": {"archive_path": "{}"},
    "fast_sync_directories": {"source_dir": "{}", "target_dir": "{root}/mirror"},
}


def filled(value: Any, path: str, root: Path) -> Any:
    if isinstance(value, dict):
        return {key: filled(inner, path, root) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, path, root) for inner in value]
    return value.replace("{}", path).replace("{root}", str(root)) if isinstance(value, str) else value


@pytest.mark.parametrize("escape", ESCAPES)
async def test_no_tool_follows(escape: str, writing: InProcessServer, root: Path, outside: Path) -> None:
    path = escape.format(root=root, outside=outside)
    for name, arguments in FILES.items():
        text = await refused(writing, name, **filled(arguments, path, root))
        assert SECRET not in text, name
    assert (outside / "secret.txt").read_text(encoding="utf-8") == SECRET
    assert [entry.name for entry in outside.iterdir()] == ["secret.txt"]


@pytest.mark.parametrize("target", ESCAPES)
async def test_nothing_is_put_outside(target: str, writing: InProcessServer, root: Path, outside: Path) -> None:
    path = target.format(root=root, outside=outside).replace("secret.txt", "new.txt")
    notes = str(root / "notes.txt")
    for name, arguments in (
        ("fast_copy_file", {"source": notes, "destination": path, "overwrite": True}),
        ("fast_move_file", {"source": notes, "destination": path, "overwrite": True}),
        ("fast_compress_files", {"paths": [notes], "output_path": path}),
        ("fast_sync_directories", {"source_dir": str(root / "src"), "target_dir": path}),
    ):
        await refused(writing, name, **arguments)
    done = await call(
        writing, "fast_batch_file_operations", operations=[{"operation": "copy", "source": notes, "destination": path}]
    )
    assert '"failed":1' in done.content[0]["text"]
    assert [entry.name for entry in outside.iterdir()] == ["secret.txt"]
    assert (root / "notes.txt").exists()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(
        st.sampled_from(["..", ".", "", "src", "link.txt", "linked", "secret.txt", "open-not", "open", "\0", "~", "é"]),
        max_size=6,
    ),
    start=st.sampled_from(["", "/", "{root}", "{root}/", "{root}/../", "//{root}/", "{outside}/"]),
)
def test_hostile_paths(names: list[str], start: str, root: Path, outside: Path) -> None:
    roots = Roots([root], writable=True)
    path = start.format(root=root, outside=outside) + "/".join(names)
    try:
        content = str(read_file(roots, ReadFile(path=path)))
    except ToolFailure:
        content = ""
    assert SECRET not in content
    try:
        write_file(roots, WriteFile(path=path, content="x", create_dirs=False))
    except ToolFailure:
        pass
    else:
        assert (root / roots.place(path).shown).resolve().is_relative_to(root.resolve())
    assert [entry.name for entry in outside.iterdir()] == ["secret.txt"]
    assert (outside / "secret.txt").read_text(encoding="utf-8") == SECRET


@contextmanager
def swapping(root: Path, outside: Path) -> Iterator[threading.Event]:
    """`root/turn` is a directory and a link to the outside, in turn, as fast as it goes; the event says that both have
    been there."""
    safe, link, turn = root / "safe", root / "evil", root / "turn"
    safe.mkdir()
    (safe / "secret.txt").write_text("harmless", encoding="utf-8")
    os.symlink(outside, link)
    os.rename(safe, turn)
    stop, both = threading.Event(), threading.Event()

    def become(source: Path, number: int) -> None:
        """`turn`; what a tool has made there meanwhile is put aside."""
        for attempt in itertools.count():
            try:
                return os.rename(source, turn)
            except OSError:
                os.rename(turn, root / f"aside-{source.name}-{number}-{attempt}")

    def swap() -> None:
        for number in itertools.count():
            os.rename(turn, safe)
            become(link, number)
            os.rename(turn, link)
            become(safe, number)
            both.set()
            if stop.is_set():
                return

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield both
    finally:
        stop.set()
        thread.join()


def races(roots: Roots) -> tuple[Callable[[int], object], ...]:
    """What goes through a directory that is exchanged meanwhile; each answers what it has seen."""

    def copied(_: int) -> object:
        copy_file(roots, CopyFile(source="turn", destination="copied", overwrite=True))
        return [path.read_text(encoding="utf-8") for path in (roots.paths[0] / "copied").iterdir() if path.is_file()]

    def packed(number: int) -> object:
        name = f"packed-{number}.tar"
        compress_files(roots, CompressFiles(paths=["turn"], output_path=name, format="tar"))
        return (roots.paths[0] / name).read_bytes().decode("latin-1")

    return (
        lambda _: read_file(roots, ReadFile(path="turn/secret.txt")),
        lambda n: write_file(roots, WriteFile(path=f"turn/new-{n % 3}", content="x", create_dirs=False)),
        lambda _: search_code(roots, SearchCode(path=".", pattern="not for")),
        lambda n: move_file(roots, MoveFile(source=f"turn/new-{n % 3}", destination="turn/moved", overwrite=True)),
        lambda n: delete_file(roots, DeleteFile(path="turn/moved" if n % 2 else "turn/secret.txt.no", force=True)),
        lambda n: extract_archive(roots, ExtractArchive(archive_path="a.zip", extract_to="turn", overwrite=True)),
        lambda _: sync_directories(roots, SyncDirectories(source_dir="src", target_dir="turn")),
        copied,
        packed,
    )


def test_a_directory_that_is_exchanged_for_a_link(root: Path, outside: Path) -> None:
    roots = Roots([root], writable=True)
    compress_files(roots, CompressFiles(paths=["notes.txt"], output_path="a.zip"))
    done = 0
    with swapping(root, outside) as both:
        assert both.wait(10)
        for number in range(20):
            for race in races(roots):
                try:
                    assert SECRET not in str(race(number))
                    done += 1
                except ToolFailure:
                    continue
    assert done
    assert [entry.name for entry in outside.iterdir()] == ["secret.txt"]
    assert (outside / "secret.txt").read_text(encoding="utf-8") == SECRET


async def test_without_roots_each_call_says_what_to_configure() -> None:
    closed = server(Roots([], writable=True))
    for name, arguments in FILES.items():
        assert await refused(closed, name, **filled(arguments, "/x", Path("/x"))) == NO_ROOTS
    operations = [{"operation": "delete", "source": "/x"}]
    answer = await call(closed, "fast_batch_file_operations", operations=operations)
    assert "No directory is open" in answer.content[0]["text"]


WRITES = (
    "fast_write_file", "fast_large_write_file", "fast_create_directory", "fast_edit_block", "fast_safe_edit",
    "fast_edit_multiple_blocks", "fast_edit_blocks", "fast_copy_file", "fast_move_file", "fast_delete_file",
    "fast_compress_files", "fast_extract_archive", "fast_sync_directories",
)  # fmt: skip


async def test_read_only_unless_writable(reading: InProcessServer, root: Path) -> None:
    before = sorted(root.rglob("*"))
    for name in WRITES:
        path = str(root / "src")
        assert await refused(reading, name, **filled(FILES[name], path, root)) == READ_ONLY
    operations = [{"operation": "delete", "source": str(root / "notes.txt")}]
    answer = await call(reading, "fast_batch_file_operations", operations=operations)
    assert "writable = true" in answer.content[0]["text"]
    assert sorted(root.rglob("*")) == before


async def test_what_is_no_file_does_not_hang(reading: InProcessServer, root: Path) -> None:
    os.mkfifo(root / "pipe")
    assert "not a regular file" in await refused(reading, "fast_read_file", path=str(root / "pipe"))
    await call(reading, "fast_search_code", path=str(root), pattern="x")


def test_what_is_the_proxys_own_stays_closed(root: Path) -> None:
    (root / "data").mkdir()
    (root / "data" / "keys.sqlite").write_text(SECRET, encoding="utf-8")
    (root / "config.toml").write_text(SECRET, encoding="utf-8")
    roots = Roots([root], writable=True, hidden=[root / "data", root / "config.toml", root / "absent.toml"])
    for path in ("data/keys.sqlite", "config.toml"):
        with pytest.raises(ToolFailure, match="belongs to the proxy"):
            read_file(roots, ReadFile(path=path))
    for path in ("data/keys.sqlite", "config.toml", "absent.toml"):
        with pytest.raises(ToolFailure, match="belongs to the proxy"):
            write_file(roots, WriteFile(path=path, content="x"))
    names = {found.name for found in walk(roots, roots.place(str(root)), Allowance())}
    assert not names & {"data", "keys.sqlite", "config.toml"}


def test_a_root_in_what_is_the_proxys_own(root: Path) -> None:
    for hidden in (root, root.parent):
        with pytest.raises(ToolFailure, match="belongs to the proxy"):
            read_file(Roots([root], hidden=[hidden]), ReadFile(path="notes.txt"))


def test_a_root_within_a_root(root: Path) -> None:
    roots = Roots([root, root / "src"])
    whole, inner = roots.place(str(root)), roots.place(str(root / "src" / "deep"))
    assert inner.root == root / "src" and whole.holds(inner) and not inner.holds(whole)


def test_a_root_by_its_real_name(root: Path, tmp_path: Path) -> None:
    os.symlink(root, tmp_path / "alias")
    roots = Roots([tmp_path / "alias"])
    assert read_file(roots, ReadFile(path=str(root / "notes.txt")))["content"] == "one\ntwo\nthree\n"
    assert read_file(roots, ReadFile(path=str(tmp_path / "alias" / "notes.txt")))["bytes"] == 14
