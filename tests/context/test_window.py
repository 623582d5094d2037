"""Masking by age, for those who ask for it."""

import pytest
from pydantic import ValidationError

from api.configuration_sections import Schema1
from context.replacements import ReductionSettings
from context.window import PLACEHOLDER, WindowSettings, fields_of, placeholder, tells_of_an_error
from tests.context.test_reduction import Talk, call, result, unlike


def grown(turns: int, window: WindowSettings, *, error_at: int = -1) -> Talk:
    talk = Talk(ReductionSettings(window=window))
    talk.add({"role": "user", "content": "go"})
    for number in range(turns):
        text = "Traceback (most recent call last):\n" + unlike(number) if number == error_at else unlike(number)
        talk.add(call(number, "read_file" if number % 2 else "bash"), result(number, text))
    return talk


def masked(talk: Talk) -> list[int]:
    return [each.index for each in talk.request().masked]


def test_what_is_older_than_the_window_is_masked_at_once() -> None:
    talk = grown(6, WindowSettings(turns=3))
    decision = talk.request()
    assert (decision.trigger, [each.index for each in decision.masked]) == ("window", [2, 4])
    assert decision.masked[0].text == placeholder(PLACEHOLDER, "c0", "bash", unlike(0), decision.masked[0].hash)
    talk.add(call(6), result(6, unlike(6)))
    assert masked(talk) == [6]  # one by one, whatever the provider's cache makes of it
    assert masked(talk) == []


def test_errors_and_the_last_of_each_tool_stay() -> None:
    assert masked(grown(6, WindowSettings(turns=2), error_at=1)) == [2, 6]
    assert masked(grown(6, WindowSettings(turns=2, keep_errors=False), error_at=1)) == [2, 4, 6]
    assert masked(grown(6, WindowSettings(turns=2, keep_last_k_per_tool=2))) == [2, 4]


@pytest.mark.parametrize(
    "text",
    ["Traceback (most recent call last):\n x", "fatal: no", "a\nValueError: x", "exit code 2", "error[E0308]: x"],
)
def test_what_tells_of_an_error(text: str) -> None:
    assert tells_of_an_error(text)
    assert tells_of_an_error("line\n" * 5_000 + text)


@pytest.mark.parametrize("text", ["", "no errors", "def error_handler(): ...", "exit code 0", "12 passed"])
def test_what_does_not(text: str) -> None:
    assert not tells_of_an_error(text)


def test_a_template_must_lead_back_to_the_original() -> None:
    assert fields_of(PLACEHOLDER) == {"tool_name", "original_chars", "mask_hash"}
    assert Schema1(placeholder_template="<{mask_hash}>").placeholder_template == "<{mask_hash}>"
    for wrong in ("masked", "{mask_hash", "{mask_hash.__class__}{mask_hash}", "{other} {mask_hash}", "{0}{mask_hash}"):
        with pytest.raises(ValidationError):
            Schema1(placeholder_template=wrong)
