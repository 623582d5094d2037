"""Memories put together by their meaning, as `context.clusters` does it by their words: leaders first, then centres, in
their order. Vectors are rows of a matrix, each of length 1."""

import importlib
from collections.abc import Sequence
from typing import Any

from context.clusters import Cluster, Vector, shared_words

NEAR = 0.6  # cosine of all-MiniLM-L6-v2: purity .91 on 1,805 labelled answers, where .55 has .88 and clusters more


def vector_clusters(matrix: Any, words: Sequence[Vector], least: int, *, near: float = NEAR) -> list[Cluster]:
    """Those of at least `least` texts, the largest first; `words` are the weighted words of the texts, for names."""
    np = importlib.import_module("numpy")
    centres = _led(np, matrix, near)
    if not len(centres):
        return []
    scores = matrix @ centres.T
    nearest = np.argmax(scores, axis=1)
    near_enough = scores[np.arange(len(matrix)), nearest] >= near
    found: list[Cluster] = []
    for place in range(len(centres)):
        members = np.flatnonzero((nearest == place) & near_enough)
        if len(members) >= least:
            found.append(_cluster(np, matrix, words, members))
    return sorted(found, key=lambda cluster: (-len(cluster.members), cluster.members))


def _led(np: Any, matrix: Any, near: float) -> Any:
    """The centres: a text joins the first one that it is near enough to, else it is a new one."""
    sums, units = np.zeros_like(matrix), np.zeros_like(matrix)
    count = 0
    for vector in matrix:
        close = np.flatnonzero(units[:count] @ vector >= near)
        place = int(close[0]) if len(close) else count
        count = max(count, place + 1)
        sums[place] += vector
        units[place] = _unit(np, sums[place])
    return units[:count]


def _cluster(np: Any, matrix: Any, words: Sequence[Vector], members: Any) -> Cluster:
    own = matrix[members]
    nearness = own @ _unit(np, own.sum(axis=0))
    indexes = [int(index) for index in members]
    return Cluster(
        tuple(indexes),
        indexes[int(np.argmax(nearness))],
        round(float(nearness.mean()), 4),
        shared_words([words[index] for index in indexes]),
    )


def _unit(np: Any, vector: Any) -> Any:
    length = np.linalg.norm(vector)
    return vector / length if length else vector
