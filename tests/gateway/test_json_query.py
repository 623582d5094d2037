"""JSONPath against the examples of RFC 9535, searching by likeness, and files that are made to do harm."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.arguments import ToolFailure
from gateway.dice import pairs, similarity
from gateway.json_query import every, server
from gateway.jsonpath import PathError, parse
from gateway.jsonpath_finding import Finder, path_of
from gateway.roots import NO_ROOTS, Roots
from gateway.tools import InProcessServer
from tests.gateway.calling import done, refused
from tests.gateway.conftest import SECRET

STORE = {
    "store": {
        "book": [
            {"category": "reference", "author": "Nigel Rees", "title": "Sayings of the Century", "price": 8.95},
            {"category": "fiction", "author": "Evelyn Waugh", "title": "Sword of Honour", "price": 12.99},
            {"category": "fiction", "author": "Herman Melville", "title": "Moby Dick", "isbn": "0-553", "price": 8.99},
            {"category": "fiction", "author": "J. R. R. Tolkien", "title": "The Lord", "isbn": "0-395", "price": 22.99},
        ],
        "bicycle": {"color": "red", "price": 399},
    }
}
LETTERS = {
    "a": [3, 5, 1, 2, 4, 6, {"b": "j"}, {"b": "k"}, {"b": {}}, {"b": "kilo"}],
    "o": {"p": 1, "q": 2, "r": 3, "s": 5, "t": {"u": 6}},
    "e": "f",
}
ABC = ["a", "b", "c", "d", "e", "f", "g"]
ODD = {"k k": {"j.j": 3}, "'": {"@": 2}, "é": 1, "\u0001": 0}


def paths(path: str, value: Any) -> list[str]:
    finder = Finder(value, lambda: None)
    return [path_of(way) for way, _ in finder.find(parse(path))]


def values(path: str, value: Any) -> list[Any]:
    return [found for _, found in Finder(value, lambda: None).find(parse(path))]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$.store.book[*].author", ["Nigel Rees", "Evelyn Waugh", "Herman Melville", "J. R. R. Tolkien"]),
        ("$..author", ["Nigel Rees", "Evelyn Waugh", "Herman Melville", "J. R. R. Tolkien"]),
        ("$.store..price", [8.95, 12.99, 8.99, 22.99, 399]),
        ("$..book[2].title", ["Moby Dick"]),
        ("$..book[-1].title", ["The Lord"]),
        ("$..book[0,1].price", [8.95, 12.99]),
        ("$..book[:2].price", [8.95, 12.99]),
        ("$..book[?@.isbn].price", [8.99, 22.99]),
        ("$..book[?@.price<10].price", [8.95, 8.99]),
        ("$..book[?(@.price > $.store.book[0].price && @.category == 'fiction')].price", [12.99, 8.99, 22.99]),
        ("$..book[?!@.isbn].price", [8.95, 12.99]),
        ("$..book[?length(@.title) == 9].title", ["Moby Dick"]),
        ("$.store[?count(@.*) == 4].price", []),
        ("$.store[?count(@.*) == 2]['color']", ["red"]),
        ("$['store'][\"bicycle\"]['color', 'price']", ["red", 399]),
        ("$.store.bicycle [ 'color' ]", ["red"]),
    ],
)
def test_the_store(path: str, found: list[Any]) -> None:
    assert values(path, STORE) == found


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$.a[?@.b == 'kilo']", [{"b": "kilo"}]),
        ("$.a[?(@.b == 'kilo')]", [{"b": "kilo"}]),
        ("$.a[?@>3.5]", [5, 4, 6]),
        ("$.a[?@.b]", [{"b": "j"}, {"b": "k"}, {"b": {}}, {"b": "kilo"}]),
        ("$[?@.*]", [LETTERS["a"], LETTERS["o"]]),
        ("$[?@[?@.b]]", [LETTERS["a"]]),
        ("$.o[?@<3, ?@<3]", [1, 2, 1, 2]),
        ('$.a[?@<2 || @.b == "k"]', [1, {"b": "k"}]),
        ("$.o[?@>1 && @<4]", [2, 3]),
        ("$.o[?@.u || @.x]", [{"u": 6}]),
        ("$.a[?@.b == $.x]", [3, 5, 1, 2, 4, 6]),
        ("$.a[?@ == @]", LETTERS["a"]),
        ("$.o[?value(@.u) >= 6]", [{"u": 6}]),
        ("$.e[0]", []),
        ("$.absent.more", []),
    ],
)
def test_filters(path: str, found: list[Any]) -> None:
    assert values(path, LETTERS) == found


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$[1:3]", "bc"), ("$[5:]", "fg"), ("$[1:5:2]", "bd"), ("$[5:1:-2]", "fd"), ("$[::-1]", "gfedcba"),
        ("$[0:0]", ""), ("$[::0]", ""), ("$[-2]", "f"), ("$[99]", ""), ("$[-99:2]", "ab"), ("$[0, 3]", "ad"),
    ],
)  # fmt: skip
def test_slices(path: str, found: str) -> None:
    assert "".join(values(path, ABC)) == found


def test_order_of_what_is_below() -> None:
    value = {"o": {"j": 1, "k": 2}, "a": [5, 3, [{"j": 4}, {"k": 6}]]}
    assert paths("$..j", value) == ["$.o.j", "$.a[2][0].j"]
    assert paths("$..[0]", value) == ["$.a[0]", "$.a[2][0]"]
    assert len(paths("$..*", value)) == 11


def test_names_that_need_quotes() -> None:
    assert values("$['k k']['j.j']", ODD) == [3]
    assert values('$["\'"]["@"]', ODD) == [2]
    assert values(r"$['\'']['@']", ODD) == [2]
    assert values(r"$['\u00e9']", ODD) == [1]
    assert values("$.é", ODD) == [1]


@pytest.mark.parametrize(
    "path",
    [
        "", "a", "$.", "$..", "$[", "$[]", "$['a", "$[a]", "$.a.", "$.1", "$[01]", "$[?]", "$[?@.a=1]", "$[?1]",
        "$ .a b", "$[?@.* == 1]", "$[?match(@.a, 'b')]", "$[?length(@.a)]", "$[?count(1) == 1]", "$['\\x']",
        "$[?(@.a]", "$[1:2:3:4]",
        "$[?" + "(" * 50 + "@" + ")" * 50 + "]", "$[?" + "length(" * 50 + "@" + ")" * 50 + "==1]", "$" + ".a" * 2_000,
        "$[-0]", "$[9999999999999999]",
    ],
)  # fmt: skip
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(PathError):
        parse(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab'\\ é", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab'\\ é\n", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_the_path_of_each_node_finds_it(value: Any) -> None:
    for way, node in every(value):
        ((found_way, found),) = Finder(value, lambda: None).find(parse(path_of(way)))
        assert found_way == way and found is node


@settings(deadline=None)
@given(st.text("$.[]?@*:'\"(),=<>!&|ab01- \\u", max_size=15))
def test_any_text_is_a_path_or_is_refused(text: str) -> None:
    try:
        values(f"${text}", LETTERS)
    except PathError:
        return


def test_likeness() -> None:
    def like(one: str, other: str) -> float:
        return round(similarity(pairs(one), pairs(other)), 2)

    assert (like("healed", "sealed"), like("night", "nacht"), like("Na me", "name")) == (0.8, 0.25, 1.0)
    assert (like("a", "a"), like("a", "b"), like("", "")) == (1.0, 0.0, 0.0)


@pytest.fixture
def query(root: Path) -> InProcessServer:
    (root / "store.json").write_text(json.dumps(STORE), encoding="utf-8-sig")
    return server(Roots([root]))


async def test_the_tools(query: InProcessServer) -> None:
    found = await done(query, "json_query_jsonpath", file_path="store.json", jsonpath="$..bicycle.price")
    assert found == [{"path": "$.store.bicycle.price", "value": 399}]
    keys = await done(query, "json_query_search_keys", file_path="store.json", query="titel", limit=2)
    assert [key["path"] for key in keys] == ["$.store.book[0].title", "$.store.book[1].title"]
    best = await done(query, "json_query_search_values", file_path="store.json", query="moby dik")
    assert (best[0]["path"], best[0]["value"]) == ("$.store.book[2].title", "Moby Dick")
    assert best == sorted(best, key=lambda each: -each["similarity"])
    number = await done(query, "json_query_search_values", file_path="store.json", query="399", limit=1)
    assert number == [{"path": "$.store.bicycle.price", "similarity": 1.0, "value": "399"}]
    assert await done(query, "json_query_search_keys", file_path="store.json", query="zzz") == []


async def test_hostile_files(query: InProcessServer, root: Path, outside: Path) -> None:
    (outside / "secret.json").write_text(json.dumps({"secret": SECRET}))
    (root / "link.json").symlink_to(outside / "secret.json")
    (root / "deep.json").write_text("[" * 100_000 + "]" * 100_000)
    (root / "deeper.json").write_text("[" * 300 + "]" * 300)
    (root / "broken.json").write_text('{"a":')
    (root / "long.json").write_bytes(b" " * (21 << 20))
    (root / "heavy.json").write_text(json.dumps([[["x" * 400_000]]]))
    (root / "wide.json").write_text(json.dumps(list(range(2_000))))
    for path, says in (
        (str(outside / "secret.json"), "outside"),
        ("link.json", "symbolic link"),
        ("../open-not/secret.json", "`..`"),
        ("linked/secret.json", "symbolic link"),
        ("deep.json", "too deep"),
        ("deeper.json", "deeper than"),
        ("broken.json", "no JSON"),
        ("long.json", "more than"),
        ("absent.json", "does not exist"),
        ("wide.json", "narrower"),
        ("heavy.json", "narrower"),
    ):
        assert says in await refused(query, "json_query_jsonpath", file_path=path, jsonpath="$..*")
    assert "At character 3" in await refused(query, "json_query_jsonpath", file_path="store.json", jsonpath="$[")
    closed = server(Roots([]))
    assert await refused(closed, "json_query_search_keys", file_path="/store.json", query="a") == NO_ROOTS


def test_a_path_that_asks_for_too_much() -> None:
    calls = 0

    def spend() -> None:
        nonlocal calls
        calls += 1
        if calls > 1_000:
            raise ToolFailure("enough")

    for path in ("$..[?count(@..*) == count($..*)]", "$[?count($[::1]) > 0]", "$..[?$ == $]"):
        calls = 0
        with pytest.raises(ToolFailure):
            list(Finder([[0] * 50] * 50, spend).find(parse(path)))
