"""Which provider and model a request goes to."""

import pytest

from proxy.providers import Catalogue, Model, ModelNotFoundError, Provider, ProviderNotConfiguredError, ProviderType

LOCAL = "http://127.0.0.1:9/v1"


def provider(key: str, **fields: object) -> Provider:
    return Provider(**({"key": key, "type": "openai", "base_url": LOCAL, "name": key} | fields))  # type: ignore[arg-type]


def model(key: str, provider_key: str, name: str, context: int = 1_000) -> Model:
    return Model(key=key, provider=provider_key, model=name, max_context_size=context)


CATALOGUE = Catalogue(
    providers=[
        provider("zed"),
        provider("open", allow_any_model=True),
        provider("free"),
        provider("bare", base_url=None),
        provider("lost", base_url=""),
        provider("demo", type="echo", base_url=None),
    ],
    models=[
        model("fast", "zed", "vendor/fast-1", 2_000),
        model("zed-twin", "zed", "twin", 3_000),
        model("open-twin", "open", "twin", 4_000),
        model("bare-one", "bare", "one"),
        model("lost-one", "lost", "two"),
        model("demo/echo", "demo", "demo/echo"),
    ],
    default_model="open-twin",
)


@pytest.mark.parametrize(
    ("asked", "provider_key", "upstream_model", "model_key"),
    [
        ("fast", "zed", "vendor/fast-1", "fast"),  # a configured key
        ("vendor/fast-1", "zed", "vendor/fast-1", "fast"),  # its unique name at the provider
        ("zed/twin", "zed", "twin", "zed-twin"),  # an ambiguous name, made clear by the provider
        ("open/some/new", "open", "some/new", "open/some/new"),  # allow_any_model
        ("free/any", "free", "any", "free/any"),  # a provider that lists no models
        ("demo/echo", "demo", "demo/echo", "demo/echo"),
        (None, "open", "twin", "open-twin"),  # the default
        ("", "open", "twin", "open-twin"),
    ],
)
def test_the_order_of_names(asked: str | None, provider_key: str, upstream_model: str, model_key: str) -> None:
    route = CATALOGUE.resolve(asked, None)
    assert (route.provider.key, route.upstream_model, route.model_key) == (provider_key, upstream_model, model_key)


def test_the_fallback_goes_before_the_default_and_after_the_request() -> None:
    assert CATALOGUE.resolve(None, "fast").model_key == "fast"
    assert CATALOGUE.resolve("zed-twin", "fast").model_key == "zed-twin"


@pytest.mark.parametrize("asked", ["nothing", "twin", "zed/other", "zed/", "/twin", "nobody/fast", "FAST"])
def test_what_is_not_configured_is_not_found(asked: str) -> None:
    with pytest.raises(ModelNotFoundError):
        CATALOGUE.resolve(asked, "fast")


def test_an_unknown_name_says_what_exists() -> None:
    with pytest.raises(ModelNotFoundError, match=r"There are: bare-one, demo/echo, fast, lost-one, "):
        CATALOGUE.resolve("nothing", None)
    with pytest.raises(ModelNotFoundError, match=r"There are: fast, zed-twin\.$"):
        CATALOGUE.resolve("zed/other", None)


def test_an_ambiguous_name_says_which_keys_are_clear() -> None:
    with pytest.raises(ModelNotFoundError, match="open-twin, zed-twin"):
        CATALOGUE.resolve("twin", None)


def test_nothing_asked_and_no_default() -> None:
    with pytest.raises(ModelNotFoundError, match="default_model"):
        Catalogue([provider("zed")], [], None).resolve(None, None)


def test_a_vendors_address_needs_a_key_and_an_own_address_does_not() -> None:
    with pytest.raises(ProviderNotConfiguredError, match=r"providers\.bare\.api_key"):
        CATALOGUE.resolve("bare-one", None)
    with pytest.raises(ProviderNotConfiguredError, match=r"providers\.lost\.base_url"):
        CATALOGUE.resolve("lost-one", None)
    assert CATALOGUE.resolve("fast", None).provider.api_key == ""


@pytest.mark.parametrize(
    ("type_", "base_url", "expected"),
    [
        ("openai", None, "https://api.openai.com/v1/chat/completions"),
        ("gemini", None, "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions"),
        ("anthropic", None, "https://api.anthropic.com/v1/chat/completions"),
        ("openai", "http://h:1", "http://h:1/v1/chat/completions"),
        ("openai", "http://h:1/", "http://h:1/v1/chat/completions"),
        ("openai", "http://h:1/v1", "http://h:1/v1/chat/completions"),
        ("openai", "http://h:1/v1/", "http://h:1/v1/chat/completions"),
        ("openai", "http://h:1/api/v2", "http://h:1/api/v2/chat/completions"),
        ("openai", "http://h:1/v1/chat/completions", "http://h:1/v1/chat/completions"),
        ("openai", "http://h:1/chat/completions/", "http://h:1/chat/completions"),
        ("openai", " http://[::1]:1/v1 ", "http://[::1]:1/v1/chat/completions"),
        ("openai", "https://h/deployments/x?api-version=1", "https://h/deployments/x/chat/completions?api-version=1"),
        ("gemini", "https://h", "https://h/v1beta/openai/chat/completions"),
        ("echo", None, ""),
    ],
)
def test_addresses(type_: ProviderType, base_url: str | None, expected: str) -> None:
    one = Provider(key="p", type=type_, base_url=base_url)
    assert Catalogue([one], [], None).chat_url(one) == expected


@pytest.mark.parametrize(
    ("provider_key", "asked", "tokens"),
    [
        ("zed", "fast", 2_000),
        ("zed", "vendor/fast-1", 2_000),
        ("open", "twin", 4_000),  # the provider's own model of that name
        ("nobody", "twin", 3_000),
        ("nobody", "fast", 2_000),
        ("zed", None, 2_000),  # its smallest
        ("zed", "unheard", 2_000),
        ("free", None, 262_144),
        ("nobody", None, 262_144),
    ],
)
def test_context_sizes(provider_key: str, asked: str | None, tokens: int) -> None:
    assert CATALOGUE.max_context(provider_key, asked) == tokens


def test_the_default_provider_comes_first_then_by_name() -> None:
    assert [one.key for one in CATALOGUE.providers()] == ["open", "bare", "demo", "free", "lost", "zed"]
    assert CATALOGUE.default_provider() == "open"
    assert CATALOGUE.provider_known("zed")
    assert not CATALOGUE.provider_known("nobody")


def test_no_secret_shows_in_a_repr() -> None:
    shown = repr(provider("p", api_key="sk-secret", base_url="http://u:sk-secret@h", headers={"x-key": "sk-secret"}))
    assert "sk-secret" not in shown
    assert "sk-secret" not in repr(CATALOGUE.resolve("fast", None))
