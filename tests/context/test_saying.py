"""What says the same: only what differs in nothing that may matter."""

import pytest

from context.saying import Known, said, sentences, words_of

SAME = (
    ("The staging database listens on port 5433.", "the staging database listens on port 5433!"),
    ("- Use tabs", "Please use tabs."),
    ("Staging listens on port 5433", "The shiny new staging database listens on port 5433."),
    ("Don\u2019t push", "don't push"),
)
DIFFERENT = (
    ("Staging listens on port 5433.", "Staging listens on port 6000."),
    ("Always push tags.", "Never push tags."),
    ("Push tags to main.", "Never push tags to main."),
    ("Push tags to main.", "Don't push tags to main."),
    ("Push tags to main.", "Push tags to main only if asked."),
    ("Ada reviews what Bob writes.", "Bob reviews what Ada writes."),
    ("Migrate from A to B.", "Migrate to A from B."),
    ("We use tabs.", "We use spaces."),
    ("We use tabs.", "We used tabs."),
    ("We use tabs.", "We use tabs in Makefiles."),
    ("Python 3.9 and uv", "Python 3.11 and uv"),
    ("The limit is 5.", "The limit is -5."),
    ("We write C.", "We write C++."),
    ("x < 5", "x > 5"),
    ("Cache and queue", "Cache or queue"),
    ("handler_one fails", "handler_two fails"),
    ("N'utilise pas de print.", "Utilise de print."),
)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_says_the_same(one: str, other: str) -> None:
    assert said(words_of(one), words_of(other))


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_differs(one: str, other: str) -> None:
    assert not said(words_of(one), words_of(other))


def test_sentences() -> None:
    assert sentences("Use uv. Port 3.9 is e.g. fine!\n\nNo.") == ["Use uv.", "Port 3.9 is e.g. fine!", "No."]


def test_what_was_said_so_far() -> None:
    known = Known("Use uv. Staging listens on port 5433.")
    said_now = [known.says(each) for each in ("use uv!", "Staging is down.", "Staging is down.", "!?", "On port 5434")]
    assert said_now == [True, False, True, True, False]
