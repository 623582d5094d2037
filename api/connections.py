"""The HTTP connections of a server: how much each may send and how long it may take, and what happens when there are
too many. Clients are held to it before anybody knows who they are.

The server looks at all connections once a second, so that none of them needs a timer of its own.
"""

import logging
import math
import socket
from abc import ABC, abstractmethod

import msgspec
from uvicorn.server import ServerState

from api.request_ids import RequestIds

_WARN_EVERY_S = 60.0
_STEP = 64  # connections that may come before it is looked again whether there are too many

_log = logging.getLogger("chronoproxy.http")


class Limits(msgspec.Struct, frozen=True):
    """`head_s` is from the first byte to the end of a head, `body_s` without a byte of a body; `waiting` is how many
    connections may be without a complete request."""

    head_bytes: int = 65_536
    head_lines: int = 200
    head_s: float = 30.0
    body_s: float = 60.0
    waiting: int = 1_000


class Bounded(ABC):
    """What is asked of a connection. `began` is when it was made or its last request began, on the loop's clock."""

    began = 0.0

    @property
    @abstractmethod
    def answering(self) -> bool:
        """Whether an answer is under way."""

    @property
    @abstractmethod
    def incomplete(self) -> bool:
        """Whether it is open without a complete request."""

    @abstractmethod
    def look(self, now: float) -> None:
        """Close it where its time is over."""

    @abstractmethod
    def drop(self) -> None:
        """Close it at once."""


class Connections(ServerState):
    """`descriptors` is how many files the process may have open, None where that is not known."""

    def __init__(self, limits: Limits, descriptors: int | None) -> None:
        super().__init__()
        self.limits = limits
        self.request_ids = RequestIds()
        self._waiting = limits.waiting if descriptors is None else min(limits.waiting, descriptors // 2)
        self._descriptors = descriptors
        # kept free for files and for providers
        self._full = math.inf if descriptors is None else descriptors - descriptors // 16
        self._crowded = self._waiting
        self._warned = -math.inf

    def arrived(self, accepted: socket.socket | None, now: float) -> None:
        """There is one more connection."""
        if len(self.connections) > self._crowded:
            self._make_room()
        # the system gives out the lowest number that is free
        if accepted is not None and accepted.fileno() >= self._full:
            self._relieve(now)

    def look(self, now: float) -> None:
        """Once a second."""
        for connection in self._bounded():
            connection.look(now)
        self._make_room()

    def _make_room(self) -> None:
        """The oldest go first."""
        incomplete = sorted((each for each in self._bounded() if each.incomplete), key=_age)
        for each in incomplete[: max(len(incomplete) - self._waiting, 0)]:
            each.drop()
        self._crowded = max(self._waiting, len(self.connections) + _STEP)

    def _relieve(self, now: float) -> None:
        """Nearly all descriptors are taken: without those that are left the log could not be written."""
        idle = sorted((each for each in self._bounded() if not each.answering), key=_age)
        for each in idle[: len(idle) // 2]:
            each.drop()
        if now - self._warned >= _WARN_EVERY_S:
            self._warned = now
            _log.warning(
                "nearly all of the %s files that this process may have open are in use, by %d connections: "
                "idle ones are closed; a higher limit helps (ulimit -n, LimitNOFILE)",
                self._descriptors,
                len(self.connections),
            )

    def _bounded(self) -> list[Bounded]:
        return [each for each in self.connections if isinstance(each, Bounded)]


def _age(connection: Bounded) -> float:
    return connection.began
