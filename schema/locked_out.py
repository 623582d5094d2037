"""A log that came without all of its keys can be verified and read, but not served: a file beside it says so."""

from pathlib import Path

NAME = "cannot-be-served"
_WHY = (
    "This log was imported without all of its keys: it can be verified and read, but a server could not go on with\n"
    "sessions whose contents need the keys that are not here.\n"
)


def lock_out(directory: Path) -> None:
    """Keep servers from a directory."""
    (directory / NAME).write_text(_WHY, encoding="utf-8")


def why_not_served(directory: Path) -> str | None:
    """What keeps a server from a directory; None where nothing does."""
    path = directory / NAME
    return path.read_text(encoding="utf-8").replace("\n", " ").strip() if path.is_file() else None


def carry_over(source: Path, target: Path) -> None:
    """What holds for one directory holds for the one that takes its files over."""
    if why_not_served(source) is not None:
        lock_out(target)
    else:
        (target / NAME).unlink(missing_ok=True)
