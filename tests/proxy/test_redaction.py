from proxy.redaction import Redactor


def test_secrets_are_replaced_wherever_they_stand() -> None:
    redact = Redactor(["sk-secret", "sk-secret-longer", ""])
    assert redact("a sk-secret-longer, sk-secret!") == "a [redacted], [redacted]!"


def test_without_secrets_nothing_changes() -> None:
    assert Redactor([])("text") == "text"


def test_a_secret_too_short_to_tell_from_words_is_left() -> None:
    assert Redactor(["key"])("keyboard") == "keyboard"


def test_what_the_configuration_calls_something_is_no_secret() -> None:
    assert Redactor(["ollama", "sk-secret"], ["ollama-local"])("ollama: sk-secret") == "ollama: [redacted]"


def test_an_error_is_shown_without_what_addresses_hold_of_keys() -> None:
    redact = Redactor(["sk-secret"])
    text = (
        "no answer from HTTPS://me:pass@host/v1?x=1&api_key=abc#top (sk-secret), see http://host/?TOKEN=t. or a@b.org"
    )
    told = "no answer from HTTPS://[redacted]@host/v1?x=1&api_key=[redacted]#top ([redacted]), see "
    assert redact.error(text) == told + "http://host/?TOKEN=[redacted] or a@b.org"
