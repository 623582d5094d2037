import pytest

from proxy.family import client_family


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        ("OpenAI/Python 3.57.0", "openai-python"),
        ("AsyncOpenAI/Python 3.57.0", "openai-python"),
        ("OpenAI/JS 6.1.0", "openai-node"),
        ("opencode/1.2.3", "opencode"),
        ("claude-cli/2.0 (external, cli)", "claude-code"),
        ("RooCode/3.2", "roo-code"),
        ("curl/8.5.0", "curl"),
        ("My Agent (x)", "my"),
        ("é", None),
        ("", None),
        (None, None),
    ],
)
def test_family(agent: str | None, family: str | None) -> None:
    assert client_family(agent) == family
