"""Meanings of texts as vectors, by a configured provider's /embeddings (OpenAI's form of it).

Opt-in: the texts of memories, and what is looked for, go to that provider. Answers are somebody else's data: their size
is bounded, and what is no vector of finite numbers is refused.
"""

import importlib
import importlib.util
import time
from collections.abc import Sequence
from typing import Any

import httpx
import msgspec

from api.embedding import EmbedderError, check_numpy
from api.network_errors import UNUSABLE
from proxy.providers import Provider

_LONGEST_S, _CONNECT_S = 20.0, 5.0
_MOST_BYTES = 8 << 20
_MOST_DIMENSIONS = 16_384
_MOST_CHARACTERS = 8_000  # of one text: models take some 8,000 tokens, and no text has more tokens than that many bytes
_CHAT, _EMBEDDINGS = "/chat/completions", "/embeddings"


class _Vector(msgspec.Struct):
    embedding: list[float]
    index: int


class _Answer(msgspec.Struct):
    data: list[_Vector]


class RemoteEmbedder:
    """Texts to unit vectors. `dimension` is 0 until the first answer. May be used by several threads."""

    concurrent = True

    def __init__(self, provider: Provider, model: str, chat_url: str) -> None:
        """Raises EmbedderError."""
        check_numpy()
        self._np = importlib.import_module("numpy")
        self._model = model
        self._url = embeddings_url(chat_url)
        self.name, self.dimension = f"{provider.key}/{model}", 0
        bearer = {"Authorization": f"Bearer {provider.api_key.strip()}"} if provider.api_key else {}
        try:
            self._client = httpx.Client(headers={**bearer, **provider.headers}, follow_redirects=False)
        except UNUSABLE as error:
            text = "the environment's HTTP proxy or certificate authorities cannot be used"
            raise EmbedderError(f"{self.name} cannot be asked: {text} ({type(error).__name__})") from None

    def embed(self, texts: Sequence[str], within_s: float | None = None) -> Any:
        """A float32 array, one row of length 1 for each text. Raises EmbedderError, also when the whole answer is not
        there after `within_s`, by default 20 seconds."""
        np = self._np
        body: dict[str, object] = {
            "model": self._model,
            "input": [text[:_MOST_CHARACTERS] for text in texts],
            "encoding_format": "float",
        }
        found = sorted(self._asked(body, within_s or _LONGEST_S).data, key=lambda each: each.index)
        sizes = {len(each.embedding) for each in found}
        if [each.index for each in found] != list(range(len(texts))) or len(sizes) != 1:
            raise EmbedderError(f"{self.name} did not answer with one vector for each text")
        size = sizes.pop()
        if not 0 < size <= _MOST_DIMENSIONS or self.dimension not in (0, size):
            raise EmbedderError(f"{self.name} answered with {size} dimensions")
        vectors = np.array([each.embedding for each in found], dtype=np.float64)
        largest = abs(vectors).max(axis=1, keepdims=True)
        if not (np.isfinite(vectors).all() and (largest > 0).all()):
            raise EmbedderError(f"{self.name} answered with a vector that has no direction")
        vectors /= largest  # else squares of large numbers overflow
        self.dimension = size
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    def close(self) -> None:
        self._client.close()

    def _asked(self, body: dict[str, object], within_s: float) -> _Answer:
        until = time.monotonic() + within_s
        limits = httpx.Timeout(within_s, connect=min(within_s, _CONNECT_S))
        try:
            with self._client.stream("POST", self._url, json=body, timeout=limits) as answer:
                if answer.status_code != httpx.codes.OK:
                    raise EmbedderError(f"{self.name} answered with status {answer.status_code}")
                return msgspec.json.decode(_bounded(answer, self.name, until), type=_Answer)
        except httpx.HTTPError as error:
            raise EmbedderError(f"{self.name} cannot be asked: {type(error).__name__}") from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise EmbedderError(f"{self.name} did not answer with vectors") from None


def embeddings_url(chat_url: str) -> str:
    """Beside where completions are posted to, with the same query."""
    path, mark, query = chat_url.partition("?")
    return path.removesuffix(_CHAT) + _EMBEDDINGS + mark + query


def _bounded(answer: httpx.Response, name: str, until: float) -> bytes:
    """Limits of httpx are of each piece; an answer that trickles in would go on for ever."""
    whole = bytearray()
    for chunk in answer.iter_bytes():
        whole += chunk
        if len(whole) > _MOST_BYTES:
            raise EmbedderError(f"{name} answered with more than {_MOST_BYTES >> 20} MiB")
        if time.monotonic() > until:
            raise EmbedderError(f"{name} did not end its answer in time")
    return bytes(whole)
