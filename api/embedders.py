"""Which embedder the configuration names."""

from functools import partial
from pathlib import Path

from api.configuration import Configuration
from api.embedding import MiniLm
from api.memory_vectors import Embedder, Vectors, open_vectors
from api.remote_embedding import RemoteEmbedder
from projections.store import ReadPool
from proxy.providers import Catalogue


def configured_vectors(
    configuration: Configuration, catalogue: Catalogue, directory: Path, reads: ReadPool
) -> Vectors | None:
    """None where the configuration names no embedder, or where it cannot be loaded."""
    return open_vectors(partial(_embedder, configuration, catalogue), directory, reads)


def _embedder(configuration: Configuration, catalogue: Catalogue) -> Embedder | None:
    """Raises EmbedderError, and what reading a model's files raises."""
    chosen = configuration.memory.embedder
    if chosen.path:
        return MiniLm(Path(chosen.path).expanduser())
    for provider in configuration.providers:
        if provider.key == chosen.provider:
            return RemoteEmbedder(provider, chosen.model, catalogue.chat_url(provider))
    return None
