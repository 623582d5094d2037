import hashlib
import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from context.messages import canonical, decode_message
from proxy.facts import FactsCache
from tests.proxy.conversations import assistant, cache, facts, message, system, user


def test_a_ref_is_the_sha256_of_the_bytes_as_received() -> None:
    raw = b'{"role": "user",  "content":"hi"}'
    assert facts(raw).refs == hashlib.sha256(raw).digest()


def test_tokens_first_assistant_and_preview() -> None:
    found = facts(system(), user("line one\n  line two"), assistant("yes"))
    assert found.count == 3
    assert found.first_assistant == 2
    assert found.preview == "line one line two"
    assert found.tokens > 10


def test_a_preview_is_redacted_before_it_is_cut() -> None:
    cut = FactsCache(1, len, lambda text: text.replace("sk-secret", "[key]"))
    assert facts(user("x" * 95 + " sk-secret"), of=cut).preview == "x" * 95 + " [key"


def test_work_beyond_the_budget_is_left_to_a_thread() -> None:
    known = cache()
    raws = [msgspec.Raw(user("a" * 1_000)), msgspec.Raw(user("b" * 1_000))]
    assert known.of_request(raws, 1_500) is None
    assert known.of_request(raws, 10_000) == known.of_long_request(raws)
    assert known.of_request(raws, 0) is not None  # all known by now


def test_a_message_counts_the_same_after_a_generation_has_passed(monkeypatch: object) -> None:
    known = cache()
    first = known.of(user("first"))
    for number in range(200_010):
        known._young[number.to_bytes(16, "big")] = first
        if len(known._young) > 100_000:
            break
    assert known.of(user("second")).ref != first.ref
    assert known.of(user("first")) == first


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_any_json_as_a_message_has_facts(value: object) -> None:
    raw = json.dumps(value).encode()
    assert facts(raw).count == 1


def test_a_message_without_end_of_nesting_is_harmless() -> None:
    raw = b'{"role":"user","content":' + b"[" * 5_000 + b"]" * 5_000 + b"}"
    assert facts(raw).count == 1


def same(first: bytes, second: bytes) -> bool:
    return canonical(decode_message(first)) == canonical(decode_message(second))


def call(arguments: str, **more: object) -> bytes:
    function = {"name": "read", "arguments": arguments}
    return json.dumps(
        {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": function}], **more}
    ).encode()


def test_re_serialised_messages_are_the_same() -> None:
    assert same(b'{"role":"user","content":"h\\u00e9"}', '{ "content" : "hé", "role":"user" }'.encode())
    assert same(assistant("text "), message("assistant", "text", refusal=None, annotations=[]))
    assert same(user("hi"), b'{"role":"user","content":[{"type":"text","text":"hi"}]}')
    assert same(call('{"a": 1, "b": 2}', content=None), call('{"b":2,"a":1}', content=""))


def test_different_messages_are_not() -> None:
    assert not same(user("a"), user("b"))
    assert not same(user("a"), assistant("a"))
    assert not same(call('{"a":1}'), call('{"a":2}'))
    assert not same(message("tool", "x", tool_call_id="1"), message("tool", "x", tool_call_id="2"))
    image = {"type": "image_url", "image_url": {"url": "data:x"}}
    assert not same(json.dumps({"role": "user", "content": [image]}).encode(), user(""))


def test_the_ref_of_a_text_is_its_sha256_each_time() -> None:
    cache = FactsCache(1, len, str)
    for size in (0, 999, 1_000, 30_000):
        text = b"t" * size
        assert [cache.text_ref(text) for _ in range(2)] == [hashlib.sha256(text).digest()] * 2
