"""A directory that is open to the tools, and one beside it that is not."""

import os
from pathlib import Path

import pytest

from gateway.fast_filesystem import server
from gateway.roots import Roots
from gateway.tools import InProcessServer

SECRET = "not for you"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """With a few files in it."""
    root = tmp_path / "open"
    (root / "src" / "deep").mkdir(parents=True)
    (root / "notes.txt").write_text("one\ntwo\nthree\n", encoding="utf-8")
    (root / "src" / "main.py").write_text("def main() -> None:\n    print('Grüße')\n", encoding="utf-8")
    (root / "src" / "deep" / ".hidden").write_text("seen only when asked for", encoding="utf-8")
    return root


@pytest.fixture
def outside(tmp_path: Path, root: Path) -> Path:
    """A secret, in a sibling whose name begins like the root's; links in the root lead there."""
    sibling = tmp_path / "open-not"
    sibling.mkdir()
    (sibling / "secret.txt").write_text(SECRET, encoding="utf-8")
    os.symlink(sibling / "secret.txt", root / "link.txt")
    os.symlink(sibling, root / "linked")
    return sibling


@pytest.fixture
def reading(root: Path) -> InProcessServer:
    return server(Roots([root]))


@pytest.fixture
def writing(root: Path) -> InProcessServer:
    return server(Roots([root], writable=True))
