"""Names and parameters of the tools of the five servers, as their originals list them: `required` and `optional` with
defaults (None: no default)."""

from typing import Any

Recorded = dict[str, tuple[tuple[str, ...], dict[str, Any]]]

FAST_FILESYSTEM: Recorded = {
    "fast_list_allowed_directories": ((), {}),
    "fast_read_file": (
        ("path",),
        {
            "start_offset": None,
            "max_size": None,
            "line_start": None,
            "line_count": None,
            "encoding": "utf-8",
            "continuation_token": None,
            "auto_chunk": True,
        },
    ),
    "fast_read_multiple_files": (
        ("paths",),
        {"continuation_tokens": {}, "auto_continue": True, "chunk_size": 1_048_576},
    ),
    "fast_write_file": (
        ("path", "content"),
        {"encoding": "utf-8", "create_dirs": True, "append": False, "force_remove_emojis": False},
    ),
    "fast_large_write_file": (
        ("path", "content"),
        {
            "encoding": "utf-8",
            "create_dirs": True,
            "append": False,
            "chunk_size": 65_536,
            "backup": True,
            "retry_attempts": 3,
            "verify_write": True,
            "force_remove_emojis": False,
        },
    ),
    "fast_list_directory": (
        ("path",),
        {
            "page": 1,
            "page_size": None,
            "pattern": None,
            "show_hidden": False,
            "sort_by": "name",
            "reverse": False,
            "continuation_token": None,
            "auto_chunk": True,
        },
    ),
    "fast_get_file_info": (("path",), {}),
    "fast_create_directory": (("path",), {"recursive": True}),
    "fast_search_files": (
        ("path", "pattern"),
        {
            "content_search": False,
            "case_sensitive": False,
            "max_results": 100,
            "context_lines": 0,
            "file_pattern": None,
            "include_binary": False,
            "continuation_token": None,
            "auto_chunk": True,
        },
    ),
    "fast_search_code": (
        ("path", "pattern"),
        {
            "file_pattern": None,
            "context_lines": 2,
            "max_results": 50,
            "case_sensitive": False,
            "include_hidden": False,
            "max_file_size": 10,
            "continuation_token": None,
            "auto_chunk": True,
        },
    ),
    "fast_get_directory_tree": (("path",), {"max_depth": 3, "show_hidden": False, "include_files": True}),
    "fast_get_disk_usage": ((), {"path": "/"}),
    "fast_find_large_files": (("path",), {"min_size": "100MB", "max_results": 50}),
    "fast_edit_block": (
        ("path", "old_text", "new_text"),
        {
            "expected_replacements": 1,
            "backup": True,
            "word_boundary": False,
            "preview_only": False,
            "case_sensitive": True,
        },
    ),
    "fast_safe_edit": (
        ("path", "old_text", "new_text"),
        {"safety_level": "moderate", "auto_add_context": True, "require_confirmation": True},
    ),
    "fast_edit_multiple_blocks": (("path", "edits"), {"backup": True}),
    "fast_edit_blocks": (("path", "edits"), {"backup": True}),
    "fast_extract_lines": (
        ("path",),
        {"line_numbers": None, "start_line": None, "end_line": None, "pattern": None, "context_lines": 0},
    ),
    "fast_copy_file": (
        ("source", "destination"),
        {"overwrite": False, "preserve_timestamps": True, "recursive": True, "create_dirs": True},
    ),
    "fast_move_file": (
        ("source", "destination"),
        {"overwrite": False, "create_dirs": True, "backup_if_exists": False},
    ),
    "fast_delete_file": (
        ("path",),
        {"recursive": False, "force": False, "backup_before_delete": False, "confirm_delete": True},
    ),
    "fast_batch_file_operations": (
        ("operations",),
        {"stop_on_error": True, "dry_run": False, "create_backup": False},
    ),
    "fast_compress_files": (
        ("paths", "output_path"),
        {"format": "zip", "compression_level": 6, "exclude_patterns": []},
    ),
    "fast_extract_archive": (
        ("archive_path",),
        {
            "extract_to": ".",
            "overwrite": False,
            "create_dirs": True,
            "preserve_permissions": True,
            "extract_specific": None,
        },
    ),
    "fast_sync_directories": (
        ("source_dir", "target_dir"),
        {
            "sync_mode": "update",
            "delete_extra": False,
            "preserve_newer": True,
            "dry_run": False,
            "exclude_patterns": [],
        },
    ),
}
JSON_QUERY: Recorded = {
    "json_query_jsonpath": (("file_path", "jsonpath"), {}),
    "json_query_search_keys": (("file_path", "query"), {"limit": 5}),
    "json_query_search_values": (("file_path", "query"), {"limit": 5}),
}
_THOUGHT = (
    ("thought", "nextThoughtNeeded", "thoughtNumber", "totalThoughts"),
    {
        "isRevision": None,
        "revisesThought": None,
        "branchFromThought": None,
        "branchId": None,
        "needsMoreThoughts": None,
    },
)
SEQUENTIAL_THINKING: Recorded = {"sequentialthinking": _THOUGHT, "sequentialthinking_tools": _THOUGHT}
_RECOVER: tuple[tuple[str, ...], dict[str, Any]] = (("prune_id", "ranges", "include_line_numbers"), {})
PRUNER: Recorded = {
    "prune_text": (("text", "goal_hint", "source_type", "options"), {}),
    "recover_text": _RECOVER,
    "recover_range": _RECOVER,
    "health": ((), {}),
}
CONTEXT_COMPRESSION: Recorded = {
    "store_context": (("data",), {"title": None, "tags": None}),
    "retrieve_context": (("context_id",), {}),
    "search_contexts": (("query",), {"limit": 10}),
    "list_contexts": ((), {"limit": 50, "offset": 0}),
    "delete_context": (("context_id",), {}),
    "update_context": (("context_id",), {"data": None, "title": None, "tags": None}),
    "compress": (("content",), {"algorithm": "zlib", "target_ratio": None}),
    "decompress": (("compressed",), {"algorithm": "zlib"}),
    "retrieve": (("hash",), {"lines": None, "grep": None, "offset": 0}),
}
