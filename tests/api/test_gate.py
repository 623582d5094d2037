"""Who may come in (contract 1.6, decisions 3.12): pure, so every case is one call."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.gate import Gate, GateSettings, area_of, request_id_of

OWN = (b"host", b"127.0.0.1:8000")


def code(
    settings: GateSettings,
    *headers: tuple[bytes, bytes],
    method: str = "GET",
    path: str = "/api/sessions",
    local: str | None = None,
) -> str | None:
    denial = Gate(settings).denial(method, path, headers, local)
    return denial.code if denial else None


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:9", "[::1]", "[::1]:8000"]
)
def test_loopback_hosts_are_served(host: str) -> None:
    assert code(GateSettings(), (b"host", host.encode())) is None


@pytest.mark.parametrize(
    "host", ["evil.test", "127.0.0.1.evil.test", "localhost.evil.test:80", "", "127.0.0.2", "[::2]", "::1", "a:b:c",
     "127.0.0.1:abc", "127.0.0.1:80, evil.test", "127.0.0.1, evil.test", "127.0.0.1:80:80", "[::1]evil.test",
     "[::1", "localhost:80/", "localhost:123456"],
)  # fmt: skip
def test_other_hosts_are_not(host: str) -> None:
    assert code(GateSettings(), (b"host", host.encode())) == "host_not_allowed"


def test_no_host_and_two_hosts_are_refused() -> None:
    assert code(GateSettings()) == "host_not_allowed"
    assert code(GateSettings(), OWN, (b"host", b"evil.test")) == "host_not_allowed"
    assert code(GateSettings(), OWN, OWN) == "host_not_allowed"
    assert code(GateSettings(allowed_hosts=("*",)), (b"host", b"a.test:80, evil.test")) == "host_not_allowed"


def test_bound_and_configured_hosts() -> None:
    settings = GateSettings(host="192.168.1.5", allowed_hosts=("proxy.lan", "10.0.0.*", "other.lan:8443"))
    for host in (b"192.168.1.5:8000", b"proxy.lan", b"proxy.lan:80", b"10.0.0.7:8000", b"other.lan:8443"):
        assert code(settings, (b"host", host)) is None, host
    for host in (b"xproxy.lan", b"10.0.1.7", b"other.lan:8000", b"192.168.1.6"):
        assert code(settings, (b"host", host)) == "host_not_allowed", host
    assert code(GateSettings(host="fd00::5"), (b"host", b"[fd00::5]:80")) is None


@pytest.mark.parametrize("bind", ["0.0.0.0", "::"])
def test_a_wildcard_bind_serves_the_address_that_a_request_arrived_at(bind: str) -> None:
    settings = GateSettings(host=bind)
    assert code(settings, (b"host", b"192.168.1.5:8000"), local="192.168.1.5") is None
    assert code(settings, (b"host", b"192.168.1.5:8000"), local="::ffff:192.168.1.5") is None
    assert code(settings, (b"host", b"[fd00::5]"), local="fd00::5") is None
    assert code(settings, (b"host", b"192.168.1.6:8000"), local="192.168.1.5") == "host_not_allowed"
    assert code(settings, (b"host", b"evil.test"), local="192.168.1.5") == "host_not_allowed"
    assert code(GateSettings(), (b"host", b"192.168.1.5"), local="192.168.1.5") == "host_not_allowed"


def test_the_refusal_prints_the_line_to_add() -> None:
    denial = Gate(GateSettings()).denial("GET", "/", [(b"host", b"Proxy.lan:8000")])
    assert denial is not None and 'allowed_hosts = ["proxy.lan"]' in denial.message
    denial = Gate(GateSettings()).denial("POST", "/api/x", [OWN, (b"origin", b"https://app.test")])
    assert denial is not None and 'allowed_origins = ["https://app.test"]' in denial.message
    hostile = Gate(GateSettings()).denial("GET", "/", [(b"host", b'x"]\n\xff<b>')])
    assert hostile is not None and '"x]<b>"' in hostile.message


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([(b"origin", b"http://127.0.0.1:8000")], None),
        ([(b"origin", b"https://127.0.0.1:8000")], None),
        ([(b"origin", b"http://127.0.0.1:3000")], "origin_not_allowed"),
        ([(b"origin", b"null")], "origin_not_allowed"),
        ([(b"origin", b"http://evil.test"), (b"sec-fetch-site", b"same-origin")], "origin_not_allowed"),
        ([(b"sec-fetch-site", b"cross-site")], "origin_not_allowed"),
        ([(b"sec-fetch-site", b"same-origin")], None),
        ([(b"sec-fetch-site", b"none")], None),
        ([(b"origin", b"http://app.test"), (b"sec-fetch-site", b"cross-site")], None),
        ([(b"origin", b"vscode-webview://abc"), (b"sec-fetch-site", b"cross-site")], None),
        ([], None),
    ],
)
def test_origins_of_writes(headers: list[tuple[bytes, bytes]], expected: str | None) -> None:
    settings = GateSettings(allowed_origins=("http://app.test", "vscode-webview://*"))
    for method in ("POST", "DELETE", "PATCH", "OPTIONS", "BREW"):
        assert code(settings, OWN, *headers, method=method) == expected
    for method in ("GET", "HEAD"):
        assert code(settings, OWN, *headers, method=method) is None


@pytest.mark.parametrize("second", [b"http://evil.test", b"http://app.test"])
def test_a_second_origin_is_refused(second: bytes) -> None:
    settings = GateSettings(allowed_origins=("http://app.test",))
    both = ((b"origin", b"http://app.test"), (b"origin", second))
    for method in ("POST", "GET"):
        assert code(settings, OWN, *both, method=method) == "origin_not_allowed"


@pytest.mark.parametrize("path", ["/api/sessions", "/api", "/metrics", "/openapi.json", "/ws"])
def test_the_token_guards_the_management_api(path: str) -> None:
    settings = GateSettings(token="t0ken", client_keys=("ck",))
    assert code(settings, OWN, path=path) == "auth_required"
    assert code(settings, OWN, (b"authorization", b"Bearer wrong"), path=path) == "invalid_token"
    assert code(settings, OWN, (b"authorization", b"Bearer ck"), path=path) == "invalid_token"
    assert code(settings, OWN, (b"authorization", b"Basic t0ken"), path=path) == "invalid_token"
    assert code(settings, OWN, (b"authorization", b"bearer t0ken"), path=path) is None


@pytest.mark.parametrize("path", ["/", "/favicon.ico", "/static/app.js", "/docs", "/health", "/health/ready", "/apix"])
def test_open_paths_need_no_token(path: str) -> None:
    assert code(GateSettings(token="t"), OWN, path=path) is None


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/chat/completions", "/v1/models", "/models", "/v1/models/a/b"]
)
def test_openai_paths_take_the_token_or_a_client_key(path: str) -> None:
    settings = GateSettings(token="t0ken", client_keys=("ck1", "ck2"))
    for header in ((b"authorization", b"Bearer t0ken"), (b"authorization", b"Bearer ck2"), (b"x-api-key", b"ck1")):
        assert code(settings, OWN, header, path=path) is None
    for wrong in ((b"authorization", b"Bearer ck"), (b"authorization", b"Bearer "), (b"accept", b"*/*")):
        assert code(settings, OWN, wrong, path=path) == "invalid_api_key"
    assert code(GateSettings(), OWN, path=path) is None


def test_client_keys_alone_guard_only_the_openai_paths() -> None:
    settings = GateSettings(client_keys=("ck",))
    assert code(settings, OWN, path="/v1/models") == "invalid_api_key"
    assert code(settings, OWN, (b"authorization", b"Bearer "), path="/v1/models") == "invalid_api_key"
    assert code(settings, OWN, path="/api/sessions") is None


def test_precedence_host_then_origin_then_token() -> None:
    settings = GateSettings(token="t")
    foreign = (b"origin", b"http://evil.test")
    assert code(settings, (b"host", b"evil.test"), foreign, method="POST") == "host_not_allowed"
    assert code(settings, OWN, foreign, method="POST") == "origin_not_allowed"
    assert code(settings, OWN, method="POST") == "auth_required"


def test_a_preflight_carries_no_token() -> None:
    settings = GateSettings(token="t", allowed_origins=("http://app.test",))
    asked = (b"access-control-request-method", b"POST")
    assert code(settings, OWN, (b"origin", b"http://app.test"), asked, method="OPTIONS") is None
    assert code(settings, OWN, (b"origin", b"http://evil.test"), asked, method="OPTIONS") == "origin_not_allowed"
    assert code(settings, OWN, method="OPTIONS") == "auth_required"


@pytest.mark.parametrize(
    ("value", "usable"),
    [(b"a", True), (b"x" * 128, True), (b"x" * 129, False), (b"", False), (b"a b", False), (b"\xe9", False)],
)
def test_request_ids(value: bytes, usable: bool) -> None:
    assert request_id_of([(b"x-request-id", value)]) == (value.decode() if usable else None)
    assert request_id_of([]) is None


def test_areas() -> None:
    assert {area_of(path) for path in ("/v1", "/v1/x", "/models", "/models/all", "/chat/completions")} == {"openai"}
    assert {area_of(path) for path in ("/api", "/api/x", "/metrics")} == {"api"}
    assert {area_of(path) for path in ("/", "/health", "/v1x", "/modelsx", "/chat", "/apis")} == {"open"}


def test_settings_do_not_show_their_secrets() -> None:
    assert "s3cret" not in repr(GateSettings(token="s3cret", client_keys=("s3cret",)))


@given(
    st.lists(
        st.tuples(st.sampled_from((b"host", b"origin", b"authorization", b"sec-fetch-site")), st.binary(max_size=40))
    ),
    st.sampled_from(("GET", "POST", "OPTIONS")),
    st.sampled_from(("/api/x", "/v1/models", "/")),
)
def test_any_headers_get_a_verdict_that_can_be_shown(
    headers: list[tuple[bytes, bytes]], method: str, path: str
) -> None:
    settings = GateSettings(token="t", client_keys=("ck",), allowed_hosts=("*",), allowed_origins=("https://*",))
    for gate in (Gate(GateSettings()), Gate(settings)):
        denial = gate.denial(method, path, headers)
        if denial is not None:
            assert denial.status in (401, 403) and denial.message.isascii() and denial.message.isprintable()
