"""Long texts in short, exactly as the contract says."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.masking import mask_data, mask_result, shortened, text_hash

LIMIT = 4_000


def short_of(text: str) -> str:
    mark = f"original_chars={len(text)} head=2000 tail=2000 mask={text_hash(text)[:16]}"
    return f"{text[:2000]}\n... [CHRONOPROXY_OBSERVATION_MASKED {mark}] ...\n{text[-2000:]}"


def test_the_form_of_the_contract() -> None:
    text = "".join(map(str, range(2_000)))
    found = shortened(text, LIMIT)
    assert found is not None and found.short == short_of(text)
    assert shortened("x" * LIMIT, LIMIT) is None


def test_what_would_grow_stays() -> None:
    assert shortened("x" * (LIMIT + 10), LIMIT) is None
    assert shortened("x" * (LIMIT + 200), LIMIT) is not None


@given(st.text(min_size=0, max_size=300), st.integers(2, 100))
def test_never_longer_and_always_recoverable(text: str, limit: int) -> None:
    found = shortened(text, limit)
    if found is not None:
        assert len(found.short) < len(text) and found.text == text and found.hash[:16] in found.short


def test_only_texts_of_the_content() -> None:
    long = "line\n" * 2_000
    resource = {"type": "resource", "resource": {"uri": "file:///a", "text": long}}
    image = {"type": "image", "data": long, "mimeType": "image/png"}
    result: dict[str, Any] = {
        "content": [{"type": "text", "text": long}, {"type": "text", "text": "short"}, image, resource, 7],
        "structuredContent": {"text": long},
    }
    masked, originals = mask_result(result, LIMIT)
    assert [each.text for each in originals] == [long]  # once, though it stands there twice
    assert masked["content"] == [
        {"type": "text", "text": short_of(long)},
        {"type": "text", "text": "short"},
        image,
        {"type": "resource", "resource": {"uri": "file:///a", "text": short_of(long)}},
        7,
    ]
    assert masked["structuredContent"] == {"text": long}
    assert mask_result({"content": "odd"}, LIMIT) == ({"content": "odd"}, [])


def test_the_data_of_errors_however_deep() -> None:
    long = "y" * 9_000
    masked, originals = mask_data({"a": [{"b": long}], "n": 1}, LIMIT)
    assert masked == {"a": [{"b": short_of(long)}], "n": 1}
    assert [each.hash for each in originals] == [text_hash(long)]
