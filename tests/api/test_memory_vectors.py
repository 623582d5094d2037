"""Memories found by their meaning: a fake embedder that knows three topics, and a forward pass over small weights."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from api import memory_vectors
from api.configuration import ConfigurationError, Overrides, load
from api.cooling import CoolDown
from api.embedding import EmbedderError, MiniLm
from api.memory_desk import MemoryDesk
from api.memory_vectors import Vectors, open_vectors, refs_kept
from projections.words import Words
from tests.api.house import House
from tests.api.test_memory import store
from tests.projections.building import session

_TOPICS = (("cat", "kitten", "feline"), ("port", "socket", "listens"), ("deploy", "release", "ship"))


class FakeEmbedder:
    """One number for each topic, and one that all have."""

    name = "fake:4"
    dimension = 4
    concurrent = False

    def close(self) -> None: ...

    def __init__(self) -> None:
        self.embedded: list[str] = []

    def embed(self, texts: Sequence[str], within_s: float | None = None) -> Any:
        self.embedded += texts
        found = [[float(any(word in text for word in topic)) for topic in _TOPICS] + [0.1] for text in texts]
        vectors = np.array(found, dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
async def vectors(house: House, tmp_path: Path) -> AsyncIterator[Vectors]:
    await house.record(session(1), session(2))
    house.handler.dropped()
    services = house.app.state.services
    opened = Vectors(tmp_path / memory_vectors.FILE, FakeEmbedder(), services.reads)
    services.erasures.vectors = opened
    desk = MemoryDesk(Words(), vectors=opened)
    house.app.state.services = msgspec.structs.replace(services, memory=desk)
    yield opened
    opened.close()


async def find(house: House, query: str, **fields: Any) -> Any:
    body = {"query": query, "score_threshold": 0, **fields}
    return (await house.client.post("/api/memory/similarity", json=body)).json()


async def test_words_serve_until_there_are_vectors_and_both_from_then_on(house: House, vectors: Vectors) -> None:
    await store(house, "The cat sleeps on the sofa")
    await store(house, "Staging listens on 5433", 2)
    before = await find(house, "kitten")
    assert (before["method"], before["results"], before["qdrant_available"]) == ("bm25", [], False)
    assert await vectors.once() == 2
    assert await vectors.once() == 0
    found = await find(house, "kitten")
    assert (found["method"], found["qdrant_available"]) == ("hybrid", True)
    assert (found["results"][0]["id"], found["results"][0]["vector_dimension"]) == ("1", 4)
    assert [each["score"] for each in found["results"]] == [1.0, 0.0995]  # the roots of their cosines
    assert (await find(house, "the cat sleeps"))["results"][0]["score"] == 1.0
    assert [each["id"] for each in (await find(house, "kitten", session_id=2))["results"]] == ["2"]
    await house.client.delete("/api/memory/1")
    assert [each["id"] for each in (await find(house, "kitten"))["results"]] == ["2"]
    at = house.log.head()
    shown = (await house.client.get(f"/api/memory/similar/1?query=kitten&at={at}")).json()
    assert (shown["results"], shown["method"]) == ([], "hybrid")


async def test_what_has_nothing_to_do_with_the_query_is_not_found(house: House, vectors: Vectors) -> None:
    """Something always is the nearest; that alone makes it no answer, nor counts an access."""
    for text in ("The cat sleeps on the sofa", "A kitten plays with wool", "A study of feline habits"):
        await store(house, text)
    await vectors.once()
    asked = {"query": "quantum chromodynamics", "score_threshold": 0.7}
    answer = (await house.client.post("/api/memory/similarity", json=asked)).json()
    assert (answer["results"], answer["method"]) == ([], "hybrid")
    assert {(await house.client.get(f"/api/memory/{number}")).json()["access_count"] for number in (1, 2, 3)} == {1}
    alike = (await house.client.get("/api/memory/similar/1?query=quantum+chromodynamics")).json()
    assert (alike["results"], alike["method"]) == ([], "hybrid")
    assert {(await house.client.get(f"/api/memory/{number}")).json()["access_count"] for number in (1, 2, 3)} == {1}
    assert (await house.client.get("/api/memory/similar/1?query=kitten&peek=true")).json()["results_count"] == 3
    near = (await house.client.post("/api/memory/similarity", json={**asked, "query": "kitten"})).json()["results"]
    assert sorted(each["id"] for each in near) == ["1", "2", "3"]
    assert {each["score"] for each in near} == {1.0}


async def test_what_has_no_vector_yet_is_found_by_its_words(house: House, vectors: Vectors) -> None:
    for number in range(8):
        await store(house, f"The kitten of neighbour {number} sleeps")
    while await vectors.once():
        pass
    await store(house, "The invoice about the kitten is INV-99812")
    found = (await find(house, "kitten invoice INV-99812", limit=3))["results"]
    assert found[0]["id"] == "9" and found[0]["score"] > 0.7


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_who_does_not_answer_is_left_alone_for_longer_and_longer() -> None:
    clock = Clock()
    calm = CoolDown(clock)
    assert calm.over
    assert [calm.failed() for _ in range(7)] == [2, 4, 8, 16, 32, 60, 60]
    clock.now = 59
    assert not calm.over
    clock.now = 60
    assert calm.over
    calm.worked()
    assert (calm.over, calm.failed()) == (True, 2)


async def test_clusters_and_near_duplicates_go_by_meaning(house: House, vectors: Vectors) -> None:
    """Texts that share no word; by their words alone they are strangers."""
    for text in (
        "A kitten cares at home",
        "About any feline pet",
        "My cat sleeps long",
        "An open socket",
        "Which port then?",
    ):
        await store(house, text)
    await store(house, "cat in the other session", 2)

    async def clustered() -> list[tuple[list[int], int]]:
        body = {"min_cluster_size": 2}
        answer = (await house.client.post("/api/memory/cluster/1", json=body)).json()
        return [(each["memory_ids"], each["vector_dimension"]) for each in answer["clusters"]]

    assert await clustered() == []
    assert (await house.client.get("/api/memory/1")).json()["near_duplicates"] == []
    while await vectors.once():
        pass
    assert [(sorted(ids), dimension) for ids, dimension in await clustered()] == [([1, 2, 3], 4), ([4, 5], 4)]
    assert [each["memory_id"] for each in (await house.client.get("/api/memory/4")).json()["near_duplicates"]] == [5]
    answer = await house.client.post("/api/memory/store?session_id=1", json={"content": "A tabby cat named Tom"})
    near = answer.json()["near_duplicates"]
    assert [(each["memory_id"], each["similarity"]) for each in near] == [(1, 1.0), (2, 1.0), (3, 1.0)]
    shown = (await house.client.get("/api/memory/3?at=5")).json()  # as it was stored itself
    assert [each["memory_id"] for each in shown["near_duplicates"]] == [1, 2]
    await house.client.delete("/api/memory/1")
    assert [each["memory_id"] for each in (await house.client.get("/api/memory/3")).json()["near_duplicates"]] == [2]
    assert await clustered() == []  # the new one has no vector among the others yet: words serve
    await vectors.once()
    assert sorted(sorted(ids) for ids, _ in await clustered()) == [[2, 3, 7], [4, 5]]


async def test_vectors_outlive_a_restart_and_not_an_erasure(house: House, vectors: Vectors, tmp_path: Path) -> None:
    await store(house, "The cat sleeps on the sofa")
    await store(house, "Staging listens on 5433", 2)
    await vectors.once()
    again = FakeEmbedder()
    other = Vectors(tmp_path / memory_vectors.FILE, again, house.app.state.services.reads)
    assert (await other.once(), len(other), again.embedded) == (2, 2, [])
    other.close()
    file = tmp_path / memory_vectors.FILE
    kept = (await house.app.state.services.reads.run(refs_kept)).value
    assert all(ref.encode() in file.read_bytes() for ref in kept)
    erased = await house.client.post("/api/sessions/1/erase", json={"confirm": True})
    assert erased.status_code == 200, erased.text
    left = (await house.app.state.services.reads.run(refs_kept)).value
    (gone,) = kept - left
    assert gone.encode() not in file.read_bytes()
    assert [each["id"] for each in (await find(house, "kitten"))["results"]] == ["2"]


async def test_many_vectors_are_looked_up_in_an_index(
    house: House, vectors: Vectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_vectors, "EXACT", 3)
    for number in range(6):
        await store(house, f"the cat number {number} sleeps" if number % 2 else f"socket number {number} is open")
    await vectors.once()
    await vectors.once()
    found = vectors.nearest(await vectors.of("feline"), 3)
    assert len(found) == 3 and all(each.score > 0.99 for each in found)


async def test_it_runs_in_the_background(house: House, vectors: Vectors) -> None:
    await store(house, "The cat sleeps on the sofa")
    task = asyncio.get_running_loop().create_task(vectors.run())
    async with asyncio.timeout(10):
        while not len(vectors):
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Two layers of random weights, and a vocabulary of a few words."""
    folder, chance, size = tmp_path / "small", np.random.default_rng(1), 8
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "the", "cat", "sleeps", "port"]
    tokenizer = Tokenizer(WordLevel({word: index for index, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"num_attention_heads": 2, "num_hidden_layers": 2, "hidden_size": size, "max_position_embeddings": 16}
    (folder / "config.json").write_text(json.dumps(config))
    shapes = {"word": (len(words), size), "position": (16, size), "token_type": (2, size)}
    weights: dict[str, tuple[int, ...]] = {
        f"bert.embeddings.{name}_embeddings.weight": shape for name, shape in shapes.items()
    }
    linear = {"attention.self.query": size, "attention.self.key": size, "attention.self.value": size}
    for layer in ("bert.encoder.layer.0.", "bert.encoder.layer.1."):
        for name in (*linear, "attention.output.dense"):
            weights |= {f"{layer}{name}.weight": (size, size), f"{layer}{name}.bias": (size,)}
        weights |= {f"{layer}intermediate.dense.weight": (16, size), f"{layer}intermediate.dense.bias": (16,)}
        weights |= {f"{layer}output.dense.weight": (size, 16), f"{layer}output.dense.bias": (size,)}
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            weights |= {f"{layer}{name}.weight": (size,), f"{layer}{name}.bias": (size,)}
    weights |= {"bert.embeddings.LayerNorm.weight": (size,), "bert.embeddings.LayerNorm.bias": (size,)}
    values = {name: chance.normal(size=shape).astype(np.float32) for name, shape in weights.items()}
    save_file(values, str(folder / "model.safetensors"))
    return folder


def test_a_forward_pass(model: Path) -> None:
    embedder = MiniLm(model)
    alone, longer = embedder.embed(["the cat"])[0], embedder.embed(["the cat", "the cat sleeps the port " * 9])
    assert (embedder.dimension, alone.shape, embedder.name) == (8, (8,), "small:8")
    assert np.allclose(np.linalg.norm(longer, axis=1), 1, atol=1e-5)
    assert np.allclose(alone, longer[0], atol=1e-5)  # what is padded does not count
    assert not np.array_equal(alone, longer[1])


def test_a_model_that_cannot_be_used(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EmbedderError, match="has no config"):
        MiniLm(tmp_path / "nothing")
    save_file({"other": np.zeros(1, dtype=np.float32)}, str(model / "model.safetensors"))
    with pytest.raises(EmbedderError, match="no BERT model"):
        MiniLm(model)

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EmbedderError, match=r"numpy is not installed: pip install 'chronoproxy\[vectors\]'"):
        MiniLm(model)


def test_a_wrong_path_is_told_before_the_start(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[memory.embedder]\npath = "{tmp_path}/none"\n', encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"memory.embedder.path: .*none has no config.json"):
        load(file, Overrides(data_dir=tmp_path), {})


async def test_none_is_configured(house: House, tmp_path: Path) -> None:
    reads = house.app.state.services.reads
    assert open_vectors(lambda: None, tmp_path, reads) is None
    assert open_vectors(lambda: MiniLm(tmp_path / "gone"), tmp_path, reads) is None
