"""Conversations as transcripts: what came in, what we answered, and where the next request belongs."""

import hashlib
from collections.abc import Callable

from proxy.chains import ChainIndex, Match
from tests.proxy.conversations import assistant, cache, facts, message, system, user

SCOPE = b"scope-of-a-client"
OTHER = b"scope-of-another."


class Talk:
    """Drives a ChainIndex the way the hot path does; a session is started where none is found."""

    def __init__(self) -> None:
        self.index = ChainIndex(lambda data: hashlib.md5(data, usedforsecurity=False).digest())
        self.facts = cache()
        self.exchange = 0
        self.sessions = 0

    def ask(
        self,
        *messages: bytes,
        answer: bytes | None = None,
        completed: bool = True,
        retry: bool = False,
        scope: bytes = SCOPE,
    ) -> Match:
        """The match (with a new session's number where there was none), after the exchange has ended."""
        match, finish = self.begin(*messages, retry=retry, scope=scope)
        finish(answer, completed)
        return match

    def begin(
        self, *messages: bytes, retry: bool = False, scope: bytes = SCOPE
    ) -> tuple[Match, Callable[[bytes | None, bool], None]]:
        request = facts(*messages, of=self.facts)
        match = self.index.find(scope, request, retry=retry)
        if match is None:
            self.sessions += 1
            match = Match(self.sessions)
        self.exchange += 1
        number = self.exchange
        chain = self.index.begin(match, number, scope, request)

        def finish(answer: bytes | None, completed: bool) -> None:
            canon = self.facts.of(answer).canon if answer is not None else None
            self.index.finish(chain, number, scope, request.canons, canon, completed=completed)

        return match, finish


def test_a_growing_conversation_stays_one_session_and_one_line() -> None:
    talk = Talk()
    history = [system(), user("one")]
    for turn in range(5):
        match = talk.ask(*history, answer=assistant(f"answer {turn}"))
        assert (match.session_id, match.branch) == (1, None)
        history += [assistant(f"answer {turn}"), user(f"question {turn}")]


def test_a_client_that_re_serialises_the_answer_still_continues() -> None:
    talk = Talk()
    talk.ask(user("one"), answer=b'{"role":"assistant","content":"yes","refusal":null}')
    match = talk.ask(user("one"), b'{ "content": "yes " , "role": "assistant" }', user("two"))
    assert (match.session_id, match.branch) == (1, None)


def test_conversations_that_begin_alike_are_kept_apart() -> None:
    talk = Talk()
    start = [system(), user("hello")]
    assert talk.ask(*start, answer=assistant("hello")).session_id == 1
    assert talk.ask(*start, answer=assistant("hello")).session_id == 2
    shared = [*start, assistant("hello")]
    first = talk.ask(*shared, user("A"), answer=assistant("a"))
    second = talk.ask(*shared, user("B"), answer=assistant("b"))
    assert {first.session_id, second.session_id} == {1, 2}
    assert talk.ask(*shared, user("A"), assistant("a"), user("A2")).session_id == first.session_id
    assert talk.ask(*shared, user("B"), assistant("b"), user("B2")).session_id == second.session_id


def test_two_first_requests_at_the_same_time_are_two_sessions() -> None:
    talk = Talk()
    first, finish_first = talk.begin(system(), user("hello"))
    second, finish_second = talk.begin(system(), user("hello"))
    assert (first.session_id, second.session_id) == (1, 2)
    finish_first(assistant("x"), True)
    finish_second(assistant("y"), True)
    assert talk.ask(system(), user("hello"), assistant("x"), user("more")).session_id == 1
    assert talk.ask(system(), user("hello"), assistant("y"), user("more")).session_id == 2


def test_a_conversation_that_repeats_an_earlier_one_word_for_word_is_its_own() -> None:
    talk = Talk()
    for session in (1, 2, 3):
        history = [system(), user("hello")]
        for turn in range(4):
            assert talk.ask(*history, answer=assistant(f"answer {turn}")).session_id == session
            history += [assistant(f"answer {turn}"), user(f"question {turn}")]
    edited = [system(), user("hello"), assistant("answer 0"), user("question 0"), assistant("answer 1"), user("EDIT")]
    assert talk.ask(*edited).branch == "fork"


def test_an_edit_is_a_fork_of_its_session() -> None:
    talk = Talk()
    talk.ask(user("one"), answer=assistant("a"))
    talk.ask(user("one"), assistant("a"), user("two"), answer=assistant("b"))
    match = talk.ask(user("one"), assistant("a"), user("TWO"), answer=assistant("c"))
    assert (match.session_id, match.branch) == (1, "fork")
    both = [
        talk.ask(user("one"), assistant("a"), user("TWO"), assistant("c"), user("3")),
        talk.ask(user("one"), assistant("a"), user("two"), assistant("b"), user("3")),
    ]
    assert [(match.session_id, match.branch) for match in both] == [(1, None), (1, None)]


def test_a_changed_answer_continues_what_holds_an_earlier_assistant() -> None:
    talk = Talk()
    talk.ask(user("one"), answer=assistant("a"))
    talk.ask(user("one"), assistant("a"), user("two"), answer=assistant("b"))
    assert talk.ask(user("one"), assistant("a"), user("two"), assistant("edited"), user("3")).session_id == 1


def test_worked_examples_do_not_join_strangers() -> None:
    talk = Talk()
    examples = [system(), user("example"), assistant("like this")]
    assert talk.ask(*examples, user("mine"), answer=assistant("1")).session_id == 1
    assert talk.ask(*examples, user("yours"), answer=assistant("2")).session_id == 2
    assert talk.ask(*examples, user("mine"), assistant("1"), user("go on")).session_id == 1


def test_a_shared_system_prompt_does_not_join_strangers() -> None:
    talk = Talk()
    assert talk.ask(system(), user("mine"), answer=assistant("1")).session_id == 1
    assert talk.ask(system(), user("yours"), answer=assistant("2")).session_id == 2


def test_a_replayed_log_whose_answers_differ_from_ours_stays_together() -> None:
    talk = Talk()
    history = [system(), user("task"), assistant("recorded 0"), message("tool", "out", tool_call_id="c")]
    assert talk.ask(*history, answer=assistant("ours")).session_id == 1
    for turn in range(4):
        history += [assistant(f"recorded {turn + 1}"), message("tool", f"out {turn}", tool_call_id="c")]
        assert talk.ask(*history, answer=assistant("ours")).session_id == 1


def test_the_same_list_after_a_failure_is_a_retry() -> None:
    talk = Talk()
    talk.ask(user("one"), completed=False)
    match = talk.ask(user("one"), answer=assistant("a"))
    assert (match.session_id, match.branch) == (1, "retry")
    assert talk.ask(user("one"), assistant("a"), user("two")).branch is None


def test_a_clients_own_retry_overtakes_the_failure() -> None:
    talk = Talk()
    _, _ = talk.begin(user("one"))
    assert talk.ask(user("one"), retry=True).branch == "retry"
    assert talk.ask(user("other"), retry=True).session_id == 2


def test_the_same_first_list_after_an_answer_is_a_new_session() -> None:
    talk = Talk()
    talk.ask(user("one"), answer=assistant("a"))
    assert talk.ask(user("one"), answer=assistant("a")).session_id == 2


def test_client_side_compaction_is_recognised_by_the_last_three_messages() -> None:
    talk = Talk()
    history = [system(), user("one")]
    for turn in range(3):
        talk.ask(*history, answer=assistant(f"answer {turn}"))
        history += [assistant(f"answer {turn}"), user(f"question {turn}")]
    tail = history[-4:-1]  # the tip of the last exchange: user, assistant, ... as the client keeps them
    match = talk.ask(system("Summary of before."), *tail, user("go on"))
    assert (match.session_id, match.branch) == (1, "client_compaction")


def test_scopes_do_not_see_each_other() -> None:
    talk = Talk()
    talk.ask(user("one"), answer=assistant("a"))
    assert talk.ask(user("one"), assistant("a"), user("two"), scope=OTHER).session_id == 2


def test_a_cancelled_answer_does_not_move_the_tip() -> None:
    talk = Talk()
    talk.ask(user("one"), answer=assistant("a"))
    talk.ask(user("one"), assistant("a"), user("two"), answer=assistant("par"), completed=False)
    match = talk.ask(user("one"), assistant("a"), user("two"), answer=assistant("b"))
    assert (match.session_id, match.branch) == (1, "retry")


def test_an_answer_that_comes_after_the_chain_moved_on_keeps_the_later_tip() -> None:
    talk = Talk()
    talk.ask(user("one"), answer=assistant("a"))
    _, late = talk.begin(user("one"), assistant("a"), user("two"))
    late(None, False)
    match = talk.ask(user("one"), assistant("a"), user("two"), assistant("b"), user("three"), answer=assistant("c"))
    late(assistant("b"), True)
    assert match.session_id == 1
    again = talk.ask(
        user("one"), assistant("a"), user("two"), assistant("b"), user("three"), assistant("c"), user("four")
    )
    assert (again.session_id, again.branch) == (1, None)


def test_in_a_known_session_sub_agents_and_the_main_thread_are_lines_of_their_own() -> None:
    talk = Talk()
    main = facts(system(), user("main"), of=talk.facts)
    sub = facts(system("Title?"), user("main"), of=talk.facts)
    first = talk.index.find_in(9, SCOPE, main, retry=False)
    assert first == Match(9)
    chain = talk.index.begin(first, 1, SCOPE, main)
    talk.index.finish(chain, 1, SCOPE, main.canons, talk.facts.of(assistant("a")).canon, completed=True)
    second = talk.index.find_in(9, SCOPE, sub, retry=False)
    assert second.chain is None
    talk.index.begin(second, 2, SCOPE, sub)
    later = facts(system(), user("main"), assistant("a"), user("next"), of=talk.facts)
    found = talk.index.find_in(9, SCOPE, later, retry=False)
    assert found.chain is chain


def test_forgotten_sessions_are_found_no_more() -> None:
    talk = Talk()
    talk.ask(user("one"), answer=assistant("a"))
    talk.index.forget(1)
    talk.index.forget(1)
    assert talk.ask(user("one"), assistant("a"), user("two")).session_id == 2


def test_many_sessions_are_bounded() -> None:
    talk = Talk()
    for number in range(2_100):
        talk.ask(system(), user(f"task {number}"), answer=assistant("a"))
    assert len(talk.index._sessions) == 2_000
    assert talk.ask(system(), user("task 2099"), assistant("a"), user("on")).session_id == 2_100
    assert talk.ask(system(), user("task 0"), assistant("a"), user("on")).session_id == 2_101


def test_a_restart_knows_lists_and_tips() -> None:
    talk = Talk()
    one = facts(user("one"), of=talk.facts)
    two = facts(user("one"), assistant("a"), user("two"), of=talk.facts)
    tip = facts(user("one"), assistant("a"), of=talk.facts)
    fresh = Talk()
    fresh.sessions = 5
    hashes = [talk.index.prefix(SCOPE, each.canons, each.count) for each in (one, tip, two)]
    fresh.index.restore(5, 1, hashes[0], None, count=1)
    fresh.index.restore(5, 1, None, hashes[1], count=1)
    fresh.index.continue_chain(5, 1, 2)
    fresh.index.restore(5, 2, hashes[2], None, count=3)
    match = fresh.ask(user("one"), assistant("a"), user("two"))
    assert (match.session_id, match.branch) == (5, "retry")
    assert fresh.ask(user("one"), assistant("a"), user("other")).branch == "fork"
