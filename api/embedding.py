"""Meanings of texts as vectors, by a local copy of all-MiniLM-L6-v2 or another model of its kind (BERT, mean pooling).

The forward pass is numpy alone. What it needs beyond Chronoproxy is the extra `vectors`, and it is loaded only where
the configuration names a model.
"""

import importlib
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MOST_TOKENS = 256  # of one text; what is behind is not looked at
_ERF = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)  # Abramowitz and Stegun 7.1.26, to 1.5e-7
_PACKAGES = ("numpy", "tokenizers", "safetensors")
_FILES = ("config.json", "tokenizer.json", "model.safetensors")


class EmbedderError(Exception):
    """A model that cannot be used; the message says why."""


def check_model(folder: Path) -> None:
    """Whether it can be loaded, as far as that shows from outside. Raises EmbedderError."""
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        raise EmbedderError(f"{folder} has no {missing[0]}: it must be the folder of a model such as all-MiniLM-L6-v2")
    absent = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if absent:
        raise EmbedderError(f"{absent[0]} is not installed: pip install 'chronoproxy[vectors]'")


def check_numpy() -> None:
    """Raises EmbedderError."""
    if importlib.util.find_spec("numpy") is None:
        raise EmbedderError("numpy is not installed: pip install 'chronoproxy[vectors]'")


class MiniLm:
    """Texts to unit vectors. Not for several threads at once."""

    concurrent = False

    def __init__(self, folder: Path) -> None:
        """Raises EmbedderError."""
        check_model(folder)
        self._np = importlib.import_module("numpy")
        tokenizers = importlib.import_module("tokenizers")
        safetensors = importlib.import_module("safetensors.numpy")
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self._heads = int(config["num_attention_heads"])
        self._layers = int(config["num_hidden_layers"])
        self._epsilon = float(config.get("layer_norm_eps", 1e-12))
        self.dimension = int(config["hidden_size"])
        self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        most = min(MOST_TOKENS, int(config.get("max_position_embeddings", 512)))
        self._tokenizer.enable_truncation(max_length=most)
        self._tokenizer.enable_padding()
        self._weights = _weights(safetensors.load_file(str(folder / "model.safetensors")), self._np)
        self.name = f"{folder.name}:{self.dimension}"

    def embed(self, texts: Sequence[str], within_s: float | None = None) -> Any:
        """A float32 array, one row of length 1 for each text. It takes as long as it takes."""
        np = self._np
        encoded = self._tokenizer.encode_batch(list(texts))
        ids = np.array([each.ids for each in encoded])
        mask = np.array([each.attention_mask for each in encoded], dtype=np.float32)
        hidden = self._embedded(ids)
        for layer in range(self._layers):
            hidden = self._layer(hidden, mask, f"encoder.layer.{layer}.")
        pooled = (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
        return (pooled / np.linalg.norm(pooled, axis=1, keepdims=True)).astype(np.float32)

    def close(self) -> None:
        """Nothing is open."""

    def _embedded(self, ids: Any) -> Any:
        of = self._weights
        hidden = of["embeddings.word_embeddings.weight"][ids]
        hidden = hidden + of["embeddings.position_embeddings.weight"][: ids.shape[1]]
        hidden = hidden + of["embeddings.token_type_embeddings.weight"][0]
        return self._norm(hidden, "embeddings.LayerNorm.")

    def _layer(self, hidden: Any, mask: Any, name: str) -> Any:
        attended = self._linear(
            self._attention(hidden, mask, f"{name}attention.self."), f"{name}attention.output.dense."
        )
        hidden = self._norm(hidden + attended, f"{name}attention.output.LayerNorm.")
        inner = self._linear(hidden, f"{name}intermediate.dense.")
        inner = 0.5 * inner * (1 + self._erf(inner / 2**0.5))
        return self._norm(hidden + self._linear(inner, f"{name}output.dense."), f"{name}output.LayerNorm.")

    def _attention(self, hidden: Any, mask: Any, name: str) -> Any:
        np = self._np
        texts, length, size = hidden.shape
        shape = (texts, length, self._heads, size // self._heads)
        query, key, value = (
            self._linear(hidden, f"{name}{part}.").reshape(shape).transpose(0, 2, 1, 3)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 1, 3, 2) / (size // self._heads) ** 0.5
        scores = scores + (1 - mask[:, None, None, :]) * -1e9
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        shares = shares / shares.sum(-1, keepdims=True)
        return (shares @ value).transpose(0, 2, 1, 3).reshape(texts, length, size)

    def _linear(self, hidden: Any, name: str) -> Any:
        return hidden @ self._weights[f"{name}weight"].T + self._weights[f"{name}bias"]

    def _norm(self, hidden: Any, name: str) -> Any:
        middle = hidden.mean(-1, keepdims=True)
        spread = ((hidden - middle) ** 2).mean(-1, keepdims=True)
        unit = (hidden - middle) / (spread + self._epsilon) ** 0.5
        return unit * self._weights[f"{name}weight"] + self._weights[f"{name}bias"]

    def _erf(self, values: Any) -> Any:
        np = self._np
        sizes = abs(values)
        step = 1 / (1 + 0.3275911 * sizes)
        series = sum(factor * step ** (power + 1) for power, factor in enumerate(_ERF))
        return np.sign(values) * (1 - series * np.exp(-sizes * sizes))


def _weights(loaded: dict[str, Any], np: Any) -> dict[str, Any]:
    """By their names without what a wrapper has put in front. Raises EmbedderError."""
    front = next((name.partition("embeddings.")[0] for name in loaded if "embeddings.word_embeddings" in name), None)
    if front is None:
        raise EmbedderError("model.safetensors holds no BERT model")
    return {name.removeprefix(front): values.astype(np.float32) for name, values in loaded.items()}
