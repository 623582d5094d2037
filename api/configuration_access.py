"""Who may call by the configuration: entries of server.allowed_* that let in more than they seem to, or nobody.

Named in warnings, never an error.
"""

import re
from collections.abc import Iterable, Iterator

from api.configuration_sections import Server
from api.gate import host_name

_SCHEME = r"[a-z][a-z0-9+.-]*://"
_ORIGIN = re.compile(rf"null|{_SCHEME}([^/:@*?#\s]+|\[[0-9a-f:]+\])(:\d+)?")  # as browsers write it
_BEGIN = re.compile(rf"|[a-z][a-z0-9+-]*(:/?)?|{_SCHEME}[^/@*?#\s]*")  # of one
_USUAL = re.compile(r"(http://.*):80|(https://.*):443")  # ports that browsers leave out
# What cannot be gone on with a name of somebody else's: a scheme of its own, a port.
_CLOSED = re.compile(r"(?!https?:)[^/:]+://\*|[^/:]+://[^/]*:\d*\*", re.IGNORECASE | re.DOTALL)


def access_warnings(server: Server) -> list[str]:
    """One for each entry that lets in others, and for each that lets in nobody."""
    return [*_origins(server.allowed_origins), *_hosts(server.allowed_hosts)]


def _origins(entries: Iterable[str]) -> Iterator[str]:
    for entry in entries:
        if not _can_be_origin(entry):
            near = _near_origin(entry)
            meant = f"; is {near!r} meant?" if near else ""
            yield f"server.allowed_origins: {entry!r} is never the origin of a page{meant}"
        elif entry.endswith("*") and not _CLOSED.fullmatch(entry):
            yield f"server.allowed_origins: {entry!r} also allows {_others(entry)}"


def _can_be_origin(entry: str) -> bool:
    if entry.endswith("*"):
        return _BEGIN.fullmatch(entry[:-1]) is not None
    return _ORIGIN.fullmatch(entry) is not None and not _USUAL.fullmatch(entry)


def _near_origin(entry: str) -> str:
    """Scheme and host alone; empty where that is not known."""
    scheme, mark, rest = entry.lower().partition("://")
    near = f"{scheme}://{_host_in(rest)}" if mark else f"https://{_host_in(scheme)}"
    usual = _USUAL.fullmatch(near)
    near = (usual[1] or usual[2]) if usual is not None else near
    return near if _can_be_origin(near) and "*" not in near else ""


def _others(entry: str) -> str:
    """Who may call because of it."""
    begin = entry.removesuffix("*")
    if not begin or begin.endswith(("://", "/")):
        return "the pages of everybody"
    return f"the pages of {begin.rstrip('.')}.evil.example; name each origin, or write {begin + ':*'!r} for all ports"


def _hosts(entries: Iterable[str]) -> Iterator[str]:
    for entry in entries:
        name = entry.lower()
        begin = name.removesuffix("*")
        if set(begin) & set("/@*?#, ") or (begin == name and not host_name(name)):
            near = _host_in(name.partition("://")[2] or name)
            meant = f"; is {near!r} meant?" if near != name and host_name(near) and "*" not in near else ""
            yield f"server.allowed_hosts: {entry!r} is never the Host of a request{meant}"
        elif begin != name and not set(begin) & set(":["):
            names = f"names such as {begin.rstrip('.')}.evil.example" if begin else "every name"
            yield f"server.allowed_hosts: {entry!r} also allows {names}: whoever owns one can make it lead here"


def _host_in(text: str) -> str:
    """Host and port, of what stands behind a scheme."""
    return re.split(r"[/?#]", text)[0].rpartition("@")[2]
