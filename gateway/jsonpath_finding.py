"""What a JSONPath finds in a value: nodes in the order of RFC 9535, each with its path. Pure."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gateway.jsonpath import (
    All,
    Any_,
    Call,
    Comparison,
    Exists,
    Filter,
    Index,
    Literal_,
    Name,
    Not,
    Query,
    Segment,
    Selector,
    Slice,
    Test,
    Value,
    Wildcard,
)

Way = tuple[str | int, ...]
Node = tuple[Way, Any]
_NOTHING = object()


class Finder:
    """`spend` is called for each node that is looked at, and raises when it is enough."""

    def __init__(self, root: Any, spend: Callable[[], None]) -> None:
        self._root, self._spend = root, spend

    def find(self, query: Query) -> Iterator[Node]:
        return self._query(query, self._root)

    def _query(self, query: Query, current: Any) -> Iterator[Node]:
        nodes: Iterator[Node] = iter([((), current if query.relative else self._root)])
        for segment in query.segments:
            nodes = self._segment(nodes, segment)
        return nodes

    def _segment(self, nodes: Iterator[Node], segment: Segment) -> Iterator[Node]:
        for node in nodes:
            for each in self._below(node) if segment.descendants else (node,):
                for selector in segment.selectors:
                    yield from self._selected(each, selector)

    def _below(self, node: Node) -> Iterator[Node]:
        """The node and all below it, each before what it holds."""
        todo = [node]
        while todo:
            each = todo.pop()
            self._spend()
            yield each
            todo.extend(reversed(list(children(each))))

    def _selected(self, node: Node, selector: Selector) -> Iterator[Node]:
        way, value = node
        self._spend()
        match selector:
            case Name(name):
                if isinstance(value, dict) and name in value:
                    yield (*way, name), value[name]
            case Index(index):
                if isinstance(value, list) and -len(value) <= index < len(value):
                    yield (*way, index % len(value)), value[index]
            case Wildcard():
                yield from self._each(node)
            case Slice(start, stop, step):
                if isinstance(value, list) and step:
                    for at in range(*slice(start, stop, step).indices(len(value))):
                        self._spend()
                        yield (*way, at), value[at]
            case Filter(test):
                yield from (child for child in self._each(node) if self._holds(test, child[1]))

    def _each(self, node: Node) -> Iterator[Node]:
        for child in children(node):
            self._spend()
            yield child

    def _holds(self, test: Test, current: Any) -> bool:
        match test:
            case Exists(query):
                return next(self._query(query, current), None) is not None
            case Not(inner):
                return not self._holds(inner, current)
            case All(tests):
                return all(self._holds(each, current) for each in tests)
            case Any_(tests):
                return any(self._holds(each, current) for each in tests)
            case Comparison(left, operator, right):
                return self._compared(self._value(left, current), operator, self._value(right, current))

    def _value(self, value: Value, current: Any) -> Any:
        match value:
            case Literal_(literal):
                return literal
            case Query():
                return next((found for _, found in self._query(value, current)), _NOTHING)
            case Call("count", Query() as query):
                return sum(1 for _ in self._query(query, current))
            case Call("value", Query() as query):
                found = [each for _, each in self._query(query, current)]
                return found[0] if len(found) == 1 else _NOTHING
            case Call(_, argument):
                measured = self._value(argument, current)
                return len(measured) if isinstance(measured, str | list | dict) else _NOTHING

    def _compared(self, left: Any, operator: str, right: Any) -> bool:
        """Only numbers with numbers and texts with texts have an order; anything can be equal."""
        match operator:
            case "==":
                return self._same(left, right)
            case "!=":
                return not self._same(left, right)
            case "<":
                return _less(left, right)
            case ">":
                return _less(right, left)
            case "<=":
                return _less(left, right) or self._same(left, right)
            case _:
                return _less(right, left) or self._same(left, right)

    def _same(self, left: Any, right: Any) -> bool:
        self._spend()
        if left is _NOTHING or right is _NOTHING:
            return left is right
        if isinstance(left, list) and isinstance(right, list):
            return len(left) == len(right) and all(map(self._same, left, right))
        if isinstance(left, dict) and isinstance(right, dict):
            return left.keys() == right.keys() and all(self._same(left[key], right[key]) for key in left)
        return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def children(node: Node) -> Iterator[Node]:
    way, value = node
    if isinstance(value, dict):
        yield from (((*way, name), inner) for name, inner in value.items())
    elif isinstance(value, list):
        yield from (((*way, at), inner) for at, inner in enumerate(value))


def path_of(way: Sequence[str | int]) -> str:
    """A path that finds this node: short where names allow it."""
    parts = ["$"]
    for step in way:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif step.isascii() and step.isidentifier():
            parts.append(f".{step}")
        else:
            parts.append(f"['{_quoted(step)}']")
    return "".join(parts)


def _quoted(name: str) -> str:
    text = name.replace("\\", "\\\\").replace("'", "\\'")
    return "".join(each if each >= " " else f"\\u{ord(each):04x}" for each in text)


def _less(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return False
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    return bool(left < right) if numbers or (isinstance(left, str) and isinstance(right, str)) else False
