"""Reading, listing and searching."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.arguments import ToolFailure
from gateway.bounds import Allowance, ExhaustedError
from gateway.fs_list import bytes_of
from gateway.fs_read import ReadFile, read_file
from gateway.roots import Roots
from gateway.tools import InProcessServer
from gateway.walking import walk
from tests.gateway.calling import done, refused


async def test_allowed_directories(reading: InProcessServer, root: Path) -> None:
    found = await done(reading, "fast_list_allowed_directories")
    assert found == {"allowed_directories": [str(root)], "writable": False}


async def test_a_file(reading: InProcessServer, root: Path) -> None:
    found = await done(reading, "fast_read_file", path=str(root / "notes.txt"))
    assert (found["content"], found["size"], found["has_more"]) == ("one\ntwo\nthree\n", 14, False)
    part = await done(reading, "fast_read_file", path="notes.txt", start_offset=4.0, max_size=3)
    assert (part["content"], part["has_more"]) == ("two", True)
    lines = await done(reading, "fast_read_file", path="notes.txt", line_start=1, line_count=1)
    assert (lines["content"], lines["has_more"]) == ("two\n", True)
    rest = await done(
        reading, "fast_read_file", path="notes.txt", line_count=5, continuation_token=lines["continuation_token"]
    )
    assert (rest["content"], rest["has_more"]) == ("three\n", False)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text("aé€🙂\n", max_size=40), size=st.integers(4, 9))
def test_parts_make_the_whole(text: str, size: int, root: Path) -> None:
    (root / "parts").write_text(text, encoding="utf-8", newline="")
    roots, token, parts = Roots([root]), None, []
    while True:
        part = read_file(roots, ReadFile(path="parts", max_size=size, continuation_token=token))
        parts.append(part["content"])
        token = part.get("continuation_token")
        if not part["has_more"]:
            break
    assert "".join(parts) == text


async def test_a_token_of_another_state_of_the_file(reading: InProcessServer, root: Path) -> None:
    part = await done(reading, "fast_read_file", path="notes.txt", max_size=3)
    (root / "notes.txt").write_text("something else")
    token = part["continuation_token"]
    for wrong in (token, "nonsense", "é", ""):
        assert "continuation" in await refused(reading, "fast_read_file", path="notes.txt", continuation_token=wrong)


async def test_what_is_no_text(reading: InProcessServer, root: Path) -> None:
    (root / "binary").write_bytes(b"\0\1\2")
    (root / "latin").write_bytes(b"Gr\xfc\xdfe")
    assert "not text" in await refused(reading, "fast_read_file", path="binary")
    assert (await done(reading, "fast_read_file", path="latin", encoding="latin1"))["content"] == "Grüße"
    assert (await done(reading, "fast_read_file", path="latin"))["content"] == "Gr\ufffd\ufffde"
    assert "Unknown encoding" in await refused(reading, "fast_read_file", path="latin", encoding="rot13")
    assert "UTF-8" in await refused(reading, "fast_extract_lines", path="latin", start_line=1)


async def test_a_long_file_comes_in_parts(reading: InProcessServer, root: Path) -> None:
    (root / "long").write_text("x" * 3_000_000)
    part = await done(reading, "fast_read_file", path="long")
    assert (part["bytes"], part["has_more"]) == (1 << 20, True)
    assert "auto_chunk" in await refused(reading, "fast_read_file", path="long", auto_chunk=False)


async def test_several_files(reading: InProcessServer) -> None:
    found = await done(reading, "fast_read_multiple_files", paths=["notes.txt", "absent", "src/main.py"])
    assert found["files"][0]["content"] == "one\ntwo\nthree\n"
    assert "does not exist" in found["files"][1]["error"]
    assert (found["read"], found["total"]) == (2, 3)
    part = await done(reading, "fast_read_multiple_files", paths=["notes.txt"], auto_continue=False, chunk_size=3)
    (token,) = [file["continuation_token"] for file in part["files"]]
    rest = await done(
        reading, "fast_read_multiple_files", paths=["notes.txt"], continuation_tokens={"notes.txt": token}
    )
    assert rest["files"][0]["content"] == "\ntwo\nthree\n"


async def test_facts_of_a_file(reading: InProcessServer, root: Path) -> None:
    os.symlink("/etc", root / "link")
    assert (await done(reading, "fast_get_file_info", path="notes.txt"))["size"] == 14
    assert (await done(reading, "fast_get_file_info", path=str(root)))["type"] == "directory"
    assert (await done(reading, "fast_get_file_info", path="link"))["type"] == "symlink"


async def test_lines(reading: InProcessServer) -> None:
    async def lines(**asked: object) -> list[tuple[int, bool]]:
        found = await done(reading, "fast_extract_lines", path="notes.txt", **asked)
        return [(line["line"], line["match"]) for line in found["lines"]]

    assert await lines(line_numbers=[3, 1, 99]) == [(1, True), (3, True)]
    assert await lines(start_line=2, end_line=3) == [(2, True), (3, True)]
    assert await lines(pattern="^t", context_lines=1) == [(1, False), (2, True), (3, True)]
    assert (await done(reading, "fast_extract_lines", path="notes.txt", start_line=1))["total_lines"] == 3
    assert "Say which" in await refused(reading, "fast_extract_lines", path="notes.txt")
    assert "no lines" in await refused(reading, "fast_extract_lines", path="notes.txt", start_line=9)


async def test_pages_of_a_directory(reading: InProcessServer, root: Path) -> None:
    for number in range(5):
        (root / f"f{number}").write_text("x" * number)
    first = await done(
        reading, "fast_list_directory", path=".", page_size=3, pattern="f*", sort_by="size", reverse=True
    )
    assert [item["name"] for item in first["items"]] == ["f4", "f3", "f2"]
    rest = await done(
        reading, "fast_list_directory", path=".", page_size=3, pattern="f*", sort_by="size", reverse=True,
        continuation_token=first["continuation_token"],
    )  # fmt: skip
    assert ([item["name"] for item in rest["items"]], rest["has_more"], rest["page"]) == (["f1", "f0"], False, 2)
    by_type = await done(reading, "fast_list_directory", path=".", sort_by="type")
    assert by_type["items"][0]["name"] == "src"
    second = await done(reading, "fast_list_directory", path=".", page=2, page_size=5, sort_by="modified")
    assert len(second["items"]) == 2
    hidden = await done(reading, "fast_list_directory", path="src/deep", show_hidden=True)
    assert [item["name"] for item in hidden["items"]] == [".hidden"]
    assert (await done(reading, "fast_list_directory", path="src/deep"))["total"] == 0


async def test_a_tree(reading: InProcessServer) -> None:
    found = await done(reading, "fast_get_directory_tree", path=".")
    names = [child["name"] for child in found["tree"]["children"]]
    assert (names, found["entries"], found["truncated"]) == (["notes.txt", "src"], 4, False)
    flat = await done(reading, "fast_get_directory_tree", path=".", max_depth=1, include_files=False)
    assert flat["tree"]["children"] == [{"name": "src", "type": "directory", "children": []}]


async def test_sizes(reading: InProcessServer, root: Path) -> None:
    (root / "big").write_bytes(b"x" * 2_000)
    (usage,) = (await done(reading, "fast_get_disk_usage"))["directories"]
    assert usage["files"] == 4 and usage["used_bytes"] > 2_000 and usage["disk_total_bytes"] > 0
    found = await done(reading, "fast_find_large_files", path=".", min_size="1KB")
    assert [file["size"] for file in found["files"]] == [2_000]
    assert [bytes_of(text) for text in ("7", "1.5 kb", "2MB")] == [7, 1536, 2 << 20]
    for text in ("", "much", "1XB", "-1", "1e9"):
        with pytest.raises(ToolFailure):
            bytes_of(text)


async def test_searching_names(reading: InProcessServer) -> None:
    found = await done(reading, "fast_search_files", path=".", pattern="MAIN")
    assert [Path(hit["path"]).name for hit in found["results"]] == ["main.py"]
    assert (await done(reading, "fast_search_files", path=".", pattern="MAIN", case_sensitive=True))["count"] == 0
    assert (await done(reading, "fast_search_files", path=".", pattern="*.py,*.txt"))["count"] == 2


async def test_answers_have_an_end(reading: InProcessServer, root: Path) -> None:
    (root / "long.txt").write_text(("x" * 400 + "\n") * 4_000)
    asked = {"path": ".", "pattern": "xx", "context_lines": 20, "max_results": 1_000}
    first = await done(reading, "fast_search_code", **asked)
    assert first["has_more"] and 10 < first["count"] < 300
    rest = await done(reading, "fast_search_code", **asked, continuation_token=first["continuation_token"])
    assert rest["results"][0]["line"] == first["results"][-1]["line"] + 1
    lines = await done(reading, "fast_extract_lines", path="long.txt", start_line=1)
    assert lines["truncated"] and 2_000 < len(lines["lines"]) < 4_000


async def test_searching_lines(reading: InProcessServer, root: Path) -> None:
    found = await done(reading, "fast_search_code", path=".", pattern=r"def \w+\(", context_lines=1)
    (hit,) = found["results"]
    assert (hit["line"], hit["text"], hit["after"]) == (1, "def main() -> None:", ["    print('Grüße')"])
    asked = {"path": ".", "pattern": "e", "content_search": True, "max_results": 1}
    first = await done(reading, "fast_search_files", **asked)
    assert first["has_more"]
    second = await done(reading, "fast_search_files", **asked, continuation_token=first["continuation_token"])
    assert second["results"][0] != first["results"][0]
    assert (await done(reading, "fast_search_files", **asked, auto_chunk=False))["count"] > 1
    assert "not of this call" in await refused(
        reading, "fast_search_files", **asked | {"pattern": "o"}, continuation_token=first["continuation_token"]
    )
    (root / "binary").write_bytes(b"\0e")
    assert (await done(reading, "fast_search_files", **asked, file_pattern="binary"))["count"] == 0
    assert (await done(reading, "fast_search_files", **asked, file_pattern="binary", include_binary=True))["count"] == 1
    assert (await done(reading, "fast_search_code", path=".", pattern="asked for"))["count"] == 0
    assert (await done(reading, "fast_search_code", path=".", pattern="asked for", include_hidden=True))["count"] == 1
    assert "cannot be used" in await refused(reading, "fast_search_code", path=".", pattern="(?=x)")


def test_one_call_has_its_end(root: Path) -> None:
    roots = Roots([root])
    with pytest.raises(ExhaustedError, match="more in it"):
        list(walk(roots, roots.place("."), Allowance(entries=2)))
    times = iter(range(100))
    with pytest.raises(ExhaustedError, match="longer"):
        allowance = Allowance(seconds=2, clock=lambda: next(times))
        for _ in range(1_000):
            allowance.entry()
    with pytest.raises(ExhaustedError, match="bytes"):
        Allowance(bytes_=3).bytes(4)
