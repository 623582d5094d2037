"""Server fast-filesystem: files beneath the roots of [mcp.fast_filesystem], read only unless `writable`."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec

from gateway import fs_archive, fs_edit, fs_list, fs_move, fs_read, fs_search, fs_sync, fs_write
from gateway.arguments import ADDS, READS, WRITES, answer, tool
from gateway.beside import Beside
from gateway.roots import Roots
from gateway.tools import Caller, InProcessServer, Tool, ToolAnswer

NAME = "fast-filesystem"
VERSION = "1.0.0"
_AT_ONCE = 4
_INSTRUCTIONS = (
    "Files beneath the open directories (fast_list_allowed_directories). Symbolic links are never followed. Long"
    " answers come in parts: pass continuation_token on to go on."
)
A = TypeVar("A", bound=msgspec.Struct)
Work = Callable[[Roots, A], Mapping[str, Any]]


def server(roots: Roots) -> InProcessServer:
    """With no roots every call says how to open one."""
    make = _Maker(roots).tool
    return InProcessServer(
        name=NAME,
        version=VERSION,
        instructions=_INSTRUCTIONS,
        tools=(
            make("list_allowed_directories", "List the open directories.", fs_read.ListAllowed, fs_read.list_allowed),
            make("read_file", "Read a text file, in parts where it is long.", fs_read.ReadFile, fs_read.read_file),
            make("read_multiple_files", "Read several text files.", fs_read.ReadMultipleFiles, fs_read.read_multiple),
            make("write_file", "Write or append to a file.", fs_write.WriteFile, fs_write.write_file, WRITES),
            make(
                "large_write_file",
                "Write a long file in parts, with a backup and a check.",
                fs_write.LargeWriteFile,
                fs_write.large_write,
                WRITES,
            ),
            make("list_directory", "List a directory, in pages.", fs_list.ListDirectory, fs_list.list_directory),
            make("get_file_info", "Size, times and kind of a file.", fs_read.GetFileInfo, fs_read.get_file_info),
            make("create_directory", "Create a directory.", fs_write.CreateDirectory, fs_write.create_directory, ADDS),
            make("search_files", "Search for files by name or content.", fs_search.SearchFiles, fs_search.search_files),
            make("search_code", "Search for lines in text files.", fs_search.SearchCode, fs_search.search_code),
            make(
                "get_directory_tree",
                "A directory and what is below it, as a tree.",
                fs_list.GetDirectoryTree,
                fs_list.directory_tree,
            ),
            make("get_disk_usage", "How much room is used and free.", fs_list.GetDiskUsage, fs_list.disk_usage),
            make("find_large_files", "Find the largest files.", fs_list.FindLargeFiles, fs_list.find_large_files),
            make("edit_block", "Replace an exact text in a file.", fs_edit.EditBlock, fs_edit.edit_block, WRITES),
            make(
                "safe_edit",
                "Replace a text where it is clear which one is meant; keeps a backup.",
                fs_edit.SafeEdit,
                fs_edit.safe_edit,
                WRITES,
            ),
            make(
                "edit_multiple_blocks",
                "Change several lines, by number or by text.",
                fs_edit.EditMultipleBlocks,
                fs_edit.edit_multiple,
                WRITES,
            ),
            make(
                "edit_blocks",
                "Replace several exact texts, all of them or none.",
                fs_edit.EditBlocks,
                fs_edit.edit_blocks,
                WRITES,
            ),
            make(
                "extract_lines",
                "Read lines by number, range or pattern.",
                fs_read.ExtractLines,
                fs_read.extract_lines,
            ),
            make("copy_file", "Copy a file or a directory.", fs_move.CopyFile, fs_move.copy_file, ADDS),
            make("move_file", "Move or rename.", fs_move.MoveFile, fs_move.move_file, WRITES),
            make("delete_file", "Delete a file or a directory.", fs_move.DeleteFile, fs_move.delete_file, WRITES),
            make(
                "batch_file_operations",
                "Copy, move, rename and delete several.",
                fs_move.BatchOperations,
                fs_move.batch,
                WRITES,
            ),
            make(
                "compress_files",
                "Pack files into an archive.",
                fs_archive.CompressFiles,
                fs_archive.compress_files,
                ADDS,
            ),
            make(
                "extract_archive",
                "Unpack a zip or tar archive.",
                fs_archive.ExtractArchive,
                fs_archive.extract_archive,
                WRITES,
            ),
            make(
                "sync_directories",
                "Make one directory like another.",
                fs_sync.SyncDirectories,
                fs_sync.sync_directories,
                WRITES,
            ),
        ),
    )


class _Maker:
    """Tools whose work is done beside the event loop, a few at once."""

    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self._beside = Beside(_AT_ONCE)

    def tool(
        self, name: str, text: str, arguments: type[A], work: Work[A], annotations: Mapping[str, bool] = READS
    ) -> Tool:
        return tool(f"fast_{name}", text, arguments, self._running(work), annotations=annotations)

    def _running(self, work: Work[A]) -> Callable[[Caller, A], Awaitable[ToolAnswer]]:
        async def run(_: Caller, asked: A) -> ToolAnswer:
            return await self._beside.run(lambda: answer(work(self._roots, asked)))

        return run
