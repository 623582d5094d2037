"""Texts that are about the same."""

from context.clusters import clusters, weighted

TEXTS = (
    "index query postgres",
    "button dialog color",
    "postgres index vacuum",
    "dialog button font",
    "query index replica postgres",
    "color button dialog",
    "something else",
    "",
)
COUNTS = [dict.fromkeys(text.split(), 1) for text in TEXTS]


def test_they_are_put_together_in_their_order() -> None:
    found = clusters(weighted(COUNTS), 3)
    assert [each.members for each in found] == [(0, 2, 4), (1, 3, 5)]
    assert found == clusters(weighted(COUNTS), 3)
    assert all(0.5 < each.cohesion <= 1 and each.center in each.members for each in found)
    assert "index" in found[0].words and "button" in found[1].words


def test_few_texts_are_no_cluster() -> None:
    assert clusters(weighted(COUNTS), 4) == clusters([], 2) == clusters(weighted([{}, {}]), 2) == []
