"""Long texts of tools in a short form that names their original (contract 3.8). Pure.

Texts of the content of `tools/call` and of `error.data` are shortened; images, `structuredContent` and lists stay.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

EDGE = 2_000  # characters kept at each end
SHOWN_HASH = 16
_MARK = "\n... [CHRONOPROXY_OBSERVATION_MASKED original_chars={chars} head={edge} tail={edge} mask={hash}] ...\n"


class Original(msgspec.Struct, frozen=True):
    """A text that was shortened, and the text that stands for it. `hash` is its sha256, 64 hex."""

    hash: str
    text: str
    short: str


def shortened(text: str, limit: int) -> Original | None:
    """None where the text is no longer than `limit` characters, or would not become shorter."""
    if len(text) <= limit:
        return None
    digest = text_hash(text)
    edge = min(EDGE, limit // 2)
    mark = _MARK.format(chars=len(text), edge=edge, hash=digest[:SHOWN_HASH])
    short = f"{text[:edge]}{mark}{text[-edge:]}"
    return Original(digest, text, short) if len(short) < len(text) else None


def text_hash(text: str) -> str:
    """sha256 over its UTF-8, 64 hex; unpaired surrogates as they are."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def mask_result(result: Mapping[str, Any], limit: int) -> tuple[dict[str, Any], list[Original]]:
    """The result of a `tools/call` with its long texts shortened, and their originals."""
    content = result.get("content")
    if not isinstance(content, list):
        return dict(result), []
    originals: list[Original] = []
    blocks = [_block(block, limit, originals) for block in content]
    return ({**result, "content": blocks} if originals else dict(result)), originals


def mask_data(data: Any, limit: int) -> tuple[Any, list[Original]]:
    """`error.data` with its long texts shortened, however deep they lie, and their originals."""
    originals: list[Original] = []
    return _value(data, limit, originals), originals


def _block(block: Any, limit: int, originals: list[Original]) -> Any:
    if not isinstance(block, Mapping):
        return block
    if block.get("type") == "text":
        return _with_text(block, limit, originals)
    inner = block.get("resource")
    if block.get("type") == "resource" and isinstance(inner, Mapping):
        return {**block, "resource": _with_text(inner, limit, originals)}
    return block


def _with_text(block: Mapping[str, Any], limit: int, originals: list[Original]) -> Mapping[str, Any]:
    text = block.get("text")
    return {**block, "text": _text(text, limit, originals)} if isinstance(text, str) else block


def _value(value: Any, limit: int, originals: list[Original]) -> Any:
    if isinstance(value, str):
        return _text(value, limit, originals)
    if isinstance(value, Mapping):
        return {key: _value(inner, limit, originals) for key, inner in value.items()}
    if isinstance(value, list):
        return [_value(inner, limit, originals) for inner in value]
    return value


def _text(text: str, limit: int, originals: list[Original]) -> str:
    found = shortened(text, limit)
    if found is None:
        return text
    if all(each.hash != found.hash for each in originals):
        originals.append(found)
    return found.short
