"""What of a conversation is replaced, when, and that it never changes afterwards."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from context.messages import count_message
from context.normalizing import normalized
from context.outputs import kind_of, texts_of
from context.reduction import ContextFold
from context.replacements import Decision, Known, ReductionSettings, Replacement
from context.shortening import shortened
from context.words import naming_words

Message = dict[str, Any]


def count(text: str) -> int:
    return len(text) // 4 + 1


def call(number: int, name: str = "read_file", arguments: str = "{}") -> Message:
    function = {"name": name, "arguments": arguments}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": f"c{number}", "function": function}]}


def result(number: int, text: str) -> Message:
    return {"role": "tool", "tool_call_id": f"c{number}", "content": text}


def unlike(number: int, lines: int = 60) -> str:
    """A text that shares no line with those of other numbers."""
    return "\n".join(f"entry_{number}_{line} holds value {line * number}" for line in range(lines))


class Talk:
    """A conversation that grows, with requests where an assistant would answer."""

    def __init__(self, options: ReductionSettings | None = None) -> None:
        self.options = options or ReductionSettings()
        self.messages: list[Message] = []
        self.known: dict[int, list[Known]] = {}
        self.fold = self.new_fold()

    def new_fold(self) -> ContextFold:
        return ContextFold(self.options, count)

    def add(self, *messages: Message) -> None:
        for message in messages:
            self.fold.add(message, count_message(message, count), self.known.get(len(self.messages), ()))
            self.messages.append(message)

    def request(self, *, ratio: float = 0.1, idle: bool = False, fresh: int = 2) -> Decision:
        decision = self.fold.decide(ratio, idle=idle, fresh=fresh)
        for each in (*decision.replacements, *decision.masked):
            self.known.setdefault(each.index, []).append(Known(self.fold.answered, each))
        return decision

    def restart(self) -> None:
        messages, self.messages, self.fold = self.messages, [], self.new_fold()
        self.add(*messages)


def many(talk: Talk, turns: int, **asked: Any) -> list[Decision]:
    talk.add({"role": "user", "content": "go"})
    decisions = []
    for number in range(turns):
        talk.add(call(number), result(number, unlike(number)))
        decisions.append(talk.request(**asked))
    return decisions


def taken(decisions: list[Decision]) -> list[Replacement]:
    return [each for decision in decisions for each in (*decision.replacements, *decision.masked)]


def test_old_outputs_are_masked_in_batches_and_the_recent_ones_stay() -> None:
    talk = Talk()
    decisions = many(talk, 40)
    batches = [decision for decision in decisions if decision.masked]
    assert 1 <= len(batches) < 12
    assert all(decision.trigger == "cache_price" for decision in batches)
    masked = {each.index for each in taken(decisions)}
    newest = [index for index, message in enumerate(talk.messages) if message["role"] == "tool"][-8:]
    assert masked
    assert masked.isdisjoint(newest)
    for each in taken(decisions):
        assert f"mask:{each.hash[:16]}" in each.text
        assert each.tokens_after < each.tokens_before
    assert talk.fold.tokens < sum(count_message(message, count) for message in talk.messages)


def test_no_message_is_replaced_twice_by_a_mask_and_only_outputs_are() -> None:
    talk = Talk()
    masked = [each.index for each in taken(many(talk, 60)) if each.stage == "mask"]
    assert len(masked) == len(set(masked))
    assert {talk.messages[index]["role"] for index in masked} == {"tool"}


def test_without_a_cache_it_masks_at_once_and_after_a_pause_too() -> None:
    at_once = many(Talk(), 30, ratio=1.0)
    assert next(decision.trigger for decision in at_once if decision.masked) == "no_cache"
    paused = many(Talk(), 30, idle=True)
    assert next(decision.trigger for decision in paused if decision.masked) == "idle"
    assert sum(len(d.masked) for d in at_once) > sum(len(d.masked) for d in many(Talk(), 30))


def test_the_newest_results_are_not_touched() -> None:
    talk = Talk()
    talk.add({"role": "user", "content": "go"}, call(1), result(1, unlike(1)), call(2), result(2, unlike(1)))
    assert taken([talk.request(ratio=1.0)]) == []
    talk.add({"role": "user", "content": "and now?"})  # still behind the last assistant message
    assert taken([talk.request(ratio=1.0)]) == []


def test_a_file_that_is_read_again_is_said_once() -> None:
    talk = Talk()
    talk.add({"role": "user", "content": "go"}, call(1), result(1, unlike(1)), call(2), result(2, unlike(1)), call(3))
    talk.add(result(3, "ok"))
    (replacement,) = talk.request(ratio=1.0).replacements
    assert (replacement.index, replacement.stage) == (4, "deduplicate")
    assert "60 lines as in an output above" in replacement.text


def test_a_long_output_of_a_command_keeps_its_ends_and_errors() -> None:
    lines = [f"step_{number} fine" for number in range(3_000)]
    lines[1_500] = "ERROR: it broke at stage_seventeen"
    talk = Talk()
    talk.add({"role": "user", "content": "go"}, call(1, "bash", '{"command":"make"}'), result(1, "\n".join(lines)))
    talk.add(call(2), result(2, "ok"))
    (replacement,) = talk.request(ratio=1.0).replacements
    assert replacement.stage == "truncate"
    assert replacement.tokens_after <= 1_700
    for kept in ("step_0 fine", "step_2999 fine", "ERROR: it broke at stage_seventeen", "lines left out"):
        assert kept in replacement.text


def test_a_file_is_never_shortened() -> None:
    talk = Talk()
    talk.add({"role": "user", "content": "go"}, call(1), result(1, unlike(1, 3_000)), call(2), result(2, "ok"))
    assert taken([talk.request(ratio=1.0)]) == []


@pytest.mark.parametrize(
    "options",
    [
        ReductionSettings(mask_old=False),
        ReductionSettings(keep_recent=1_000),
        ReductionSettings(mask_min_tokens=1_000_000),
        ReductionSettings(mask_min_saved=100_000_000),
    ],
)
def test_each_setting_has_its_effect(options: ReductionSettings) -> None:
    assert not [each for each in taken(many(Talk(options), 40)) if each.stage == "mask"]


def test_what_was_of_use_lately_stays() -> None:
    talk = Talk()
    talk.add({"role": "user", "content": "go"})
    for number in range(40):
        talk.add(call(number, arguments=json.dumps({"path": "entry_0_3"})), result(number, unlike(number)))
        decision = talk.request()
        assert 2 not in {each.index for each in decision.masked}  # the first output, spoken of in each turn


def test_a_text_that_a_note_refers_to_goes_only_with_the_note() -> None:
    talk = Talk(ReductionSettings(keep_recent=2, mask_min_saved=100))
    talk.add({"role": "user", "content": "go"}, call(0), result(0, unlike(0)), call(1), result(1, unlike(0)))
    known: set[int] = set()
    for number in range(2, 12):
        talk.add(call(number), result(number, unlike(number)))
        decision = talk.request(ratio=1.0)
        known |= {each.index for each in decision.masked}
        if 2 in known:
            assert 4 in known
    assert 2 in known


@given(
    st.lists(
        st.tuples(st.sampled_from(["read_file", "bash"]), st.integers(0, 4), st.integers(0, 300)),
        min_size=2,
        max_size=25,
    ),
    st.integers(0, 24),
    st.sampled_from([0.1, 0.5, 1.0]),
)
@settings(max_examples=60, deadline=None)
def test_a_restart_changes_nothing(turns: list[tuple[str, int, int]], restart: int, ratio: float) -> None:
    """The fold over all messages, with what is known of them, decides as the one that never ended."""
    options = ReductionSettings(keep_recent=2, mask_min_saved=200, threshold_tokens=500, keep_tokens=200)
    plain, restarted = Talk(options), Talk(options)
    for number, (tool, which, lines) in enumerate(turns):
        if number == restart:
            restarted.restart()
        messages = [
            call(number, tool, json.dumps({"command": f"run entry_{which}_2"})),
            result(number, unlike(which, lines)),
        ]
        plain.add(*messages)
        restarted.add(*messages)
        assert plain.request(ratio=ratio) == restarted.request(ratio=ratio)
        assert plain.fold.tokens == restarted.fold.tokens


@given(st.lists(st.sampled_from(["system", "user", "assistant", "tool", "weird"]), max_size=30), st.data())
@settings(max_examples=60, deadline=None)
def test_any_messages_can_be_folded(roles: list[str], data: st.DataObject) -> None:
    contents = st.one_of(st.none(), st.text(max_size=300), st.lists(st.dictionaries(st.text(), st.text()), max_size=2))
    talk = Talk()
    for role in roles:
        calls = data.draw(st.one_of(st.none(), st.integers(), st.lists(st.one_of(st.none(), st.just({"id": 1})))))
        talk.add(
            {"role": role, "content": data.draw(contents), "tool_calls": calls, "tool_call_id": data.draw(st.text())}
        )
        talk.request(ratio=data.draw(st.sampled_from([0.0, 0.1, 1.0])))


@pytest.mark.parametrize(
    ("tool", "arguments", "kind"),
    [
        ("bash", '{"command":"make test"}', "command"),
        ("bash", '{"command":"cat a.py"}', "file"),
        ("bash", '{"command":"cd src && sed -n 1,40p a.py"}', "file"),
        ("bash", '{"command":"cat log | grep x"}', "command"),
        ("execute_bash", "not json", "command"),
        ("Grep", "{}", "command"),
        ("Read", "{}", "file"),
        ("str_replace_editor", "{}", "file"),
        ("weather", "{}", "other"),
        ("", "", "other"),
    ],
)
def test_kinds_of_output(tool: str, arguments: str, kind: str) -> None:
    assert kind_of(tool, arguments) == kind
    assert kind_of(tool, arguments, (tool,)) == "command"


def test_strings_of_arguments() -> None:
    assert texts_of('{"a":"x","b":["y",{"c":"z"}],"d":1}') == ["x", "y", "z"]
    assert texts_of("{broken") == ["{broken"]


def test_normalizing() -> None:
    assert normalized("\x1b[31mred\x1b[0m") == "red"
    assert normalized("10%\r50%\r100%\ndone\r\n") == "100%\ndone\n"
    assert normalized("a\nb\nb\nb\nb\nb\nc") == "a\nb\n[the line above 5 times]\nc"
    assert normalized("b\nb\nb") == "b\nb\nb"


@given(st.text())
def test_normalizing_twice_is_normalizing_once_for_plain_text(text: str) -> None:
    assert normalized(text.replace("\x1b", "").replace("\r", "")) is not None


def test_words_that_name_something() -> None:
    words = naming_words("see src/api/app.py, the HttpClient and max_size of 4711; plain words do not count. file.rs")
    assert list(words) == ["src/api/app.py", "HttpClient", "max_size", "4711", "file.rs"]


def test_shortening_says_where_lines_are_missing() -> None:
    text = "\n".join(f"l{number}" for number in range(100))
    kept, left = shortened(text, 60)
    assert "[... " in kept
    assert set(left.split("\n")) | set(kept.split("\n")) >= set(text.split("\n"))


@given(st.integers(0, 20), st.lists(st.sampled_from(["user", "tool"]), max_size=4), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_conversation_may_part_behind_the_last_answer(turns: int, tail: list[str], idle: bool) -> None:
    """After rewinding, the fold is as if it had never heard the other end."""
    straight, parted = Talk(), Talk()
    for talk in (straight, parted):
        many(talk, turns)
        talk.add(call(100))
    begun = parted.fold.length
    for number, role in enumerate(tail):
        text = f"other_words_{number} {unlike(number, 8)}"
        parted.fold.add(result(100, text) if role == "tool" else {"role": "user", "content": text}, 50)
    assert parted.fold.rewind(begun)
    assert parted.fold.tokens == straight.fold.tokens
    for talk in (straight, parted):
        talk.add(result(100, unlike(100)), call(101), result(101, "ok"))
    assert straight.request(idle=idle) == parted.request(idle=idle)
    assert not parted.fold.rewind(begun - 1)
