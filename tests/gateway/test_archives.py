"""Packing, unpacking, and archives that are made to do harm."""

import bz2
import gzip
import io
import stat
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest

from gateway.tools import InProcessServer
from tests.gateway.calling import done, refused


@pytest.mark.parametrize("format_", ["zip", "tar", "tar.gz", "tar.bz2"])
async def test_there_and_back(format_: str, writing: InProcessServer, root: Path) -> None:
    (root / "src/run.sh").write_text("#!/bin/sh\n")
    (root / "src/run.sh").chmod(0o755)
    (root / "src/empty").mkdir()
    packed = await done(
        writing, "fast_compress_files", paths=["src", "notes.txt"], output_path="all.bin", format=format_,
        exclude_patterns=["deep"], compression_level=0 if format_ == "zip" else 9,
    )  # fmt: skip
    assert packed["files"] == 3
    unpacked = await done(writing, "fast_extract_archive", archive_path="all.bin", extract_to="out/of/it")
    assert sorted(unpacked["extracted"]) == ["notes.txt", "src/main.py", "src/run.sh"]
    assert (root / "out/of/it/src/main.py").read_bytes() == (root / "src/main.py").read_bytes()
    assert stat.S_IMODE((root / "out/of/it/src/run.sh").stat().st_mode) == 0o755
    assert (root / "out/of/it/src/empty").is_dir()
    assert "exists already" in await refused(writing, "fast_extract_archive", archive_path="all.bin")
    again = await done(
        writing, "fast_extract_archive", archive_path="all.bin", overwrite=True, preserve_permissions=False,
        extract_specific=["src/run.sh"],
    )  # fmt: skip
    assert again["files"] == 1 and stat.S_IMODE((root / "src/run.sh").stat().st_mode) == 0o644
    assert "nothing of that name" in await refused(
        writing, "fast_extract_archive", archive_path="all.bin", extract_specific=["absent"]
    )


async def test_packing_twice_into_one(writing: InProcessServer) -> None:
    assert "exists already" in await refused(writing, "fast_compress_files", paths=["src"], output_path="notes.txt")
    assert "have the name" in await refused(
        writing, "fast_compress_files", paths=["notes.txt", "notes.txt"], output_path="a.zip"
    )


def a_zip(name: str, data: bytes = b"x", mode: int = 0o100644) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("fine.txt", "fine")
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        archive.writestr(info, data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def a_tar(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        fine = tarfile.TarInfo("fine.txt")
        archive.addfile(fine)
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        archive.addfile(info)
    return out.getvalue()


def a_swelling_tar() -> bytes:
    info = tarfile.TarInfo("zeros")
    info.size = 400 << 20
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(info.tobuf())]
    parts += [packer.compress(bytes(1 << 20)) for _ in range(32)]
    return b"".join((*parts, packer.flush()))


def a_wrong_size() -> bytes:
    """Says that its member has one byte."""
    data = bytearray(a_zip("zeros", bytes(40 << 20)))
    at = data.rfind(b"PK\1\2")
    data[at + 24 : at + 28] = struct.pack("<L", 1)
    return bytes(data)


HOSTILE = {
    "leads up": (a_zip("../up.txt"), "leads out"),
    "absolute": (a_zip("/etc/cron.d/x"), "leads out"),
    "backslash": (a_zip("..\\up.txt"), "leads out"),
    "deeper up": (a_zip("a/b/../../../up.txt"), "leads out"),
    "zip link": (a_zip("link", b"/etc", stat.S_IFLNK | 0o777), "link or a device"),
    "tar up": (a_tar("../up.txt"), "leads out"),
    "tar absolute": (a_tar("/etc/x"), "leads out"),
    "tar link": (a_tar("link", tarfile.SYMTYPE, "/etc"), "link or a device"),
    "tar hard link": (a_tar("link", tarfile.LNKTYPE, "/etc/passwd"), "link or a device"),
    "tar device": (a_tar("null", tarfile.CHRTYPE), "link or a device"),
    "tar pipe": (a_tar("pipe", tarfile.FIFOTYPE), "link or a device"),
    "gz up": (gzip.compress(a_tar("../up.txt")), "leads out"),
    "bz2 up": (bz2.compress(a_tar("../up.txt")), "leads out"),
    "bomb": (a_zip("zeros", bytes(64 << 20)), "swells"),
    "tar bomb": (a_swelling_tar(), "swells"),
    "wrong size": (a_wrong_size(), "cannot be read"),
    "no archive": (b"hello", "cannot be read"),
    "empty": (b"", "cannot be read"),
    "no end": (b"PK\3\4" + bytes(100), "no end"),
    "cut": (gzip.compress(a_tar("a"))[:60], "cannot be read"),
    "too many": (b"PK\5\6" + struct.pack("<4H2LH", 0, 0, 60_000, 60_000, 100, 0, 0), "members"),
}


@pytest.mark.parametrize("kind", HOSTILE)
async def test_hostile(kind: str, writing: InProcessServer, root: Path) -> None:
    data, says = HOSTILE[kind]
    (root / "hostile").write_bytes(data)
    before = {path for path in root.parent.rglob("*") if path.is_file()}
    text = await refused(writing, "fast_extract_archive", archive_path="hostile", extract_to="out")
    assert says in text
    new = {path for path in root.parent.rglob("*") if path.is_file()} - before
    assert all(path.relative_to(root / "out").name == "fine.txt" for path in new)
    if says in ("leads out", "link or a device", "swells"):
        assert not new


async def test_unpacking_does_not_go_through_links(writing: InProcessServer, root: Path, outside: Path) -> None:
    (root / "a.zip").write_bytes(a_zip("linked/new.txt"))
    assert "symbolic link" in await refused(writing, "fast_extract_archive", archive_path="a.zip")
    assert [entry.name for entry in outside.iterdir()] == ["secret.txt"]
    (root / "b.zip").write_bytes(a_zip("link.txt"))
    assert "symbolic link" in await refused(writing, "fast_extract_archive", archive_path="b.zip", overwrite=True)
