"""What a route is, told from what it depends on: the description of its headers and errors follows from that."""

from collections.abc import Iterator

import msgspec
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from api.bodies import BodyReader
from api.gate import Area, area_of, speaks_rpc
from api.reading import min_position, reading, require_ready
from api.writing import writing


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """`past` takes `at`, `waits` X-Min-Position; `ready` is refused until the tables are there; `body` is read as JSON;
    `writes` may append, `changes` is a write by its method too; `rpc` answers in JSON-RPC."""

    method: str
    path: str
    area: Area
    rpc: bool
    past: bool
    waits: bool
    ready: bool
    body: bool
    writes: bool

    @property
    def changes(self) -> bool:
        return self.writes and self.method != "GET"

    @property
    def key(self) -> str:
        """As the tables beside this file name it."""
        return f"{self.method} {self.path}"


def kind_of(route: APIRoute, method: str) -> Kind:
    calls = list(_calls(route.dependant))
    rpc = speaks_rpc(route.path_format)
    return Kind(
        method=method,
        path=route.path_format,
        area=area_of(route.path_format),
        rpc=rpc,
        past=reading in calls,
        waits=min_position in calls,
        ready=require_ready in calls,
        body=any(isinstance(call, BodyReader) for call in calls) or (rpc and method == "POST"),
        writes=writing in calls,
    )


def _calls(dependant: Dependant) -> Iterator[object]:
    for each in dependant.dependencies:
        yield each.call
        yield from _calls(each)
