"""Vectors from a provider's /embeddings, over a real socket; the provider may answer anything."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from api import memory_vectors
from api.configuration import ConfigurationError, Overrides, load
from api.embedders import configured_vectors
from api.embedding import EmbedderError
from api.gateway_wiring import open_looker
from api.memory_desk import MemoryDesk
from api.memory_vectors import Vectors
from api.remote_embedding import RemoteEmbedder, embeddings_url
from projections.words import Words
from proxy.providers import Provider
from tests.api.house import NOW_MS, House
from tests.api.test_memory import store
from tests.api.test_memory_vectors import find
from tests.projections.building import session

_TOPICS = (("cat", "kitten"), ("port", "socket"))


class Service:
    """An embeddings API that knows two topics. `answer` replaces what it would say: a status and a body."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any, Any]] = []
        self.answer: tuple[int, bytes] | None = None
        self.extra = 0  # dimensions more than usual
        self.silent: threading.Event | None = None  # nothing is answered before it is set
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                service.seen.append((self.path, dict(self.headers), body))
                if service.silent is not None:
                    service.silent.wait(10)
                status, answer = service.answer or (200, service.vectors(body["input"]))
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *arguments: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def vectors(self, texts: list[str]) -> bytes:
        rows = [[float(any(word in text for word in topic)) for topic in _TOPICS] + [0.1] for text in texts]
        data = [{"index": at, "embedding": row + [0.0] * self.extra} for at, row in enumerate(rows)]
        return json.dumps({"object": "list", "data": data[::-1]}).encode()  # `index` says the order

    def embedder(self, **fields: Any) -> RemoteEmbedder:
        provider = Provider(key="mine", type="openai", base_url=self.url, **fields)
        return RemoteEmbedder(provider, "small", f"{self.url}/chat/completions?v=1")


def test_a_way_that_cannot_be_is_no_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    for proxy in ("http://user:secret@[::bad", "ftp://secret"):
        monkeypatch.setenv("HTTP_PROXY", proxy)
        with pytest.raises(EmbedderError, match="HTTP proxy or certificate") as raised:
            RemoteEmbedder(Provider(key="mine", type="openai", base_url="http://far/v1"), "small", "http://far/v1")
        assert "secret" not in str(raised.value)


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_texts_become_unit_vectors_in_their_order(service: Service) -> None:
    embedder = service.embedder(api_key="sk-1", headers={"X-Team": "blue"})
    found = embedder.embed(["a kitten", "a socket", "x" * 9_000])
    assert (found.shape, embedder.dimension, embedder.name) == ((3, 3), 3, "mine/small")
    assert np.allclose(np.linalg.norm(found, axis=1), 1)
    assert found[0].argmax() == 0 and found[1].argmax() == 1
    ((path, headers, body),) = service.seen
    assert (path, body["model"], len(body["input"][2])) == ("/v1/embeddings?v=1", "small", 8_000)
    assert (headers["Authorization"], headers["X-Team"]) == ("Bearer sk-1", "blue")
    service.answer = (200, b'{"data": [{"index": 0, "embedding": [3e307, 0.0, -4e307]}]}')
    assert np.allclose(embedder.embed(["large"]), [[0.6, 0, -0.8]])
    embedder.close()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, b'{"error": "sk-1 is wrong"}'),
        (302, b""),
        (200, b"<html>"),
        (200, b"{}"),
        (200, b'{"data": []}'),
        (200, b'{"data": [{"index": 0, "embedding": []}]}'),
        (200, b'{"data": [{"index": 1, "embedding": [1.0]}]}'),
        (200, b'{"data": [{"index": 0, "embedding": [0.0, 0.0]}]}'),
        (200, b'{"data": [{"index": 0, "embedding": [1e999, 1.0]}]}'),
        (200, b'{"data": [{"index": 0, "embedding": ["NaN"]}]}'),
        (200, b'{"data": [{"index": 0, "embedding": "AAAA"}]}'),
        (200, b'{"data": [' + b'{"index": 0, "embedding": [1.0]},' * 400_000 + b"]}"),
        (200, json.dumps({"data": [{"index": 0, "embedding": [1.0] * 20_000}]}).encode()),
    ],
)
def test_what_is_no_vector_is_refused(service: Service, status: int, body: bytes) -> None:
    embedder = service.embedder(api_key="sk-1")
    service.answer = (status, body)
    with pytest.raises(EmbedderError) as raised:
        embedder.embed(["a kitten"])
    assert "sk-1" not in str(raised.value)
    service.answer = None
    assert embedder.embed(["a kitten"]).shape == (1, 3)
    service.extra = 2
    with pytest.raises(EmbedderError, match="5 dimensions"):
        embedder.embed(["a kitten"])
    embedder.close()


async def test_words_serve_while_the_provider_does_not(house: House, service: Service, tmp_path: Path) -> None:
    await house.record(session(1))
    house.handler.dropped()
    services = house.app.state.services
    vectors = Vectors(tmp_path / memory_vectors.FILE, service.embedder(), services.reads)
    looker = open_looker(services.gateway, vectors, services.reads, lambda: NOW_MS)
    desk = MemoryDesk(Words(), vectors=vectors)
    house.app.state.services = msgspec.structs.replace(services, memory=desk, looker=looker)
    await store(house, "The cat sleeps on the sofa")
    service.answer = (503, b"")
    with pytest.raises(EmbedderError):
        await vectors.once()
    assert (await find(house, "kitten"))["method"] == "bm25"
    service.answer = None
    assert await vectors.once() == 1
    assert (await find(house, "kitten"))["method"] == "hybrid"
    service.answer = (503, b"")
    assert [each["id"] for each in (await find(house, "cat"))["results"]] == ["1"]
    assert (await find(house, "kitten"))["results"] == []
    shown = (await house.client.get("/api/memory/servers")).json()["servers"]
    state = next(each for each in shown if each["name"] == "memory-vectors")
    assert (state["connected"], state["error"]) == (False, "mine/small answered with status 503")
    vectors.close()


async def test_who_searches_waits_once_for_a_provider_that_hangs(
    house: House, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_vectors, "_QUERY_S", 0.2)
    await house.record(session(1))
    house.handler.dropped()
    services = house.app.state.services
    vectors = Vectors(tmp_path / memory_vectors.FILE, service.embedder(), services.reads)
    desk = MemoryDesk(Words(), vectors=vectors)
    house.app.state.services = msgspec.structs.replace(services, memory=desk)
    await store(house, "The cat sleeps on the sofa")
    await vectors.once()
    service.seen.clear()
    service.silent = threading.Event()
    for _ in range(3):
        found = await find(house, "cat")
        assert (found["method"], [each["id"] for each in found["results"]]) == ("bm25", ["1"])
    service.silent.set()
    assert [body["input"] for _, _, body in service.seen] == [["cat"]]
    assert vectors.failing == "mine/small cannot be asked: ReadTimeout"
    vectors.close()


async def test_another_size_behind_the_same_name_begins_anew(house: House, service: Service, tmp_path: Path) -> None:
    await house.record(session(1))
    house.handler.dropped()
    await store(house, "The cat sleeps on the sofa")
    reads = house.app.state.services.reads
    for expected in (3, 3, 5):
        service.extra = expected - 3
        vectors = Vectors(tmp_path / memory_vectors.FILE, service.embedder(), reads)
        assert await vectors.of("kitten") is not None  # what the provider answers today says the size
        assert (await vectors.once(), vectors.dimension) == (1, expected)
        vectors.close()
    assert [body["input"] for _, _, body in service.seen].count(["The cat sleeps on the sofa"]) == 2


def test_addresses() -> None:
    assert embeddings_url("https://a/v1/chat/completions") == "https://a/v1/embeddings"
    assert embeddings_url("https://a/v1/chat/completions?api-version=2") == "https://a/v1/embeddings?api-version=2"


def configured(tmp_path: Path, embedder: str) -> Any:
    file = tmp_path / "config.toml"
    file.write_text(f'[providers.mine]\nbase_url = "http://127.0.0.1:9/v1"\n[memory.embedder]\n{embedder}\n')
    return load(file, Overrides(), {})


@pytest.mark.parametrize(
    ("embedder", "key"),
    [
        ('provider = "nobody"\nmodel = "m"', "memory.embedder.provider"),
        ('provider = "mine"', "memory.embedder.model"),
        ('provider = "mine"\nmodel = "m"\npath = "/x"', "memory.embedder"),
        ("provider = 1", "memory.embedder.provider"),
    ],
)
def test_errors_name_the_key(tmp_path: Path, embedder: str, key: str) -> None:
    with pytest.raises(ConfigurationError, match=key):
        configured(tmp_path, embedder)


async def test_the_configuration_chooses(house: House, tmp_path: Path) -> None:
    reads = house.app.state.services.reads
    configuration = configured(tmp_path, 'provider = "mine"\nmodel = "m"')
    vectors = configured_vectors(configuration, configuration.catalogue(), tmp_path, reads)
    assert vectors is not None and vectors.name == "mine/m"
    assert await vectors.of("anything") is None and "ConnectError" in (vectors.failing or "")
    vectors.close()
    nothing = configured(tmp_path, 'path = ""')
    assert configured_vectors(nothing, nothing.catalogue(), tmp_path, reads) is None
