from proxy.redaction import Redactor


def test_secrets_are_replaced_wherever_they_stand() -> None:
    redact = Redactor(["sk-secret", "sk-secret-longer", ""])
    assert redact("a sk-secret-longer, sk-secret!") == "a [redacted], [redacted]!"


def test_without_secrets_nothing_changes() -> None:
    assert Redactor([])("text") == "text"


def test_a_secret_too_short_to_tell_from_words_is_left() -> None:
    assert Redactor(["key"])("keyboard") == "keyboard"
