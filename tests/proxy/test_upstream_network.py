"""Ways to an upstream other than a plain connection: TLS with an authority of one's own, HTTP proxies, IPv6."""

import asyncio
import datetime
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from proxy.aiohttp_upstream import AiohttpUpstream
from proxy.direct_upstream import DirectUpstream
from proxy.environment_proxy import fault_of, origin_of, proxy_for
from proxy.upstream_errors import UpstreamError
from tests.proxy.upstream_calls import request, whole
from tests.servers.mock_provider import MockProvider

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@asynccontextmanager
async def client() -> AsyncIterator[DirectUpstream]:
    by_proxy = AiohttpUpstream()
    upstream = DirectUpstream(by_proxy)
    try:
        yield upstream
    finally:
        await upstream.aclose()
        await by_proxy.aclose()


async def test_an_authority_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = _certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    server = await asyncio.start_server(_ok, "127.0.0.1", 0, ssl=tls)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with server:
        async with client() as upstream:
            with pytest.raises(UpstreamError, match="certificate is not accepted") as caught:
                await upstream.open(request(url))
            assert caught.value.code == "upstream_unreachable"
            assert "SSL_CERT" not in caught.value.message
        for name, value in (("SSL_CERT_DIR", "gone"), ("SSL_CERT_FILE", "gone.pem")):
            monkeypatch.setenv(name, str(tmp_path / value))
            async with client() as upstream:
                with pytest.raises(UpstreamError, match=f"{name} names what cannot be read"):
                    await upstream.open(request(url))
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        async with client() as upstream:
            assert await whole(await upstream.open(request(url))) == b"ok"


async def test_plain_http_where_tls_is_expected() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server, client() as upstream:
        with pytest.raises(UpstreamError, match="TLS failed") as caught:
            await upstream.open(request(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"))
    assert caught.value.code == "upstream_unreachable"


async def test_an_http_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with MockProvider() as proxy, client() as upstream:
        monkeypatch.setenv("http_proxy", f"http://user:pass@127.0.0.1:{proxy.port}")
        await whole(await upstream.open(request("http://nowhere.invalid/v1/chat/completions")))
        assert proxy.seen[0].path == "http://nowhere.invalid/v1/chat/completions"
        assert "proxy-authorization" in {name for name, _ in proxy.seen[0].headers}


async def test_a_proxy_that_wants_credentials_is_no_answer_of_the_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    server = await asyncio.start_server(_answering(b"407 Proxy Authentication Required"), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, client() as upstream:
        direct = await upstream.open(request(f"http://127.0.0.1:{port}/v1"))
        assert (direct.status, await whole(direct)) == (407, b"ok")  # whatever that means
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        for url in ("http://nowhere.invalid/v1", "https://nowhere.invalid/v1"):
            monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
            with pytest.raises(UpstreamError, match="configured HTTP proxy answered 407") as caught:
                await upstream.open(request(url))
            assert caught.value.code == "upstream_unreachable"


@pytest.mark.parametrize(
    ("proxy", "fault"),
    [
        ("http://user:secret@[::bad", "not a valid address"),
        ("http://secret:port", "not a valid address"),
        ("http://secret:99999", "not a valid address"),
        ("socks5://secret:1", "http://"),
        ("http://:secret@", "names no host"),
    ],
)
async def test_a_proxy_that_cannot_be_one_is_named(monkeypatch: pytest.MonkeyPatch, proxy: str, fault: str) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    async with client() as upstream:
        with pytest.raises(UpstreamError, match="HTTP proxy of the environment") as caught:
            await upstream.open(request("http://nowhere.invalid/v1"))
    assert caught.value.code == "upstream_unreachable"
    assert fault in caught.value.message
    assert "secret" not in caught.value.message
    assert fault_of(proxy) is not None


@pytest.mark.parametrize("proxy", ["proxy.example:3128", "http://user:pass@[::1]:3128", "https://proxy.example/"])
def test_what_can_be_a_proxy(proxy: str) -> None:
    assert fault_of(proxy) is None


async def test_no_proxy_goes_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    async with MockProvider() as provider, MockProvider() as proxy, client() as upstream:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        await whole(await upstream.open(request(f"{provider.base_url}/chat/completions")))
        assert (len(provider.seen), len(proxy.seen)) == (1, 0)


async def test_a_proxy_that_is_not_there_shows_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        port = closed_soon.getsockname()[1]
    monkeypatch.setenv("http_proxy", f"http://user:secret@127.0.0.1:{port}")
    async with client() as upstream:
        with pytest.raises(UpstreamError, match="configured HTTP proxy") as caught:
            await upstream.open(request("http://nowhere.invalid/v1"))
    assert caught.value.code == "upstream_unreachable"
    assert "secret" not in caught.value.message


async def test_ipv6() -> None:
    try:
        server = await asyncio.start_server(_ok, "::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    async with server, client() as upstream:
        url = f"http://[::1]:{server.sockets[0].getsockname()[1]}/v1"
        assert await whole(await upstream.open(request(url))) == b"ok"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://h/v1", "http://h"),
        ("https://user:pass@h:8443/v1?key=x", "https://h:8443"),
        ("http://[::1]:80/", "http://[::1]:80"),
    ],
)
def test_origins_hold_no_secret(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    ("no_proxy", "direct"),
    [("", False), ("h.example", True), (".example", True), ("other", False), ("h.example:81", True), ("*", True)],
)
def test_which_hosts_go_directly(monkeypatch: pytest.MonkeyPatch, no_proxy: str, direct: bool) -> None:
    monkeypatch.setenv("https_proxy", "proxy.example:3128")
    monkeypatch.setenv("no_proxy", no_proxy)
    assert proxy_for("https://h.example:81/v1") == (None if direct else "http://proxy.example:3128")
    assert proxy_for("http://h.example:81/v1") is None


def _answering(status: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %b\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok" % status)
        await writer.drain()
        writer.close()

    return answer


async def _ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"}]}")
    writer.write(OK)
    await writer.drain()
    writer.close()


def _certificate(directory: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    certificate_file, key_file = directory / "certificate.pem", directory / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(pem))
    key_file.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return certificate_file, key_file
