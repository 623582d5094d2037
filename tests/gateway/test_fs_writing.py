"""Writing, editing, moving and making directories alike."""

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from gateway.fast_filesystem import server
from gateway.roots import Roots
from gateway.tools import InProcessServer
from tests.gateway.calling import done, refused


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


async def test_write_and_append(writing: InProcessServer, root: Path) -> None:
    made = await done(writing, "fast_write_file", path="new/dir/a.txt", content="Grüße")
    assert (made["created"], made["bytes_written"]) == (True, 7)
    await done(writing, "fast_write_file", path="new/dir/a.txt", content=" 👍!", append=True, force_remove_emojis=True)
    assert text(root / "new/dir/a.txt") == "Grüße !"
    assert "does not exist" in await refused(
        writing, "fast_write_file", path="no/dir/a.txt", content="", create_dirs=False
    )
    assert "no form in ascii" in await refused(writing, "fast_write_file", path="a", content="é", encoding="ascii")
    assert "no form" in await refused(writing, "fast_write_file", path="a", content="\ud800")
    assert "not a regular file" in await refused(writing, "fast_write_file", path="src", content="x")
    assert not [path for path in root.rglob("*.part")]


async def test_another_name_of_the_same_file_keeps_its_contents(writing: InProcessServer, root: Path) -> None:
    os.link(root / "notes.txt", root / "other.txt")
    os.chmod(root / "notes.txt", 0o640)
    await done(writing, "fast_write_file", path="notes.txt", content="new")
    assert (text(root / "notes.txt"), text(root / "other.txt")) == ("new", "one\ntwo\nthree\n")
    assert (root / "notes.txt").stat().st_mode & 0o777 == 0o640


async def test_large_write(writing: InProcessServer, root: Path) -> None:
    made = await done(writing, "fast_large_write_file", path="notes.txt", content="x" * 100_000, chunk_size=1_000)
    assert (made["verified"], made["attempts"]) == (True, 1)
    assert text(Path(made["backup"])) == "one\ntwo\nthree\n"
    await done(writing, "fast_large_write_file", path="notes.txt", content="y", append=True, backup=False)
    assert text(root / "notes.txt") == "x" * 100_000 + "y"
    again = await done(writing, "fast_large_write_file", path="notes.txt", content="")
    assert again["backup"].endswith(".backup.2")


async def test_create_directory(writing: InProcessServer) -> None:
    assert (await done(writing, "fast_create_directory", path="a/b"))["created"]
    assert not (await done(writing, "fast_create_directory", path="a/b"))["created"]
    assert "does not exist" in await refused(writing, "fast_create_directory", path="c/d", recursive=False)
    assert "not a directory" in await refused(writing, "fast_create_directory", path="notes.txt")


async def test_edit_block(writing: InProcessServer, root: Path) -> None:
    async def edit(**more: Any) -> Any:
        return await done(writing, "fast_edit_block", path="notes.txt", **more)

    preview = await edit(old_text="two", new_text="2", preview_only=True)
    assert (preview["changed"], "-two\n+2" in preview["diff"]) == (False, True)
    made = await edit(old_text="two", new_text=r"\1 2")
    assert (text(root / "notes.txt"), text(Path(made["backup"]))) == ("one\n\\1 2\nthree\n", "one\ntwo\nthree\n")
    wrong = await refused(writing, "fast_edit_block", path="notes.txt", old_text="e", new_text="")
    assert "found 3 times (lines 1, 3, 3); 1 expected" in wrong
    assert "not found" in await refused(writing, "fast_edit_block", path="notes.txt", old_text="ONE", new_text="")
    await edit(old_text="ONE", new_text="1", case_sensitive=False, word_boundary=True, backup=False)
    assert "not found" in await refused(
        writing, "fast_edit_block", path="notes.txt", old_text="hre", new_text="", word_boundary=True
    )
    await edit(old_text="e", new_text="E", expected_replacements=2)
    assert text(root / "notes.txt") == "1\n\\1 2\nthrEE\n"


async def test_line_ends_stay(writing: InProcessServer, root: Path) -> None:
    (root / "dos.txt").write_bytes(b"\xef\xbb\xbfa\r\nb\r\nc")
    await done(writing, "fast_edit_block", path="dos.txt", old_text="b", new_text="B")
    assert (root / "dos.txt").read_bytes() == b"\xef\xbb\xbfa\r\nB\r\nc"


async def test_edit_blocks_is_all_or_nothing(writing: InProcessServer, root: Path) -> None:
    edits = [{"old_text": "one", "new_text": "1"}, {"old_text": "absent", "new_text": ""}]
    assert "Edit 2" in await refused(writing, "fast_edit_blocks", path="notes.txt", edits=edits)
    assert text(root / "notes.txt") == "one\ntwo\nthree\n"
    edits[1] = {"old_text": "1\ntwo", "new_text": "12"}
    await done(writing, "fast_edit_blocks", path="notes.txt", edits=edits, backup=False)
    assert text(root / "notes.txt") == "12\nthree\n"


async def test_edit_lines(writing: InProcessServer, root: Path) -> None:
    edits = [
        {"line_number": 1, "mode": "insert_before", "new_text": "zero"},
        {"old_text": "two", "mode": "delete_line"},
        {"old_text": "thr", "new_text": "THR"},
        {"line_number": 3, "mode": "insert_after", "new_text": "four"},
    ]
    await done(writing, "fast_edit_multiple_blocks", path="notes.txt", edits=edits)
    assert text(root / "notes.txt") in ("zero\none\nTHRee\nfour\n", "zero\none\nfour\nTHRee\n")


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        ({"line_number": 99, "new_text": ""}, "no line 99"),
        ({"line_number": 1, "old_text": "x", "new_text": ""}, "does not hold"),
        ({"old_text": "e", "new_text": ""}, "2 lines hold"),
        ({"new_text": "x"}, "needs line_number"),
        ({"line_number": 1}, "needs new_text"),
    ],
)
async def test_edits_that_are_not_clear(edit: Any, says: str, writing: InProcessServer, root: Path) -> None:
    assert says in await refused(writing, "fast_edit_multiple_blocks", path="notes.txt", edits=[edit])
    assert text(root / "notes.txt") == "one\ntwo\nthree\n"


async def test_safe_edit(writing: InProcessServer, root: Path) -> None:
    async def edit(old: str, new: str, **more: Any) -> Any:
        return await done(writing, "fast_safe_edit", path="src/main.py", old_text=old, new_text=new, **more)

    assert "Most like it" in await refused(
        writing, "fast_safe_edit", path="src/main.py", old_text="def mein() -> None:", new_text=""
    )
    assert "stands at" in await refused(writing, "fast_safe_edit", path="src/main.py", old_text="n", new_text="")
    strict = {"path": "src/main.py", "old_text": "def main() -> None:\nprint('Grüße')", "new_text": "pass"}
    assert "not found" in await refused(writing, "fast_safe_edit", **strict, safety_level="strict")
    several = await edit("n", "N", safety_level="flexible")
    assert several["needs_confirmation"] and not several["changed"]
    await edit("n", "N", safety_level="flexible", require_confirmation=False)
    loose = await edit("def maiN() -> NoNe:\nprINt('Grüße')".replace("IN", "iN"), "pass")
    assert loose["changed"] and loose["backup"]
    assert text(root / "src/main.py") == "pass\n"


async def test_copy(writing: InProcessServer, root: Path) -> None:
    copied = await done(writing, "fast_copy_file", source="src", destination="copies/src")
    assert (copied["files"], copied["directories"]) == (2, 2)
    assert text(root / "copies/src/main.py") == text(root / "src/main.py")
    assert (root / "copies/src/main.py").stat().st_mtime == (root / "src/main.py").stat().st_mtime
    assert "exists already" in await refused(writing, "fast_copy_file", source="src", destination="copies/src")
    assert "recursive" in await refused(writing, "fast_copy_file", source="src", destination="x", recursive=False)
    for into in ("src", "src/deep/src"):
        assert "lies in it" in await refused(writing, "fast_copy_file", source="src", destination=into)
    assert "does not exist" in await refused(
        writing, "fast_copy_file", source="notes.txt", destination="no/x", create_dirs=False
    )


async def test_links_are_copied_by_nobody(writing: InProcessServer, root: Path, outside: Path) -> None:
    (root / "src" / "link").symlink_to(outside / "secret.txt")
    assert (await done(writing, "fast_copy_file", source="src", destination="to"))["skipped"] == 1
    assert not (root / "to" / "link").exists()


async def test_move(writing: InProcessServer, root: Path) -> None:
    await done(writing, "fast_move_file", source="src", destination="new/place")
    assert (root / "new/place/main.py").exists() and not (root / "src").exists()
    (root / "other").write_text("other")
    assert "exists already" in await refused(writing, "fast_move_file", source="other", destination="notes.txt")
    moved = await done(writing, "fast_move_file", source="other", destination="notes.txt", backup_if_exists=True)
    assert (text(root / "notes.txt"), text(Path(moved["backup"]))) == ("other", "one\ntwo\nthree\n")
    assert "root" in await refused(writing, "fast_move_file", source=str(root), destination="x")


async def test_delete(writing: InProcessServer, root: Path, outside: Path) -> None:
    assert "confirm_delete" in await refused(writing, "fast_delete_file", path="notes.txt", confirm_delete=False)
    os.chmod(root / "notes.txt", 0o444)
    assert "read-only" in await refused(writing, "fast_delete_file", path="notes.txt")
    gone = await done(writing, "fast_delete_file", path="notes.txt", force=True, backup_before_delete=True)
    assert text(Path(gone["backup"])) == "one\ntwo\nthree\n"
    assert "does not exist" in await refused(writing, "fast_delete_file", path="notes.txt")
    assert (await done(writing, "fast_delete_file", path="notes.txt", force=True))["deleted"] == 0
    assert "Allow recursive" in await refused(writing, "fast_delete_file", path="src")
    (root / "src" / "link").symlink_to(outside)
    kept = await done(writing, "fast_delete_file", path="src", recursive=True, backup_before_delete=True)
    assert (kept["deleted"], (Path(kept["backup"]) / "main.py").exists()) == (5, True)
    assert (outside / "secret.txt").exists() and not (root / "src").exists()
    await done(writing, "fast_delete_file", path="link.txt")
    assert "is a root" in await refused(writing, "fast_delete_file", path=str(root), recursive=True)


async def test_batch(writing: InProcessServer, root: Path) -> None:
    operations = [
        {"operation": "copy", "source": "notes.txt", "destination": "a.txt"},
        {"operation": "rename", "source": "a.txt", "destination": "b.txt"},
        {"operation": "move", "source": "absent", "destination": "c.txt"},
        {"operation": "delete", "source": "b.txt"},
    ]
    dry = await done(writing, "fast_batch_file_operations", operations=operations, dry_run=True)
    assert (dry["done"], dry["failed"], dry["not_tried"]) == (1, 1, 2)
    stopped = await done(writing, "fast_batch_file_operations", operations=operations)
    assert (stopped["done"], stopped["failed"], stopped["not_tried"]) == (2, 1, 1)
    (root / "b.txt").unlink()
    whole = await done(
        writing, "fast_batch_file_operations", operations=operations, stop_on_error=False, create_backup=True
    )
    assert (whole["done"], whole["failed"]) == (3, 1) and not (root / "b.txt").exists()
    assert text(root / "b.txt.backup.1") == "one\ntwo\nthree\n"
    again = [{"operation": "copy", "source": "src/main.py", "destination": "notes.txt", "overwrite": True}]
    (result,) = (await done(writing, "fast_batch_file_operations", operations=again, create_backup=True))["results"]
    assert text(Path(result["backup"])) == "one\ntwo\nthree\n"


async def test_sync(writing: InProcessServer, root: Path) -> None:
    async def sync(**more: Any) -> Any:
        found = await done(writing, "fast_sync_directories", source_dir="src", target_dir="copy", **more)
        return tuple(found[f"{name}_count"] for name in ("copied", "deleted", "kept"))

    assert await sync(dry_run=True) == (2, 0, 0)
    assert not (root / "copy").exists()
    assert await sync(exclude_patterns=["deep"]) == (1, 0, 0)
    assert await sync() == (1, 0, 1)
    (root / "copy/main.py").write_text("newer")
    os.utime(root / "copy/main.py", (4_000_000_000, 4_000_000_000))
    assert await sync() == (0, 0, 2)
    assert await sync(sync_mode="mirror") == (0, 0, 2)
    assert await sync(sync_mode="merge", preserve_newer=False) == (0, 0, 2)
    (root / "copy/extra/more").mkdir(parents=True)
    assert await sync(sync_mode="mirror", preserve_newer=False, delete_extra=True, dry_run=True) == (1, 1, 1)
    assert (root / "copy/extra").exists() and text(root / "copy/main.py") == "newer"
    assert await sync(sync_mode="mirror", preserve_newer=False, delete_extra=True) == (1, 1, 1)
    assert not (root / "copy/extra").exists() and text(root / "copy/main.py").startswith("def")
    for wrong in ({"target_dir": "src/deep"}, {"target_dir": "x", "delete_extra": True}):
        await refused(writing, "fast_sync_directories", source_dir="src", **wrong)


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="there is no second file system")
async def test_moving_to_another_file_system(root: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        away = Path(directory)
        tools = server(Roots([root, away], writable=True))
        await done(tools, "fast_move_file", source=str(root / "src"), destination=str(away / "src"))
        await done(tools, "fast_move_file", source=str(root / "notes.txt"), destination=str(away / "notes.txt"))
        assert text(away / "src/main.py").startswith("def") and text(away / "notes.txt").startswith("one")
        assert not (root / "src").exists() and not (root / "notes.txt").exists()


async def test_what_cannot_be_synchronised(writing: InProcessServer, root: Path, outside: Path) -> None:
    (root / "copy" / "main.py").mkdir(parents=True)
    assert "is no file" in await refused(writing, "fast_sync_directories", source_dir="src", target_dir="copy")
    (root / "copy" / "main.py").rmdir()
    (root / "src" / "link").symlink_to(outside)
    (root / "copy" / "extra").write_text("x")
    found = await done(
        writing, "fast_sync_directories", source_dir="src", target_dir="copy", sync_mode="mirror", delete_extra=True
    )
    assert (found["skipped_count"], found["deleted_count"]) == (1, 1)
    assert not (root / "copy" / "link").exists() and not (root / "copy" / "extra").exists()
