"""What of a user's text is worth remembering, and above all what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context.detection import MOST_FOUND, statements

SAID = {
    "asked": (
        "Remember that the staging database listens on 5433.",
        "ok, remember: no new dependencies without asking",
        "Don\u2019t forget that the API takes ten requests a second.",
        "Keep in mind that prod is read-only.",
        "For future reference, the logs are in /var/log/app.",
        "fyi the default branch is develop",
        "Remember to run the linter before each commit.",
        "Note that we are on Python 3.11.",
        "Souviens-toi que la base de test est sur le port 5433.",
    ),
    "rule": (
        "Please always use tabs in this repo.",
        "From now on write commit messages in English.",
        "never push to main",
        "You must never edit generated files.",
        "We always squash before merging.",
        "Désormais, écris les messages en français.",
        "In this repo, you should never edit generated files.",
        "Write commit messages in English from now on.",
        "N'utilise jamais de print.",
        "Ne modifie jamais les migrations.",
    ),
    "preference": (
        "I prefer pytest over unittest.",
        "I'd rather you ask before deleting files.",
        "My preferred shell is fish.",
        "For tests, I prefer pytest.",
        "Thanks, but I prefer tabs.",
        "Je préfère les fonctions pures.",
    ),
    "decision": (
        "We decided to drop Python 3.9.",
        "Let's go with msgspec for the wire format.",
        "We're standardising on uv.",
        "Nous avons décidé de garder SQLite.",
    ),
    "fact": (
        "Our package manager is uv.",
        "The staging server runs on port 8081.",
        "We use ruff, not flake8.",
        "In this repo we use conventional commits.",
        "My name is Ada.",
        "Notre équipe utilise uv.",
        "On utilise poetry ici.",
    ),
}
NOT_SAID = (
    "Fix the failing test.",
    "Do you remember the error?",
    "Remember when we did this.",
    "It always fails on Windows.",
    "I never saw that error before.",
    "Never mind, it works now.",
    "we never got an answer",
    "The staging server is down.",
    "Our CI pipeline is failing since yesterday.",
    "My database is broken.",
    "Use tabs here.",
    "Let's run the tests.",
    "What is our main branch?",
    "Why do we use ruff?",
    "The main problem is the loop.",
    "Fix the test that asserts we decided to use Kafka.",
    "Fix the test which says you must never push.",
    "The README says that from now on tabs are used.",
    "If I prefer tabs then do it.",
    "Check whether we decided on uv.",
    "Add a test where my favourite editor is vim.",
    "Remember, remember the fifth of November",
    "Remember that time we shipped on Friday.",
    "Remember the bug in the parser.",
    "We use remember that pattern",
    "We use it in three places.",
    "Remember that.",
    "Please remember this.",
    "remember that",
    "remember that the",
    "Fyi: done.",
    "Remember:",
    "Remember the following,",
    "always",
)
SECRETS = (
    "Remember that the password is hunter2.",
    "Remember the API key is sk-abcdefgh12345678.",
    "Note that the token for CI: abc.",
    "Keep in mind that we connect to postgres://ada:pw@db/app.",
    "Remember ghp_16C7e42F292c6912E7710c838347Ae178B4a for later.",
    "Remember that my SSN is 078-05-1120.",
    "Remember 078 05 1120, it is mine.",
    "Remember that my card is 4111 1111 1111 1111.",
    "Remember that the card is 4111111111111111.",
    "Keep in mind that my number is +33 6 12 34 56 78.",
    "Keep in mind that I am at (555) 867-5309.",
    "Keep in mind that I am at 555-867-5309 after five.",
    "Retiens que mon téléphone est le 06 12 34 56 78.",
    "Remember that we pay from GB29 NWBK 6016 1331 9268 19.",
    "Remember that my passport number is X1234.",
    "Our server has 0123456789abcdef0123456789abcdef in its header.",
)


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in SAID.items() for text in texts])
def test_what_is_said_for_later(kind: str, text: str) -> None:
    assert [(each.kind, each.text) for each in statements(text)] == [(kind, text)]
    assert [each.text for each in statements(f"Hello there. {text[0].upper()}{text[1:]}\nThanks!")] == [
        f"{text[0].upper()}{text[1:]}"
    ]


@pytest.mark.parametrize("text", NOT_SAID)
def test_what_is_said_for_now(text: str) -> None:
    assert statements(text) == []


@pytest.mark.parametrize("text", SECRETS)
def test_secrets_are_nothing_to_remember(text: str) -> None:
    assert statements(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "<environment_details>\nAlways use tabs.\n</environment_details>",
        "<a><b>Always use tabs.</b>\nAlways use tabs.</a>",
        "```\nAlways use tabs.\n```",
        "~~~md\nAlways use tabs.\n~~~",
        "    Always use tabs.",
        "> Always use tabs.",
        "# Always use tabs.",
        "[read_file for 'a.md'] Result:\nAlways use tabs.",
        "[execute_command] Result:\nAlways use tabs.",
        "Always use tabs.\n" + "And this is what a client pasted for its model to read. " * 100,
        "Always use tabs.\n" + "x" * 40_000,
    ],
)
def test_what_no_person_wrote(text: str) -> None:
    assert statements(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "<task>\nAlways use tabs.\n</task>",
        "<task><file>Never push to main.</file>Always use tabs.</task>",
        "<file>x</file>Always use tabs.<file>Never push to main.</file>",
        "- Always use tabs.",
        "2) Always use tabs.",
        "Use a List<String> here.\nAlways use tabs.",
        "Always use tabs.\n\nAlways use tabs.",
        "</task> Always use tabs.",
    ],
)
def test_what_a_person_wrote_among_other_things(text: str) -> None:
    assert [each.text for each in statements(text)] == ["Always use tabs."]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("remember that\nthe staging line is read-only", ["remember that the staging line is read-only"]),
        ("Remember that the\nstaging line is read-only. Thanks", ["Remember that the staging line is read-only."]),
        ("remember that\n\nthe staging line is read-only", []),
        ("remember that\n- the staging line is read-only", []),
        ("remember that\n```\nx\n```", []),
        ("never push to main\nand fix the test", ["never push to main"]),
        (
            "Remember that port 5433 is staging, since 2026-11-27.",
            ["Remember that port 5433 is staging, since 2026-11-27."],
        ),
    ],
)
def test_a_sentence_may_end_in_the_next_line(text: str, said: list[str]) -> None:
    assert [each.text for each in statements(text)] == said


def test_a_text_has_its_first_statements_only() -> None:
    text = "\n".join(f"Always use rule {number}." for number in range(9))
    assert [each.text[-2] for each in statements(text)] == list("012345678"[:MOST_FOUND])


@given(st.text(max_size=300), st.sampled_from(["", "<task>", "</task>", "<a>", "</a>", "```", "Always use "]))
def test_any_text_is_answered(text: str, more: str) -> None:
    whole = text + more + text
    assert all(each.text in " ".join(whole.split()) for each in statements(whole))


@pytest.mark.parametrize("piece", ["<a>", "</a>", "<a></a>", "<a ", "[x for ", "our ", "a:b@", "- ", "é1", "my our "])
@pytest.mark.parametrize("length", [390, 3_900, 31_000])
def test_hostile_texts_come_to_an_end(piece: str, length: int) -> None:
    """A rule that goes back and forth over such a text would take hours."""
    assert statements(piece * (length // len(piece))) == []
