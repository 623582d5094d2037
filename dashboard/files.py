"""Static files with an ETag of their content, and compressed for those who can read that. What a browser has already is
not sent again; a file that has changed on disk is read anew."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

_WORTH_BYTES = 600  # smaller ones do not gain
_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".ico": "image/x-icon"}


@dataclass(frozen=True)
class Held:
    """A file as it was at `changed_ns`; `small` is None where compressing does not pay."""

    changed_ns: int
    media_type: str
    tag: str
    raw: bytes
    small: bytes | None


class Files:
    """The files of a folder, kept in memory once they were asked for."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._held: dict[Path, Held] = {}

    def answer(self, request: Request, name: str, headers: dict[str, str]) -> Response:
        """Raises HTTPException 404."""
        held = self._file(name)
        compressed = held.small is not None and "gzip" in request.headers.get("accept-encoding", "")
        tag = f'"{held.tag}{"-gz" if compressed else ""}"'
        sent = {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding", **headers}
        if tag in (part.strip() for part in request.headers.get("if-none-match", "").split(",")):
            return Response(status_code=304, headers=sent)
        if compressed:
            return Response(held.small, headers={**sent, "Content-Encoding": "gzip"}, media_type=held.media_type)
        return Response(held.raw, headers=sent, media_type=held.media_type)

    def _file(self, name: str) -> Held:
        path = self._path(name)
        changed_ns = path.stat().st_mtime_ns
        held = self._held.get(path)
        if held is None or held.changed_ns != changed_ns:
            held = self._held[path] = _read(path, changed_ns)
        return held

    def _path(self, name: str) -> Path:
        """Only what lies in the folder, whatever the name says."""
        try:
            path = (self._root / name).resolve()
            if path.is_relative_to(self._root) and path.is_file():
                return path
        except (OSError, ValueError):
            pass
        raise HTTPException(404)


def _read(path: Path, changed_ns: int) -> Held:
    raw = path.read_bytes()
    small = gzip.compress(raw, 9, mtime=0) if len(raw) >= _WORTH_BYTES else None
    media_type = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Held(changed_ns, media_type, hashlib.sha256(raw).hexdigest()[:16], raw, small)
