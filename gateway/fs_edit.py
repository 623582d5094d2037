"""Editing files: a change is made exactly or not at all."""

import difflib
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec

from gateway.arguments import ToolFailure
from gateway.fs_read import Path, whole
from gateway.fs_write import backup, existing, replace
from gateway.roots import Roots
from gateway.text_edits import Edit, edited_lines, line_of, loosely, nearest, occurrences, replaced

_DIFF = 200  # lines
_Edits = Annotated[list[Edit], msgspec.Meta(min_length=1, max_length=500)]
Expected = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class EditBlock(msgspec.Struct, frozen=True, kw_only=True):
    path: Path
    old_text: Annotated[str, msgspec.Meta(min_length=1)]
    new_text: str
    expected_replacements: Expected = 1
    backup: bool = True
    word_boundary: bool = False
    preview_only: bool = False
    case_sensitive: bool = True


class SafeEdit(msgspec.Struct, frozen=True, kw_only=True):
    path: Path
    old_text: Annotated[str, msgspec.Meta(min_length=1)]
    new_text: str
    safety_level: Annotated[
        Literal["strict", "moderate", "flexible"],
        msgspec.Meta(
            description="strict: exactly one place; moderate: also one that differs in white space at the ends of its"
            " lines and in indentation; flexible: all places."
        ),
    ] = "moderate"
    auto_add_context: Annotated[
        bool, msgspec.Meta(description="Where old_text is not found or not alone, show what is there.")
    ] = True
    require_confirmation: Annotated[
        bool, msgspec.Meta(description="Show the change of several places instead of making it.")
    ] = True


class EditMultipleBlocks(msgspec.Struct, frozen=True, kw_only=True):
    path: Path
    edits: _Edits
    backup: bool = True


class Replacement(msgspec.Struct, frozen=True, kw_only=True):
    old_text: Annotated[str, msgspec.Meta(min_length=1)]
    new_text: str
    expected_replacements: Expected = 1


class EditBlocks(msgspec.Struct, frozen=True, kw_only=True):
    path: Path
    edits: Annotated[list[Replacement], msgspec.Meta(min_length=1, max_length=500)]
    backup: bool = True


def edit_block(roots: Roots, asked: EditBlock) -> Mapping[str, Any]:
    def change(text: str) -> str:
        return replaced(
            text,
            asked.old_text,
            asked.new_text,
            asked.expected_replacements,
            word_boundary=asked.word_boundary,
            case_sensitive=asked.case_sensitive,
        )

    done = _edited(roots, asked.path, change, kept=asked.backup, preview=asked.preview_only)
    return done | {"replacements": asked.expected_replacements}


def edit_blocks(roots: Roots, asked: EditBlocks) -> Mapping[str, Any]:
    """One after the other, each on what the one before has made."""

    def change(text: str) -> str:
        for number, edit in enumerate(asked.edits, 1):
            try:
                text = replaced(text, edit.old_text, edit.new_text, edit.expected_replacements)
            except ToolFailure as error:
                raise ToolFailure(f"Edit {number}: {error}") from None
        return text

    return _edited(roots, asked.path, change, kept=asked.backup) | {"edits": len(asked.edits)}


def edit_multiple(roots: Roots, asked: EditMultipleBlocks) -> Mapping[str, Any]:
    done = _edited(roots, asked.path, lambda text: edited_lines(text, asked.edits), kept=asked.backup)
    return done | {"edits": len(asked.edits)}


def safe_edit(roots: Roots, asked: SafeEdit) -> Mapping[str, Any]:
    preview, count = False, 0

    def change(text: str) -> str:
        nonlocal preview, count
        spans = occurrences(text, asked.old_text)
        if not spans and asked.safety_level != "strict":
            spans = loosely(text, asked.old_text)
        count = len(spans)
        if not spans or (count > 1 and asked.safety_level != "flexible"):
            raise ToolFailure(_unsafe(asked, text, spans))
        preview = count > 1 and asked.require_confirmation
        for start, stop in reversed(spans):
            text = text[:start] + asked.new_text + text[stop:]
        return text

    done = _edited(roots, asked.path, change, kept=True, preview=lambda: preview)
    note = "Several places: call again with require_confirmation=false to make this change." if preview else None
    return done | {"replacements": count, **({"needs_confirmation": note} if note else {})}


def _edited(
    roots: Roots, path: str, change: Callable[[str], str], *, kept: bool, preview: bool | Callable[[], bool] = False
) -> dict[str, Any]:
    """Raises ToolFailure; then the file is as it was."""
    place = roots.for_writing(path)
    with roots.directory(place.parent) as parent:
        if existing(roots, parent, place) is None:
            raise ToolFailure(f"{place.shown} does not exist.")
        with roots.file(place) as descriptor:
            before = whole(descriptor, place).decode()
        after = change(before)
        only = preview() if callable(preview) else preview
        copy = None
        if not only and after != before:
            copy = backup(roots, parent, place) if kept else None
            replace(roots, parent, place, _encoded(after))
    return {
        "path": place.shown,
        "changed": after != before and not only,
        "preview": only,
        "backup": copy,
        "diff": _difference(before, after),
    }


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ToolFailure(f"Character {error.start} of the new text has no form in UTF-8.") from None


def _difference(before: str, after: str) -> str:
    if len(before) + len(after) > 400_000:
        return "(too long to be shown)"
    lines = list(difflib.unified_diff(before.split("\n"), after.split("\n"), "before", "after", lineterm="", n=1))
    return "\n".join(lines[:_DIFF] + (["..."] if len(lines) > _DIFF else []))


def _unsafe(asked: SafeEdit, text: str, spans: list[tuple[int, int]]) -> str:
    if spans:
        lines = [line_of(text, start) for start, _ in spans]
        told = f"old_text stands at {len(spans)} places (lines {', '.join(map(str, lines[:10]))})."
        if asked.auto_add_context:
            every = text.split("\n")
            shown = [f"line {line}:\n" + "\n".join(every[max(line - 3, 0) : line + 2]) for line in lines[:3]]
            told += " Add a line before or after it to old_text. What is there:\n" + "\n".join(shown)
        return f"{told}\nNothing was changed."
    like = nearest(text, asked.old_text) if asked.auto_add_context else None
    return "old_text was not found. Nothing was changed." + (f" Most like it is:\n{like}" if like else "")
