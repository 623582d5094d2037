"""Somebody asked for what a mask stands for: recorded, and nothing else."""

from typing import Literal

import msgspec

from commands.workspace import Workspace
from schema.context import ContentRetrieved
from schema.registry import Event


class RetrieveContent(msgspec.Struct, frozen=True):
    """`hash` is the sha256 of the text."""

    session_id: int
    hash: str
    by: Literal["user", "model"] = "user"


Command = RetrieveContent


def decide(_: Workspace, command: Command) -> list[Event]:
    return [ContentRetrieved(session_id=command.session_id, hash=command.hash, retrieved_by=command.by)]
