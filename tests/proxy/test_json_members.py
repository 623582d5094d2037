"""Members are found where they stand, whatever is nested in them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.json_members import DuplicateKeysError, Member, members, replaced, with_member

_KEYS = st.sampled_from(["model", "a", 'mo"del', "\x01", "", "é", "stream_options"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text('a"\\{},:é'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=8,
)
_SPACE = st.text(" \t\r\n", max_size=3)


@given(st.lists(st.tuples(_KEYS, _VALUES), max_size=8), _SPACE, st.booleans())
def test_every_member_is_found_with_its_bytes(pairs: list[tuple[str, object]], space: str, ascii_only: bool) -> None:
    def text(value: object) -> str:
        return json.dumps(value, ensure_ascii=ascii_only)

    inner = f"{space},{space}".join(f"{space}{text(key)}{space}:{space}{text(value)}" for key, value in pairs)
    body = f"{space}{{{inner}{space}}}{space}".encode()
    found = members(body)
    assert [(member.key, body[member.start : member.end]) for member in found] == [
        (key, text(value).encode()) for key, value in pairs
    ]


@pytest.mark.parametrize("key", ["a", "\\u0000"])  # the latter is the walk's own
def test_refuses_a_flood_of_duplicates(key: str) -> None:
    body = ("{" + ",".join(f'"{key}":{number}' for number in range(100)) + "}").encode()
    with pytest.raises(DuplicateKeysError):
        members(body)


def test_replaces_from_the_end() -> None:
    assert replaced(b'{"a":1,"a":22}', [Member("a", 5, 6), Member("a", 11, 13)], b"333") == b'{"a":333,"a":333}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"{}", b'{"k":1}'),
        (b" { }\n", b' { "k":1}\n'),
        (b'{"a":{}}', b'{"a":{},"k":1}'),
        (b'{"a":"{"}', b'{"a":"{","k":1}'),
    ],
)
def test_adds_a_member(text: bytes, expected: bytes) -> None:
    assert with_member(text, b'"k":1') == expected
