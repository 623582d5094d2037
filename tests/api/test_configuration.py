"""The configuration file: where it is found, what it gives, what is refused and what is warned of."""

import base64
from collections.abc import Callable
from pathlib import Path

import certifi
import msgspec
import pytest

from api.configuration import Configuration, ConfigurationError, Overrides, load
from docs.configuration_page import page
from proxy.providers import ProviderNotConfiguredError

Loading = Callable[..., Configuration]
LOCAL = '[providers.local]\nbase_url = "http://127.0.0.1:9/v1"\n'


@pytest.fixture
def loading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loading:
    """load() of a file with this text, with no other file in reach."""
    monkeypatch.chdir(tmp_path)

    def run(text: str | None, overrides: Overrides | None = None, **environment: str) -> Configuration:
        path = None
        if text is not None:
            path = tmp_path / "given.toml"
            path.write_text(text, encoding="utf-8")
        return load(path, overrides or Overrides(), {"XDG_CONFIG_HOME": str(tmp_path / "none"), **environment})

    return run


def test_without_a_file_the_demo_serves(loading: Loading) -> None:
    found = loading(None)
    catalogue = found.catalogue()
    assert [model.key for model in catalogue.models()] == ["demo/echo", "demo/tool", "demo/stall", "demo/fail"]
    assert catalogue.resolve(None, None).upstream_model == "demo/echo"
    assert (found.warnings, found.server.host, found.server.port) == ((), "127.0.0.1", 8000)


def test_a_file_without_providers_keeps_the_demo_and_says_so(loading: Loading) -> None:
    found = loading('[models.mine]\nprovider = "demo"\nmodel = "demo/echo"\n')
    assert "demo provider" in found.warnings[0]
    assert found.catalogue().resolve("mine", None).upstream_model == "demo/echo"
    assert found.default_model == "demo/echo"


def test_the_first_file_that_is_given_or_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    user = tmp_path / "home" / "chronoproxy"
    user.mkdir(parents=True)
    places = {1: user / "config.toml", 2: Path("config.toml"), 3: Path("variable.toml"), 4: Path("given.toml")}
    environment = {"XDG_CONFIG_HOME": str(tmp_path / "home")}
    monkeypatch.setattr("sys.platform", "linux")
    for number, path in places.items():
        path.write_text(f"{LOCAL}[server]\nport = {number}\n")
        if number == 3:
            environment["CHRONOPROXY_CONFIG"] = "variable.toml"
        given = path if number == 4 else None
        assert load(given, Overrides(), environment).server.port == number


def test_a_named_file_must_exist(loading: Loading) -> None:
    with pytest.raises(ConfigurationError, match=r"gone\.toml"):
        loading(None, CHRONOPROXY_CONFIG="gone.toml")
    with pytest.raises(ConfigurationError, match=r"gone\.toml"):
        load(Path("gone.toml"), Overrides(), {})


def test_providers_and_models(loading: Loading) -> None:
    found = loading(
        """
        default_model = "big"
        [providers.local]
        base_url = "http://127.0.0.1:9/v1/"
        headers = { "X-Title" = "${TITLE} mine" }
        read_timeout_s = 5
        include_usage = false
        [providers.gem]
        type = "gemini"
        api_key = "${GEM_KEY}"
        [models."small/one"]
        provider = "local"
        model = "one"
        max_context_size = 1_000
        price = { input = 1, output = 2.5 }
        [models.big]
        provider = "gem"
        max_output_tokens = 10
        capabilities = ["tools"]
        [server]
        connect_timeout_s = 3
        """,
        TITLE="really",
        GEM_KEY=" gem-secret\n",
    )
    catalogue = found.catalogue()
    small, big = catalogue.resolve("small/one", None), catalogue.resolve(None, None)
    assert small.provider.headers == {"X-Title": "really mine"}
    assert (small.provider.connect_timeout_s, small.provider.read_timeout_s) == (3, 5)
    assert not small.provider.include_usage
    assert (small.upstream_model, small.max_context) == ("one", 1_000)
    assert big.provider.api_key == "gem-secret"
    assert big.provider.read_timeout_s == 600
    assert (big.upstream_model, big.max_context) == ("big", 262_144)
    assert [provider.key for provider in catalogue.providers()] == ["gem", "local"]
    assert found.warnings == ()
    (row,) = found.price_book
    assert (row.model, row.provider, row.input, row.output) == ("one", "local", 1_000_000, 2_500_000)


def test_the_first_model_is_the_default(loading: Loading) -> None:
    assert loading(f'{LOCAL}[models.b]\nprovider = "local"\n[models.a]\nprovider = "local"').default_model == "b"
    assert loading(LOCAL).default_model is None


def test_the_command_line_goes_first(loading: Loading, tmp_path: Path) -> None:
    overrides = Overrides(host="::1", port=0, data_dir=tmp_path)
    found = loading(f'{LOCAL}[server]\nhost = "127.0.0.1"\nport = 1\ndata_dir = "/elsewhere"', overrides)
    assert (found.server.host, found.server.port, found.data_dir) == ("::1", 0, tmp_path)


def test_an_unset_variable_is_empty_and_warned_of(loading: Loading) -> None:
    found = loading('[providers.p]\napi_key = "${UNSET_KEY}"\n[providers.q]\nbase_url = "${UNSET_URL}"\n')
    assert len(found.warnings) == 2
    assert "providers.p.api_key" in found.warnings[0]
    assert "UNSET_KEY" in found.warnings[0]
    for model in ("p/x", "q/x"):
        with pytest.raises(ProviderNotConfiguredError):
            found.catalogue().resolve(model, None)


def test_what_has_no_effect_is_warned_of_once_each(loading: Loading) -> None:
    found = loading(
        LOCAL
        + """
        api_keys = "x"
        [srever]
        port = 1
        [sanitizer]
        enabled = true
        routing.x = 1
        [compaction.auto]
        auto_compacts = false
        [server]
        hosts = "x"
        [models.m]
        provider = "local"
        price = { inputs = 1 }
        [recording]
        idempotency_hours = 3
        [rate_limit]
        mode = "enforce"
        max_wait_ms = 1
        """
    )
    assert set(found.warnings) == {
        "unknown key providers.local.api_keys; is api_key meant?",
        "unknown key srever; is server meant?",
        "sanitizer.routing has no effect yet",
        "unknown key compaction.auto.auto_compacts; is auto_compact meant?",
        "unknown key server.hosts; is host meant?",
        "unknown key models.m.price.inputs; is input meant?",
    }
    assert len(found.warnings) == 6
    assert found.recording.idempotency_hours == 3
    assert (found.rate_limit.mode, found.rate_limit.max_wait_ms) == ("enforce", 1)


def test_an_open_directory_that_does_not_exist_is_warned_of(loading: Loading, tmp_path: Path) -> None:
    found = loading(LOCAL + f'[mcp.fast_filesystem]\nroots = ["{tmp_path}", "{tmp_path}/none"]\n')
    assert found.warnings == (f"mcp.fast_filesystem.roots: {tmp_path}/none is no directory",)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[server]\nport = "8000"', "server.port"),
        ("[server]\nport = 65536", "server.port"),
        ("[recording]\nidempotency_hours = 0", "recording.idempotency_hours"),
        ("[recording]\nidempotency_hours = 8761", "recording.idempotency_hours"),
        ("[server]\ndocs = 1", "server.docs"),
        ('[server]\nclient_keys = "x"', "server.client_keys"),
        ('[server]\nclient_keys = ["${NONE}"]', "server.client_keys"),
        ("[server]\nread_timeout_s = 0", "server.read_timeout_s"),
        ("[server]\nread_timeout_s = nan", "server.read_timeout_s"),
        ('[server]\nhost = ""', "server.host"),
        ("server = 1", "server"),
        ("providers = []", "providers"),
        ("[providers]\nx = 1", "providers.x"),
        ('[providers.x]\ntype = "azure"', "providers.x.type"),
        ('[providers.x]\nbase_url = "ftp://h"', "providers.x.base_url"),
        ('[providers.x]\nbase_url = "h:80/v1"', "providers.x.base_url"),
        ('[providers.x]\nbase_url = "http://h:99999"', "providers.x.base_url"),
        ('[providers.x]\nbase_url = "http://[::1"', "providers.x.base_url"),
        ('[providers.x]\nbase_url = "http://u:p@h"\napi_key = "k"', "providers.x.base_url"),
        ('[mcp.servers.x]\nurl = "http://u:p@h/mcp"', "mcp.servers.x"),
        ('[providers.x]\napi_key = "a\\nb"', "providers.x.api_key"),
        ('[providers.x]\nheaders = { "a b" = "c" }', "providers.x.headers"),
        ('[providers.x]\nheaders = { "a" = "b\\nc" }', "providers.x.headers"),
        ('[providers.x]\nheaders = { "Content-Length" = "1" }', "providers.x.headers"),
        ('[providers."x/y"]\ntype = "openai"', 'providers."x/y"'),
        ('[models."a.b"]\nprovider = "none"', 'models."a.b".provider'),
        ("[models.m]\nmax_context_size = 1", "models.m.provider"),
        ('[models.m]\nprovider = "demo"\nmax_context_size = 0', "models.m.max_context_size"),
        ('[models.m]\nprovider = "demo"\nprice.input = -1', "models.m.price.input"),
        ('[models.m]\nprovider = "demo"\nprice.input = 0.0000001', "models.m.price.input"),
        ('[prices]\nfile = "none.toml"', "prices.file"),
        ('default_model = "none"', "default_model"),
        ('[recording]\ndurability = "never"', "recording.durability"),
        ('[rate_limit]\nmax_rpm = "40"', "rate_limit.max_rpm"),
        ("[rate_limit]\nmax_wait_ms = 60001", "rate_limit.max_wait_ms"),
        ('[keys.a]\nkey = ""', "keys.a.key"),
        ("[budgets]\nday = { usd = -1 }", "budgets.day.usd"),
        ('[budgets]\nunpriced = "maybe"', "budgets.unpriced"),
        ("[keys.a]\nmax_rpm = 3", "keys.a.key"),
        ('[keys.a]\nkey = "k"\n[keys.b]\nkey = "k"', "keys.b.key"),
        ("[providers.p]\nretry = { attempts = 11 }", "providers.p.retry.attempts"),
        ("[providers.p]\nretry = { on = [200] }", "providers.p.retry.on.0"),
        ('[models.m]\nprovider = "p"\nfallback = ["n"]\n[providers.p]', "models.m.fallback"),
        ('[models.m]\nprovider = "p"\nfallback = ["m"]\n[providers.p]\napi_key = "k"', "models.m.fallback"),
    ],
)
def test_what_is_refused_names_file_and_key(loading: Loading, text: str, key: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        loading(text)
    path, _, message = str(caught.value).partition(": ")
    assert path.endswith("given.toml")
    assert message.startswith(f"{key}: ")


@pytest.mark.parametrize("content", [b"a = ", b"a = '\xff'", b"a = 1\na = 2"])
def test_what_is_not_toml(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"x\.toml"):
        load(path, Overrides(), {})


def test_a_byte_order_mark_is_no_trouble(loading: Loading) -> None:
    assert loading("\ufeff" + LOCAL).warnings == ()


@pytest.mark.parametrize("secret", ["sk-secret-1", "sk-secret-\u00e9", "sk-secret\x01"])
def test_no_error_shows_a_value(loading: Loading, secret: str) -> None:
    text = f'[providers.x]\napi_key = "${{S}}"\nbase_url = "ftp://u:{secret[:9]}@h"\nheaders = {{ "a" = "${{S}}\\n" }}'
    with pytest.raises(ConfigurationError) as caught:
        loading(text, S=secret)
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.7.7", "box.example"])
def test_an_open_host_needs_a_token(loading: Loading, host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"server\.token"):
        loading(f'{LOCAL}[server]\nhost = "{host}"')
    with pytest.raises(ConfigurationError, match=r"server\.token"):
        loading(None, Overrides(host=host))
    assert loading(f'{LOCAL}[server]\nhost = "{host}"\ntoken = "t"').server.token == "t"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_a_loopback_host_needs_none(loading: Loading, host: str) -> None:
    assert loading(f'{LOCAL}[server]\nhost = "{host}"').server.host == host


@pytest.mark.parametrize(
    ("url", "host", "own"),
    [
        ("http://127.0.0.1:8000/v1", "127.0.0.1", True),
        ("http://LOCALHOST:8000", "127.0.0.1", True),
        ("http://[::1]:8000/v1", "::1", True),
        ("http://0.0.0.0:8000/v1", "127.0.0.1", True),
        ("http://127.0.0.1:8000/v1", "0.0.0.0", True),
        ("http://127.0.0.1:8000/v1", "::", True),
        ("http://127.0.0.1:8001/v1", "127.0.0.1", False),
        ("http://127.0.0.1/v1", "127.0.0.1", False),
        ("http://192.0.2.7:8000/v1", "0.0.0.0", False),
        ("http://box.example:8000/v1", "box.example", True),
        ("http://127.0.0.1:8000/v1", "box.example", False),
        ("http://127.1:8000", "127.0.0.1", True),
        ("http://2130706433:8000", "127.0.0.1", True),
        ("http://0x7f.1:8000", "127.0.0.1", True),
        ("http://0:8000", "127.0.0.1", True),
        ("http://LOCALHOST.:8000", "127.0.0.1", True),
        ("http://proxy.localhost:8000", "127.0.0.1", True),
        ("http://[::ffff:127.0.0.1]:8000", "127.0.0.1", True),
        ("http://box.example.:8000/v1", "box.example", True),
        ("http://192.0.2.7:8000/v1", "127.1", False),
    ],
)
def test_a_provider_at_our_own_address_is_refused(loading: Loading, url: str, host: str, own: bool) -> None:
    text = f'[providers.x]\nbase_url = "{url}"\n[server]\nhost = "{host}"\ntoken = "t"'
    if own:
        with pytest.raises(ConfigurationError, match=r"providers\.x\.base_url: this is the proxy's own address"):
            loading(text)
    else:
        loading(text)


@pytest.mark.parametrize(
    ("entry", "warned"),
    [
        ("http://wild.example*", "http://wild.example.evil.example"),
        ("http://127.0.0.*", "http://127.0.0.evil.example"),
        ("http://*", "everybody"),
        ("*", "everybody"),
        ("http://localhost:*", None),
        ("http://[::1]:*", None),
        ("http://localhost:30*", None),
        ("vscode-webview://*", None),
        ("http://wild.example", None),
        ("https://wild.example:8443", None),
        ("http://[::1]:3000", None),
        ("chrome-extension://abcdef", None),
        ("null", None),
        ("http*", "http.evil.example"),
    ],
)
def test_an_origin_that_is_open_at_its_end_is_warned_of(loading: Loading, entry: str, warned: str | None) -> None:
    warnings = loading(f'{LOCAL}[server]\nallowed_origins = ["{entry}"]').warnings
    assert (warned is None) == (warnings == ())
    assert warned is None or (warned in warnings[0] and entry in warnings[0])


@pytest.mark.parametrize(
    ("entry", "meant"),
    [
        ("wild.example", "https://wild.example"),
        ("wild.example:8443/x", "https://wild.example:8443"),
        ("http://wild.example/", "http://wild.example"),
        ("HTTP://Wild.example", "http://wild.example"),
        ("http://user@wild.example", "http://wild.example"),
        ("http://wild.example:80", "http://wild.example"),
        ("https://wild.example:443", "https://wild.example"),
        ("https://*.wild.example", None),
        ("http://wild.example/*", "http://wild.example"),
        ("wild.example*", None),
        ("https://", None),
        ("", None),
    ],
)
def test_an_origin_that_no_page_has_is_warned_of(loading: Loading, entry: str, meant: str | None) -> None:
    (warning,) = loading(f'{LOCAL}[server]\nallowed_origins = ["{entry}"]').warnings
    assert warning.startswith(f"server.allowed_origins: {entry!r} is never the origin of a page")
    assert warning.endswith(f"; is {meant!r} meant?" if meant else "of a page")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("http://wild.example", "never the Host of a request; is 'wild.example' meant?"),
        ("https://wild.example:8443/v1", "never the Host of a request; is 'wild.example:8443' meant?"),
        ("wild.example/", "never the Host of a request; is 'wild.example' meant?"),
        ("*.wild.example", "never the Host of a request"),
        ("::1", "never the Host of a request"),
        ("", "never the Host of a request"),
        ("*", "also allows every name"),
        ("wild.example*", "also allows names such as wild.example.evil.example"),
        ("10.0.0.*", "also allows names such as 10.0.0.evil.example"),
        ("wild.example:*", None),
        ("[fd00:*", None),
        ("Wild.example", None),
        ("wild.example:8443", None),
        ("[fd00::1]", None),
    ],
)
def test_a_host_that_is_open_or_that_nobody_names_is_warned_of(loading: Loading, entry: str, said: str | None) -> None:
    warnings = loading(f'{LOCAL}[server]\nallowed_hosts = ["{entry}"]').warnings
    assert (said is None) == (warnings == ())
    assert said is None or (said in warnings[0] and warnings[0].startswith(f"server.allowed_hosts: {entry!r} "))


def test_a_ledger_that_is_not_there_is_warned_of(loading: Loading, tmp_path: Path) -> None:
    found = loading(
        f'{LOCAL}[cline]\nledgers = ["/nope", "{tmp_path}"]\n'
        f'[ledgers]\npaths = ["aider_history:{tmp_path}/none.md", "aider_history:{tmp_path}"]\n'
    )
    assert found.warnings == (
        "cline.ledgers: /nope is not there",
        f"ledgers.paths: {tmp_path}/none.md is not there",
    )


def test_a_way_to_providers_that_cannot_be_is_warned_of(loading: Loading, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    for variables, name, why in (
        ({"HTTP_PROXY": "http://secret@[::bad"}, "HTTP_PROXY", "not a valid address"),
        ({"https_proxy": "socks5://secret", "HTTPS_PROXY": "http://fine"}, "https_proxy", "http://"),
        ({"SSL_CERT_FILE": str(tmp_path / "gone.pem")}, "SSL_CERT_FILE", "gone.pem cannot be read"),
        ({"SSL_CERT_FILE": str(empty)}, "SSL_CERT_FILE", "holds no certificates"),
        ({"SSL_CERT_DIR": str(empty)}, "SSL_CERT_DIR", "cannot be read"),
    ):
        (warning,) = loading(LOCAL, **variables).warnings
        assert warning.startswith(f"{name} of the environment: ")
        assert why in warning
        assert "secret" not in warning
    fine = {"http_proxy": "", "HTTP_PROXY": "socks5://unused", "HTTPS_PROXY": "proxy.example:3128"}
    assert loading(LOCAL, **fine, SSL_CERT_FILE=certifi.where(), SSL_CERT_DIR=str(tmp_path)).warnings == ()


@pytest.mark.parametrize("value", ["", " ", "${CHRONOPROXY_NOT_SET}"])
def test_a_data_directory_without_a_name_is_refused(loading: Loading, value: str) -> None:
    with pytest.raises(ConfigurationError, match=r"server\.data_dir: it is empty"):
        loading(f'{LOCAL}[server]\ndata_dir = "{value}"')


SECRETS = """
[providers.x]
base_url = "https://user:pass-secret@h/v1?api_key=query-secret&v=1"
headers = { "X-Extra" = "header-secret" }
[providers.y]
api_key = "key-secret"
[server]
token = "token-secret"
client_keys = ["client-secret"]
"""


def test_secrets_are_known_as_they_may_stand_in_a_text(loading: Loading) -> None:
    lines = """
[mcp.servers.remote]
url = "https://h/mcp?apikey=query-secret"
headers = { Authorization = "Bearer header-secret", X-Title = "two words" }
[mcp.servers.program]
command = "program"
env = { PEM = "first-line\\nlast-line\\n", TOKEN = " blanks " }
"""
    found = loading(LOCAL + lines).secrets()
    assert found >= {"query-secret", "Bearer header-secret", "header-secret", "first-line", "last-line", "blanks"}
    assert not found & {"words", "two", "Bearer"}


def test_secrets_are_known_and_stay_out_of_what_is_shown(loading: Loading) -> None:
    found = loading(SECRETS)
    names = ("pass", "query", "header", "key", "token", "client")
    basic = base64.b64encode(b"user:pass-secret").decode()  # as it stands in a header
    assert found.secrets() == {basic, *(f"{name}-secret" for name in names)}
    assert "-secret" not in repr(found)
    shown = found.public_values()
    assert b"-secret" not in msgspec.json.encode(shown)
    assert shown["server"]["has_token"] is True
    assert shown["providers"]["y"]["has_api_key"] is True
    assert shown["providers"]["x"]["headers"] == ["X-Extra"]


def test_the_home_directory_is_shown_as_a_tilde(loading: Loading, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: Path("/home/somebody"))
    lines = """
[ledgers]
paths = ["llm_logs:/home/somebody/logs.db", "llm_logs:/home/somebody-else/logs.db", "llm_logs:relative.db"]
[mcp.servers.program]
command = "/home/somebody/bin/tool"
"""
    shown = loading(LOCAL + lines).public_values()
    assert shown["ledgers"]["paths"] == [
        "llm_logs:~/logs.db",
        "llm_logs:/home/somebody-else/logs.db",
        "llm_logs:relative.db",
    ]
    assert shown["mcp"]["servers"]["program"]["command"] == "~/bin/tool"


def test_the_hash_tells_changes_and_nothing_else(loading: Loading) -> None:
    first = loading(LOCAL)
    assert first.hash == loading(f"# a comment\n{LOCAL}").hash
    assert first.hash != loading(f"{LOCAL}include_usage = false").hash
    assert len(first.hash) == 64


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {"XDG_DATA_HOME": "/x"}, "/x/chronoproxy"),
        ("linux", {}, ".local/share/chronoproxy"),
        ("darwin", {}, "Library/Application Support/chronoproxy"),
        ("win32", {"LOCALAPPDATA": "/w"}, "/w/chronoproxy"),
        ("win32", {}, "AppData/Local/chronoproxy"),
    ],
)
def test_the_data_directory_of_each_system(
    loading: Loading, monkeypatch: pytest.MonkeyPatch, platform: str, environment: dict[str, str], expected: str
) -> None:
    monkeypatch.setattr("sys.platform", platform)
    found = loading(LOCAL, **environment).data_dir
    assert found == (Path(expected) if expected.startswith("/") else Path.home() / expected)


def test_every_setting_is_documented_with_its_default() -> None:
    """page() fails for a setting that has no meaning written down."""
    text = (Path(__file__).parent.parent.parent / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page() in text
