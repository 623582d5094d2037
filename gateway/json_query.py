"""Server json-query: values in JSON files by path, and keys and values that are like a text. Files beneath the roots of
[mcp.fast_filesystem] only."""

import heapq
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

import msgspec

from gateway.arguments import ToolFailure, answer, tool
from gateway.beside import Beside
from gateway.bounds import ANSWER_BYTES, Allowance
from gateway.dice import likeness, pairs
from gateway.fs_read import read_up_to
from gateway.jsonpath import PathError, parse
from gateway.jsonpath_finding import Finder, Node, children, path_of
from gateway.roots import Roots
from gateway.tools import Caller, InProcessServer, ToolAnswer

NAME = "json-query"
VERSION = "1.0.0"
MOST_BYTES = 20 << 20
_DEEPEST = 200
_NODES = 2_000_000
_RESULTS = 1_000
_VALUE = 1_000  # characters of a value in an answer of a search
_AT_ONCE = 2
_BY_PATH = (
    f"Values in a JSON file by JSONPath (RFC 9535); {_RESULTS:,} values or {ANSWER_BYTES:,} bytes at most, more are"
    " refused."
)
FilePath = Annotated[str, msgspec.Meta(description="A JSON file beneath an open directory.")]
Limit = Annotated[int, msgspec.Meta(ge=1, le=100)]


class ByPath(msgspec.Struct, frozen=True, kw_only=True):
    file_path: FilePath
    jsonpath: Annotated[str, msgspec.Meta(min_length=1, description="Such as $.items[?@.price < 10].name")]


class Search(msgspec.Struct, frozen=True, kw_only=True):
    file_path: FilePath
    query: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
    limit: Limit = 5


def server(roots: Roots) -> InProcessServer:
    aside = Beside(_AT_ONCE)

    def beside(work: Callable[[Roots, Any], Any]) -> Callable[[Caller, Any], Any]:
        async def run(_: Caller, asked: Any) -> ToolAnswer:
            return await aside.run(lambda: answer(work(roots, asked)))

        return run

    return InProcessServer(
        name=NAME,
        version=VERSION,
        tools=(
            tool("json_query_jsonpath", _BY_PATH, ByPath, beside(by_path)),
            tool("json_query_search_keys", "Keys in a JSON file that are like a text.", Search, beside(by_key)),
            tool("json_query_search_values", "Values in a JSON file that are like a text.", Search, beside(by_value)),
        ),
    )


def by_path(roots: Roots, asked: ByPath) -> list[Mapping[str, Any]]:
    """Raises ToolFailure."""
    try:
        query = parse(asked.jsonpath)
    except PathError as error:
        raise ToolFailure(str(error)) from None
    finder = Finder(loaded(roots, asked.file_path), Allowance(entries=_NODES).entry)
    found: list[Mapping[str, Any]] = []
    room = ANSWER_BYTES
    for way, value in finder.find(query):
        room -= len(msgspec.json.encode(value))
        if len(found) == _RESULTS or room < 0:
            text = f"More than {_RESULTS:,} values or {ANSWER_BYTES:,} bytes fit: take a narrower path."
            raise ToolFailure(text)
        found.append({"path": path_of(way), "value": value})
    return found


def by_key(roots: Roots, asked: Search) -> list[Mapping[str, Any]]:
    """Raises ToolFailure."""
    named = ((way, way[-1]) for way, _ in every(loaded(roots, asked.file_path)) if way and isinstance(way[-1], str))
    return [{"path": path_of(way), "similarity": like} for like, way, _ in _best(named, asked)]


def by_value(roots: Roots, asked: Search) -> list[Mapping[str, Any]]:
    """Raises ToolFailure."""
    leaves = (
        (way, value if isinstance(value, str) else msgspec.json.encode(value).decode())
        for way, value in every(loaded(roots, asked.file_path))
        if not isinstance(value, dict | list)
    )
    return [
        {"path": path_of(way), "similarity": like, "value": text[:_VALUE]} for like, way, text in _best(leaves, asked)
    ]


def loaded(roots: Roots, path: str) -> Any:
    """Raises ToolFailure."""
    place = roots.place(path)
    with roots.file(place) as descriptor:
        data = read_up_to(descriptor, MOST_BYTES + 1, place)
    if len(data) > MOST_BYTES:
        raise ToolFailure(f"{place.shown} has more than {MOST_BYTES:,} bytes.")
    try:
        value = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except RecursionError:
        raise ToolFailure(f"{place.shown} is nested too deep.") from None
    except msgspec.DecodeError as error:
        raise ToolFailure(f"{place.shown} is no JSON: {error}.") from None
    if _too_deep(value):
        raise ToolFailure(f"{place.shown} is nested deeper than {_DEEPEST} levels.")
    return value


def _too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEEPEST + 1):
        containers = [each for each in level if isinstance(each, dict | list)]
        level = [inner for each in containers for inner in (each.values() if isinstance(each, dict) else each)]
        if not level:
            return False
    return True


def every(value: Any) -> Iterator[Node]:
    """All nodes, in the order of the file. Raises ToolFailure where there are too many."""
    allowance, todo = Allowance(entries=_NODES), list[Iterator[Node]]([iter([((), value)])])
    while todo:
        node = next(todo[-1], None)
        if node is None:
            todo.pop()
            continue
        allowance.entry()
        yield node
        if isinstance(node[1], dict | list):
            todo.append(children(node))


def _best(candidates: Iterator[tuple[Any, Any]], asked: Search) -> list[tuple[float, Any, str]]:
    """Best first, then in the order of the file."""
    wanted = pairs(asked.query)
    scored = ((round(likeness(wanted, text), 4), -number, way, text) for number, (way, text) in enumerate(candidates))
    best = heapq.nlargest(asked.limit, (each for each in scored if each[0] > 0), key=lambda each: each[:2])
    return [(like, way, text) for like, _, way, text in best]
