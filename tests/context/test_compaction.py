"""What a compaction leaves out, and what never."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from context.compaction import CONTINUE, CompactionSettings, Plan, Refused, plan
from context.cuts import Cut, Item, keep_exchanges, keep_last, keep_tokens
from tests.context.conversations import Message, call, conversations, problems, size, tokens, tool, wild

SETTINGS = CompactionSettings()
tried = settings(deadline=None, max_examples=200)


def items(messages: list[Message]) -> list[Item]:
    return [Item(message, f"ref-{index}", tokens(message), tokens(message)) for index, message in enumerate(messages)]


def after(messages: list[Message], made: Plan) -> list[Message]:
    """What goes upstream."""
    found: list[Message] = []
    for index in range(len(messages) + 1):
        found += [json.loads(text) for before, text in made.inserted if before == index]
        if index < len(messages) and index not in made.removed:
            found.append(messages[index])
    return found


def talk(turns: int) -> list[Message]:
    messages: list[Message] = [{"role": "system", "content": "You are an agent."}]
    for turn in range(turns):
        messages += [
            {"role": "user", "content": f"question {turn}"},
            {"role": "assistant", "content": f"I look at file_{turn}.py", "tool_calls": [call(f"c{turn}")]},
            tool(f"c{turn}", f"def function_{turn}():\n    return {turn}\n" * 30),
            {"role": "assistant", "content": f"answer {turn}"},
        ]
    return messages


def planned(messages: list[Message], cut: Cut, **more: Any) -> Plan:
    made = plan(items(messages), cut, SETTINGS, size, **more)
    assert isinstance(made, Plan)
    return made


def test_turns_go_and_users_stay() -> None:
    messages = talk(5)
    made = planned(messages, keep_last(2))
    sent = after(messages, made)
    assert [message for message in sent if message["role"] in ("system", "user")] == [
        message for message in messages if message["role"] in ("system", "user")
    ]
    assert (made.messages_before, made.messages_after) == (len(messages), len(sent))
    assert (made.system_preserved, made.recent_preserved) == (1, 3)  # widened: the results of a call stay with it
    assert sent[-3:] == messages[-3:]
    assert made.tokens_before == sum(map(tokens, messages))
    assert made.saved > 0
    assert problems(sent) == set()


def test_a_digest_says_what_was_done_and_names_what_is_gone() -> None:
    made = planned(talk(5), keep_last(2))
    for turn in range(4):
        assert f"I look at file_{turn}.py" in made.summary
        assert "bash(ls) -> 61 lines" in made.summary
    hashes = {output.hash for output in made.outputs}
    assert len(hashes) == len(made.outputs) == 4
    assert all(f"mask:{digest[:16]}" in made.summary for digest in hashes)
    assert "function_0" in made.summary  # a name that stands nowhere else any more


def test_digests_take_no_more_than_their_share() -> None:
    messages = talk(30)
    made = planned(messages, keep_last(2))
    removed = sum(tokens(messages[index]) for index in made.removed)
    ours = sum(size(json.loads(text)["content"]) for _, text in made.inserted)
    assert ours <= 0.4 * removed


def test_the_same_messages_are_planned_the_same_way() -> None:
    assert planned(talk(9), keep_last(2)) == planned(talk(9), keep_last(2))


def test_what_is_pinned_stays_with_its_turn() -> None:
    messages = talk(4)
    made = planned(messages, keep_last(2), pinned={"ref-7"})  # a result: its call stays too
    assert {6, 7}.isdisjoint(made.removed)
    sent = after(messages, made)
    assert messages[6] in sent and messages[7] in sent
    assert problems(sent) == set()


def test_two_messages_of_the_assistant_never_meet() -> None:
    messages: list[Message] = [{"role": "user", "content": "go"}]
    for turn in range(6):
        messages.append({"role": "assistant", "content": "I look " * 20, "tool_calls": [call(f"c{turn}")]})
        messages.append(tool(f"c{turn}", f"result {turn} " * 200))
    made = planned(messages, keep_last(2), pinned={"ref-5"})
    sent = after(messages, made)
    assert [message["role"] for message in sent] == [
        *("user", "assistant", "user"),  # what was before the pinned turn, and a word between
        *("assistant", "tool"),
        *("assistant", "user"),
        *("assistant", "tool"),
    ]
    assert [message["content"] for message in sent if message["role"] == "user"] == ["go", CONTINUE, CONTINUE]
    assert problems(sent) == set()


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([], "no_messages"),
        (talk(1), "insufficient_messages"),
        ([{"role": "user", "content": "hi"}] * 6, "insufficient_tokens"),
        ([{"role": "user", "content": "x" * 4_000}] * 6, "not_enough_messages_to_summarize"),
    ],
)
def test_why_not(messages: list[Message], reason: str) -> None:
    made = plan(items(messages), keep_last(2), SETTINGS, size)
    assert isinstance(made, Refused)
    assert made.reason == reason


def test_force_waives_the_minimums_only() -> None:
    short = talk(1)
    assert isinstance(plan(items(short), keep_last(0), SETTINGS, size, force=True), Plan)
    nothing = plan([], keep_last(0), SETTINGS, size, force=True)
    assert isinstance(nothing, Refused) and nothing.reason == "no_messages"
    users = plan(items([{"role": "user", "content": "a"}]), keep_last(0), SETTINGS, size, force=True)
    assert isinstance(users, Refused) and users.reason == "not_enough_messages_to_summarize"
    tiny: list[Message] = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    gain = plan(items(tiny), keep_last(0), CompactionSettings(), size, force=True)
    assert isinstance(gain, Refused) or gain.saved > 0


def test_tails() -> None:
    messages = talk(6)
    found = items(messages)
    assert keep_last(3)(found) == len(messages) - 3
    assert keep_last(300)(found) == 0
    assert keep_tokens(0, 2)(found) == len(messages) - 2
    room = sum(item.whole for item in found[-5:])
    assert keep_tokens(room, 2)(found) == len(messages) - 5
    assert keep_exchanges(1)(found) == len(messages) - 1
    assert keep_exchanges(4)(found) == len(messages) - 8  # two answers a question, and the question
    assert keep_exchanges(0)(found) == len(messages)
    assert keep_exchanges(99)(found) == 0


def test_a_summary_takes_the_place_of_the_lines() -> None:
    messages = talk(6)
    made = planned(messages, keep_exchanges(2), force=True, summary="All is well.")
    sent = after(messages, made)
    ours = [message["content"] for message in sent if message not in messages]
    assert [text for text in ours if text.startswith("All is well.")]
    assert "bash(ls)" not in made.summary
    assert problems(sent) == set()


@tried
@given(conversations(), st.integers(0, 8), st.data())
def test_what_was_valid_stays_valid(messages: list[Message], preserve: int, data: st.DataObject) -> None:
    refs = [f"ref-{index}" for index in range(len(messages))]
    pinned = set(data.draw(st.lists(st.sampled_from(refs), max_size=3))) if refs else set()
    made = plan(items(messages), keep_last(preserve), SETTINGS, size, pinned=pinned, force=True)
    if isinstance(made, Refused):
        return
    sent = after(messages, made)
    assert problems(sent) <= problems(messages)
    for index, message in enumerate(messages):
        if message["role"] in ("system", "developer", "user") or f"ref-{index}" in pinned:
            assert index not in made.removed
    assert len(messages) - made.cut >= preserve or made.cut == 0
    assert all(index < made.cut for index in made.removed)
    assert made.tokens_after < made.tokens_before


@tried
@given(wild(), st.integers(0, 4))
def test_nothing_that_a_client_sends_breaks_it(messages: list[Message], preserve: int) -> None:
    made = plan(items(messages), keep_last(preserve), SETTINGS, size, force=True)
    if isinstance(made, Plan):
        sent = after(messages, made)
        assert "two assistants" not in problems(sent) - problems(messages)
        kept = [index for index, message in enumerate(messages) if message["role"] in ("system", "user", "critic", "")]
        assert set(kept).isdisjoint(made.removed)


def test_a_very_large_output_is_one_line() -> None:
    messages = talk(3)
    messages[3]["content"] = "x y z\n" * 900_000
    made = planned(messages, keep_last(2))
    assert made.tokens_after < 2_000


def test_digests_of_before_stay_until_they_are_too_many() -> None:
    messages = talk(4)
    made = planned(messages, keep_last(2))
    later = [*after(messages, made), *talk(6)[1:]]
    found = [
        Item(
            message, f"ref-{index}", tokens(message), tokens(message), str(message["content"]).startswith("[condensed")
        )
        for index, message in enumerate(later)
    ]
    again = plan(found, keep_last(2), SETTINGS, size)
    assert isinstance(again, Plan)
    assert all(not found[index].ours for index in again.removed)
    only = [item for item in found if item.ours or item.message["role"] == "user"] * 8
    alone = plan(only, keep_last(2), SETTINGS, size)
    assert isinstance(alone, Refused) and alone.reason == "not_enough_messages_to_summarize"
    crowded = plan([*only, *found[-6:]], keep_last(2), SETTINGS, size)
    assert isinstance(crowded, Plan)
    assert any(found.ours for found in (([*only, *found[-6:]])[index] for index in crowded.removed))
